"""How different the futures of one pose are, and whether the captured one is among them."""

from __future__ import annotations

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
    """APD in cm: mean distance of joints between two of S futures ``(T, N, S, J, 3)`` of a pose,
    over all pairs, frames, joints and N poses. As in Yuan & Kitani 2020, but the mean of distances
    in the world, not the length of one vector of all coordinates, which depends on how many joints
    and frames there are."""
    first, second = torch.triu_indices(futures.shape[2], futures.shape[2], 1).unbind(0)
    return 100 * float((futures[:, :, first] - futures[:, :, second]).norm(dim=-1).mean())


def displacement_errors(futures: Tensor, captured: Tensor) -> tuple[float, float]:
    """ADE and FDE in cm: mean distance of joints, over all frames and in the last, from the
    captured future ``(T, N, J, 3)`` to that of the S futures ``(T, N, S, J, 3)`` which is the
    nearest by it; means over poses."""
    apart = (futures - captured[:, :, None]).norm(dim=-1).mean(dim=-1)  # (T, N, S)
    return 100 * float(apart.mean(dim=0).amin(dim=-1).mean()), 100 * float(
        apart[-1].amin(dim=-1).mean()
    )


def diversity_figures(
    character: Character, data: MotionDataset | None, seed: int
) -> dict[str, float]:
    """``apd_cm`` of ten futures of 2 s with z drawn at random, of 32 poses; with data these are
    captured poses that were held out, and there are ``ade_cm`` and ``fde_cm``, too."""
    generator = torch.Generator().manual_seed(seed)
    model = character.model
    starts = character.reset(STARTS, generator)
    captured = None
    if data is not None:
        windows = Windows(*data.split(held_out=True), model.past + 1 + FRAMES).draw(
            STARTS, generator
        )
        starts = type(starts)(
            model.normalizer.normalize(windows[:, model.past]), starts.position, starts.yaw
        )
        following = windows[:, model.past + 1 :]
        captured = world_joints(character.layout, following, *root_trajectory(following)).transpose(
            0, 1
        )
    state = batch.select(starts, torch.arange(STARTS).repeat_interleave(STREAMS))
    run = record(character, drawn_latents(character, generator), state, lambda *_: None, FRAMES)
    poses = model.normalizer.denormalize(run.pose)
    futures = world_joints(character.layout, poses, run.position, run.yaw).unflatten(
        1, (STARTS, STREAMS)
    )
    figures = {"apd_cm": pairwise_distance(futures)}
    if captured is not None:
        figures["ade_cm"], figures["fde_cm"] = displacement_errors(futures, captured)
    return figures
