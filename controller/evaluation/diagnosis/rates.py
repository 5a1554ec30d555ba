"""Forward speeds and turn rates: of free rollouts, of captured motion, and how well they agree."""

from __future__ import annotations

import torch
from torch import Tensor

from controller.data.dataset import MotionDataset
from controller.dynamics.character import Character
from controller.dynamics.rollout import Rollout
from controller.evaluation.diagnosis import distributions
from controller.evaluation.figures import PERCENTILES
from controller.motion import metrics

RATES = {"speed": "m_s", "turn": "deg_s"}
"""Forward speed and turn rate, with their units, as they appear in the names of figures."""
RANGE = (0.01, 0.99)
"""Quantiles between which the range of a rate lies: one frame in fifty is outside."""


def rates(root_velocity: Tensor) -> dict[str, Tensor]:
    """The :data:`RATES` of root velocities ``(N, 3)``, in m/s and degrees/s."""
    return {"speed": root_velocity[:, 0], "turn": torch.rad2deg(root_velocity[:, 2])}


def free_rates(character: Character, run: Rollout) -> dict[str, Tensor]:
    """:func:`rates` of every frame of a rollout."""
    return rates(character.root_velocity(run.pose).flatten(0, -2))


def captured_rates(data: MotionDataset) -> dict[str, Tensor]:
    """:func:`rates` of every captured frame and its mirror image."""
    root = data.poses[:, data.layout.root_velocity]
    mirrored = root * torch.tensor([1.0, -1.0, -1.0])
    return rates(torch.cat((root, mirrored)))


def rate_figures(whose: str, values: dict[str, Tensor]) -> dict[str, list[float]]:
    """5, 50 and 95 % of the :data:`RATES`, and their range, 1 and 99 %."""
    figures = {}
    for name, unit in RATES.items():
        figures[f"{whose}_{name}_{unit}"] = metrics.quantiles(values[name], PERCENTILES)
        figures[f"{whose}_{name}_range_{unit}"] = metrics.quantiles(values[name], RANGE)
    return figures


def agreement(captured: dict[str, Tensor], free: dict[str, Tensor]) -> dict[str, float]:
    """How well the :data:`RATES` of free rollouts agree with the captured ones.

    ``…_coverage``: share of the captured interval from 5 to 95 % that the free one covers.
    ``…_coverage_mass``: share of captured frames within the free rollouts' range from 1 to 99 %;
    0.98 if the two are alike. ``…_wasserstein_…``: :func:`distributions.wasserstein` distance of
    the two, 0 if they are alike.
    """
    figures = {}
    for name, unit in RATES.items():
        inner = metrics.quantiles(captured[name], PERCENTILES)
        outer = metrics.quantiles(free[name], PERCENTILES)
        reach = metrics.quantiles(free[name], RANGE)
        distance = distributions.wasserstein(captured[name], free[name])
        figures[f"{name}_coverage"] = distributions.coverage(inner, outer)
        figures[f"{name}_coverage_mass"] = distributions.mass_within(captured[name], reach)
        figures[f"{name}_wasserstein_{unit}"] = distance
    return figures
