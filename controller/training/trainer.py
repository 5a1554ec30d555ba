"""Training the motion VAE: scheduled sampling over short rollouts (Ling et al. 2020, section
4.2)."""

from __future__ import annotations

import copy
import dataclasses
import json
import math
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from controller.core import checkpoint, files, processes
from controller.core.errors import ControllerError, DataError
from controller.core.optimizer_state import load_optimizer, optimizer_tensors
from controller.data.dataset import MotionDataset
from controller.data.windows import Windows
from controller.dynamics.character import Character
from controller.evaluation import diagnostics
from controller.model import variants
from controller.motion.feet import Feet
from controller.training import watch
from controller.training.adam import Adam
from controller.training.config import TrainConfig
from controller.training.free_running import Free, FreeRunning
from controller.training.schedules import linear_decay
from controller.training.unroll import Draws, Unroll, Weights

STATE_KIND = "motion-vae-training"
Precision = Literal["float32", "bf16"]


class Trainer:
    """One training run: ``run_epoch`` by epoch, or ``resume`` it from the state in its folder and
    run it on.

    Everything random comes from one generator whose state is part of the training state, so a
    resumed run ends with the weights of an uninterrupted one. Several processes
    (:mod:`controller.core.processes`) draw the same batch from the same generator and take their
    share of it, so that they train as one would.
    """

    def __init__(
        self, data: MotionDataset, config: TrainConfig, folder: Path,
        device: str | torch.device = "cpu", precision: Precision = "float32",
        compiled: bool = False, skips: bool = False,
    ) -> None:  # fmt: skip
        """``precision`` bf16 lets torch compute in bfloat16 where that is known to serve;
        ``compiled`` compiles the networks. ``skips`` tells to leave out, and to count, rollouts
        whose loss or gradient is no number. DataError if ``data`` cannot be trained on."""
        self.data = data
        self.config = config
        self.folder = folder
        self.device = torch.device(device)
        self.precision = precision
        self.skips = skips
        self.layout = data.layout
        if not bool(torch.isfinite(data.poses).all()):
            raise DataError(
                f"{data.source}: some of its poses are not finite numbers; build the data again"
            )
        torch.manual_seed(config.seed)
        self.model = variants.build(self.layout.size, config.model, data.normalizer()).to(
            self.device
        )
        self.parameters = self._trained_parameters()
        self.optimizer = Adam(self.parameters, lr=config.learning_rate)
        self.generator = torch.Generator().manual_seed(config.seed)
        length = self.model.past + config.rollout + self.model.future
        self.windows = Windows(*data.split(held_out=False), length, config.balance)
        self.held_out = Windows(*data.split(held_out=True), length)
        self.free_running = self._free_running()
        self.unroll = Unroll(self.model, self.layout, self.device, self.free_running.distance)
        self.unroll_shared = (
            DistributedDataParallel(self.unroll) if processes.count() > 1 else self.unroll
        )
        if compiled:
            self.model.written_out = False
            self.model.encoder.compile()
            self.model.decoder.compile()
        self.epoch = 0
        self.roll_backs = 0
        self.started_from: dict[str, Any] | None = None
        self.history: list[dict[str, float]] = []

    def _trained_parameters(self) -> list[nn.Parameter]:
        """Those that training changes; all others want no gradient."""
        if self.config.freeze_decoder:
            self.model.requires_grad_(False)
            self.model.encoder.requires_grad_(True)
        return [parameter for parameter in self.model.parameters() if parameter.requires_grad]

    def _free_running(self) -> FreeRunning:
        """The pool of free steps as it is before the first. Its poses are z-scored by the model's
        own statistics."""
        config = self.config
        generator = self.generator.manual_seed(self.config.seed)
        size = config.free_pool
        renewal = config.free_renewal
        feet = Feet(self.layout, self.device)
        return FreeRunning(self.windows, self.model.normalizer, feet, size, renewal, generator)

    def _renew_free_running(self) -> None:
        self.free_running = self._free_running()
        self.unroll.distance = self.free_running.distance

    # -- one rollout -------------------------------------------------------------------------------

    def draw(self, teacher: float) -> Draws:
        """This process's share of all that is random in one batch of rollouts but its windows."""
        config = self.config
        generator = self.generator
        size = (config.batch, config.model.latent)
        noise = torch.randn(config.rollout, *size, generator=generator)
        coins = torch.rand(
            config.rollout,
            config.batch if config.teacher.coin == "sample" else 1,
            generator=generator,
        )
        forced = (coins < teacher).expand(-1, config.batch)
        draws = Draws(noise.to(self.device), forced.to(self.device))
        return draws.share(processes.rank(), processes.count())

    def draw_free(self) -> Free | None:
        """This process's share of the free steps that go with one batch of rollouts, once they have
        begun."""
        config = self.config
        if self.epoch < config.free_from_epoch or not config.free_steps or config.freeze_decoder:
            return None
        free = self.free_running.draw(config.free_batch, config.free_steps, self.model)
        return free.share(processes.rank(), processes.count())

    def rollout(self, beta: float, teacher: float) -> dict[str, Tensor] | None:
        """This process's share of one batch of rollouts, with its optimiser step(s). Returns the
        mean of each loss term; None if one was no number, and it broke off there."""
        config = self.config
        raw = processes.share(self.windows.draw(config.batch, self.generator)).to(self.device)
        captured = self.unroll.captured(raw)
        draws = self.draw(teacher)
        free = self.draw_free()
        place = self.unroll.begin(captured)
        named = {
            name: getattr(config, f"{name}_weight")
            for name in ("foot", "joint", "bone", "slip", "spread")
        }
        weights = Weights(beta, config.free_bits, **named)
        parts = (
            [draws] if config.through_time else [draws.of(step) for step in range(config.rollout)]
        )
        told: list[dict[str, Tensor]] = []
        for index, part in enumerate(parts):
            last = free if index == len(parts) - 1 else None
            with torch.autocast(self.device.type, torch.bfloat16, enabled=self.precision == "bf16"):
                total, sums, place, poses = self.unroll_shared(
                    captured, place.detach(), part, weights, last
                )
            if not self.optimise(total):
                return None
            told.append(sums)
        if poses is not None:
            self.free_running.put_back(poses, config.free_steps)
        return {
            name: torch.stack([sums[name] for sums in told if name in sums]).mean()
            for name in told[-1]
        }

    def optimise(self, total: Tensor) -> bool:
        """One optimiser step on ``total``, and True; False, with the weights as they were, if it or
        its gradient is no number in any process."""
        total.backward()
        longest = self.config.gradient_norm
        gradients = [parameter.grad for parameter in self.parameters]
        measured = [gradient for gradient in gradients if longest and gradient is not None]
        norm = torch.nn.utils.get_total_norm(measured)
        finite = processes.agreed(math.isfinite(float(norm) + float(total.detach())), self.device)
        if finite and norm > longest > 0:
            torch.nn.utils.clip_grads_with_norm_(self.parameters, longest, norm)
        if finite:
            self.optimizer.update()
        for parameter in self.parameters:
            parameter.grad = None
        return finite

    # -- the run -----------------------------------------------------------------------------------

    def run_epoch(self, tick: Callable[[], None] = lambda: None) -> dict[str, float]:
        """One epoch; returns its figures and keeps them in ``history``.

        Raises :class:`watch.Fatal` at a rollout whose loss or gradient is no number; where such are
        skipped, when there is no other in the epoch.
        """
        started = time.perf_counter()
        config = self.config
        self.model.train()
        sums = dict[str, Tensor]()
        taken = 0
        for index in range(config.rollouts_per_epoch):
            settings = self.schedule(self.epoch * config.rollouts_per_epoch + index)
            self.optimizer.param_groups[0]["lr"] = settings["learning_rate"]
            terms = self.rollout(settings["beta"], settings["teacher_forcing"])
            if terms is not None:
                taken += 1
                sums = {name: sums.get(name, 0) + value for name, value in terms.items()}
            elif not self.skips:
                raise watch.Fatal(watch.not_finite(self.epoch + 1, f"rollout {index + 1}"))
            tick()
        if not taken:
            raise watch.Fatal(watch.not_finite(self.epoch + 1, "every rollout"))
        self.epoch += 1
        skipped = config.rollouts_per_epoch - taken
        figures = {name: float(processes.mean(value)) / taken for name, value in sums.items()}
        figures |= {
            "epoch": self.epoch,
            **settings,
            "skipped": skipped,
            "latent_units": config.model.latent,
        }
        figures["rollouts_per_s"] = config.rollouts_per_epoch / (time.perf_counter() - started)
        figures |= processes.of_first(self.validate(), self.device)
        self.history.append(figures)
        return figures

    def schedule(self, rollouts: int) -> dict[str, float]:
        """What changes over a run, after so many rollouts."""
        config = self.config
        epoch = rollouts / config.rollouts_per_epoch
        in_all = config.rollouts_per_epoch * config.epochs
        kl = config.kl(epoch, config.epochs)
        rates = (config.learning_rate, config.final_learning_rate)
        return {
            "teacher_forcing": config.teacher(epoch),
            "kl_weight": kl,
            "beta": config.beta * kl,
            "learning_rate": linear_decay(rollouts, in_all, *rates) / 2**self.roll_backs,
        }

    def diagnose(self) -> dict[str, float]:
        """The newest epoch's figures, with those of the model left to itself added."""
        figures = watch.free_figures(self.character())
        figures["still_mm"] = diagnostics.still_error(
            self.model, self.layout, self._held_out_scores()
        )
        self.history[-1] |= processes.of_first(figures, self.device)
        return self.history[-1]

    def validate(self) -> dict[str, float]:
        """Figures on held-out windows: the same windows every epoch."""
        self.model.eval()
        scores = self._held_out_scores()
        figures = diagnostics.latent_figures(self.model, scores)
        errors = diagnostics.reconstruction_errors(self.model, self.layout, scores)
        return figures | {"one_step_mm": errors[0], "rollout_mm": errors[-1]}

    def _held_out_scores(self) -> Tensor:
        windows = self.held_out.draw(1024, torch.Generator().manual_seed(0))
        return self.model.normalizer.normalize(windows.to(self.device))

    def character(self) -> Character:
        """The model as a character, starting from held-out captured poses."""
        poses = self.held_out.draw(256, torch.Generator().manual_seed(0))[:, self.model.past].to(
            self.device
        )
        return Character(
            copy.deepcopy(self.model), self.layout, self.model.normalizer.normalize(poses)
        )

    def start_from(self, character: Character) -> None:
        """Begin with a trained model's weights and statistics; DataError if it is of another
        skeleton or size."""
        self.data.require_skeleton(character.skeleton, "the model to start from")
        if character.model.config != self.config.model:
            raise DataError(
                f"the model to start from has {character.model.config}, not {self.config.model}"
            )
        self.model.load_state_dict(character.model.state_dict())
        self._renew_free_running()
        self.started_from = character.header.get("training")

    # -- checkpoints -------------------------------------------------------------------------------

    @property
    def state_path(self) -> Path:
        """The newest state, from which a run goes on."""
        return self.folder / "training.safetensors"

    @property
    def good_path(self) -> Path:
        """The newest state in which nothing was wrong, to which a run goes back."""
        return self.folder / "good.safetensors"

    @property
    def history_path(self) -> Path:
        """The figures of each epoch, for people and programs."""
        return self.folder / "history.json"

    def save(self, good: bool = True) -> None:
        """Write the history, and the training state from which :meth:`resume` goes on exactly; each
        atomically. A ``good`` state is one to go back to."""
        if processes.speaks():
            self._write_history()
            checkpoint.save(self.state_path, STATE_KIND, *self._state())
            if good:
                self._copy(self.state_path, self.good_path)
        processes.meet()

    def keep_history(self) -> None:
        """Write the history alone, of epochs that no state will be kept of."""
        if processes.speaks():
            self._write_history()

    def _write_history(self) -> None:
        files.write(self.history_path, json.dumps(self.history, indent=1))

    def resume(self) -> None:
        """Go on from the folder's training state; ControllerError if it belongs to other settings
        or data."""
        self._load(self.state_path)
        if processes.speaks():
            for path in (self.state_path, self.good_path, self.history_path):
                files.sweep(path)

    def go_back(self) -> None:
        """Return to the last good state, which becomes the newest again."""
        self._load(self.good_path)
        if processes.speaks():
            self._copy(self.good_path, self.state_path)
        processes.meet()

    def roll_back(self) -> None:
        """Return to the last good state and go on from there at half the learning rate, with other
        random numbers."""
        self._load(self.good_path)
        self.roll_backs += 1
        self.generator.manual_seed(self.config.seed + self.roll_backs)
        self.save()

    @staticmethod
    def _copy(source: Path, target: Path) -> None:
        with files.atomic(target) as temporary:
            shutil.copyfile(source, temporary)

    def _state(self) -> tuple[dict[str, Any], dict[str, Tensor]]:
        """Header and tensors of the training state."""
        tensors = {f"model.{name}": value for name, value in self.model.state_dict().items()}
        tensors |= optimizer_tensors("optimizer", self.optimizer)
        tensors |= {"generator": self.generator.get_state(), "pool": self.free_running.poses}
        header = {
            "epoch": self.epoch,
            "config": dataclasses.asdict(self.config),
            "data": self.data.fingerprint(),
            "history": self.history,
            "started_from": self.started_from,
            "roll_backs": self.roll_backs,
        }
        return header, tensors

    def _load(self, path: Path) -> None:
        header, tensors = checkpoint.load(path, STATE_KIND)
        for name, found, here in (
            ("settings", header["config"], json.loads(json.dumps(dataclasses.asdict(self.config)))),
            ("data", header["data"], self.data.fingerprint()),
        ):
            if found != here:
                raise ControllerError(
                    f"{path}: its {name} are not this run's; start in another folder"
                )
        self.model.load_state_dict({n[6:]: v for n, v in tensors.items() if n.startswith("model.")})
        load_optimizer("optimizer", self.optimizer, tensors)
        self._renew_free_running()
        self.free_running.poses = tensors["pool"].to(self.device)
        self.generator.set_state(tensors["generator"])
        self.epoch = header["epoch"]
        self.history = header["history"]
        self.started_from = header.get("started_from")
        self.roll_backs = header.get("roll_backs", 0)
