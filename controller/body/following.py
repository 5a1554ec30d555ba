"""A rig follows the motion of another skeleton, picture by picture.

Rotations are carried over by constant turns (:mod:`controller.body.fitting`). The hip joints are
where the skeleton's are. Then legs bend in the plane of the skeleton's legs (two bones, the law of
cosines) so that soles are where its soles are; where a leg is too short for that, the hips sink.
"""

from __future__ import annotations

import numpy as np

from controller.body.fitting import Fit, bone_frame, cross, unit

REACH = 0.96
"""The hips do not sink to keep a leg less stretched than this share of its length."""
LONGEST = 0.999
STRAIGHT = 0.05
"""Sine of the bend (3°) below which the plane of a leg follows its hinge more than the skeleton's
bones: those of a straight leg span no plane."""


class Follower:
    """Moves the driven joints of a fitted rig.

    places  (D, 3) the driven joints in the rest pose, metres
    """

    def __init__(self, fit: Fit) -> None:
        ours = fit.ours
        drives = fit.drives
        number = {joint: place for place, joint in enumerate(drives)}
        self.places = ours.joints[drives].astype(np.float32)
        self._sources = fit.sources[:, 1]
        self._turns = fit.turns
        mixed = (fit.shares < 1.0).nonzero()[0]
        self._mixed = mixed
        self._mixed_from = fit.sources[mixed, 0]
        self._mixed_shares = fit.shares[mixed][:, None, None]
        self._hips = number[ours.roles.hips]
        self._follow_bones(fit, number)
        self._follow_legs(fit, number)

    def _follow_bones(self, fit: Fit, number: dict[int, int]) -> None:
        """Which joint turns the bone to each driven joint, and which bones lead there."""
        parents = fit.ours.skeleton.parents
        count = len(fit.drives)
        self._above = np.full(count, self._hips)
        self._chains = np.eye(count, dtype=np.float32)
        for place, joint in enumerate(fit.drives):
            if place == self._hips:
                continue
            above = int(fit.rider[parents[joint]])
            self._above[place] = above
            self._chains[place] += self._chains[above]
        offsets = self.places - self.places[self._above]
        self._offsets = offsets[..., None].astype(np.float32)

    def _follow_legs(self, fit: Fit, number: dict[int, int]) -> None:
        limbs = [limb for limb, _ in fit.limbs]
        others = [other for _, other in fit.limbs]
        keys = [(limb.region, limb.side) for limb in limbs]
        bones = [fit.ours.bones[key] for key in keys]
        self._uppers, self._middles, self._ends = (
            np.array([number[getattr(limb, part)] for limb in limbs])
            for part in ("upper", "middle", "end")
        )
        self._theirs = np.array(
            [[getattr(other, part) for part in ("upper", "middle", "end")] for other in others]
        )
        self._lengths = np.array([bone.lengths for bone in bones], np.float32).T
        self._legs = self._lengths.sum(axis=0)
        lengths = [fit.theirs.bones[key].lengths for key in keys]
        self._their_lengths = np.array(lengths, np.float32)[..., None]
        self._their_legs = self._their_lengths[..., 0].sum(axis=-1)
        self._hinges = np.stack([bone.hinge for bone in bones]).astype(np.float32)[..., None]
        unframes = np.stack([bone.frames for bone in bones]).transpose(0, 1, 3, 2)
        self._unframes = np.ascontiguousarray(unframes, np.float32)
        self._lifts = np.array([high - low for high, low in fit.soles], np.float32)
        self._aheads = np.stack([fit.ours.forward(limb) for limb in limbs])[..., None]
        self._aheads = self._aheads.astype(np.float32)
        longer = [
            fit.ours.length(limb) - fit.theirs.length(other)
            if limb.toe is not None and other.toe is not None
            else 0.0
            for limb, other in fit.limbs
        ]
        self._longer = np.array(longer, np.float32)
        legs = fit.ours.roles.legs
        starts = fit.ours.joints[[leg.start for leg in legs]]
        middle = starts.mean(axis=0) - self.places[self._hips]
        self._middle = middle.astype(np.float32)
        self._their_starts = [leg.start for leg in fit.theirs.roles.legs]

    def follow(self, positions: np.ndarray, rotations: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Positions (..., D, 3) and rotations (..., D, 3, 3) from the rest pose of the driven
        joints, for the skeleton's joint positions (..., J, 3) in metres and global rotations
        (..., J, 3, 3)."""
        own = rotations[..., self._sources, :, :].astype(np.float32)
        if len(self._mixed):
            own[..., self._mixed, :, :] = self._between(rotations, own)
        own = own @ self._turns
        between_hips = positions[..., self._their_starts, :].mean(axis=-2)
        root = between_hips - own[..., self._hips, :, :] @ self._middle

        starts = self._positions(root, own)[..., self._uppers, :]
        theirs = positions[..., self._theirs, :]  # (..., L, 3, 3)
        ankles = self._ankles(theirs, own)
        drop = self._drop(starts, ankles, theirs)
        root[..., 1] -= drop
        starts[..., 1] -= drop[..., None]
        self._bend(starts, ankles, theirs, own)
        return self._positions(root, own), own

    def _between(self, rotations: np.ndarray, own: np.ndarray) -> np.ndarray:
        """Rotations of joints that are between two of the skeleton's: mixed and made orthonormal,
        which for small angles between them is as good as slerp."""
        first = rotations[..., self._mixed_from, :, :]
        mixed = first + self._mixed_shares * (own[..., self._mixed, :, :] - first)
        return bone_frame(mixed[..., 0], unit(mixed[..., 1]))

    def _positions(self, root: np.ndarray, own: np.ndarray) -> np.ndarray:
        """Positions of the driven joints for the hips' place and all rotations."""
        bones = (own[..., self._above, :, :] @ self._offsets)[..., 0]
        placed: np.ndarray = root[..., None, :] + self._chains @ bones
        return placed

    def _ankles(self, theirs: np.ndarray, own: np.ndarray) -> np.ndarray:
        """(..., L, 3): where the ankles are to be. The sole under the ankle is where the
        skeleton's is. A foot that is longer stands on its toes as high as the skeleton's."""
        feet = own[..., self._ends, :, :]
        ankles = theirs[..., 2, :] + self._lifts[:, None] * feet[..., 1]
        pitch = np.minimum((feet[..., 1:2, :] @ self._aheads)[..., 0, 0], 0.0)
        ankles[..., 1] -= self._longer * pitch
        return ankles

    def _drop(self, starts: np.ndarray, ankles: np.ndarray, theirs: np.ndarray) -> np.ndarray:
        """(...): how far the hips must sink for all legs to reach, no leg more stretched than the
        skeleton's."""
        whole = theirs[..., 2, :] - theirs[..., 0, :]
        stretch = np.sqrt((whole * whole).sum(axis=-1)) / self._their_legs
        reach = self._legs * np.minimum(np.maximum(stretch, REACH), LONGEST)
        way = starts - ankles
        square = way * way
        high = np.sqrt(np.maximum(reach * reach - square[..., 0] - square[..., 2], 0.0))
        drop: np.ndarray = np.maximum(way[..., 1] - high, 0.0).max(axis=-1)
        return drop

    def _bend(
        self, starts: np.ndarray, ankles: np.ndarray, theirs: np.ndarray, own: np.ndarray
    ) -> None:
        """Turn the two bones of each grounded limb so that it ends at its ankle."""
        a, b = self._lengths
        way = ankles - starts
        distance = np.sqrt((way * way).sum(axis=-1))
        along = way / np.maximum(distance, 1e-6)[..., None]
        distance = np.minimum(np.maximum(distance, np.abs(a - b) + 1e-4), LONGEST * (a + b))

        bones = (theirs[..., 1:, :] - theirs[..., :-1, :]) / self._their_lengths
        usual = (own[..., self._uppers, :, :] @ self._hinges)[..., 0]
        hinge = cross(bones[..., 0, :], bones[..., 1, :]) + 2 * STRAIGHT * usual
        hinge = unit(hinge - (hinge * along).sum(axis=-1, keepdims=True) * along)
        cosine = (a * a + distance * distance - b * b) / (2 * a * distance)
        cosine = np.minimum(np.maximum(cosine, -1.0), 1.0)[..., None]
        first = cosine * along + np.sqrt(1.0 - cosine * cosine) * cross(along, hinge)
        second = (distance[..., None] * along - a[:, None] * first) / b[:, None]
        ours = np.stack((first, second), axis=-2)  # (..., L, 2, 3)
        hinges = np.stack((hinge, hinge), axis=-2)
        turned = np.stack((hinges, ours, cross(hinges, ours)), axis=-1) @ self._unframes
        own[..., self._uppers, :, :] = turned[..., 0, :, :]
        own[..., self._middles, :, :] = turned[..., 1, :, :]
