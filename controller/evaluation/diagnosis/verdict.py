"""What the figures of a motion VAE say of it: findings, each with its reason and with what to
change.

Pure functions of a dictionary of figures. A figure that is missing or None was not measured; a
finding whose figures were all not measured is not made, and :func:`not_judged` says so.
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

SILENT_UNITS = 1 / 32
"""Share of the latent units up to which hardly any is active: one of the usual 32 cannot hold what
a step may be."""
SILENT_NATS = 0.05
"""nats of KL a step under which z says nothing: not a tenth of a coin's fall (0.69)."""
SILENT_SPREAD_M = 0.005
SILENT_SPREAD_DEG = 0.25
"""m and degrees after 2 s under which latent streams are one stream: nobody could see them
apart."""
FEW_UNITS = 1 / 8
"""Share of the latent units under which few are active: healthy models of this kind use a half and
more."""
FEW_NATS = 0.5
"""nats of KL a step under which z says little: not even which of two ways to go on."""
SMALL_SPREAD_M = 0.1
SMALL_SPREAD_DEG = 5.0
"""m and degrees after 2 s that are less than a stride's own irregularity: a policy could hardly
steer by that much."""
SANE_FRACTION = 0.98
"""Share of rollouts that must stay sane for 20 s. One in 64 may be bad luck; two are not."""
EXPOSURE_RATIO = 4.0
"""Free-running over teacher-forced error above which errors feed themselves. Models trained on
their own output settle at about 2 (each pose inherits the last one's error and the encoder mends
it); teacher forcing alone gave 6 and more."""
STILL_MM = 10.0
"""mm that a walking person's joints move between two frames, on average, seen from the facing
frame; used when there are no data to measure it on (``still_mm``)."""
STILL_SHARE = 0.8
"""A model whose one-step error is above this share of that has hardly learned more than to repeat
the last pose."""

Figures = Mapping[str, Any]


@dataclass(frozen=True)
class Finding:
    """Something wrong with a model: its ``name``, the figures that show it, and what to change."""

    name: str
    reason: str
    advice: str


def collapsed(figures: Figures) -> Finding | None:
    """z says nothing, or does nothing."""
    reasons = []
    if _few_units(figures) and figures["active_units"] <= SILENT_UNITS * figures["latent_units"]:
        reasons.append(_active(figures))
    if _known(figures, "kl_nats") and figures["kl_nats"] < SILENT_NATS:
        reasons.append(f"the KL is {figures['kl_nats']:.2g} nats, under {SILENT_NATS}")
    if _spread_below(figures, SILENT_SPREAD_M, SILENT_SPREAD_DEG):
        reasons.append(_spread(figures))
    advice = (
        "Train again with a lower --beta, a longer --kl.ramp-epochs, or --free-bits above 0 (0.05, "
        "say): "
        "the decoder has learned to do without z, and no policy can steer it."
    )
    return _finding(COLLAPSED, reasons, advice)


def nearly_collapsed(figures: Figures) -> Finding | None:
    """z says or does little. Not said of a model of which :func:`collapsed` is."""
    if collapsed(figures):
        return None
    reasons = []
    if _few_units(figures):
        reasons.append(_active(figures))
    if _known(figures, "kl_nats") and figures["kl_nats"] < FEW_NATS:
        reasons.append(f"the KL is {figures['kl_nats']:.2g} nats, under {FEW_NATS}")
    if _spread_below(figures, SMALL_SPREAD_M, SMALL_SPREAD_DEG):
        reasons.append(_spread(figures))
    advice = "Train again with --beta halved, or with --free-bits above 0 (0.05, say), so that z carries more."
    return _finding(NEARLY_COLLAPSED, reasons, advice)


