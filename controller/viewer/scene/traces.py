"""What a character leaves on the ground: the marks of its feet, and the way that it came."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, eq=False)
class Traces:
    """Marks of feet and of the way.

    prints  (N, 5): x, z in metres; yaw of the foot; strength, 1 while it stands and less the longer
            it is gone; side, 1 left, −1 right, 0 neither
    way     (M, 2): x, z in metres, the newest last
    """

    prints: np.ndarray
    way: np.ndarray
