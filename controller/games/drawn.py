"""What is drawn and recorded of characters: their poses, blended where motion changes, with feet
that stand still, on the ground that is chosen. It is never fed back into the simulation."""

from __future__ import annotations

from functools import cached_property

import torch
from torch import Tensor

from controller.data.correspondence import joint_pairs
from controller.dynamics.character import Character, CharacterState
from controller.ground.ground import FLAT, Ground
from controller.ground.standing import Standing
from controller.motion import geometry
from controller.motion.contacts import Leg, legs_of
from controller.motion.foot_lock import FootLock
from controller.motion.inertialise import Frame, Inertialiser
from controller.motion.skeleton import Skeleton

SAME_M = 1e-3
"""m by which the bones of one skeleton may differ between two characters."""
SETTLED = 45
"""Frames after which feet that were let go are where the simulation has them."""


class Drawn:
    """The drawn poses of the characters that play, from frame to frame.

    on      whether feet are held
    ground  what they stand on
    """

    def __init__(self, character: Character, on: bool = True, ground: Ground = FLAT) -> None:
        self.character = character
        self.on = on
        self._ground = ground
        self._blend = Inertialiser(fps=character.fps)
        self._free = SETTLED
        self._row = 0
        self._entered = False

    @cached_property
    def legs(self) -> tuple[Leg, ...]:
        """The legs on which the character stands."""
        return legs_of(self.character.layout, self._reset_poses)

    @cached_property
    def _lock(self) -> FootLock:
        return FootLock(self.character.layout, self._reset_poses, fps=self.character.fps)

    @cached_property
    def standing(self) -> Standing:
        """What puts the characters on ground that is not flat."""
        return Standing(self.character.layout, self._reset_poses, self.character.fps)

    @property
    def ground(self) -> Ground:
        return self._ground

    @ground.setter
    def ground(self, ground: Ground) -> None:
        self._ground = ground
        if "standing" in vars(self):
            self.standing.reset(0)

    @property
    def _reset_poses(self) -> Tensor:
        return self.character.model.normalizer.denormalize(self.character.reset_poses)

    @cached_property
    def neutral(self) -> Tensor:
        """(J, 3, 3): the mean rotations of all joints in the reset poses, in the facing frame."""
        mean = self.character.layout.joint_rotations(self._reset_poses).mean(dim=0)
        axes = torch.eye(3).expand_as(mean)
        return geometry.best_rotation(axes, mean.transpose(-1, -2))

    def cut(self) -> None:
        """The next frame has nothing to do with the last one: nothing is blended."""
        self._blend.reset()
        self._entered = False
        for name in ("_lock", "standing"):
            if name in vars(self):
                getattr(self, name).reset(0)

    def switch(self, entered: bool = False) -> None:
        """In the next frame the characters move on in another way. With ``entered``, the one that
        was followed goes on alone, maybe among new ones."""
        self._blend.switch()
        self._entered |= entered

    def take_over(self, other: Drawn, yaw: float) -> None:
        """The next frame is of this character at the moment at which the ``other`` one was drawn
        last, with its hips at the same place. Both face ``yaw``. It begins in the other's pose, as
        far as the two bodies are alike."""
        self.cut()
        self._row = 0
        shown = other._blend.shown
        if shown is not None:
            row = other._row
            frame = shown[0][row], shown[1][row]
            self._blend.take_over(carried(other, self, frame, yaw))

    def __call__(self, state: CharacterState, followed: int = 0) -> Frame:
        """Root positions ``(B, 3)`` and world joint rotations ``(B, J, 3, 3)`` of the next frame.
        ``followed`` is the row that goes on if the others change."""
        root, rotations = self.character.joints(state)
        shown = self._blend.shown
        if shown is not None and (self._entered or len(shown[0]) != len(root)):
            self._keep(followed, len(root))
        self._entered = False
        self._row = followed
        frame = self._stand(*self._blend(root, rotations))
        return frame if self._ground.flat else self.standing(*frame, self._ground)

    def _keep(self, followed: int, count: int) -> None:
        self._blend.keep(self._row, count, followed)
        for name in ("_lock", "standing"):
            if name in vars(self):
                getattr(self, name).keep(self._row, count, followed)

    def _stand(self, root: Tensor, rotations: Tensor) -> Frame:
        """With feet that are held, or on their way back."""
        self._free = 0 if self.on else self._free + 1
        if self._free < SETTLED:
            return self._lock(root, rotations, on=self.on)
        if "_lock" in vars(self):
            self._lock.reset(0)
        return root, rotations


def same(one: Skeleton, other: Skeleton) -> bool:
    """Whether two skeletons have the same joints and bones."""
    if (one.names, one.parents) != (other.names, other.parents):
        return False
    return float((one.offsets - other.offsets).abs().max()) < SAME_M


def carried(source: Drawn, target: Drawn, frame: Frame, yaw: float) -> Frame:
    """A frame of one body (root (3,), rotations (J, 3, 3)), in the skeleton of another one, as a
    batch of 1.

    Each joint that both have is turned away from the mean of its own reset poses as the other's is;
    a joint without counterpart goes with its parent. Heights grow with those of the hips.
    """
    ours = target.character.layout
    theirs = source.character.layout
    root, rotations = frame
    if same(ours.skeleton, theirs.skeleton):
        return root[None], rotations[None]
    facing = geometry.yaw_matrix(torch.tensor(yaw))
    away = facing.T @ rotations @ source.neutral.transpose(-1, -2)
    pairs = dict(joint_pairs(ours.roles, theirs.roles))
    found: list[Tensor] = []
    for joint, parent in enumerate(ours.skeleton.parents):
        if joint in pairs:
            found.append(away[pairs[joint]])
        else:
            found.append(found[parent] if parent >= 0 else away[0])
    turned = facing @ torch.stack(found) @ target.neutral
    taller = _hips(target) / max(_hips(source), 1e-3)
    return (root * root.new_tensor([1.0, taller, 1.0]))[None], turned[None]


def _hips(drawn: Drawn) -> float:
    """m: the mean height of the hips in the reset poses."""
    return float(drawn._reset_poses[:, drawn.character.layout.hip_height].mean())
