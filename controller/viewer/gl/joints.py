"""Where joints are, many poses at once: the same as
:func:`controller.motion.skeleton.forward_kinematics`, in numpy and with few calls, since every
picture needs it."""

from __future__ import annotations

import numpy as np

from controller.motion.skeleton import Skeleton
from controller.viewer.scene.pose import Pose


class Joints:
    """Places the joints of one skeleton."""

    def __init__(self, skeleton: Skeleton) -> None:
        parents = skeleton.parents
        self._parents = np.array(parents[1:], np.intp)
        self._offsets = skeleton.offsets[1:].numpy().astype(np.float32)[..., None]
        chains = np.zeros((len(parents), len(parents)), np.float32)
        for joint, parent in enumerate(parents):
            if parent >= 0:
                chains[joint] = chains[parent]
                chains[joint, joint] = 1.0
        self._chains = np.ascontiguousarray(chains[:, 1:])  # which bones lead to each joint

    def __call__(self, pose: Pose) -> tuple[np.ndarray, np.ndarray]:
        """Positions (..., J, 3) in metres and global rotations (..., J, 3, 3), float32."""
        rotations = matrices(pose.quaternions.numpy())
        bones = (rotations[..., self._parents, :, :] @ self._offsets)[..., 0]
        root = pose.root.numpy()[..., None, :]
        return (root + self._chains @ bones).astype(np.float32, copy=False), rotations


def matrices(quaternions: np.ndarray) -> np.ndarray:
    """Rotation matrices (..., 3, 3) float32 of unit quaternions (..., 4)."""
    # All products of two components at once: row a, column b is 2·q[a]·q[b].
    q = quaternions.astype(np.float32, copy=False)
    twice = (2.0 * q)[..., :, None] * q[..., None, :]
    wx, wy, wz = twice[..., 0, 1], twice[..., 0, 2], twice[..., 0, 3]
    xx, yy, zz = twice[..., 1, 1], twice[..., 2, 2], twice[..., 3, 3]
    xy, xz, yz = twice[..., 1, 2], twice[..., 1, 3], twice[..., 2, 3]
    result = np.empty((*q.shape[:-1], 3, 3), np.float32)
    result[..., 0, 0] = 1 - yy - zz
    result[..., 0, 1] = xy - wz
    result[..., 0, 2] = xz + wy
    result[..., 1, 0] = xy + wz
    result[..., 1, 1] = 1 - xx - zz
    result[..., 1, 2] = yz - wx
    result[..., 2, 0] = xz - wy
    result[..., 2, 1] = yz + wx
    result[..., 2, 2] = 1 - xx - yy
    return result
