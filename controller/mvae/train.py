"""Training the motion VAE: scheduled sampling over short rollouts (Ling et al. 2020, section 4.2)."""

from __future__ import annotations

import copy
import dataclasses
import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from controller import checkpoint, files
from controller.character import Character
from controller.dataset import ClipEntry, MotionDataset
from controller.errors import ControllerError, DataError, require
from controller.features import PoseLayout
from controller.feet import Feet
from controller.mvae import diagnostics, loss, schedules
from controller.mvae.model import MotionVAE, MotionVAEConfig
from controller.optimizer_state import load_optimizer, optimizer_tensors

STATE_KIND = "motion-vae-training"


@dataclass(frozen=True)
class TrainConfig:
    """Settings of a training run. An *epoch* is ``rollouts_per_epoch`` rollouts, not a pass over the data."""

    model: MotionVAEConfig = field(default_factory=MotionVAEConfig)
    """Sizes of the networks."""
    teacher_epochs: int = 10
    """Epochs in which every step starts from a captured pose."""
    ramp_epochs: int = 15
    """Epochs over which the share of captured starts falls to none."""
    student_epochs: int = 66
    """Epochs in which every step but the first starts from the model's own pose."""
    rollouts_per_epoch: int = 500
    """Rollouts, each of ``batch`` windows, in an epoch."""
    rollout: int = 8
    """Steps of a rollout."""
    batch: int = 64
    """Windows trained on at once."""
    learning_rate: float = 1e-3
    """Adam's rate at the start; it falls linearly."""
    final_learning_rate: float = 1e-6
    """Adam's rate at the end."""
    beta: float = 0.08
    """Weight of the KL term: mean over latent units, beside a mean over pose values (as in the reference code)."""
    beta_warm_up_epochs: int = 3
    """Epochs over which the KL weight rises to ``beta``."""
    free_bits: float = 0.0
    """Nats below which a latent unit's KL costs nothing."""
    foot_weight: float = 0.5
    """Weight of the feet's own loss: where they are and how they slide while they stand."""
    prior_steps: int = 3
    """Steps that each rollout goes on with z ~ N(0, I), of which nothing is known but that standing feet stand."""
    prior_weight: float = 0.3
    """Weight of the feet's slip in those steps."""
    prior_from_epoch: int = 55
    """Epochs after which those steps begin: a model that does not walk yet learns from them to stand."""
    through_time: bool = True
    """Gradients through the whole rollout, with one optimiser step a rollout; else detached, with one at every step."""
    balance: float = 0.3
    """How far rare speeds and turns are drawn more often: windows weigh (their count in a histogram)^−balance."""
    gradient_norm: float = 1.0
    """Gradients are clipped to this norm."""
    seed: int = 1
    """Seed of initialisation, windows, coins and noise."""

    def __post_init__(self) -> None:
        for name in ("teacher_epochs", "ramp_epochs", "student_epochs", "beta_warm_up_epochs", "prior_from_epoch"):
            require(getattr(self, name) >= 0, name, getattr(self, name), "0 or more epochs")
        require(
            self.epochs > 0, "teacher_epochs + ramp_epochs + student_epochs", self.epochs, "at least 1 epoch in all"
        )
        for name in ("rollouts_per_epoch", "rollout", "batch"):
            require(getattr(self, name) >= 1, name, getattr(self, name), "1 or more")
        for name in ("beta", "free_bits", "foot_weight", "prior_steps", "prior_weight", "final_learning_rate"):
            require(getattr(self, name) >= 0, name, getattr(self, name), "0 or more")
        require(0 < self.learning_rate < 1, "learning_rate", self.learning_rate, "above 0 and below 1")
        require(0 <= self.balance <= 1, "balance", self.balance, "0 (as captured) to 1 (every speed and turn alike)")
        require(self.gradient_norm > 0, "gradient_norm", self.gradient_norm, "above 0")

    @property
    def epochs(self) -> int:
        return self.teacher_epochs + self.ramp_epochs + self.student_epochs


class Windows:
    """Training windows: raw poses ``(N, D)`` and the rows at which a window of ``length`` poses may start."""

    def __init__(self, poses: Tensor, clips: list[ClipEntry], length: int, balance: float = 0.0) -> None:
        starts = [torch.arange(c.start, c.start + c.length - length + 1) for c in clips if c.length >= length]
        if not starts:
            longest = max((c.length for c in clips), default=0)
            raise DataError(f"no clip is long enough: the longest has {longest} poses, a window needs {length}")
        self.poses, self.length = poses, length
        self.starts = torch.cat(starts)
        self.cumulative = self._weights(balance).cumsum(0)

    def _weights(self, balance: float) -> Tensor:
        """One weight a window, by how rare its mean root velocity is: cells of 0.2 m/s, 0.2 m/s and 0.4 rad/s."""
        sums = torch.cat((torch.zeros(1, 3), self.poses[:, PoseLayout.root_velocity])).double().cumsum(0)
        mean = (sums[self.starts + self.length] - sums[self.starts]) / self.length
        cells = (mean / torch.tensor([0.2, 0.2, 0.4], dtype=torch.float64)).round().long()
        _, which, counts = cells.unique(dim=0, return_inverse=True, return_counts=True)
        return counts[which].double().pow(-balance)

    def draw(self, batch: int, generator: torch.Generator) -> Tensor:
        """``(batch, length, D)`` raw poses of windows drawn with replacement."""
        at = torch.rand(batch, generator=generator, dtype=torch.float64) * self.cumulative[-1]
        chosen = self.starts[torch.searchsorted(self.cumulative, at).clamp(max=len(self.starts) - 1)]
        return self.poses[chosen[:, None] + torch.arange(self.length)]


