"""How much the futures of one pose differ, and how near they come to the captured future."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from controller.core import batch
from controller.data.dataset import MotionDataset
from controller.data.windows import Windows
from controller.dynamics.character import Character
from controller.dynamics.rollout import drawn_latents, record
from controller.evaluation.figures import world_joints
from controller.motion.pose import root_trajectory

FRAMES = 60
"""Two seconds."""
STREAMS = 10
"""Futures of each pose."""
STARTS = 32


def pairwise_distance(futures: Tensor) -> float:
    """Average pairwise distance (APD) in cm of joints between S futures ``(T, N, S, J, 3)`` of N
    poses, over all pairs, frames, joints and poses.

    As in Yuan & Kitani 2020, but the mean of distances in the world. Theirs is the length of one
    vector of all coordinates, which depends on the number of joints and frames.
    """
    streams = futures.shape[2]
    first, second = torch.triu_indices(streams, streams, 1).unbind(0)
    apart = futures[:, :, first] - futures[:, :, second]
    return 100 * float(apart.norm(dim=-1).mean())


def displacement_errors(futures: Tensor, captured: Tensor) -> tuple[float, float]:
    """Average and final displacement error (ADE, FDE) in cm: mean distance of joints from the
    captured future ``(T, N, J, 3)``, over all frames and in the last.

    Both are those of the nearest of S futures ``(T, N, S, J, 3)``, and means over poses.
    """
    apart = (futures - captured[:, :, None]).norm(dim=-1).mean(dim=-1)  # (T, N, S)
    average = apart.mean(dim=0).amin(dim=-1).mean()
    final = apart[-1].amin(dim=-1).mean()
    return 100 * float(average), 100 * float(final)


def diversity_figures(
    character: Character, data: MotionDataset | None, seed: int
) -> dict[str, float]:
    """``apd_cm`` of ten futures of 2 s, with z drawn at random, of 32 poses. With data these are
    held-out captured poses, and ``ade_cm`` and ``fde_cm`` are measured as well."""
    generator = torch.Generator().manual_seed(seed)
    model = character.model
    starts = character.reset(STARTS, generator)
    captured = None
    if data is not None:
        length = model.past + 1 + FRAMES
        windows = Windows(*data.split(held_out=True), length).draw(STARTS, generator)
        pose = model.normalizer.normalize(windows[:, model.past])
        starts = replace(starts, pose=pose)
        following = windows[:, model.past + 1 :]
        joints = world_joints(character.layout, following, *root_trajectory(following))
        captured = joints.transpose(0, 1)

    state = batch.select(starts, torch.arange(STARTS).repeat_interleave(STREAMS))
    run = record(character, drawn_latents(character, generator), state, lambda *_: None, FRAMES)
    poses = model.normalizer.denormalize(run.pose)
    joints = world_joints(character.layout, poses, run.position, run.yaw)
    futures = joints.unflatten(1, (STARTS, STREAMS))
    figures = {"apd_cm": pairwise_distance(futures)}
    if captured is not None:
        figures["ade_cm"], figures["fde_cm"] = displacement_errors(futures, captured)
    return figures
