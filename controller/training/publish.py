"""From a finished training run to the checkpoint that plays: reset poses of the model's own, and
measured figures."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from controller.core.errors import DataError
from controller.dynamics.character import Character
from controller.dynamics.rollout import drawn_latents
from controller.evaluation import diagnostics
from controller.evaluation.figures import captured_figures, random_figures
from controller.training.trainer import Trainer

RESET_POSES = 256
SETTLE_FRAMES = (15, 90)
"""Frames of the model's own before a reset pose, drawn between these two: after half a second the
pose is the model's own, and not all characters have begun to walk by then."""
CHARACTERS = 100
FRAMES = 1000
"""Number and length of the free rollouts that are measured."""


@torch.inference_mode()
def own_poses(character: Character, count: int, seed: int = 0) -> Tensor:
    """``(count, D)`` z-scored poses that the model reached by itself with random z after
    ``SETTLE_FRAMES``.

    A shipped model starts from these, so that no captured frame is shipped. Only sane rollouts are
    used.
    """
    generator = torch.Generator().manual_seed(seed)
    state = character.reset(2 * count, generator)
    act = drawn_latents(character, generator)
    first, last = SETTLE_FRAMES
    frames = torch.randint(first, last + 1, (len(state),), generator=generator)
    sane = torch.ones(len(state), dtype=torch.bool)
    poses = state.pose.clone()
    for frame in range(1, last + 1):
        state = character.step(state, act(state, None))
        sane &= character.alive(state).cpu()
        poses[frames == frame] = state.pose[frames == frame]
    return poses[sane.to(poses.device)][:count].clone()


def figures(trainer: Trainer, character: Character) -> dict[str, Any]:
    """Held-out and free-running figures of a model, for its checkpoint and its card."""
    measured: dict[str, Any] = dict(trainer.validate())
    free, _ = random_figures(character, CHARACTERS, FRAMES, seed=1)
    measured |= {f"free_{name}": value for name, value in free.items()}
    return measured | diagnostics.spread_figures(
        character, starts=32, streams=10, seconds=2.0, seed=1
    )


def export(trainer: Trainer, path: Path) -> dict[str, Any]:
    """Write the trained model as a character to ``path``; returns its figures.

    Raises DataError if none of its free rollouts is sane, so that it has no pose to start from.
    """
    character = trainer.character()
    poses = own_poses(character, RESET_POSES)
    if not len(poses):
        raise DataError(f"{path}: not written, since no free rollout of the model stays sane")
    character.reset_poses = poses
    measured = figures(trainer, character)
    character.save(
        path,
        data={"source": trainer.data.source, "fingerprint": trainer.data.fingerprint()},
        training=trainer.config.flat() | {"epochs_done": trainer.epoch},
        started_from=trainer.started_from,
        figures=measured,
        captured=captured_figures(trainer.data),
        limits=trainer.limits.to_dict(),
    )
    return measured
