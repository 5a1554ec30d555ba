"""The settings of a motion VAE's training."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Annotated, Any

import tyro

from controller.core.errors import require
from controller.model.mixture import MotionVAEConfig
from controller.training.schedules import KlWeight, TeacherForcing


def _require_finite(settings: Any) -> None:
    for each in fields(settings):
        value = getattr(settings, each.name)
        finite = not isinstance(value, float) or math.isfinite(value)
        require(finite, each.name, value, "a finite number")


def _require_at_least(settings: Any, least: int, *names: str, unit: str = "") -> None:
    for name in names:
        value = getattr(settings, name)
        require(value >= least, name, value, f"{least} or more{unit}")


@dataclass(frozen=True)
class LossWeights:
    """Weights of the terms of the loss, beside 1 for the reconstruction."""

    beta: float = 0.08
    """Weight of the KL term: a mean over latent units, beside a mean over pose values (as in the
    reference code). With codes: of the pull between codes and encoded vectors, on the same
    scale."""
    free_bits: float = 0.0
    """Nats below which a latent unit's KL costs nothing."""
    foot_weight: float = 0.5
    """Weight of the loss of the feet: where they are, and how they slide while they stand."""
    joint_weight: float = 0.05
    """Weight of the squared distance of predicted joints from the captured ones, in (cm)²."""
    bone_weight: float = 1.0
    """Weight of the error of bone lengths. No other term notices predicted joints that disagree
    with each other, and each step builds on the one before."""
    slip_weight: float = 0.35
    """Weight of the slip of standing feet in free steps."""
    spread_weight: float = 0.15
    """Weight of the distance between the distributions of the pool's poses and of captured ones."""

    def __post_init__(self) -> None:
        _require_finite(self)
        _require_at_least(self, 0, *(each.name for each in fields(self)))


@dataclass(frozen=True)
class FreeSteps:
    """Steps with random z that are trained beside each rollout."""

    free_steps: int = 8
    """Steps with random z beside each rollout, from poses that such steps have reached; 0: none."""
    free_batch: int = 128
    """Poses that take these steps at once."""
    free_pool: int = 2048
    """Size of the pool from which these poses are drawn and to which they return."""
    free_renewal: float = 0.003
    """The chance per step that a captured pose replaces a pose of the pool: 0.003 is once in 11
    s."""
    free_restyle: float = 0.01
    """With styles, the chance per step that a pose of the pool is replaced by one that is asked to
    move in another style than before, to learn the way from style to style."""
    free_balance: float = 0.3
    """As `balance`, for the captured poses that the pool is renewed from and compared with. Higher
    than this, random z wanders among rare speeds and turns."""
    free_from_epoch: int = 30
    """Epochs after which free steps begin. From them, a model that does not walk yet learns to
    stand."""

    def __post_init__(self) -> None:
        _require_finite(self)
        _require_at_least(self, 0, "free_from_epoch", unit=" epochs")
        _require_at_least(self, 1, "free_batch")
        _require_at_least(self, 0, "free_steps")
        allowed = f"free_batch ({self.free_batch}) or more"
        require(self.free_pool >= self.free_batch, "free_pool", self.free_pool, allowed)
        for name in ("free_renewal", "free_restyle", "free_balance"):
            chance = getattr(self, name)
            require(0 <= chance <= 1, name, chance, "a chance from 0 to 1")


@dataclass(frozen=True)
class Optimiser:
    """How gradients are taken and followed."""

    learning_rate: float = 1e-3
    """Adam's rate at the start; it falls linearly."""
    final_learning_rate: float = 1e-6
    """Adam's rate at the end."""
    through_time: bool = True
    """Gradients through the whole rollout, with one optimiser step a rollout; otherwise detached,
    with one at every step."""
    gradient_norm: float = 1.0
    """Gradients are clipped to this norm. 0: the norm is not computed, and only the loss shows what
    is not finite."""

    def __post_init__(self) -> None:
        _require_finite(self)
        rate = self.learning_rate
        require(0 < rate < 1, "learning_rate", rate, "above 0 and below 1")
        _require_at_least(self, 0, "final_learning_rate", "gradient_norm")


