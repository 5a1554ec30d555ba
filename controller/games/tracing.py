"""Follows a character's feet and way from step to step, for the marks that it leaves."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from controller.ground.ground import Ground
from controller.motion.contacts import Leg, Thresholds, stands
from controller.viewer.scene.traces import Traces

FADES = 1.5
"""s after which the mark of a foot that is gone has faded."""
MOST = 40
"""Marks of feet at once."""
WAY = 4.0
"""s of the way that stay visible."""
EVERY = 2
"""Steps between two points of the way."""
JUMP = 0.6
"""m: hips that move farther in a step did not walk there, and the marks are removed."""
SIDES = {"left": 1.0, "right": -1.0}


class Tracer:
    """Marks where toes and heels of the ``legs`` stand.

    A mark stays where the point was when it began to stand (by
    :func:`controller.motion.contacts.stands`), so a foot that slides leaves its mark. Heels count
    of legs that plant them. ``sides`` are those of the legs, ``seconds`` those of a step.
    """

    def __init__(self, legs: Sequence[Leg], sides: Sequence[str], seconds: float) -> None:
        pads = [(leg, side, pad) for leg, side in zip(legs, sides, strict=True) for pad in (3, 2)]
        pads = [(leg, side, pad) for leg, side, pad in pads if pad == 3 or leg.plants]
        self._joints = [leg.joints[pad] for leg, _, pad in pads]
        self._ankles = [leg.joints[2] for leg, _, _ in pads]
        self._toes = [leg.joints[3] for leg, _, _ in pads]
        self._sides = [SIDES.get(side, 0.0) for _, side, _ in pads]
        self._heights = torch.tensor([leg.standing[0 if pad == 3 else 1] for leg, _, pad in pads])
        length = float(np.mean([leg.length for leg in legs])) if legs else 1.0
        self._thresholds = Thresholds.of(length)
        self._seconds = seconds
        self.clear()

    def clear(self) -> None:
        """Remove all marks."""
        self._last: Tensor | None = None
        self._root: Tensor | None = None
        self._down = torch.zeros(len(self._joints), dtype=torch.bool)
        self._prints: deque[list[float]] = deque(maxlen=MOST)
        self._standing: dict[int, list[float]] = {}
        self._way: deque[tuple[float, float]] = deque(maxlen=round(WAY / self._seconds / EVERY))
        self._steps = 0

    def step(self, root: Tensor, joints: Tensor, ground: Ground) -> Traces:
        """The marks after one more step, for the hips' place (3,) and joints (J, 3) in metres."""
        if self._root is not None and float((root - self._root).norm()) > JUMP:
            self.clear()
        self._root = root
        self._follow_feet(joints, ground)
        if self._steps % EVERY == 0:
            self._way.append((float(root[0]), float(root[2])))
        self._steps += 1
        prints = np.array(self._prints, dtype=np.float32).reshape(-1, 5)
        return Traces(prints, np.array(self._way, dtype=np.float32).reshape(-1, 2))

    def _follow_feet(self, joints: Tensor, ground: Ground) -> None:
        """Begin marks where points begin to stand, and let those of points that are gone fade."""
        points = joints[self._joints]
        last = points if self._last is None else self._last
        self._last = points
        speed = (points - last).norm(dim=-1) / self._seconds
        level = ground.height(points[:, 0].numpy(), points[:, 2].numpy())
        height = points[:, 1] - torch.from_numpy(np.asarray(level)).to(points) - self._heights
        down = stands(self._down, height, speed, self._thresholds)
        for mark in self._prints:
            mark[3] -= self._seconds / FADES
        while self._prints and self._prints[0][3] <= 0:
            self._prints.popleft()
        for pad in down.nonzero()[:, 0].tolist():
            if not self._down[pad]:
                ahead = joints[self._toes[pad]] - joints[self._ankles[pad]]
                yaw = float(torch.atan2(ahead[0], ahead[2]))
                x, _, z = points[pad].tolist()
                self._standing[pad] = [x, z, yaw, 1.0, self._sides[pad]]
                self._prints.append(self._standing[pad])
            self._standing[pad][3] = 1.0
        self._down = down
