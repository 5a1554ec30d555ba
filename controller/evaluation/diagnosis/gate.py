"""How a decoder uses its experts."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from controller.model.mixture import MotionVAE

DEAD_SHARE = 1 / 20
"""An expert is dead if its mean share of the blend is below this part of an equal share."""
FIGURES = (
    "gate_share",
    "gate_entropy_nats",
    "gate_entropy_fraction",
    "gate_pose_entropy_nats",
    "dead_experts",
)
"""Names of the figures of :func:`blend_figures`."""


@torch.no_grad()
def gate_figures(model: MotionVAE, latent: Tensor, previous: Tensor) -> dict[str, Any]:
    """:func:`blend_figures` at latents ``(N, latent)`` and z-scored poses ``(N, D)``; all None for
    a decoder without experts."""
    blend = model.blend(latent, previous)
    return dict.fromkeys(FIGURES) if blend is None else blend_figures(blend)


def blend_figures(blend: Tensor) -> dict[str, Any]:
    """Use of E experts from coefficients ``(N, E)`` that sum to 1.

    ``gate_share`` is each expert's mean share, ``gate_entropy_nats`` the entropy of these means,
    ln E if all experts are used equally, and ``gate_entropy_fraction`` the same in parts of ln E.
    ``gate_pose_entropy_nats`` is the mean over poses of the blend's own entropy, 0 if a single
    expert serves each pose. ``dead_experts`` counts shares below ``DEAD_SHARE`` / E.
    """
    experts = blend.shape[-1]
    share = blend.mean(dim=0)
    entropy = float(torch.special.entr(share).sum())
    return {
        "gate_share": share.tolist(),
        "gate_entropy_nats": entropy,
        "gate_entropy_fraction": entropy / math.log(experts) if experts > 1 else 1.0,
        "gate_pose_entropy_nats": float(torch.special.entr(blend).sum(dim=-1).mean()),
        "dead_experts": int((share < DEAD_SHARE / experts).sum()),
    }
