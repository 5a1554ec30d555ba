"""Feet that stand still: for what is drawn and recorded, never for what is simulated.

A decoder predicts a pose from a pose, so nothing keeps the foot on which a character stands where
it is: it slides by millimetres a frame. Here a foot that is down
(:mod:`controller.motion.contacts`) is held by its toe, or by its heel while the toe is up. While
both are down, its yaw is held, too. The leg follows by inverse kinematics of two bones
(:func:`controller.motion.ik.two_bone`).

- *Toe and heel.* A foot is moved over the ground and turned about the vertical as a whole, so that
  it rolls as it did. What has no lock moves as the input does.
- *Locks begin and end without a jump.* The difference between where a foot was going and where it
  goes now is carried by a critically damped spring (:mod:`controller.motion.inertialise`), which
  starts at the foot's own place and speed. A lock ends when the foot rises, and when the input has
  gone too far away.
- *Hips* sink where a leg would not reach, and rise again, by such a spring. What is still missing
  makes the heel rise. A knee never straightens faster than captured ones do.
- *Ground.* Heights of the ground under each foot may be given; hips follow the lowest.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from controller.core.errors import require
from controller.motion.contacts import USUAL_LEG, Thresholds, legs_of
from controller.motion.inertialise import decay_of
from controller.motion.pose import FPS, PoseLayout


@dataclass(frozen=True)
class FootLockConfig:
    """How feet are held. Lengths and speeds are those of a leg of 0.865 m; others are scaled.

    radius   m by which the input may leave a foot that is held, before it is let go
    angle    radians by which the input may turn away from it
    stop     s: half-life of a foot's last movement when it is caught
    release  s: half-life of the way back to the input when it is let go
    sink     s: half-life of hips that sink and rise
    deepest  m by which they may sink
    soft     share of its length to which a leg may straighten freely, if the input's is not
             straighter
    hard     the share to which it may straighten at all
    jump     m by which a foot that moves in a step did not walk there: everything begins anew
    """

    radius: float = 0.08
    angle: float = math.radians(22)
    stop: float = 0.05
    release: float = 0.1
    sink: float = 0.08
    deepest: float = 0.06
    soft: float = 0.985
    hard: float = 0.995
    jump: float = 0.6

    def __post_init__(self) -> None:
        for name in ("radius", "angle", "stop", "release", "sink", "deepest", "jump"):
            require(getattr(self, name) > 0, f"foot lock: {name}", getattr(self, name), "above 0")
        good = 0 < self.soft <= self.hard <= 1
        require(good, "foot lock: soft and hard", (self.soft, self.hard), "0 < soft <= hard <= 1")


class FootLock:
    """Holds the feet of B characters with one skeleton, from step to step.

    ``poses`` (N, D), in their own units, show how the character stands: its reset poses do. A
    skeleton without a leg of two bones is left as it is.

    settings  the numbers of the configuration as the kernels take them, in m, radians and shares of
              a frame
    """

    def __init__(
        self,
        layout: PoseLayout,
        poses: Tensor,
        config: FootLockConfig | None = None,
        fps: float = FPS,
    ) -> None:
        self.legs = legs_of(layout, poses)
        self.config = config or FootLockConfig()
        if not self.legs:
            return
        # Numba is loaded when feet are first held, not for training or data.
        from controller.motion import leg_kernels

        self._kernels: Any = leg_kernels
        skeleton = layout.skeleton
        self._offsets = skeleton.offsets.numpy().astype(np.float64)
        self._links = links_of(skeleton.parents, [leg.joints for leg in self.legs])
        self._joints = np.array([leg.joints for leg in self.legs], np.int64)
        self._shape = np.stack([shape_of(leg) for leg in self.legs])
        self.settings = self._scaled(fps)
        self.reset(0)

    def _scaled(self, fps: float) -> np.ndarray:
        """The settings, for legs of this length."""
        leg = float(np.mean([leg.length for leg in self.legs]))
        size = leg / USUAL_LEG
        config = self.config
        down = Thresholds.of(leg)
        values = np.array(
            (
                *(down.low, down.lifted, down.slow, down.quick),
                *(config.radius * size, config.angle),
                *(decay_of(config.stop), decay_of(config.release), decay_of(config.sink)),
                *(config.deepest * size, config.soft, config.hard, config.jump * size, 1 / fps),
            )
        )
        assert len(values) == self._kernels.SETTINGS
        return values

    def reset(self, count: int) -> None:
        """Forget everything: the next step is the first one, of ``count`` characters."""
        if self.legs:
            self._feet = np.zeros((count, len(self.legs), self._kernels.MEMORY))
            self._sink = np.zeros((count, 2))
            self._flat = np.zeros((count, len(self.legs)))

    def keep(self, row: int, count: int, place: int) -> None:
        """Forget everybody but one: the character of a ``row`` is in the row ``place`` of ``count``
        from now on."""
        if self.legs:
            self._feet = only(self._feet, row, count, place)
            self._sink = only(self._sink, row, count, place)
            self._flat = np.zeros((count, len(self.legs)))

    @property
    def held(self) -> np.ndarray:
        """Which feet are held, (B, F) booleans, in the order of :attr:`legs`."""
        return self._feet[:, :, self._kernels.PIVOT] > 0

    def __call__(
        self, root: Tensor, rotations: Tensor, ground: Tensor | None = None, *, on: bool = True
    ) -> tuple[Tensor, Tensor]:
        """The next frame of B characters: root positions ``(B, 3)`` and world joint rotations ``(B,
        J, 3, 3)``, float32, with feet that are held.

        ``ground`` (B, F) is the height of the ground in metres under each foot of :attr:`legs`; it
        is flat, at 0, by default. With ``on`` False no foot is held, and those that are held go
        back to the input. The inputs are not changed.
        """
        if not self.legs:
            return root, rotations
        if len(root) != len(self._feet):
            self.reset(len(root))
        heights = self._flat if ground is None else ground.numpy().astype(np.float64)
        moved, turned = self._kernels.step(
            root.contiguous().numpy(),
            rotations.contiguous().numpy(),
            *(self._offsets, self._links, self._joints, self._shape, self.settings),
            *(heights, self._feet, self._sink, on),
        )
        return torch.from_numpy(moved), torch.from_numpy(turned)


def only(memory: np.ndarray, row: int, count: int, place: int) -> np.ndarray:
    """What is remembered of one character of ``memory`` (B, ...), that of a ``row``, in the row
    ``place`` of ``(count, ...)``; zeros for all others, and for it if there is no such row."""
    kept = np.zeros((count, *memory.shape[1:]))
    if row < len(memory):
        kept[place] = memory[row]
    return kept


def links_of(parents: tuple[int, ...], legs: list[tuple[int, int, int, int]]) -> np.ndarray:
    """(J, 2): each joint's parent, and with which thigh, shin or foot it turns: 3·leg + 0, 1 or 2,
    or -1 for none."""
    part = [-1] * len(parents)
    for joint, parent in enumerate(parents):
        part[joint] = part[parent] if parent >= 0 else -1
        for number, leg in enumerate(legs):
            if joint in leg[:3]:
                part[joint] = 3 * number + leg.index(joint)
    return np.array((parents, part), np.int64).T.copy()


def shape_of(leg: Any) -> np.ndarray:
    """A leg in the columns of :mod:`controller.motion.leg_kernels`."""
    vectors = torch.cat((leg.forward, leg.hinge, leg.tip)).double().numpy()
    return np.array((*vectors, *leg.standing, leg.length, leg.fastest, leg.plants), np.float64)
