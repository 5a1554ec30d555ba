"""The verdict on a motion VAE: findings from its figures, each with a reason and advice.

Pure functions of a dictionary of figures. A figure that is missing or None was not measured. A
check without any of its figures finds nothing, and :func:`not_judged` names it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

HEALTHY = "healthy"
COLLAPSED = "collapsed"
NEARLY_COLLAPSED = "nearly collapsed"
DIVERGES = "diverges when free-running"
EXPOSURE_BIAS = "exposure bias"
UNDER_TRAINED = "under-trained"
BROKEN_BODY = "broken body"

SILENT_UNITS = 1 / 32
"""The latent is silent up to this share of active units: one of the usual 32 cannot describe a
step."""
SILENT_NATS = 0.05
"""nats of KL a step below which z says nothing: less than a tenth of a coin toss (0.69)."""
SILENT_SPREAD_M = 0.005
SILENT_SPREAD_DEG = 0.25
"""m and degrees after 2 s below which latent streams are one stream: the eye cannot tell them
apart."""
FEW_UNITS = 1 / 8
"""Few units are active below this share of them: healthy models of this kind use half or more."""
FEW_NATS = 0.5
"""nats of KL a step below which z says little: not even which of two ways to go."""
SMALL_SPREAD_M = 0.1
SMALL_SPREAD_DEG = 5.0
"""m and degrees after 2 s below which latent streams differ less than one stride from the next: a
policy could hardly steer with so little."""
SANE_FRACTION = 0.98
"""Share of rollouts that must stay sane for 20 s. One bad one in 64 may be chance; two are not."""
EXPOSURE_RATIO = 4.0
"""Ratio of free-running to teacher-forced error above which errors feed themselves. Models trained
on their own output settle at about 2 (each pose inherits the error of the last and the encoder
corrects it); teacher forcing alone gave 6 and more."""
STILL_MM = 10.0
"""mm that the joints of a walking person move between two frames, on average, in the facing frame;
used if there are no data from which to measure it (``still_mm``)."""
STILL_SHARE = 0.8
"""A model whose one-step error exceeds this share of ``still_mm`` has learned little more than to
repeat the last pose."""
UPRIGHT_SHARE = 0.9
"""Share of poses in which a body must be upright. Captured locomotion, in any style, has 1.00."""
HIPS_LEGS = {"biped": (0.7, 1.45), "quadruped": (0.5, 1.9)}
"""Median heights of the hips, in leg lengths. Captured people have 1.06 to 1.15, a dog 1.22."""
CROSSED_SHARE = 0.3
"""Share of poses with crossed feet above which left and right are mixed up. Captured motion, with
its turns and side steps, has 0.03 to 0.06."""
FORWARD_SHARE = 0.4
"""Share of the way that must go ahead. Captured motion has 0.67 (half of it walking backward) to
0.99; 0.5 says nothing."""
FLOOR_LEGS = 0.12
"""Leg lengths, 10 cm of a person's, by which feet may float over the ground or sink into it, and by
which that may change in 20 s. Captured motion has 0.02."""

Figures = Mapping[str, Any]


@dataclass(frozen=True)
class Finding:
    """A fault of a model: its ``name``, the figures that show it, and what to change."""

    name: str
    reason: str
    advice: str


def collapsed(figures: Figures) -> Finding | None:
    """z carries no information, or has no effect."""
    reasons = []
    if _few_units(figures) and figures["active_units"] <= SILENT_UNITS * figures["latent_units"]:
        reasons.append(_active(figures))
    if _known(figures, "kl_nats") and figures["kl_nats"] < SILENT_NATS:
        reasons.append(f"the KL is {figures['kl_nats']:.2g} nats, under {SILENT_NATS}")
    if _spread_below(figures, SILENT_SPREAD_M, SILENT_SPREAD_DEG):
        reasons.append(_spread(figures))
    advice = (
        "Train again with a lower --beta, a longer --kl.ramp-epochs, or --free-bits above 0 (0.05, "
        "say): the decoder has learned to do without z, and no policy can steer it."
    )
    return _finding(COLLAPSED, reasons, advice)


def nearly_collapsed(figures: Figures) -> Finding | None:
    """z carries little information, or has little effect. Not found if :func:`collapsed` is."""
    if collapsed(figures):
        return None
    reasons = []
    if _few_units(figures):
        reasons.append(_active(figures))
    if _known(figures, "kl_nats") and figures["kl_nats"] < FEW_NATS:
        reasons.append(f"the KL is {figures['kl_nats']:.2g} nats, under {FEW_NATS}")
    if _spread_below(figures, SMALL_SPREAD_M, SMALL_SPREAD_DEG):
        reasons.append(_spread(figures))
    advice = (
        "Train again with --beta halved, or with --free-bits above 0 (0.05, say), so that z "
        "carries more."
    )
    return _finding(NEARLY_COLLAPSED, reasons, advice)


def diverges(figures: Figures) -> Finding | None:
    """Free rollouts with z drawn at random leave what a body can do."""
    reasons = []
    if _known(figures, "sane_fraction") and figures["sane_fraction"] < SANE_FRACTION:
        sane = 100 * figures["sane_fraction"]
        reasons.append(
            f"{sane:.3g} % of free rollouts stay sane without the clamp on the pose, under "
            f"{100 * SANE_FRACTION:.3g} %"
        )
    advice = (
        "Train longer on its own output (more --epochs, a longer --rollout), with a lower "
        "--learning-rate; if only z drawn at random does it and aggregate_kl_nats is large, raise "
        "--beta."
    )
    return _finding(DIVERGES, reasons, advice)


def under_trained(figures: Figures) -> Finding | None:
    """Even a single step goes wrong."""
    reasons = []
    still = figures["still_mm"] if _known(figures, "still_mm") else STILL_MM
    if _known(figures, "one_step_mm") and figures["one_step_mm"] > STILL_SHARE * still:
        reasons.append(
            f"one step errs by {figures['one_step_mm']:.3g} mm, where repeating the last pose errs "
            f"by {still:.3g} mm"
        )
    advice = (
        "Train for more epochs or with more --rollouts-per-epoch; if the loss no longer falls, "
        "with a higher --learning-rate or a wider --model.hidden."
    )
    return _finding(UNDER_TRAINED, reasons, advice)


def exposure_bias(figures: Figures) -> Finding | None:
    """The model continues captured poses well and its own poses badly.

    Not found if the latent is weak: then the model strays from the captured motion because z cannot
    lead it back.
    """
    if collapsed(figures) or nearly_collapsed(figures):
        return None
    reasons = []
    measured = _known(figures, "exposure_ratio", "teacher_forced_mm")
    if measured and figures["exposure_ratio"] > EXPOSURE_RATIO:
        reasons.append(
            f"on its own it errs {figures['exposure_ratio']:.3g} times as much as from captured "
            f"poses ({figures['teacher_forced_mm']:.3g} mm), above {EXPOSURE_RATIO:g}"
        )
    advice = (
        "Train longer on its own output: more --teacher.ramp-epochs and --epochs, and a longer "
        "--rollout."
    )
    return _finding(EXPOSURE_BIAS, reasons, advice)


def broken_body(figures: Figures) -> Finding | None:
    """What moves is no body, or moves as none does.

    Free rollouts count only if neither divergence nor too little training explains them.
    """
    reasons = []
    if figures.get("body_fault"):
        reasons.append(f"no body has such a skeleton: {figures['body_fault']}")
    reasons += _pose_faults(figures, "reset", "the captured poses that it starts from")
    known = "captured" if figures.get("captured_forward") is not None else "reset"
    reasons += _backward(figures, known, "the captured motion")
    captured = bool(reasons)
    if not diverges(figures) and not under_trained(figures):
        reasons += _pose_faults(figures, "free", "free rollouts")
        reasons += _backward(figures, "free", "free rollouts")
        reasons += _floor_faults(figures)
    advice = (
        "Look at the data with `python -m controller data show FILE`; state with --up, --forward, "
        "--unit or --roles what the build took for something else, build again and train again."
        if captured
        else "The captured poses are right, so the model is not: train again, longer on its own "
        "output (more --epochs, a longer --rollout)."
    )
    return _finding(BROKEN_BODY, reasons, advice)


def _pose_faults(figures: Figures, whose: str, where: str) -> list[str]:
    """What is wrong with poses: ``reset`` or ``free``."""
    reasons = []
    stance = figures.get("stance") or "biped"
    share = figures.get(f"{whose}_upright")
    if share is not None and share < UPRIGHT_SHARE:
        what = {
            "biped": "the head is above the hips, and these above the feet,",
            "quadruped": "hips and shoulders are above the feet",
        }[stance]
        reasons.append(
            f"{what} in {100 * share:.0f} % of {where}, under {100 * UPRIGHT_SHARE:.0f} %"
        )
    height = figures.get(f"{whose}_hips_legs")
    low, high = HIPS_LEGS[stance]
    if height is not None and not low <= height <= high:
        reasons.append(
            f"the hips are {height:.2f} leg lengths high in {where}; {low:g} to {high:g} is a "
            "body's"
        )
    share = figures.get(f"{whose}_crossed")
    if share is not None and share > CROSSED_SHARE:
        reasons.append(
            f"a left foot is to the right of the right one in {100 * share:.0f} % of {where}, "
            f"above {100 * CROSSED_SHARE:.0f} %"
        )
    return reasons


def _backward(figures: Figures, whose: str, where: str) -> list[str]:
    """Whether travel is backward, as a list of one reason or none."""
    share = figures.get(f"{whose}_forward")
    if share is None or share >= FORWARD_SHARE:
        return []
    return [f"{100 * (1 - share):.0f} % of the way in {where} goes backward"]


def _floor_faults(figures: Figures) -> list[str]:
    """What is wrong with the floor under free rollouts."""
    reasons = []
    floor = figures.get("free_floor_legs")
    if floor is not None and abs(floor) > FLOOR_LEGS:
        side = "above" if floor > 0 else "below"
        reasons.append(
            f"the lowest foot stays {abs(floor):.2f} leg lengths {side} the ground in free rollouts"
        )
    drift = figures.get("free_drift_legs")
    if drift is not None and drift > FLOOR_LEGS:
        reasons.append(
            f"the floor under free rollouts moves by {drift:.2f} leg lengths in 20 s, above "
            f"{FLOOR_LEGS:g}"
        )
    return reasons


CHECKS: dict[str, tuple[Callable[[Figures], Finding | None], tuple[str, ...]]] = {
    BROKEN_BODY: (broken_body, ("reset_upright",)),
    COLLAPSED: (collapsed, ("active_units", "kl_nats")),
    DIVERGES: (diverges, ("sane_fraction",)),
    UNDER_TRAINED: (under_trained, ("one_step_mm",)),
    NEARLY_COLLAPSED: (nearly_collapsed, ("active_units", "kl_nats")),
    EXPOSURE_BIAS: (exposure_bias, ("exposure_ratio",)),
}
"""The checks, the most serious first, each with the figures that it needs for a full answer. A
model of a broken body is of no use however well it was trained. Divergence and too little training
come before a weak latent, since either may be why latent streams spread too little or too much."""


def findings(figures: Figures) -> list[Finding]:
    """All faults, the most serious first; empty for a healthy model."""
    results = (check(figures) for check, _ in CHECKS.values())
    return [finding for finding in results if finding]


def not_judged(figures: Figures) -> list[str]:
    """Names of the faults that cannot be ruled out because figures are missing."""
    names = {finding.name for finding in findings(figures)}
    return [
        name
        for name, (_, needed) in CHECKS.items()
        if name not in names and not _known(figures, *needed)
    ]


def _known(figures: Figures, *names: str) -> bool:
    return all(figures.get(name) is not None for name in names)


def _few_units(figures: Figures) -> bool:
    return (
        _known(figures, "active_units", "latent_units")
        and figures["active_units"] < FEW_UNITS * figures["latent_units"]
    )  # fmt: skip


def _active(figures: Figures) -> str:
    units = figures["latent_units"]
    return f"of {units} latent units {figures['active_units']} say anything (are active)"


def _spread_below(figures: Figures, metres: float, degrees: float) -> bool:
    """Whether latent streams stay together both in place and in facing."""
    return (
        _known(figures, "spread_m", "spread_deg")
        and figures["spread_m"] < metres
        and figures["spread_deg"] < degrees
    )  # fmt: skip


def _spread(figures: Figures) -> str:
    centimetres = 100 * figures["spread_m"]
    degrees = figures["spread_deg"]
    return (
        f"latent streams from one pose are {centimetres:.2g} cm and {degrees:.2g}° apart after 2 s"
    )


def _finding(name: str, reasons: list[str], advice: str) -> Finding | None:
    """A finding with its reasons in one sentence; None without reasons."""
    if not reasons:
        return None
    sentence = "; ".join(reasons)
    return Finding(name, sentence[0].upper() + sentence[1:] + ".", advice)
