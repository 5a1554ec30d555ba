"""The kinds of motion VAE, by name."""

from __future__ import annotations

from controller.mvae.codes import CodeVAE
from controller.mvae.model import MotionVAE, MotionVAEConfig, Variant
from controller.mvae.plain import PlainVAE
from controller.mvae.specialists import SpecialistsVAE
from controller.mvae.window import WindowVAE
from controller.normalizer import Normalizer

VARIANTS: dict[Variant, type[MotionVAE]] = {
    "mixture": MotionVAE,
    "plain": PlainVAE,
    "specialists": SpecialistsVAE,
    "codes": CodeVAE,
    "window": WindowVAE,
}


def build(pose: int, config: MotionVAEConfig, normalizer: Normalizer | None = None) -> MotionVAE:
    """An untrained model of the kind that ``config`` names, for poses of ``pose`` values."""
    if normalizer is not None and not config.normalise:
        normalizer = normalizer.unscaled()
    return VARIANTS[config.variant](pose, config, normalizer)
