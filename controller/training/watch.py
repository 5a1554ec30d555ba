"""Training that judges itself: what the figures of its epochs say about a model that is still
learning.

:mod:`controller.evaluation.diagnosis.verdict` says what is wrong with a model. This module says how
long a training may be wrong in that way before it is hopeless. Everything is a function of the
training's history, so a resumed run reaches the same judgements.
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
NOT_FINITE = "the loss is not finite"
"""What can be wrong with a training, beside what can be wrong with a model."""
SILENT_EPOCHS = 5
"""Epochs at the full KL weight after which a collapsed latent is fatal. Some latents collapse for a
while and recover."""
EXPLODED_EPOCHS = 3
"""Epochs in a row after which a loss far above its best is fatal, unless it has halved in them: it
jumps, and settles, when teacher forcing ends."""
EXPLOSION = 10.0
"""How many times its best an exploded loss is. The loss of a healthy run trebles where teacher
forcing ends."""
MEAN_POSE = 1.0
"""Reconstruction loss, in squared deviations, of a model that always predicts the mean pose. A loss
below it has not exploded."""
STRAYING_DIAGNOSES = 3
"""Diagnoses in a row after which free rollouts that leave the range of real poses are fatal, unless
more of them stay sane than at first."""
OWN_OUTPUT = 0.2
"""Share of teacher forcing up to which a model is trained on its own output, and must be stable on
it."""
FULL_WEIGHT = 0.99
"""Part of its end value from which the weight of the KL term counts as full."""

CHARACTERS = 64
FRAMES = 300
"""Free rollouts of a diagnosis and their length, 10 s: most models that leave the range of real
poses do so within three."""

NOT_FINITE_ADVICE = (
    "Train again with a lower --learning-rate; --on-fatal go-on skips what is not finite."
)

Row = Mapping[str, float]
History = Sequence[Row]
"""Figures of each epoch, the oldest first: ``history`` of
:class:`controller.training.trainer.Trainer`."""


class Fatal(ControllerError):
    """Going on with a training would be a waste of time."""

    def __init__(self, finding: Finding) -> None:
        super().__init__(f"{finding.name}. {finding.reason} {finding.advice}")


def free_figures(character: Character) -> dict[str, float]:
    """``sane_fraction`` of short free rollouts whose poses are not clamped, and how far rollouts
    with different latents spread."""
    generator = torch.Generator().manual_seed(1)
    start = character.reset(CHARACTERS, generator)
    unclamped = diagnostics.unclamped(character)
    run = record(unclamped, drawn_latents(character, generator), start, lambda *_: None, FRAMES)
    spread = diagnostics.spread_figures(character, starts=16, streams=10, seconds=2.0, seed=1)
    return {"sane_fraction": float(run.alive.float().mean()), **spread}


def trouble(history: History) -> Finding | None:
    """What is wrong in the newest epoch, so that its state is not one to return to."""
    if not history:
        return None
    checks = (
        _silent(history[-1]),
        _exploded(history, len(history) - 1),
        *map(_strays, diagnosed(history)[-1:]),
    )
    return next(filter(None, checks), None)


def not_finite(epoch: int, where: str) -> Finding:
    """The finding for a loss or gradient that is not finite, ``where`` in an epoch."""
    reason = f"In epoch {epoch} the loss or its gradient is not finite in {where}."
    return Finding(NOT_FINITE, reason, NOT_FINITE_ADVICE)


def fatal(history: History) -> Finding | None:
    """What has been wrong for so long, without getting better, that going on would be a waste of
    time."""
    return _fatal_silence(history) or _fatal_explosion(history) or _fatal_straying(history)


def findings(history: History) -> list[Finding]:
    """Everything that :mod:`controller.evaluation.diagnosis.verdict` finds in the newest epoch."""
    return verdict.findings(history[-1])


def diagnosed(history: History) -> History:
    """The epochs that have figures of free rollouts."""
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
    explosions = [_exploded(history, index) for index in last]
    if len(explosions) < EXPLODED_EPOCHS or not all(explosions):
        return None
    settles = history[-1]["reconstruction"] < history[last[0]]["reconstruction"] / 2
    return None if settles else explosions[-1]


def _strays(row: Row) -> Finding | None:
    return verdict.diverges(row) if row["teacher_forcing"] <= OWN_OUTPUT else None


def _fatal_straying(history: History) -> Finding | None:
    straying = _last(diagnosed(history), _strays)[-STRAYING_DIAGNOSES:]
    if len(straying) < STRAYING_DIAGNOSES:
        return None
    if straying[-1]["sane_fraction"] > straying[0]["sane_fraction"]:
        return None
    return _since(_strays(straying[-1]), len(straying), "diagnoses")


def _last(history: History, wrong: Callable[[Row], Finding | None]) -> History:
    """The unbroken run of newest rows that are wrong; oldest first."""
    return list(takewhile(wrong, reversed(history)))[::-1]


def _since(finding: Finding | None, count: int, unit: str) -> Finding | None:
    """The finding, with a reason that says for how long it has been so."""
    if finding is None:
        return None
    reason = f"{finding.reason.rstrip('.')}, as in all of the last {count} {unit}."
    return replace(finding, reason=reason)
