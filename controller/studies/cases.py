"""Trainings to compare, in named sets: what ``python -m controller study`` runs."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import product
from typing import Literal, get_args

from controller.model.mixture import Variant
from controller.training.config import ENCODER, TrainConfig
from controller.training.schedules import KlWeight, TeacherForcing

SetName = Literal[
    "reference",
    "gradient",
    "gradient-long",
    "grid",
    "seeds",
    "grid-long",
    "variants",
    "encoder",
    "failure",
]
"""Names of the sets; :data:`controller.studies.sets.SETS` says what they are."""
KlKind = Literal["none", "monotonic", "cyclical", "linear-then-cyclical"]
Coin = Literal["batch", "sample"]
STARTS = (1.0, 0.8, 0.5)
"""Values at which teacher forcing starts: the share of steps that begin at a captured pose."""
LENGTHS = {"short": 60, "long": 900}
"""Rollouts in an epoch. Everything else is equal, so a long run is a short one in slow motion."""
NO_CLIPPING = 1e6
"""A gradient norm that is never reached."""


@dataclass(frozen=True)
class Case:
    """One training of a set.

    name     unique in the set
    differs  what sets it apart from the other cases of the set: column → value
    config   its settings
    """

    name: str
    differs: dict[str, str]
    config: TrainConfig


PLAIN = TrainConfig.of(
    epochs=20,
    teacher=TeacherForcing(hold_epochs=4, ramp_epochs=6),
    kl=KlWeight(ramp_epochs=5),
    learning_rate=1e-3,
    final_learning_rate=1e-6,
    foot_weight=0.5,
    joint_weight=0.05,
    bone_weight=0.3,
    free_steps=0,
    balance=0.3,
)
"""What the runs of grid and gradient have in common, written out so that they stay the same when
defaults change. There are no free steps: they begin late and would hide the effects of the first
half of a run."""
GRID = PLAIN.with_changes(rollouts_per_epoch=LENGTHS["short"], beta=3.0)
"""β is nearly forty times the default: at the default this training needs no schedule."""


def grid_case(kl: KlKind, start: float, coin: Coin, length: str = "short", seed: int = 1) -> Case:
    """A cell of the grid."""
    config = replace(
        GRID,
        kl=replace(GRID.kl, kind=kl),
        teacher=replace(GRID.teacher, start=start, coin=coin),
        rollouts_per_epoch=LENGTHS[length],
        seed=seed,
    )
    differs = {"KL weight": kl, "teacher forcing from": f"{start:.1f}", "coin": coin}
    return Case(f"{kl}-{start:.1f}-{coin}", differs, config)


USUAL = grid_case("monotonic", 1.0, "batch").name
"""The cell closest to common practice: teacher forcing as in the paper, the coin as in the
reference code."""


def grid() -> list[Case]:
    """KL weight × start of teacher forcing × coin per batch or per sample: 24 short runs."""
    return [grid_case(*cell) for cell in product(get_args(KlKind), STARTS, get_args(Coin))]


def seeds() -> list[Case]:
    """One cell of the grid with four seeds, which shows how far runs with equal settings differ."""
    cases = [grid_case("monotonic", 1.0, "batch", seed=seed) for seed in (1, 2, 3, 4)]
    return [
        replace(case, name=f"seed-{n}", differs={"seed": str(n)})
        for n, case in enumerate(cases, start=1)
    ]


def grid_long() -> list[Case]:
    """The grid at full length. The command runs only the best cells of the short grid, and
    :data:`USUAL`."""
    return [
        grid_case(*cell, length="long")
        for cell in product(get_args(KlKind), STARTS, get_args(Coin))
    ]


def gradient_case(through_time: bool, rate: float, rollouts_per_epoch: int) -> Case:
    """Gradients through the whole rollout with one optimiser step a rollout, or detached at every
    step with one optimiser step each."""
    how = "through time" if through_time else "detached"
    config = PLAIN.with_changes(rollouts_per_epoch=rollouts_per_epoch, beta=0.08)
    return Case(
        f"{how.replace(' ', '-')}-{rate:g}",
        {"gradient": how, "learning rate": f"{rate:g}"},
        config.with_changes(through_time=through_time, learning_rate=rate),
    )


def gradient() -> list[Case]:
    """Both kinds of gradient, and detached at the reference code's learning rate; 4,000
    rollouts."""
    return [gradient_case(*how, 200) for how in ((True, 1e-3), (False, 1e-3), (False, 1e-4))]


def gradient_long() -> list[Case]:
    """Both kinds of gradient at full length."""
    return [gradient_case(through_time, 1e-3, LENGTHS["long"]) for through_time in (True, False)]


def variants() -> list[Case]:
    """All kinds of model, with equal settings and equally many rollouts."""
    config = PLAIN.with_changes(rollouts_per_epoch=200, beta=0.08)
    return [
        Case(kind, {"variant": kind}, replace(config, model=replace(config.model, variant=kind)))
        for kind in get_args(Variant)
    ]


def reference() -> list[Case]:
    """The reference code's settings, with its own β of 1 and with 0.01; its 140 epochs have fewer
    updates here."""
    config = TrainConfig.of(
        epochs=140,
        teacher=TeacherForcing(hold_epochs=20, ramp_epochs=20),
        kl=KlWeight("none"),
        rollouts_per_epoch=70,
        learning_rate=1e-4,
        final_learning_rate=1e-7,
        foot_weight=0.0,
        joint_weight=0.0,
        bone_weight=0.0,
        free_steps=0,
        through_time=False,
        balance=0.0,
        gradient_norm=NO_CLIPPING,
    )
    return [
        Case(f"beta-{beta:g}", {"β": f"{beta:g}"}, config.with_changes(beta=beta))
        for beta in (1.0, 0.01)
    ]


def encoder() -> list[Case]:
    """The encoder alone, against a trained decoder, with the decoder's β and with lower ones."""
    betas = (0.08, 0.02, 0.01)
    return [
        Case(f"beta-{beta:g}", {"β": f"{beta:g}"}, ENCODER.with_changes(beta=beta))
        for beta in betas
    ]
