"""Settings that change during training, as pure functions of the epoch or step.

Epochs may be fractions here: 2.5 is the middle of the third. ``python -m controller schedules``
draws all schedules.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, get_args

from controller.core.errors import require

TeacherKind = Literal["phases", "constant", "steps", "linear", "exponential", "inverse-sigmoid"]
Coin = Literal["batch", "sample"]
KlKind = Literal["none", "monotonic", "cyclical", "linear-then-cyclical"]


def linear_decay(step: int, steps: int, start: float, end: float) -> float:
    """From ``start`` at step 0 in a straight line to ``end`` at ``steps``, then ``end``."""
    return start + (end - start) * min(1.0, step / max(1, steps))


# -- teacher forcing: i is the number of epochs since the fall began, 0 or more --------------------


def phases(i: float, ramp: float, start: float, floor: float) -> float:
    """From ``start`` in a straight line to ``floor`` after ``ramp`` epochs, then ``floor``.

    The second and third of three phases; the first is ``start`` (Ling et al. 2020, section 4.2,
    with 1 and 0).
    """
    return floor if i >= ramp else start + (floor - start) * i / ramp


def steps(i: float, step: float, start: float, floor: float) -> float:
    """``max(floor, start − step·⌊i⌋)``: a fall by ``step`` at the end of every epoch; ``linear`` as
    a staircase."""
    return linear(math.floor(i), step, start, floor)


def linear(i: float, step: float, start: float, floor: float) -> float:
    """``max(floor, start − step·i)``: a fall by ``step`` per epoch (Bengio et al. 2015, section
    2.4: max(ε, k − c·i))."""
    return max(floor, start - step * i)


def exponential(i: float, k: float, start: float, floor: float) -> float:
    """``max(floor, start·kⁱ)``, with 0 < k < 1 (Bengio et al. 2015, section 2.4: kⁱ)."""
    return max(floor, start * math.pow(k, i))


def inverse_sigmoid(i: float, k: float, start: float, floor: float) -> float:
    """``floor + (start − floor)·(k + 1)/(k + exp(i/k))``, with k ≥ 1: slow, then fast, then slow.

    Bengio et al. 2015, section 2.4, have k/(k + exp(i/k)), which is k/(k + 1) at i = 0; the factor
    (k + 1)/k makes that 1, so that the fall begins at ``start``. It is halfway after k·ln(k + 2)
    epochs.
    """
    inverse = math.exp(-i / k)  # exp(i/k) overflows a float after 710·k epochs
    return floor + (start - floor) * (k + 1) * inverse / (k * inverse + 1)


@dataclass(frozen=True)
class TeacherForcing:
    """The probability that a step of a rollout starts from the captured pose and not from the
    model's own."""

    kind: TeacherKind = "phases"
    """phases falls over `ramp_epochs`; steps and linear fall by `step` an epoch; exponential and
    inverse-sigmoid fall in a curve; constant never falls."""
    start: float = 1.0
    """Probability at the start, 0 to 1."""
    hold_epochs: int = 10
    """Epochs at `start` before it begins to fall."""
    ramp_epochs: int = 15
    """phases: epochs over which it falls to `floor`."""
    step: float = 0.1
    """steps, linear: how far it falls in an epoch."""
    floor: float = 0.0
    """Probability below which it does not fall."""
    decay: float = 0.9
    """exponential: the factor of an epoch, k of kⁱ."""
    sharpness: float = 5.0
    """inverse-sigmoid: k of k/(k + exp(i/k)), 1 or more; a larger k falls later and more gently."""
    coin: Coin = "batch"
    """One coin at each step of a rollout for the whole batch (as in the reference code), or one for
    each window."""

    def __post_init__(self) -> None:
        for name, choices in (("kind", get_args(TeacherKind)), ("coin", get_args(Coin))):
            value = getattr(self, name)
            require(value in choices, f"teacher.{name}", value, ", ".join(choices))
        require(0 <= self.start <= 1, "teacher.start", self.start, "0 to 1")
        allowed = f"0 to teacher.start, {self.start}"
        require(0 <= self.floor <= self.start, "teacher.floor", self.floor, allowed)
        for name in ("hold_epochs", "ramp_epochs"):
            epochs = getattr(self, name)
            require(epochs >= 0, f"teacher.{name}", epochs, "0 or more epochs")
        require(0 < self.step <= 1, "teacher.step", self.step, "above 0, to 1")
        require(0 < self.decay < 1, "teacher.decay", self.decay, "above 0 and below 1")
        require(1 <= self.sharpness < math.inf, "teacher.sharpness", self.sharpness, "1 or more")

    def check(self, epochs: int) -> None:
        """ConfigError unless the schedule fits a run of ``epochs``: the fall must begin, and a ramp
        must end, within it."""
        within = f"at most the run's {epochs} epochs"
        if self.kind == "phases":
            both = self.hold_epochs + self.ramp_epochs
            require(both <= epochs, "teacher.hold_epochs + teacher.ramp_epochs", both, within)
        elif self.kind != "constant":
            require(self.hold_epochs <= epochs, "teacher.hold_epochs", self.hold_epochs, within)

    def __call__(self, epoch: float) -> float:
        """The probability at ``epoch``, from ``floor`` to ``start``."""
        if self.kind == "constant" or epoch < self.hold_epochs:
            return self.start
        probability = self._falling(epoch - self.hold_epochs)
        return min(self.start, max(self.floor, probability))  # rounding may leave the range

    def _falling(self, i: float) -> float:
        match self.kind:
            case "steps":
                return steps(i, self.step, self.start, self.floor)
            case "linear":
                return linear(i, self.step, self.start, self.floor)
            case "exponential":
                return exponential(i, self.decay, self.start, self.floor)
            case "inverse-sigmoid":
                return inverse_sigmoid(i, self.sharpness, self.start, self.floor)
            case _:
                return phases(i, self.ramp_epochs, self.start, self.floor)


