"""A plain figure: lines from joint to joint, for bodies whose bones need not keep their lengths."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, eq=False)
class Sticks:
    """Lines in the world, N of them.

    ends   (N, 2, 3) metres, where each begins and ends
    sides  (N,) "left", "right" or "", which says the colour of each
    """

    ends: np.ndarray
    sides: np.ndarray
