"""What the figures of a policy say about it: does it move, does it do what is asked, and does it
walk on its feet?"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

from controller.evaluation.trials.base import TRIALS, Metric

GOOD = "good"
FALLS = "falls"
STANDS = "does not move"
STRAYS = "does not follow the wish"
SLIDES = "slides"

ALIVE = 0.9
"""Share of characters that must not fall."""
SLOW = 0.1
"""Share of the character's fastest speed below which it does not move, in 95 % of the frames."""

GLIDE = "glide_cm_per_frame"
GLIDE_TIMES = 2.5
GLIDE_MORE = 0.1
"""The slower foot may move by so many times its captured motion, and by so many cm a frame more. No
trainer has this limit in its reward. Policies that walk have one to two times the captured motion;
those that skate along have three to five times, and every other figure of theirs may be good."""


class PolicyVerdict(NamedTuple):
    """The ``name`` of the verdict and the ``reason``, with the figures; empty if all is good."""

    name: str
    reason: str = ""

    @property
    def is_good(self) -> bool:
        """Whether nothing is wrong."""
        return self.name == GOOD

    def __str__(self) -> str:
        return f"{self.name}: {self.reason}" if self.reason else self.name


def judge_policy(task: str, figures: Mapping[str, Any], fastest: float) -> PolicyVerdict:
    """Judge a policy by the figures of its ``task``; ``fastest`` is the character's speed ahead in
    m/s. A task without a trial is only judged by whether the character falls."""
    alive = figures["alive_fraction"]
    if alive < ALIVE:
        return PolicyVerdict(FALLS, f"{100 * (1 - alive):.0f} % of the characters fall")
    if task not in TRIALS:
        return PolicyVerdict(GOOD)

    speed = figures["speed_m_s_p95"]
    if speed < SLOW * fastest:
        return PolicyVerdict(STANDS, f"it is slower than {speed:.2f} m/s in 95 % of the frames")
    failures = [
        f"{metric.title} is {metric.text(figures.get(metric.key))}, not {metric.text(metric.bad)}"
        for metric in TRIALS[task].metrics
        if metric.bad is not None and is_bad(metric, figures.get(metric.key))
    ]
    if failures:
        return PolicyVerdict(STRAYS, "; ".join(failures))
    return sliding(figures) or PolicyVerdict(GOOD)


def sliding(figures: Mapping[str, Any]) -> PolicyVerdict | None:
    """The verdict on a policy whose slower foot hardly ever stands; None if it does, or if the
    figures do not say how much it moves in captured motion."""
    captured = (figures.get("captured") or {}).get(GLIDE)
    glide = figures.get(GLIDE)
    if captured is None or glide is None or glide <= GLIDE_TIMES * captured + GLIDE_MORE:
        return None
    reason = (
        f"the slower foot moves by {glide:.2f} cm a frame, where it moves by {captured:.2f} cm in "
        "captured motion"
    )
    return PolicyVerdict(SLIDES, reason)


def is_bad(metric: Metric, value: float | None) -> bool:
    """Whether a value is worse than a metric's ``bad``. One that is missing or not finite is."""
    assert metric.bad is not None
    if value is None or not math.isfinite(value):
        return True
    return value < metric.bad if metric.better == "higher" else value > metric.bad
