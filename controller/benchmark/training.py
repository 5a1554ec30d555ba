"""The speed of motion VAE training. It does not matter what the model learns here, so no captured
motion is needed."""

from __future__ import annotations

import math
from typing import Any

import torch

from controller.benchmark.published import PublishedLoop
from controller.benchmark.timing import alternate, measure, synchronized
from controller.data.dataset import ClipEntry, MotionDataset
from controller.dynamics.character import Character
from controller.training.config import TrainConfig
from controller.training.trainer import Trainer

PUBLISHED = TrainConfig.of(
    through_time=False,
    foot_weight=0,
    joint_weight=0,
    bone_weight=0,
    free_steps=0,
    balance=0,
    gradient_norm=0,
    learning_rate=1e-4,
)
"""Settings with which an optimiser step does the same as one of the published loop."""
CALLS_PER_S = 5
"""Rollouts in a sample, up to ten, for each second of measuring. After a switch a loop finds none
of its data in the caches; in a real training it never has to switch."""
ROWS = 1000
"""Poses of the made-up clip for training; a tenth as many are held out."""


def made_up(character: Character) -> MotionDataset:
    """Poses of the right width in a senseless order: the character's reset poses, drawn at
    random."""
    count = ROWS + ROWS // 10
    generator = torch.Generator().manual_seed(0)
    rows = torch.randint(len(character.reset_poses), (count,), generator=generator)
    poses = character.model.normalizer.denormalize(character.reset_poses).cpu()[rows]
    clips = (ClipEntry("training", 0, ROWS, False), ClipEntry("held out", ROWS, count - ROWS, True))
    return MotionDataset(character.layout, poses, clips, "reset poses at random")


def figures(character: Character, seconds: float, samples: int = 5) -> dict[str, Any]:
    """Optimiser steps per second with the default settings, each over one rollout of a batch of
    windows: as a training begins, and as it ends, with free steps beside the rollouts. Then
    :func:`updates`."""
    config = TrainConfig()
    beta = config.loss.beta
    device = character.reset_poses.device
    data = made_up(character)
    trainer = Trainer(data, config, device)
    keys: dict[str, Any] = {"mvae_batch": config.batch, "mvae_rollout": config.rollout}
    for name, epoch in (("", 0), ("_with_free_steps", config.free.free_from_epoch)):
        trainer.epoch = epoch
        rollout = synchronized(lambda: trainer.rollout(beta, teacher=0.0), device)
        timing = measure(rollout, seconds, least=samples)
        keys[f"mvae_optimiser_steps_per_s{name}"] = timing.per_s()
    return keys | updates(data, device, 2 * seconds, samples)


def updates(
    data: MotionDataset, device: torch.device, seconds: float, samples: int = 5
) -> dict[str, float]:
    """Optimiser steps per second, one at each step of a rollout, of this project's loop and of the
    published one, alternating: the same networks, batch and windows."""
    config = PUBLISHED
    beta = config.loss.beta
    trainer = Trainer(data, config, device)
    published = PublishedLoop(data.layout.size, config.model, device, beta)
    normalize = trainer.model.normalizer.normalize
    generator = torch.Generator().manual_seed(config.seed)

    def reference_rollout() -> None:
        windows = trainer.windows.draw(config.batch, generator).to(device)
        published.rollout(normalize(windows))

    def own_rollout() -> None:
        trainer.rollout(beta, teacher=0.0)

    loops = {
        "": synchronized(own_rollout, device),
        "_reference": synchronized(reference_rollout, device),
    }
    calls = min(10, math.ceil(CALLS_PER_S * seconds))
    timings = alternate(loops, seconds, calls, samples)
    rates = {name: timing.per_s(config.rollout) for name, timing in timings.items()}
    keys = {f"mvae{name}_updates_per_s": rate for name, rate in rates.items()}
    return keys | {"mvae_updates_ratio": rates[""] / rates["_reference"]}
