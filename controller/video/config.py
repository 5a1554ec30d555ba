"""The settings of a video network and of its training."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Literal, get_args

from controller.core.errors import require
from controller.training.schedules import KlWeight, TeacherForcing

Protocol = Literal["pose", "action"]
Prior = Literal["fixed", "learned"]
LabelUse = Literal["picture", "vector", "both"]


@dataclass(frozen=True)
class NetworkConfig:
    """Which network, and its sizes."""

    protocol: Protocol = "pose"
    """pose: the next picture from the last one and the label of the next (a drawn skeleton).
    action: several pictures from the past, then from action and end-effector position alone
    (stochastic video generation)."""
    latent: int = 8
    """Units of z. 0: a regression, which has no z and no KL term."""
    widths: tuple[int, int, int] = (16, 32, 64)
    """Channels at a half, a quarter and an eighth of the picture's sides."""
    label: LabelUse = "both"
    """pose: which labels it gets. picture: the drawn skeleton; vector: the projected joints."""
    memory: int = 128
    """action: units of its LSTMs and of a picture's features."""
    prior: Prior = "fixed"
    """action: z at test is from N(0, I), or from a prior learned from the past (Denton and Fergus
    2018)."""

    def __post_init__(self) -> None:
        for name, kind in (("protocol", Protocol), ("prior", Prior), ("label", LabelUse)):
            value = getattr(self, name)
            require(value in get_args(kind), name, value, ", ".join(get_args(kind)))
        require(0 <= self.latent <= 256, "latent", self.latent, "0 to 256")
        good = len(self.widths) == 3 and all(4 <= width <= 512 for width in self.widths)
        require(good, "widths", self.widths, "three numbers from 4 to 512")
        require(8 <= self.memory <= 1024, "memory", self.memory, "8 to 1024")
        if self.prior == "learned":
            learns = self.protocol == "action" and self.latent > 0
            require(learns, "prior", self.prior, "fixed, unless protocol is action and latent > 0")


@dataclass(frozen=True)
class VideoConfig:
    """Settings of a training run. An *epoch* is ``rollouts_per_epoch`` batches of windows."""

    network: NetworkConfig = field(default_factory=NetworkConfig)
    """Kind and sizes of the network."""
    epochs: int = 28
    """Number of epochs."""
    rollouts_per_epoch: int = 50
    """Batches in an epoch."""
    batch: int = 4
    """Windows in a batch."""
    past: int = 1
    """Pictures of a window that are always real."""
    window: int = 16
    """Pictures of a window that are painted."""
    teacher: TeacherForcing = field(
        default_factory=lambda: TeacherForcing(hold_epochs=3, ramp_epochs=10)
    )
    """The share of pictures painted from the real last picture, not from the network's own."""
    kl: KlWeight = field(default_factory=lambda: KlWeight(ramp_epochs=6))
    """How the weight of the KL term rises to ``beta``."""
    beta: float = 0.001
    """Weight of the KL in nats a picture, beside 1 for the squared error in (10 % of white)²."""
    learning_rate: float = 2e-3
    """Adam's rate at the start."""
    milestones: tuple[int, ...] = (18, 24)
    """Epochs after which the rate falls to ``gamma`` of itself (MultiStepLR)."""
    gamma: float = 0.3
    """The factor at a milestone."""
    gradient_norm: float = 1.0
    """Gradients are clipped to this norm."""
    seed: int = 1
    """Seed of initialisation, windows, coins and noise."""

    def __post_init__(self) -> None:
        for each in fields(self):
            value = getattr(self, each.name)
            finite = not isinstance(value, float) or math.isfinite(value)
            require(finite, each.name, value, "a finite number")
        for name in ("epochs", "rollouts_per_epoch", "batch", "past", "window"):
            require(getattr(self, name) >= 1, name, getattr(self, name), "1 or more")
        require(self.beta >= 0, "beta", self.beta, "0 or more")
        require(0 < self.learning_rate < 1, "learning_rate", self.learning_rate, "above 0, below 1")
        require(0 < self.gamma <= 1, "gamma", self.gamma, "above 0, to 1")
        require(self.gradient_norm > 0, "gradient_norm", self.gradient_norm, "above 0")
        rising = sorted(set(self.milestones)) == list(self.milestones)
        allowed = "epochs from 1, in rising order"
        good = rising and all(each >= 1 for each in self.milestones)
        require(good, "milestones", self.milestones, allowed)
        self.teacher.check(self.epochs)
        self.kl.check(self.epochs)

    @property
    def length(self) -> int:
        """Pictures of a window, real and painted."""
        return self.past + self.window

    def flat(self) -> dict[str, Any]:
        """As JSON has it."""
        return asdict(self)


def network_config(values: dict[str, Any]) -> NetworkConfig:
    """The settings that :func:`dataclasses.asdict` and JSON made of a network's."""
    return NetworkConfig(**{**values, "widths": tuple(values["widths"])})