class Trainer:
    """One training run: ``run`` it, or ``resume`` it from the state in its folder and run it on.

    Everything random comes from one generator whose state is part of the training state, so a resumed run ends
    with the weights of an uninterrupted one.
    """

    def __init__(self, data: MotionDataset, config: TrainConfig, folder: Path, device: str = "cpu") -> None:
        self.data, self.config, self.folder, self.device = data, config, folder, torch.device(device)
        self.layout = data.layout
        torch.manual_seed(config.seed)
        self.model = MotionVAE(self.layout.size, config.model, data.normalizer()).to(self.device)
        self.optimizer = torch.optim.Adam(self.model.parameters(), lr=config.learning_rate, fused=True)
        self.generator = torch.Generator().manual_seed(config.seed)
        self.windows = Windows(*data.split(held_out=False), config.rollout + 1, config.balance)
        self.held_out = Windows(*data.split(held_out=True), config.rollout + 1)
        self.feet = Feet(self.layout, self.device)
        self.epoch = 0
        self.started_from: dict[str, Any] | None = None
        self.history: list[dict[str, float]] = []

    # -- one rollout ---------------------------------------------------------------------------------------------

    def rollout(self, beta: float, teacher: float) -> dict[str, Tensor]:
        """One batch of rollouts, with its optimiser step(s). Returns the mean of each loss term."""
        config, normalizer, root = self.config, self.model.normalizer, self.layout.root_velocity
        raw = self.windows.draw(config.batch, self.generator).to(self.device)
        noise = torch.randn(config.rollout, config.batch, config.model.latent, generator=self.generator).to(self.device)
        coins = torch.rand(config.rollout, generator=self.generator).tolist()
        scores = normalizer.normalize(raw)
        feet = self.layout.joint_positions(raw)[:, :, list(self.layout.feet)]  # (B, L+1, 2, 3)
        previous, standing = scores[:, 0], feet[:, 0]
        totals, sums = (
            [],
            {name: torch.zeros((), device=self.device) for name in ("reconstruction", "kl", "feet", "slip")},
        )
        for step in range(1, config.rollout + 1):
            predicted, mean, log_variance = self.model(previous, scores[:, step], noise[step - 1])
            pose = normalizer.denormalize(predicted)
            posed = self.feet.positions(pose)
            moved = self.feet.displacement(standing, posed, pose[:, root])
            truly = self.feet.displacement(feet[:, step - 1], feet[:, step], raw[:, step, root])
            terms = {
                "reconstruction": (predicted - scores[:, step]).square().mean(),
                "kl": loss.kl_loss(mean, log_variance, config.free_bits),
                "feet": loss.foot_loss(moved, truly, posed, feet[:, step]),
            }
            total = terms["reconstruction"] + beta * terms["kl"] + config.foot_weight * terms["feet"]
            for name, value in terms.items():
                sums[name] += value.detach() / config.rollout
            if config.through_time:
                totals.append(total / config.rollout)
            else:
                self.optimise(total)
                predicted, posed = predicted.detach(), posed.detach()
            captured = coins[step - 1] < teacher
            previous = scores[:, step] if captured else predicted
            standing = feet[:, step] if captured else posed
        if config.prior_steps and config.prior_weight and self.epoch >= config.prior_from_epoch:
            slip = self.prior_slip(predicted, posed)
            sums["slip"] += slip.detach()
            totals.append(config.prior_weight * slip)
        if totals:
            self.optimise(torch.stack(totals).sum())
        return sums

    def prior_slip(self, scores: Tensor, standing: Tensor) -> Tensor:
        """Mean slip of standing feet, in (cm)², over steps with z ~ N(0, I) from z-scored poses with feet ``standing``.

        The encoder's latents fill only a part of N(0, I); this holds the feet for the rest of it, which a random walk
        and a policy in training draw from, too.
        """
        config, total = self.config, torch.zeros((), device=self.device)
        for _ in range(config.prior_steps):
            latent = torch.randn(config.batch, config.model.latent, generator=self.generator).to(self.device)
            scores = self.model.decode(latent, scores)
            pose = self.model.normalizer.denormalize(scores)
            posed = self.feet.positions(pose)
            # The feet are to follow the root, not the root the feet: a model that stands still slips least of all.
            moved = self.feet.displacement(standing, posed, pose[:, self.layout.root_velocity].detach())
            total = total + loss.slip_loss(moved, torch.maximum(standing[..., 1], posed[..., 1]))
            standing = posed
        return total / config.prior_steps

    def optimise(self, total: Tensor) -> None:
        """One optimiser step on ``total``; ControllerError if it is not a number, with the weights as they were."""
        total.backward()
        norm = torch.nn.utils.clip_grad_norm_(self.model.parameters(), self.config.gradient_norm)
        if not torch.isfinite(norm):
            raise ControllerError(f"training diverged in epoch {self.epoch + 1}: the gradient's norm is {float(norm)}")
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)

    # -- the run -------------------------------------------------------------------------------------------------

    def run_epoch(self, tick: Callable[[], None] = lambda: None) -> dict[str, float]:
        """One epoch; returns its figures and keeps them in ``history``."""
        config, started = self.config, time.perf_counter()
        self.model.train()
        sums: dict[str, Tensor] = {}
        for index in range(config.rollouts_per_epoch):
            done = self.epoch + index / config.rollouts_per_epoch
            rate = schedules.linear_decay(
                self.epoch * config.rollouts_per_epoch + index,
                config.epochs * config.rollouts_per_epoch, config.learning_rate, config.final_learning_rate,
            )  # fmt: skip
            self.optimizer.param_groups[0]["lr"] = rate
            beta = config.beta * schedules.linear_warm_up(done, config.beta_warm_up_epochs)
            teacher = schedules.teacher_forcing(done, config.teacher_epochs, config.ramp_epochs)
            terms = self.rollout(beta, teacher)
            sums = {name: sums.get(name, 0) + value for name, value in terms.items()}
            tick()
        self.epoch += 1
        figures = {name: float(value) / config.rollouts_per_epoch for name, value in sums.items()}
        figures |= {"epoch": self.epoch, "teacher_forcing": teacher, "beta": beta, "learning_rate": rate}
        figures["rollouts_per_s"] = config.rollouts_per_epoch / (time.perf_counter() - started)
        figures |= self.validate()
        self.history.append(figures)
        return figures

    def validate(self) -> dict[str, float]:
        """Figures on held-out windows: the same windows every epoch."""
        self.model.eval()
        generator = torch.Generator().manual_seed(0)
        scores = self.model.normalizer.normalize(self.held_out.draw(1024, generator).to(self.device))
        figures = diagnostics.latent_figures(self.model, scores[:, 0], scores[:, 1])
        errors = diagnostics.reconstruction_errors(self.model, self.layout, scores)
        return figures | {"one_step_mm": errors[0], "rollout_mm": errors[-1]}

    def character(self) -> Character:
        """The model as a character, starting from held-out captured poses."""
        poses = self.held_out.draw(256, torch.Generator().manual_seed(0))[:, 0].to(self.device)
        return Character(copy.deepcopy(self.model), self.layout, self.model.normalizer.normalize(poses))

    def start_from(self, character: Character) -> None:
        """Begin with a trained model's weights and statistics; DataError if it is of another skeleton or size."""
        self.data.require_skeleton(character.skeleton, "the model to start from")
        if character.model.config != self.config.model:
            raise DataError(f"the model to start from has {character.model.config}, not {self.config.model}")
        self.model.load_state_dict(character.model.state_dict())
        self.started_from = character.header.get("training")

    # -- checkpoints ---------------------------------------------------------------------------------------------

    @property
    def state_path(self) -> Path:
        return self.folder / "training.safetensors"

    def save(self) -> None:
        """Write the training state, from which :meth:`resume` goes on exactly, and the history; each atomically."""
        tensors = {f"model.{name}": value for name, value in self.model.state_dict().items()}
        tensors |= optimizer_tensors("optimizer", self.optimizer)
        tensors["generator"] = self.generator.get_state()
        header = {
            "epoch": self.epoch,
            "config": dataclasses.asdict(self.config),
            "data": self.data.fingerprint(),
            "history": self.history,
            "started_from": self.started_from,
        }
        checkpoint.save(self.state_path, STATE_KIND, header, tensors)
        with files.atomic(self.folder / "history.json") as temporary:
            temporary.write_text(json.dumps(self.history, indent=1))

    def resume(self) -> None:
        """Go on from the folder's training state; ControllerError if it belongs to other settings or data."""
        header, tensors = checkpoint.load(self.state_path, STATE_KIND)
        for name, found, here in (
            ("settings", header["config"], json.loads(json.dumps(dataclasses.asdict(self.config)))),
            ("data", header["data"], self.data.fingerprint()),
        ):
            if found != here:
                raise ControllerError(f"{self.state_path}: its {name} are not this run's; start in another folder")
        self.model.load_state_dict({n[6:]: v for n, v in tensors.items() if n.startswith("model.")})
        load_optimizer("optimizer", self.optimizer, tensors)
        self.generator.set_state(tensors["generator"])
        self.epoch, self.history = header["epoch"], header["history"]
        self.started_from = header.get("started_from")
