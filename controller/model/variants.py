"""The variants of the motion VAE, by name."""

from __future__ import annotations

from controller.model.codes import CodeVAE
from controller.model.convolutional import ConvolutionalVAE
from controller.model.mixture import MotionVAE, MotionVAEConfig, Variant
from controller.model.normalizer import Normalizer
from controller.model.plain import PlainVAE
from controller.model.specialists import SpecialistsVAE

VARIANTS: dict[Variant, type[MotionVAE]] = {
    "mixture": MotionVAE,
    "plain": PlainVAE,
    "specialists": SpecialistsVAE,
    "codes": CodeVAE,
    "window": ConvolutionalVAE,
}


def build(pose: int, config: MotionVAEConfig, normalizer: Normalizer | None = None) -> MotionVAE:
    """An untrained model of the variant that ``config`` names, for poses of ``pose`` values."""
    if normalizer is not None and not config.normalise:
        normalizer = normalizer.unscaled()
    return VARIANTS[config.variant](pose, config, normalizer)