def diverges(figures: Figures) -> Finding | None:
    """Left alone with z drawn at random, it leaves what a body can do."""
    reasons = []
    if _known(figures, "sane_fraction") and figures["sane_fraction"] < SANE_FRACTION:
        reasons.append(
            f"{100 * figures['sane_fraction']:.3g} % of free rollouts stay sane without the hold "
            "on the pose, "
            f"under {100 * SANE_FRACTION:.3g} %"
        )
    advice = (
        "Train longer on its own output (more --epochs, a longer --rollout), with a lower "
        "--learning-rate; "
        "if only z drawn at random does it and aggregate_kl_nats is large, raise --beta."
    )
    return _finding(DIVERGES, reasons, advice)


def under_trained(figures: Figures) -> Finding | None:
    """It does not even make one step well."""
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
    """It is good at going on from captured poses and bad at going on from its own.

    Not said of a model whose latent is weak: that one strays from the captured motion because z
    cannot lead it back.
    """
    if collapsed(figures) or nearly_collapsed(figures):
        return None
    reasons = []
    if (
        _known(figures, "exposure_ratio", "teacher_forced_mm")
        and figures["exposure_ratio"] > EXPOSURE_RATIO
    ):
        reasons.append(
            f"on its own it errs {figures['exposure_ratio']:.3g} times as much as from captured "
            "poses "
            f"({figures['teacher_forced_mm']:.3g} mm), above {EXPOSURE_RATIO:g}"
        )
    advice = "Train longer on its own output: more --teacher.ramp-epochs and --epochs, and a longer --rollout."
    return _finding(EXPOSURE_BIAS, reasons, advice)


CHECKS: dict[str, tuple[Callable[[Figures], Finding | None], tuple[str, ...]]] = {
    COLLAPSED: (collapsed, ("active_units", "kl_nats")),
    DIVERGES: (diverges, ("sane_fraction",)),
    UNDER_TRAINED: (under_trained, ("one_step_mm",)),
    NEARLY_COLLAPSED: (nearly_collapsed, ("active_units", "kl_nats")),
    EXPOSURE_BIAS: (exposure_bias, ("exposure_ratio",)),
}
"""The checks, the most serious first, each with the figures without which it has not been made in
full. A model that diverges or is untrained spreads its streams little or wildly for that reason, so
this comes before a weak latent."""


def findings(figures: Figures) -> list[Finding]:
    """All that is wrong, the most serious first; empty for a healthy model."""
    made = (check(figures) for check, _ in CHECKS.values())
    return [finding for finding in made if finding]


def not_judged(figures: Figures) -> list[str]:
    """Names of what the figures cannot rule out, for want of a measurement."""
    found = {finding.name for finding in findings(figures)}
    return [
        name
        for name, (_, needed) in CHECKS.items()
        if name not in found and not all(_known(figures, figure) for figure in needed)
    ]


def _known(figures: Figures, *names: str) -> bool:
    return all(figures.get(name) is not None for name in names)


def _few_units(figures: Figures) -> bool:
    return (
        _known(figures, "active_units", "latent_units")
        and figures["active_units"] < FEW_UNITS * figures["latent_units"]
    )  # fmt: skip


def _active(figures: Figures) -> str:
    """As a part of a sentence."""
    return f"of {figures['latent_units']} latent units {figures['active_units']} say anything (are active)"


def _spread_below(figures: Figures, metres: float, degrees: float) -> bool:
    """Whether latent streams stay together in place and in facing alike."""
    return (
        _known(figures, "spread_m", "spread_deg")
        and figures["spread_m"] < metres
        and figures["spread_deg"] < degrees
    )  # fmt: skip


def _spread(figures: Figures) -> str:
    return (
        f"latent streams from one pose are {100 * figures['spread_m']:.2g} cm and "
        f"{figures['spread_deg']:.2g}° apart "
        f"after 2 s"
    )


def _finding(name: str, reasons: list[str], advice: str) -> Finding | None:
    """A finding for one or more reasons, as one sentence."""
    if not reasons:
        return None
    sentence = "; ".join(reasons)
    return Finding(name, sentence[0].upper() + sentence[1:] + ".", advice)
