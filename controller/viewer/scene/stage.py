"""What is visible on the ground besides the characters."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from controller.viewer.scene.sticks import Sticks


@dataclass(frozen=True, eq=False)
class Stage:
    """The objects of a task; None for those that it does not have. Points are (x, z) in metres.

    flag     (2,) the point to go to
    clock    the part, from 0 to 1, of the time to get there that is left
    line     (N, 2) points 0.1 m apart on the path to follow
    targets  (M, 2) the points that the others of a crowd go to, drawn discreetly
    walls    (W, 2, 2) both ends of every wall of a maze
    rays     (R, 2, 2) lines of sight, from the character to what it sees
    sticks   a plain figure beside the character
    """

    flag: np.ndarray | None = None
    clock: float | None = None
    line: np.ndarray | None = None
    targets: np.ndarray | None = None
    walls: np.ndarray | None = None
    rays: np.ndarray | None = None
    sticks: Sticks | None = None
