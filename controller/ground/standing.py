"""Poses that were made for flat ground, on another one: for what is drawn and recorded, never for
what is simulated.

- *Hips* go up and down with the ground around them, smoothed (a Hann window 0.9 m wide and a
  critically damped spring), and sink where a leg would not reach. The body leans uphill a little;
  that of a quadruped goes with the line from its hind legs to its fore legs.
- *Feet that stand* do so with toe and heel: they are turned as the ground is, 30° at most. On an
  edge, they are moved along themselves to where there is room, 14 cm at most.
- *Feet that swing* come down where the last swings say: the hips' way until then, and how far from
  them the foot came down last. They get to the height, the place and the slope of that point on a
  cubic, and go over what is between as a string would that is pulled tight.
- *Knees* are no faster than 1.3 times those captured, as :mod:`controller.motion.foot_lock` has it.
  What then is missing makes a foot late.

Lengths are those of a leg of 0.865 m; others are scaled.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from controller.ground.ground import Ground
from controller.motion.contacts import USUAL_LEG, Thresholds, legs_of
from controller.motion.foot_lock import links_of, only, shape_of
from controller.motion.inertialise import Frame, decay_of
from controller.motion.pose import FPS, PoseLayout

HIPS = 0.08
"""s: half-life of hips that rise and sink."""
DEEPEST = 0.30
"""m by which they may sink, so that a leg reaches."""
SOFT = 0.985
HARD = 0.995
"""Shares of its length to which a leg may straighten, as in foot locking."""
LEAN = 0.3
"""The share of a slope by which a biped leans uphill."""
JUMP = 0.6
"""m by which a foot that moves in a step did not walk there: everything begins anew."""


class Standing:
    """Puts B characters with one skeleton on a ground, from step to step.

    ``poses`` (N, D), in their own units, show how the character stands. A skeleton without a leg of
    two bones goes up and down with the ground under its root.
    """

    def __init__(self, layout: PoseLayout, poses: Tensor, fps: float = FPS) -> None:
        self.legs = legs_of(layout, poses)
        if not self.legs:
            return
        from controller.ground import standing_kernels  # Numba is loaded when it is needed

        self._kernels: Any = standing_kernels
        skeleton = layout.skeleton
        self._offsets = skeleton.offsets.numpy().astype(np.float64)
        self._links = links_of(skeleton.parents, [leg.joints for leg in self.legs])
        self._joints = np.array([leg.joints for leg in self.legs], np.int64)
        self._shape = np.stack([shape_of(leg) for leg in self.legs])
        leg = float(np.mean([leg.length for leg in self.legs]))
        size = leg / USUAL_LEG
        down = Thresholds.of(leg)
        self._settings = np.array(
            (
                *(down.low, down.lifted, down.slow, down.quick, size, 1 / fps),
                *(decay_of(HIPS), DEEPEST * size, LEAN, JUMP * size, SOFT, HARD),
            )
        )
        assert len(self._settings) == self._kernels.SETTINGS
        self.reset(0)

    def reset(self, count: int) -> None:
        """Forget everything: the next step is the first one, of ``count`` characters."""
        if self.legs:
            self._feet = np.zeros((count, len(self.legs), self._kernels.MEMORY))
            self._body = np.zeros((count, self._kernels.BODY))

    def keep(self, row: int, count: int, place: int) -> None:
        """Forget everybody but one: the character of a ``row`` is in the row ``place`` of ``count``
        from now on."""
        if self.legs:
            self._feet = only(self._feet, row, count, place)
            self._body = only(self._body, row, count, place)

    @property
    def down(self) -> np.ndarray:
        """Which toes stand, (B, F) booleans, in the order of :attr:`legs`."""
        return self._feet[:, :, self._kernels.TOE_DOWN] > 0

    def __call__(self, root: Tensor, rotations: Tensor, ground: Ground) -> Frame:
        """The next frame of B characters: root positions ``(B, 3)`` and world joint rotations ``(B,
        J, 3, 3)``, float32, made for flat ground at 0, on the ``ground``. The inputs are not
        changed."""
        if not self.legs:
            lift = ground.height(root[:, 0].numpy(), root[:, 2].numpy())
            up = root.new_tensor([0.0, 1.0, 0.0])
            return root + torch.from_numpy(lift).to(root)[:, None] * up, rotations
        if len(root) != len(self._feet):
            self.reset(len(root))
        moved, turned = self._kernels.step(
            root.contiguous().numpy(),
            rotations.contiguous().numpy(),
            *(self._offsets, self._links, self._joints, self._shape, self._settings),
            *(ground.heights, ground.table, self._feet, self._body),
        )
        return torch.from_numpy(moved), torch.from_numpy(turned)
