"""Training the motion VAE: scheduled sampling over short rollouts (Ling et al. 2020, section
4.2)."""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from controller.core import processes
from controller.core.errors import DataError
from controller.core.optimizer_state import load_optimizer, optimizer_tensors
from controller.data import measures
from controller.data.dataset import MotionDataset
from controller.data.windows import Windows
from controller.dynamics.character import Character
from controller.evaluation import diagnostics
from controller.model import variants
from controller.motion.feet import Feet
from controller.training import watch
from controller.training.config import TrainConfig
from controller.training.free_running import Free, FreeRunning
from controller.training.schedules import linear_decay
from controller.training.unroll import Draws, Unroll

Precision = Literal["float32", "bf16"]


class Trainer:
    """One training run: call :meth:`run_epoch` once for each epoch.
    :class:`controller.training.run_folder.RunFolder` saves and resumes it.

    All random numbers come from one generator whose state is part of the training state, so a
    resumed run ends with the weights of an uninterrupted one. Several processes
    (:mod:`controller.core.processes`) draw the same batch from the same generator and take their
    share of it, so that they train as one would.
    """

    def __init__(
        self,
        data: MotionDataset,
        config: TrainConfig,
        device: str | torch.device = "cpu",
        precision: Precision = "float32",
        compiled: bool = False,
        skips: bool = False,
    ) -> None:
        """``precision`` bf16 lets torch compute in bfloat16 where that is known to be safe;
        ``compiled`` compiles the networks; with ``skips``, rollouts whose loss or gradient is not
        finite are left out and counted. DataError if ``data`` cannot be trained on."""
        config = replace(config, model=replace(config.model, styles=data.layout.styles))
        self.data = data
        self.limits = measures.limits(data)
        self.config = config
        self.device = torch.device(device)
        self.precision = precision
        self.skips = skips
        self.layout = data.layout
        if not data.is_finite():
            raise DataError(
                f"{data.source}: some of its poses are not finite; build the data again"
            )

        torch.manual_seed(config.seed)
        model = variants.build(self.layout.size, config.model, data.normalizer())
        self.model = model.to(self.device)
        self.parameters = self._trained_parameters()
        rate = config.optimiser.learning_rate
        self.optimizer = torch.optim.Adam(self.parameters, lr=rate, fused=True)
        self.generator = torch.Generator().manual_seed(config.seed)

        length = self.model.past + config.rollout + self.model.future
        training = data.split(held_out=False)
        styles = (len(self.layout.styles), config.style_balance)
        self.windows = Windows(*training, length, config.balance, *styles)
        self.free_windows = Windows(*training, length, config.free.free_balance, *styles)
        self.held_out = Windows(*data.split(held_out=True), length)
        self.free_running = self._free_running()
        self.unroll = Unroll(self.model, self.layout, self.device, self.free_running.distance)
        shared = processes.count() > 1
        self.unroll_shared = DistributedDataParallel(self.unroll) if shared else self.unroll
        if compiled:
            self.model.encoder.compile()
            self.model.decoder.compile()

        self.epoch = 0
        self.roll_backs = 0
        self.started_from: dict[str, Any] | None = None
        self.history: list[dict[str, float]] = []

    def _trained_parameters(self) -> list[nn.Parameter]:
        """The parameters that training changes; all others get no gradient."""
        if self.config.freeze_decoder:
            self.model.requires_grad_(False)
            self.model.encoder.requires_grad_(True)
        return [parameter for parameter in self.model.parameters() if parameter.requires_grad]

    def _free_running(self) -> FreeRunning:
        """The pool of free steps as it is before the first. The model's own statistics z-score its
        poses."""
        generator = self.generator.manual_seed(self.config.seed)
        feet = Feet(self.layout, self.device)
        free = self.config.free
        styles = self.layout.styles
        # Each style's part of the pool has as many poses again as are drawn from it.
        size = max(free.free_pool, 2 * free.free_batch * len(styles))
        return FreeRunning(
            self.free_windows,
            self.model.normalizer,
            feet,
            size,
            free.free_renewal,
            generator,
            styles,
            free.free_restyle,
        )

    def _renew_free_running(self) -> None:
        self.free_running = self._free_running()
        self.unroll.distance = self.free_running.distance

    # -- one rollout -------------------------------------------------------------------------------

    def draw(self, teacher: float) -> Draws:
        """This process's share of the random numbers of one batch of rollouts, except its
        windows."""
        config = self.config
        size = (config.batch, config.model.latent)
        noise = torch.randn(config.rollout, *size, generator=self.generator)
        width = config.batch if config.teacher.coin == "sample" else 1
        coins = torch.rand(config.rollout, width, generator=self.generator)
        forced = (coins < teacher).expand(-1, config.batch)
        draws = Draws(noise.to(self.device), forced.to(self.device))
        return draws.share(processes.rank(), processes.count())

    def draw_free(self) -> Free | None:
        """This process's share of the free steps beside one batch of rollouts; None while there are
        none."""
        config = self.config.free
        started = self.epoch >= config.free_from_epoch
        if not started or not config.free_steps or self.config.freeze_decoder:
            return None
        free = self.free_running.draw(config.free_batch, config.free_steps, self.model)
        return free.share(processes.rank(), processes.count())

    def rollout(self, beta: float, teacher: float) -> dict[str, Tensor] | None:
        """This process's share of one batch of rollouts, with its optimiser step(s).

        Returns the mean of each loss term, or None if one was not finite: the rollout ended there.
        """
        config = self.config
        raw = processes.share(self.windows.draw(config.batch, self.generator)).to(self.device)
        captured = self.unroll.captured(raw)
        draws = self.draw(teacher)
        free = self.draw_free()

        weights = replace(config.loss, beta=beta)
        place = self.unroll.begin(captured)
        parts = [draws] if config.optimiser.through_time else draws.steps()
        losses: list[dict[str, Tensor]] = []
        for part in parts:
            with_free = free if part is parts[-1] else None
            bf16 = self.precision == "bf16"
            with torch.autocast(self.device.type, torch.bfloat16, enabled=bf16):
                total, terms, place, poses = self.unroll_shared(
                    captured, place.detach(), part, weights, with_free
                )
            if not self.optimise(total):
                return None
            losses.append(terms)

        if poses is not None:
            self.free_running.put_back(poses, config.free.free_steps)
        return {
            name: torch.stack([terms[name] for terms in losses if name in terms]).mean()
            for name in losses[-1]
        }

    def optimise(self, total: Tensor) -> bool:
        """Take one optimiser step on ``total``. Returns False, and leaves the weights as they were,
        if it or its gradient is not finite in any process."""
        total.backward()
        limit = self.config.optimiser.gradient_norm
        gradients = [each.grad for each in self.parameters if limit and each.grad is not None]
        norm = torch.nn.utils.get_total_norm(gradients)
        finite = processes.agreed(math.isfinite(float(norm) + float(total.detach())), self.device)
        if finite and norm > limit > 0:
            torch.nn.utils.clip_grads_with_norm_(self.parameters, limit, norm)
        if finite:
            self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        return finite

    # -- the run -----------------------------------------------------------------------------------

    def run_epoch(self, tick: Callable[[], None] = lambda: None) -> dict[str, float]:
        """Train one epoch; returns its figures and keeps them in ``history``. ``tick`` is called
        after each rollout.

        Raises :class:`watch.Fatal` at a rollout whose loss or gradient is not finite. If such
        rollouts are skipped, raises it when the epoch has no others.
        """
        start = time.perf_counter()
        config = self.config
        self.model.train()
        sums = dict[str, Tensor]()
        finite = 0
        for index in range(config.rollouts_per_epoch):
            settings = self.schedule(self.epoch * config.rollouts_per_epoch + index)
            self.optimizer.param_groups[0]["lr"] = settings["learning_rate"]
            terms = self.rollout(settings["beta"], settings["teacher_forcing"])
            if terms is not None:
                finite += 1
                sums = {name: sums.get(name, 0) + value for name, value in terms.items()}
            elif not self.skips:
                raise watch.Fatal(watch.not_finite(self.epoch + 1, f"rollout {index + 1}"))
            tick()
        if not finite:
            raise watch.Fatal(watch.not_finite(self.epoch + 1, "every rollout"))

        self.epoch += 1
        figures = {name: float(processes.mean(value)) / finite for name, value in sums.items()}
        figures |= {
            "epoch": self.epoch,
            **settings,
            "skipped": config.rollouts_per_epoch - finite,
            "latent_units": config.model.latent,
        }
        figures["rollouts_per_s"] = config.rollouts_per_epoch / (time.perf_counter() - start)
        figures |= processes.of_first(self.validate(), self.device)
        self.history.append(figures)
        return figures

    def schedule(self, rollouts: int) -> dict[str, float]:
        """The scheduled settings after this many rollouts of the run."""
        config = self.config
        epoch = rollouts / config.rollouts_per_epoch
        total = config.rollouts_per_epoch * config.epochs
        kl = config.kl(epoch, config.epochs)
        optimiser = config.optimiser
        rates = (optimiser.learning_rate, optimiser.final_learning_rate)
        return {
            "teacher_forcing": config.teacher(epoch),
            "kl_weight": kl,
            "beta": config.loss.beta * kl,
            "learning_rate": linear_decay(rollouts, total, *rates) / 2**self.roll_backs,
        }

    def diagnose(self) -> dict[str, float]:
        """Add figures of free rollouts to those of the newest epoch, and return all of them."""
        figures = watch.free_figures(self.character())
        scores = self._held_out_scores()
        figures["still_mm"] = diagnostics.still_error(self.model, self.layout, scores)
        self.history[-1] |= processes.of_first(figures, self.device)
        return self.history[-1]

    def validate(self) -> dict[str, float]:
        """Figures on held-out windows, which are the same in every epoch."""
        self.model.eval()
        scores = self._held_out_scores()
        figures = diagnostics.latent_figures(self.model, scores)
        errors = diagnostics.reconstruction_errors(self.model, self.layout, scores)
        return figures | {"one_step_mm": errors[0], "rollout_mm": errors[-1]}

    def _held_out_scores(self) -> Tensor:
        windows = self.held_out.draw(1024, torch.Generator().manual_seed(0))
        return self.model.normalizer.normalize(windows.to(self.device))

    def character(self) -> Character:
        """The model as a character that starts from held-out captured poses; with styles, from as
        many poses of each, since some may have no clip that is held out."""
        generator = torch.Generator().manual_seed(0)
        every = self.free_running.of_style if self.layout.styles else [self.held_out]
        count = math.ceil(256 / len(every))
        windows = torch.cat([each.draw(count, generator) for each in every])
        poses = windows[:, self.model.past].to(self.device)
        scores = self.model.normalizer.normalize(poses)
        header = {"limits": self.limits.to_dict()}
        return Character(copy.deepcopy(self.model), self.layout, scores, header)

    def start_from(self, character: Character) -> None:
        """Begin with a trained model's weights and statistics; DataError if its skeleton or sizes
        are others."""
        self.data.require_layout(character.layout, "the model to start from")
        if character.model.config != self.config.model:
            raise DataError(
                f"the model to start from has {character.model.config}, not {self.config.model}"
            )
        self.model.load_state_dict(character.model.state_dict())
        self._renew_free_running()
        self.started_from = character.header.get("training")

    def retry(self) -> None:
        """Go on from here at half the learning rate and with other random numbers."""
        self.roll_backs += 1
        self.generator.manual_seed(self.config.seed + self.roll_backs)

    # -- its state ---------------------------------------------------------------------------------

    @property
    def epochs(self) -> int:
        """Epochs of the whole run."""
        return self.config.epochs

    def identity(self) -> dict[str, Any]:
        """The settings and the data of this run. Only a run with the same ones can go on from its
        state."""
        return {"config": self.config.flat(), "data": self.data.fingerprint()}

    def state(self) -> tuple[dict[str, Any], dict[str, Tensor]]:
        """Header and tensors of all that decides how training goes on."""
        tensors = {f"model.{name}": value for name, value in self.model.state_dict().items()}
        tensors |= optimizer_tensors("optimizer", self.optimizer)
        tensors |= {"generator": self.generator.get_state(), "pool": self.free_running.poses}
        header = {
            "epoch": self.epoch,
            **self.identity(),
            "history": self.history,
            "started_from": self.started_from,
            "roll_backs": self.roll_backs,
        }
        return header, tensors

    def restore(self, header: dict[str, Any], tensors: dict[str, Tensor]) -> None:
        """Take the :meth:`state` of a run with the same :meth:`identity`."""
        prefix = "model."
        weights = {
            name.removeprefix(prefix): value
            for name, value in tensors.items()
            if name.startswith(prefix)
        }
        self.model.load_state_dict(weights)
        load_optimizer("optimizer", self.optimizer, tensors)
        self._renew_free_running()
        self.free_running.poses = tensors["pool"].to(self.device)
        self.generator.set_state(tensors["generator"])

        self.epoch = header["epoch"]
        self.history = header["history"]
        self.started_from = header.get("started_from")
        self.roll_backs = header.get("roll_backs", 0)
