"""What a video network's figures say about it, in the words of the motion VAE's diagnosis."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from controller.evaluation.diagnosis import verdict
from controller.evaluation.diagnosis.verdict import Finding

DRIFT_DB = 1.0
"""dB that the last 100 of 630 pictures may be worse than pictures 100 to 200."""
EXPOSURE_DB = 6.0
"""dB, a factor of 4 in squared error, by which a network on its own pictures may be worse than from
real ones."""

Figures = Mapping[str, Any]


def collapsed(figures: Figures) -> Finding | None:
    """z says nothing about the picture. A network that gets the whole pose may well do without."""
    units, active = figures.get("latent_units"), figures.get("active_units")
    nats = figures.get("kl_nats")
    if not units or active is None or nats is None:
        return None
    if active > verdict.SILENT_UNITS * units and nats >= verdict.SILENT_NATS:
        return None
    return Finding(
        verdict.COLLAPSED,
        f"Of {units:g} latent units {active:g} say anything, and the KL is {nats:.2g} nats.",
        "If pictures vary in what labels do not tell, train again with a lower --beta or a longer "
        "--kl.ramp-epochs; if they do not, the network rightly ignores z.",
    )


def exposure_bias(figures: Figures) -> Finding | None:
    """It paints well from real pictures and badly from its own."""
    forced, free = figures.get("psnr_forced_db"), figures.get("psnr_mean_db")
    if forced is None or free is None or forced - free <= EXPOSURE_DB:
        return None
    return Finding(
        verdict.EXPOSURE_BIAS,
        f"From its own pictures it has {free:.1f} dB, from real ones {forced:.1f} dB.",
        "Train longer on its own output: more --teacher.ramp-epochs and --epochs, a longer "
        "--window, a lower --teacher.floor.",
    )


def diverges(figures: Figures) -> Finding | None:
    """Its pictures get worse and worse."""
    drift = figures.get("drift_db")
    if drift is None or drift <= DRIFT_DB:
        return None
    return Finding(
        verdict.DIVERGES,
        f"The last 100 pictures are {drift:.1f} dB worse than pictures 100 to 200.",
        "Train longer on its own output: a longer --window and a lower --teacher.floor.",
    )


def under_trained(figures: Figures) -> Finding | None:
    """It does not beat what needs no network."""
    free, copy = figures.get("psnr_mean_db"), figures.get("baseline_copy_psnr_db")
    if free is None or copy is None or free > copy:
        return None
    return Finding(
        verdict.UNDER_TRAINED,
        f"It has {free:.1f} dB, where repeating the last real picture has {copy:.1f} dB.",
        "Train for more epochs; if the loss no longer falls, with wider --network.widths.",
    )


CHECKS = (diverges, under_trained, exposure_bias, collapsed)


def unfit(found: list[Finding]) -> bool:
    """Whether a network with these faults is of no use. One whose z says nothing may well be."""
    return any(each.name != verdict.COLLAPSED for each in found)


def findings(figures: Figures) -> list[Finding]:
    """All faults, the most serious first; empty for a healthy network."""
    return [finding for check in CHECKS if (finding := check(figures))]
