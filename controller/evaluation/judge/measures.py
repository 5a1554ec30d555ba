"""The figures beside the verdict: what a person would measure, of captured motion and of others."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from controller.evaluation.judge.bodies import Anatomy, Bodies
from controller.evaluation.judge.gaits import GAITS, pace
from controller.evaluation.judge.gap import gap
from controller.evaluation.judge.strides import Strides, strides
from controller.evaluation.judge.windows import SKIP, WINDOW, Windows
from controller.motion import metrics
from controller.motion.pose import FPS

STAND = "stand"
LET_GO = "let go"
"""What stands beside captured standing: the stick is let go after a walk."""
STEADY = ("walk", "fast", "run")
"""Gaits in which one stride should be like the next."""
TIGHT = ("turn", "side")
"""Gaits in which legs come near each other."""
POINTS = (5, 50, 95)
"""Percentiles that are reported."""
FEWEST = 10
"""Values; of fewer no percentiles are given."""
UNITS = {
    "stride time": "s", "travel in a stride": "m", "toe peak": "cm",
    "stride time, from one to the next": "s", "toe peak, from one to the next": "cm",
    "swing clearance": "cm", "toe slip": "cm/s", "ankle slip": "cm/s", "feet apart": "cm",
    "shins apart": "cm", "joint speed": "cm/s", "jerk": "m/s³", "nearest captured pose": "cm",
}  # fmt: skip
"""What is measured, and in what unit."""


@dataclass(frozen=True)
class Moments:
    """What a measurement needs to know of S segments.

    frames   (S,) their lengths
    gaits    (S, T) numbers of the captured motion's gaits
    hips     m: a usual height of the hips
    windows  that the judge sees
    """

    frames: Tensor
    gaits: Tensor
    hips: float
    windows: Windows


Values = dict[tuple[str, str], np.ndarray]
"""Measured values by name and gait; the gait "all" is any."""


def measure(anatomy: Anatomy, bodies: Bodies, moments: Moments) -> Values:
    """All values of a motion."""
    return _stride_values(anatomy, bodies, moments) | _body_values(anatomy, bodies, moments)


def _stride_values(anatomy: Anatomy, bodies: Bodies, moments: Moments) -> Values:
    """Of the strides of all feet, by the gait in the middle of the stride.

    stride time, travel in a stride, toe peak  see :class:`Strides`
    … from one to the next  differences between strides that follow each other in a :data:`STEADY`
                            gait
    swing clearance         height of the toe in the fastest step of a swing, in all gaits
    """
    found: dict[tuple[str, str], list[np.ndarray]] = {}
    labels = moments.gaits.numpy()
    for segment, length in enumerate(moments.frames.tolist()):
        for toe in anatomy.toes:
            path = bodies.world[segment, SKIP:length, toe].double().numpy()
            made = strides(path, pace(moments.hips))
            own = labels[segment, SKIP:length][made.middle]
            for gait, name in enumerate(GAITS):
                if name != STAND:
                    for measured, values in _of_gait(made, own == gait, name in STEADY).items():
                        found.setdefault((measured, name), []).append(values)
            heights = 100 * (path[made.swings, 1] + path[made.swings + 1, 1]) / 2
            found.setdefault(("swing clearance", "all"), []).append(heights)
    return {key: np.concatenate(parts) for key, parts in found.items()}


def _of_gait(made: Strides, chosen: np.ndarray, steady: bool) -> dict[str, np.ndarray]:
    values = {
        "stride time": made.time[chosen],
        "travel in a stride": made.travel[chosen],
        "toe peak": 100 * made.peak[chosen],
    }
    if steady:
        pairs = chosen[1:] & chosen[:-1]
        values["stride time, from one to the next"] = np.abs(np.diff(made.time))[pairs]
        values["toe peak, from one to the next"] = 100 * np.abs(np.diff(made.peak))[pairs]
    return values


def _body_values(anatomy: Anatomy, bodies: Bodies, moments: Moments) -> Values:
    """Of the whole body.

    toe slip, ankle slip     speed over the ground of the lowest toe, and of the lowest ankle
    feet apart, shins apart  between left and right, as line segments: the least in a window
    joint speed              of all joints in the world, while the captured motion stands
    jerk                     of all joints, the mean in a window
    """
    world = bodies.world
    there = torch.arange(world.shape[1]) < moments.frames[:, None]
    there[:, :SKIP] = False
    speed = world.diff(dim=1) * FPS
    values: Values = {}
    for name, joints in (("toe slip", anatomy.toes), ("ankle slip", anatomy.ankles)):
        own = list(joints)
        lowest = world[:, 1:, own, 1].argmin(dim=-1, keepdim=True)
        slip = speed[:, :, own][..., [0, 2]].norm(dim=-1).gather(-1, lowest)[..., 0]
        values[name, "all"] = 100 * slip[there[:, 1:]].numpy()

    now = moments.gaits[moments.windows.segment, moments.windows.middle]
    for name, upper, lower in (
        ("feet apart", anatomy.ankles, anatomy.toes),
        ("shins apart", anatomy.knees, anatomy.ankles),
    ):
        ends = world[:, :, list(upper)], world[:, :, list(lower)]
        apart = gap(*(part[:, :, side::2] for side in (0, 1) for part in ends)).amin(dim=-1)
        least = 100 * _spans(apart, moments.windows).amin(dim=-1)
        values[name, "all"] = least.numpy()
        for gait in TIGHT:
            values[name, gait] = least[now == GAITS.index(gait)].numpy()

    stands = there & (moments.gaits == GAITS.index(STAND))
    values["joint speed", STAND] = 100 * speed.norm(dim=-1).mean(dim=-1)[stands[:, 1:]].numpy()
    jerk = metrics.jerk(world.transpose(0, 1), FPS).transpose(0, 1).mean(dim=-1)
    jerk = torch.cat((jerk[:, :1].expand(-1, 3), jerk), dim=1)
    values["jerk", "all"] = _spans(jerk, moments.windows).mean(dim=-1).numpy()
    return values


def _spans(values: Tensor, windows: Windows) -> Tensor:
    """(W, WINDOW): every frame of the windows of values ``(S, T)``."""
    return values[windows.segment[:, None], windows.first[:, None] + torch.arange(WINDOW)]


def compare(captured: Values, generated: Values) -> list[dict[str, Any]]:
    """One row for each thing that is measured of either: its name, gait and unit, and percentiles
    and number of values of both kinds. There are no percentiles of fewer than :data:`FEWEST`."""
    rows = []
    for measured, unit in UNITS.items():
        for gait in ("all", *GAITS, LET_GO):
            key = measured, gait
            pair = captured.get(key, np.zeros(0)), generated.get(key, np.zeros(0))
            if max(map(len, pair)) < FEWEST:
                continue
            rows.append(
                {
                    "measure": measured,
                    "gait": gait,
                    "unit": unit,
                    "captured": percentiles(pair[0]),
                    "generated": percentiles(pair[1]),
                    "captured_count": len(pair[0]),
                    "generated_count": len(pair[1]),
                }
            )
    return rows


def percentiles(values: Iterable[float]) -> list[float] | None:
    """The :data:`POINTS` of values; None of fewer than :data:`FEWEST`."""
    known = np.asarray(values)
    if len(known) < FEWEST:
        return None
    return [float(value) for value in np.percentile(known, POINTS)]
