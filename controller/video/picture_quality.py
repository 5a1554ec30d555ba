"""How close painted pictures are to real ones: PSNR and SSIM."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

BEST = 100.0
"""dB: the PSNR of equal pictures, whose true one is infinite."""
WINDOW = 7
"""Pixels of a side of the window of SSIM."""
K1, K2 = 0.01, 0.03
"""Constants of SSIM."""


def psnr(painted: Tensor, real: Tensor) -> Tensor:
    """Peak signal-to-noise ratio in dB, −10·log₁₀ MSE, of pictures (..., 3, H, W) from 0 to 1, one
    for each."""
    mse = (painted - real).square().mean(dim=(-3, -2, -1))
    return -10 * mse.clamp(min=10 ** (-BEST / 10)).log10()


def ssim(painted: Tensor, real: Tensor) -> Tensor:
    """Mean structural similarity (Wang et al. 2004) of pictures (N, 3, H, W) from 0 to 1, one for
    each: uniform windows of 7×7 pixels inside the picture and unbiased covariances, as
    scikit-image's ``structural_similarity`` has them."""
    first, second = painted.double(), real.double()

    def window(pictures: Tensor) -> Tensor:
        return functional.avg_pool2d(pictures, WINDOW, 1)

    mean1, mean2 = window(first), window(second)
    unbiased = WINDOW**2 / (WINDOW**2 - 1)
    variance1 = unbiased * (window(first * first) - mean1 * mean1)
    variance2 = unbiased * (window(second * second) - mean2 * mean2)
    covariance = unbiased * (window(first * second) - mean1 * mean2)
    c1, c2 = K1**2, K2**2
    similar = (2 * mean1 * mean2 + c1) * (2 * covariance + c2)
    similar = similar / ((mean1**2 + mean2**2 + c1) * (variance1 + variance2 + c2))
    return similar.mean(dim=(-3, -2, -1)).to(torch.float32)