# -- the weight of the KL term ---------------------------------------------------------------------


def monotonic(epoch: float, ramp: float) -> float:
    """From 0 at epoch 0 in a straight line to 1 at ``ramp``, then 1 (Sønderby et al. 2016). With a
    ``ramp`` of 0, always 1."""
    return 1.0 if epoch >= ramp else epoch / ramp


def cyclical(epoch: float, epochs: float, cycles: int, ratio: float) -> float:
    """``min(1, τ/ratio)``, where τ, from 0 to 1, is the elapsed share of the current one of
    ``cycles`` equal cycles.

    Each cycle begins at 0 again, rises for ``ratio`` of its epochs and stays at 1 for the rest (Fu
    et al. 2019, section 3.2, with 4 cycles and 0.5). From ``epochs`` on it is 1, as at the end of
    the last cycle.
    """
    if epoch >= epochs:
        return 1.0
    return min(1.0, epoch * cycles / epochs % 1.0 / ratio)


def linear_then_cyclical(
    epoch: float, epochs: float, ramp: float, cycles: int, ratio: float
) -> float:
    """``monotonic`` for twice ``ramp`` epochs, a rise and an equally long stay at 1; then
    ``cyclical`` over the rest."""
    first = 2 * ramp
    if epoch < first:
        return monotonic(epoch, ramp)
    return cyclical(epoch - first, epochs - first, cycles, ratio)


@dataclass(frozen=True)
class KlWeight:
    """The share of beta, 0 to 1, that weighs the KL term (KL annealing)."""

    kind: KlKind = "monotonic"
    """none: all of beta from the start; monotonic: after one rise; cyclical: after a rise in each
    cycle; linear-then-cyclical: after one rise, then in cycles."""
    hold_epochs: int = 0
    """Epochs at the start in which it is 0; the schedule covers the epochs after them."""
    ramp_epochs: int = 3
    """monotonic, linear-then-cyclical: epochs of the first rise; the latter stays at 1 for as many
    before its cycles."""
    cycles: int = 4
    """cyclical: equal cycles in the run; linear-then-cyclical: in the rest after the rise and the
    stay."""
    ratio: float = 0.5
    """cyclical, linear-then-cyclical: share of a cycle in which it rises from 0 to 1; for the rest
    it is 1."""

    def __post_init__(self) -> None:
        kinds = get_args(KlKind)
        require(self.kind in kinds, "kl.kind", self.kind, ", ".join(kinds))
        for name in ("hold_epochs", "ramp_epochs"):
            epochs = getattr(self, name)
            require(epochs >= 0, f"kl.{name}", epochs, "0 or more epochs")
        require(self.cycles >= 1, "kl.cycles", self.cycles, "1 or more")
        require(0 < self.ratio <= 1, "kl.ratio", self.ratio, "above 0, to 1")

    def check(self, epochs: int) -> None:
        """ConfigError unless the schedule fits a run of ``epochs``: rises must end within it, and
        cycles must take an epoch or longer."""
        allowed = f"less than the run's {epochs} epochs"
        require(self.hold_epochs < epochs, "kl.hold_epochs", self.hold_epochs, allowed)
        rest = epochs - self.hold_epochs
        if self.kind == "monotonic":
            allowed = f"at most {rest} of the run's {epochs} epochs"
            require(self.ramp_epochs <= rest, "kl.ramp_epochs", self.ramp_epochs, allowed)
        elif self.kind == "linear-then-cyclical":
            longest = (rest - 1) // 2
            allowed = (
                f"at most {longest} of the run's {epochs} epochs: a hold as long and a cycle follow"
            )
            rest -= 2 * self.ramp_epochs
            require(rest >= 1, "kl.ramp_epochs", self.ramp_epochs, allowed)
        if self.kind in ("cyclical", "linear-then-cyclical"):
            allowed = f"at most {rest}: a cycle takes 1 epoch or longer"
            require(self.cycles <= rest, "kl.cycles", self.cycles, allowed)

    def __call__(self, epoch: float, epochs: int) -> float:
        """The factor on beta at ``epoch`` of a run of ``epochs``, 0 to 1."""
        if epoch < self.hold_epochs:
            return 0.0
        epoch = epoch - self.hold_epochs
        epochs = epochs - self.hold_epochs
        match self.kind:
            case "monotonic":
                return monotonic(epoch, self.ramp_epochs)
            case "cyclical":
                return cyclical(epoch, epochs, self.cycles, self.ratio)
            case "linear-then-cyclical":
                return linear_then_cyclical(
                    epoch, epochs, self.ramp_epochs, self.cycles, self.ratio
                )
            case _:
                return 1.0
