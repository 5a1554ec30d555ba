"""The settings of a motion VAE's training."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass, field

from controller.core.errors import require
from controller.model.mixture import MotionVAEConfig
from controller.training.schedules import KlWeight, TeacherForcing


@dataclass(frozen=True)
class TrainConfig:
    """Settings of a training run. An *epoch* is ``rollouts_per_epoch`` rollouts, not a pass over
    the data."""

    model: MotionVAEConfig = field(default_factory=MotionVAEConfig)
    """Kind and sizes of the networks."""
    epochs: int = 60
    """Epochs in all."""
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
    learning_rate: float = 1e-3
    """Adam's rate at the start; it falls linearly."""
    final_learning_rate: float = 1e-6
    """Adam's rate at the end."""
    beta: float = 0.08
    """Weight of the KL term: mean over latent units, beside a mean over pose values (as in the
    reference code). With codes: of the pull between these and the encoder's vectors, on the same
    scale."""
    free_bits: float = 0.0
    """Nats below which a latent unit's KL costs nothing."""
    foot_weight: float = 0.5
    """Weight of the feet's own loss: where they are and how they slide while they stand."""
    joint_weight: float = 0.05
    """Weight of the squared distance of predicted joints from the captured ones, in (cm)²."""
    bone_weight: float = 1.0
    """Weight of the error of bone lengths: predicted joints that disagree with each other are seen
    by no other term, and one step builds on the last one's."""
    free_steps: int = 8
    """Steps with z drawn at random that go with each rollout, from poses to which such steps have
    led; 0: none."""
    free_batch: int = 128
    """Poses that make those steps at once."""
    free_pool: int = 2048
    """Poses from which they are drawn, and to which they return."""
    free_renewal: float = 0.003
    """The chance per step that a pose of the pool begins anew from a captured one: 0.003 is once in
    11 s."""
    slip_weight: float = 0.35
    """Weight of the slip of standing feet in free steps."""
    spread_weight: float = 0.15
    """Weight of how differently the poses of the pool and captured ones are spread."""
    free_from_epoch: int = 30
    """Epochs after which free steps begin: a model that does not walk yet learns from them to
    stand."""
    through_time: bool = True
    """Gradients through the whole rollout, with one optimiser step a rollout; else detached, with
    one at every step."""
    freeze_decoder: bool = False
    """Train the encoder alone, against the decoder of the model to start from. Free steps, in which
    an encoder has no part, are left out."""
    balance: float = 0.3
    """How far rare speeds and turns are drawn more often: windows weigh (their count in a
    histogram)^−balance."""
    gradient_norm: float = 1.0
    """Gradients are clipped to this norm. 0: it is not even taken, and what is no number shows in
    the loss alone."""
    seed: int = 1
    """Seed of initialisation, windows, coins and noise."""

    def __post_init__(self) -> None:
        for name, value in dataclasses.asdict(self).items():
            require(
                not isinstance(value, float) or math.isfinite(value), name, value, "a finite number"
            )
        require(self.epochs >= 1, "epochs", self.epochs, "1 or more")
        require(
            self.free_from_epoch >= 0, "free_from_epoch", self.free_from_epoch, "0 or more epochs"
        )
        for name in ("rollouts_per_epoch", "rollout", "batch", "free_batch"):
            require(getattr(self, name) >= 1, name, getattr(self, name), "1 or more")
        weights = [name for name in self.__dataclass_fields__ if name.endswith("_weight")]
        for name in ("beta", "free_bits", "free_steps", "final_learning_rate", *weights):
            require(getattr(self, name) >= 0, name, getattr(self, name), "0 or more")
        allowed = f"free_batch ({self.free_batch}) or more"
        require(self.free_pool >= self.free_batch, "free_pool", self.free_pool, allowed)
        require(
            0 <= self.free_renewal <= 1, "free_renewal", self.free_renewal, "a chance from 0 to 1"
        )
        require(
            0 < self.learning_rate < 1, "learning_rate", self.learning_rate, "above 0 and below 1"
        )
        require(
            0 <= self.balance <= 1,
            "balance",
            self.balance,
            "0 (as captured) to 1 (every speed and turn alike)",
        )
        require(self.gradient_norm >= 0, "gradient_norm", self.gradient_norm, "0 or more")
        self.teacher.check(self.epochs)
        self.kl.check(self.epochs)


ENCODER = TrainConfig(
    freeze_decoder=True,
    teacher=TeacherForcing("constant", start=0.0),
    kl=KlWeight("none"),
    rollouts_per_epoch=200,
    beta=0.02,
    joint_weight=0.1,
    foot_weight=0.0,
    bone_weight=0.0,
)
"""The encoder by itself, when the decoder is done: it can bear a lower β than the decoder could.
Feet and bones are the decoder's part; all that an encoder can do for them is to ask for another
motion than the captured one."""