@dataclass(frozen=True)
class TrainConfig:
    """Settings of a training run. An *epoch* is ``rollouts_per_epoch`` rollouts, not a pass over
    the data.

    The settings of ``loss``, ``free`` and ``optimiser`` have names of their own on the command line
    and in checkpoints, without their group's: see :meth:`of` and :meth:`flat`.
    """

    model: MotionVAEConfig = field(default_factory=MotionVAEConfig)
    """Variant and sizes of the networks."""
    epochs: int = 60
    """Number of epochs."""
    teacher: TeacherForcing = field(default_factory=TeacherForcing)
    """The share of steps that begin from a captured pose."""
    kl: KlWeight = field(default_factory=KlWeight)
    """How the weight of the KL term rises to ``beta``."""
    rollouts_per_epoch: int = 500
    """Rollouts, each of ``batch`` windows, in an epoch."""
    rollout: int = 8
    """Steps of a rollout."""
    batch: int = 64
    """Windows trained on at once."""
    loss: Annotated[LossWeights, tyro.conf.arg(name="")] = field(default_factory=LossWeights)
    free: Annotated[FreeSteps, tyro.conf.arg(name="")] = field(default_factory=FreeSteps)
    optimiser: Annotated[Optimiser, tyro.conf.arg(name="")] = field(default_factory=Optimiser)
    freeze_decoder: bool = False
    """Train the encoder alone, against the decoder of the model to start from. There are no free
    steps then, since they do not use the encoder."""
    balance: float = 0.3
    """How much more often rare speeds and turns are drawn: a window's weight is (count of its bin
    in a histogram)^−balance."""
    style_balance: float = 0.5
    """How much more often rare styles are drawn: a style's weight is (its share of the data)^(1 −
    style_balance)."""
    seed: int = 1
    """Seed of initialisation, windows, coins and noise."""

    def __post_init__(self) -> None:
        _require_finite(self)
        _require_at_least(self, 1, "epochs", "rollouts_per_epoch", "rollout", "batch")
        allowed = "0 (as captured) to 1 (all speeds and turns equally often)"
        require(0 <= self.balance <= 1, "balance", self.balance, allowed)
        allowed = "0 (as captured) to 1 (all styles equally often)"
        require(0 <= self.style_balance <= 1, "style_balance", self.style_balance, allowed)
        self.teacher.check(self.epochs)
        self.kl.check(self.epochs)

    @classmethod
    def of(cls, **settings: Any) -> TrainConfig:
        """The default settings but for these, each by its own name: ``of(batch=32, beta=0.1)``."""
        return cls().with_changes(**settings)

    def with_changes(self, **settings: Any) -> TrainConfig:
        """These settings with some changed, each by its own name, whichever group it is in."""
        changes: dict[str, Any] = {}
        for name in FLAT:
            group = getattr(self, name)
            members = {each.name for each in fields(group)} & settings.keys()
            if members:
                changes[name] = replace(group, **{key: settings.pop(key) for key in members})
        return replace(self, **settings, **changes)

    def flat(self) -> dict[str, Any]:
        """All settings by their own names, as checkpoints have them; ``model``, ``teacher`` and
        ``kl`` stay groups."""
        settings: dict[str, Any] = {}
        for name, value in asdict(self).items():
            settings |= value if name in FLAT else {name: value}
        return settings


FLAT = ("loss", "free", "optimiser")
"""Groups whose settings are named without the group's name."""

ENCODER = TrainConfig.of(
    freeze_decoder=True,
    teacher=TeacherForcing("constant", start=0.0),
    kl=KlWeight("none"),
    rollouts_per_epoch=200,
    beta=0.02,
    joint_weight=0.1,
    foot_weight=0.0,
    bone_weight=0.0,
)
"""Settings for the encoder by itself, when the decoder is finished. The encoder works at a lower β
than the decoder could bear. Feet and bones are the decoder's part: all that an encoder could do for
them is to ask for another motion than the captured one."""
