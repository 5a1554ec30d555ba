"""What changes over training, as pure functions of the epoch or step."""

from __future__ import annotations


def teacher_forcing(epoch: float, teacher: int, ramp: int) -> float:
    """The probability that a rollout step starts from the captured pose rather than from the model's own.

    The paper's three phases: 1 for ``teacher`` epochs, falling linearly to 0 over ``ramp`` epochs, then 0.
    """
    if epoch < teacher:
        return 1.0
    if ramp <= 0:
        return 0.0
    return max(0.0, 1.0 - (epoch - teacher) / ramp)


def linear_decay(step: int, steps: int, start: float, end: float) -> float:
    """From ``start`` at step 0 in a straight line to ``end`` at ``steps``, and ``end`` after it."""
    return start + (end - start) * min(1.0, step / max(1, steps))


def linear_warm_up(epoch: float, epochs: float) -> float:
    """From 0 at epoch 0 to 1 at ``epochs`` in a straight line; 1 after it, and always when ``epochs`` is 0."""
    return 1.0 if epochs <= 0 else min(1.0, epoch / epochs)
