"""The trainings that the study compares, in named sets: what `python -m controller study`
runs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import product
from typing import Literal, get_args

from controller.model.mixture import Variant
from controller.training.config import ENCODER, TrainConfig
from controller.training.schedules import KlWeight, TeacherForcing

SetName = Literal[
    "reference", "gradient", "gradient-long", "grid", "seeds", "grid-long", "variants", "encoder"
]
KlKind = Literal["none", "monotonic", "cyclical", "linear-then-cyclical"]
Coin = Literal["batch", "sample"]
STARTS = (1.0, 0.8, 0.5)
"""Shares of captured poses with which teacher forcing starts."""
LENGTHS = {"short": 60, "long": 900}
"""Rollouts in an epoch. Everything else is equal, so that a long run is a short one, slowed
down."""
NO_CLIPPING = 1e6
"""A norm that no gradient reaches."""


@dataclass(frozen=True)
class Case:
    """One training of a set: its ``name``, what sets it apart from the others of the set (column →
    value), and its settings."""

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
"""What the runs of grid and gradient have in common: written out, so that they stay what they are
when defaults change. Without free steps, which begin late and would hide what comes of the first
half."""
GRID = PLAIN.with_changes(rollouts_per_epoch=LENGTHS["short"], beta=3.0)
"""β is nearly forty times the default, at which this training needs no schedule."""


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
"""The cell that is nearest to what people use: the paper's teacher forcing and the reference code's
coin."""


def grid() -> list[Case]:
    """{KL weight} × {teacher forcing's start} × {a coin per batch or per sample}, 24 short runs."""
    return [grid_case(*cell) for cell in product(get_args(KlKind), STARTS, get_args(Coin))]


def seeds() -> list[Case]:
    """One cell of the grid with four seeds: by how much two runs differ that do not differ in their
    settings."""
    cases = [grid_case("monotonic", 1.0, "batch", seed=seed) for seed in (1, 2, 3, 4)]
    return [
        replace(case, name=f"seed-{n}", differs={"seed": str(n)})
        for n, case in enumerate(cases, start=1)
    ]


def grid_long() -> list[Case]:
    """The grid at full length. The command takes from it those that did best in the short grid, and
    :data:`USUAL`."""
    return [
        grid_case(*cell, length="long")
        for cell in product(get_args(KlKind), STARTS, get_args(Coin))
    ]


def gradient_case(through_time: bool, rate: float, rollouts_per_epoch: int) -> Case:
    """Through the whole rollout with one optimiser step, or detached at every step with one at
    each."""
    how = "through time" if through_time else "detached"
    config = PLAIN.with_changes(rollouts_per_epoch=rollouts_per_epoch, beta=0.08)
    return Case(
        f"{how.replace(' ', '-')}-{rate:g}",
        {"gradient": how, "learning rate": f"{rate:g}"},
        config.with_changes(through_time=through_time, learning_rate=rate),
    )


def gradient() -> list[Case]:
    """Both ways, and the detached one at the reference code's learning rate, too; 4,000
    rollouts."""
    return [gradient_case(*how, 200) for how in ((True, 1e-3), (False, 1e-3), (False, 1e-4))]


def gradient_long() -> list[Case]:
    """Both ways at full length."""
    return [gradient_case(through_time, 1e-3, LENGTHS["long"]) for through_time in (True, False)]


def variants() -> list[Case]:
    """All kinds of model, with equal settings and as many rollouts."""
    config = PLAIN.with_changes(rollouts_per_epoch=200, beta=0.08)
    return [
        Case(kind, {"variant": kind}, replace(config, model=replace(config.model, variant=kind)))
        for kind in get_args(Variant)
    ]


def reference() -> list[Case]:
    """The reference code's settings, with its own β = 1 and with β = 0.01; its 140 epochs in fewer
    updates."""
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
    """A trained model's encoder by itself, with the decoder's β and with lower ones."""
    betas = (0.08, 0.02, 0.01)
    return [
        Case(f"beta-{beta:g}", {"β": f"{beta:g}"}, ENCODER.with_changes(beta=beta))
        for beta in betas
    ]


SETS: dict[SetName, Callable[[], list[Case]]] = {
    "reference": reference,
    "gradient": gradient,
    "gradient-long": gradient_long,
    "grid": grid,
    "seeds": seeds,
    "grid-long": grid_long,
    "variants": variants,
    "encoder": encoder,
}
