"""Strides of one foot: how long they take, how far the foot goes, how high its toe comes."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from controller.motion.pose import FPS

SWING = 0.12
"""√(g·h): a foot that swings is at some moment faster than this."""
VALLEY = 0.5
"""Between two swings a foot is slower than this share of the slower swing's fastest moment."""

SLIP = 0.4
"""Between swings a foot may slide, but slower than this share of the swing before or after."""


@dataclass(frozen=True)
class Strides:
    """N strides of one foot, each from the fastest moment of a swing to that of the next.

    middle  (N,) the frame in the middle of each
    time    (N,) s
    travel  (N,) m over the ground
    peak    (N,) m: the highest position of the toe
    swings  (N + 1,) the frames in which swings are fastest; empty if there is no stride
    """

    middle: np.ndarray
    time: np.ndarray
    travel: np.ndarray
    peak: np.ndarray
    swings: np.ndarray


def strides(toe: np.ndarray, pace: float) -> Strides:
    """The strides of a toe at world positions ``(T, 3)`` in metres; ``pace`` is the body's √(g·h)
    in m/s."""
    ground = toe[:, [0, 2]]
    step = np.linalg.norm(np.diff(ground, axis=0), axis=1) * FPS
    speed = step.copy()
    speed[1:-1] = 0.25 * step[:-2] + 0.5 * step[1:-1] + 0.25 * step[2:]
    tops = swings(speed, SWING * pace)
    if len(tops) < 2:
        nothing = np.zeros(0)
        return Strides(nothing.astype(int), nothing, nothing, nothing, nothing.astype(int))
    moments = np.array([_moment(speed, top) for top in tops])
    # The speed of a step belongs between its two frames.
    frames = np.arange(len(toe))
    places = np.stack([np.interp(moments + 0.5, frames, column) for column in ground.T], axis=1)
    peak = [toe[a : b + 2, 1].max() for a, b in pairwise(tops)]
    return Strides(
        middle=(tops[:-1] + tops[1:] + 1) // 2,
        time=np.diff(moments) / FPS,
        travel=np.linalg.norm(np.diff(places, axis=0), axis=1),
        peak=np.array(peak),
        swings=tops,
    )


def swings(speed: np.ndarray, least: float) -> np.ndarray:
    """The steps in which swings are fastest: local maxima of ``speed`` (T,) above ``least``, one
    between two valleys, without those of feet that slide."""
    inner = (speed[1:-1] >= speed[:-2]) & (speed[1:-1] > speed[2:]) & (speed[1:-1] > least)
    tops: list[int] = []
    for top in (np.flatnonzero(inner) + 1).tolist():
        if not tops:
            tops.append(top)
            continue
        slower = min(speed[tops[-1]], speed[top])
        if speed[tops[-1] : top].min() < VALLEY * slower:
            tops.append(top)
        elif speed[top] > speed[tops[-1]]:
            tops[-1] = top
    fastest = [
        max(speed[near] for near in tops[max(number - 1, 0) : number + 2])
        for number in range(len(tops))
    ]
    swung = [top for top, most in zip(tops, fastest, strict=True) if speed[top] >= SLIP * most]
    return np.array(swung, dtype=int)


def _moment(speed: np.ndarray, top: int) -> float:
    """The maximum of the parabola through a local maximum and its neighbours."""
    before, here, after = speed[top - 1 : top + 2]
    bend = before - 2 * here + after
    return top + (0.5 * (before - after) / bend if bend < 0 else 0.0)
