"""What is to be seen on the ground beside the characters."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, eq=False)
class Stage:
    """The things of a task; None for what it has not.

    flag     (2,) metres as (x, z), the point to go to
    clock    the share, from 0 to 1, that is left of the time to get there
    line     (N, 2) metres as (x, z), points 0.1 m apart on the path to follow
    targets  (M, 2) metres as (x, z), points of a crowd, shown discreetly
    walls    (W, 2, 2) metres as (x, z), both ends of every wall of a maze
    rays     (R, 2, 2) metres as (x, z), from where somebody looks to what is seen there
    """

    flag: np.ndarray | None = None
    clock: float | None = None
    line: np.ndarray | None = None
    targets: np.ndarray | None = None
    walls: np.ndarray | None = None
    rays: np.ndarray | None = None
