"""Training that judges itself: what its own figures, epoch by epoch, say of a model that is still
learning.

:mod:`controller.evaluation.diagnosis.verdict` says what is wrong with a model; here stands how long
a training may be wrong in that way before it is hopeless. Everything is a function of the
training's history, so that a resumed run judges alike.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import takewhile

import torch

from controller.core.errors import ControllerError
from controller.dynamics.character import Character
from controller.dynamics.rollout import drawn_latents, record
from controller.evaluation import diagnostics
from controller.evaluation.diagnosis import verdict
from controller.evaluation.diagnosis.verdict import Finding

EXPLODED = "the loss explodes"
NOT_FINITE = "the loss is no number"
"""What can be wrong with a training, beside what can be wrong with a model."""
SILENT_EPOCHS = 5
"""Epochs at the full KL weight through which a latent may sleep: some do, and wake."""
EXPLODED_EPOCHS = 3
"""Epochs in a row for which the loss may be far above its best, if it does not fall to a half
meanwhile: it jumps, and settles, when teacher forcing ends."""
EXPLOSION = 10.0
"""Times its best that a loss is when it has exploded; where teacher forcing ends, that of a healthy
run trebles."""
MEAN_POSE = 1.0
"""Reconstruction loss, in squared deviations, of a model that always answers with the mean pose. No
loss below it has exploded."""
STRAYING_DIAGNOSES = 3
"""Diagnoses in a row by which free rollouts may leave what a body can do, if no more of them stay
sane."""
OWN_OUTPUT = 0.2
"""Share of teacher forcing up to which a model is trained on its own output, and must be able to
live by it."""
FULL_WEIGHT = 0.99
"""Part of its end value from which the weight of the KL term is full."""

CHARACTERS = 64
FRAMES = 300
"""Free rollouts of a diagnosis and their length, 10 s: most models that leave the data do it within
three."""

NO_NUMBER = "Train again with a lower --learning-rate; --on-fatal go-on skips what is no number."

Row = Mapping[str, float]
History = Sequence[Row]
"""Figures of each epoch, the oldest first, as :class:`controller.training.trainer.Trainer` keeps
them."""


class Fatal(ControllerError):
    """Training has come to where going on is a waste of time."""

    def __init__(self, finding: Finding) -> None:
        super().__init__(f"{finding.name}. {finding.reason} {finding.advice}")


def free_figures(character: Character) -> dict[str, float]:
    """``sane_fraction`` of short free rollouts whose pose is not held, and how far latent streams
    come apart."""
    generator = torch.Generator().manual_seed(1)
    start = character.reset(CHARACTERS, generator)
    loose = diagnostics.unclamped(character)
    run = record(loose, drawn_latents(character, generator), start, lambda *_: None, FRAMES)
    spread = diagnostics.spread_figures(character, starts=16, streams=10, seconds=2.0, seed=1)
    return {"sane_fraction": float(run.alive.float().mean()), **spread}


def trouble(history: History) -> Finding | None:
    """What is wrong in the newest epoch, which makes its state none to go back to."""
    if not history:
        return None
    found = (
        _silent(history[-1]),
        _exploded(history, len(history) - 1),
        *map(_strays, diagnosed(history)[-1:]),
    )
    return next(filter(None, found), None)


def not_finite(epoch: int, where: str) -> Finding:
    """Of a loss or gradient that is no number, ``where`` in an epoch."""
    return Finding(
        NOT_FINITE, f"In epoch {epoch} the loss or its gradient is no number in {where}.", NO_NUMBER
    )


def fatal(history: History) -> Finding | None:
    """What has been wrong for so long, and without getting better, that going on is a waste of
    time."""
    return _fatal_silence(history) or _fatal_explosion(history) or _fatal_straying(history)


def findings(history: History) -> list[Finding]:
    """All that :mod:`controller.evaluation.diagnosis.verdict` has to say of the newest epoch."""
    return verdict.findings(history[-1])


def diagnosed(history: History) -> History:
    """The epochs in which free rollouts were made."""
    return [row for row in history if "sane_fraction" in row]


# -- what is wrong, and for how long ---------------------------------------------------------------


def _silent(row: Row) -> Finding | None:
    return verdict.collapsed(row)


def _fatal_silence(history: History) -> Finding | None:
    silent = _last(history, _silent)
    if sum(row["kl_weight"] >= FULL_WEIGHT for row in silent) < SILENT_EPOCHS:
        return None
    return _since(verdict.collapsed(silent[-1]), len(silent), "epochs")


def _exploded(history: History, index: int) -> Finding | None:
    loss = history[index]["reconstruction"]
    best = min(row["reconstruction"] for row in history[: index + 1])
    if loss < max(MEAN_POSE, EXPLOSION * best):
        return None
    return Finding(
        EXPLODED,
        f"The reconstruction loss is {loss:.3g}, {loss / best:.3g} times its best ({best:.3g}).",
        "Train again with a lower --learning-rate, a longer --teacher.ramp-epochs or a lower "
        "--gradient-norm.",
    )


def _fatal_explosion(history: History) -> Finding | None:
    last = range(max(0, len(history) - EXPLODED_EPOCHS), len(history))
    found = [_exploded(history, index) for index in last]
    if len(found) < EXPLODED_EPOCHS or not all(found):
        return None
    settles = history[-1]["reconstruction"] < history[last[0]]["reconstruction"] / 2
    return None if settles else found[-1]


def _strays(row: Row) -> Finding | None:
    return verdict.diverges(row) if row["teacher_forcing"] <= OWN_OUTPUT else None


def _fatal_straying(history: History) -> Finding | None:
    straying = _last(diagnosed(history), _strays)[-STRAYING_DIAGNOSES:]
    if (
        len(straying) < STRAYING_DIAGNOSES
        or straying[-1]["sane_fraction"] > straying[0]["sane_fraction"]
    ):
        return None
    return _since(_strays(straying[-1]), len(straying), "diagnoses")


def _last(history: History, wrong: Callable[[Row], Finding | None]) -> History:
    """The newest rows, without a gap, that are wrong; oldest first."""
    return list(takewhile(wrong, reversed(history)))[::-1]


def _since(finding: Finding | None, count: int, of: str) -> Finding | None:
    """The same, telling for how long."""
    if finding is None:
        return None
    return replace(
        finding, reason=f"{finding.reason.rstrip('.')}, as in all of the last {count} {of}."
    )
