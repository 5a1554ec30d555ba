"""The skeleton that motion is retargeted onto: that of a data set, or of a motion file's main
body."""

from __future__ import annotations

from pathlib import Path

import torch

from controller.data import sources
from controller.data.canonical import CanonicalSettings
from controller.data.dataset import MotionDataset
from controller.data.exhibits import is_data_set
from controller.data.retarget import Target
from controller.motion import geometry
from controller.motion.pose import FPS, root_trajectory
from controller.motion.skeleton import Clip, to_local


def load(path: Path, settings: CanonicalSettings | None = None) -> Target:
    """The target in a data set (.npz), or in a motion file, a folder or an archive.

    Raises DataError if it is none of these, or if it cannot be read.
    """
    if is_data_set(path):
        data = MotionDataset.load(path)
        return Target.of(path.name, data.layout.skeleton, clips_of(data))
    motion = sources.read(path, settings=settings)
    return Target.of(path.name, motion.skeleton, motion.clips)


def clips_of(data: MotionDataset) -> list[Clip]:
    """The clips of a data set in the world: each starts at the origin and faces +Z."""
    skeleton = data.layout.skeleton
    clips = []
    for entry in data.clips:
        poses = data.poses[entry.rows].double()
        place, yaw = root_trajectory(poses)
        world = geometry.yaw_matrix(yaw)[:, None] @ data.layout.joint_rotations(poses)
        root = torch.stack((place[:, 0], poses[:, data.layout.hip_height], place[:, 1]), dim=-1)
        local = to_local(skeleton.parents, world)
        clips.append(Clip(entry.name, skeleton, root.float(), local.float(), FPS))
    return clips
