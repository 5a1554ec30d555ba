"""How fast the motion VAE is trained. What is learned is of no interest here, so that no captured motion is needed."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import torch

from controller.benchmark.timing import finished, measure
from controller.character import Character
from controller.dataset import ClipEntry, MotionDataset
from controller.mvae.train import TrainConfig, Trainer

ROWS = 1000
"""Poses of the made-up clip for training; a tenth as many are held out."""


def made_up(character: Character) -> MotionDataset:
    """Poses of the right width in a senseless order: the character's reset poses, drawn at random."""
    count = ROWS + ROWS // 10
    rows = torch.randint(len(character.reset_poses), (count,), generator=torch.Generator().manual_seed(0))
    poses = character.model.normalizer.denormalize(character.reset_poses).cpu()[rows]
    clips = (ClipEntry("training", 0, ROWS, False), ClipEntry("held out", ROWS, count - ROWS, True))
    return MotionDataset(character.layout, poses, clips, "reset poses at random")


def figures(character: Character, seconds: float) -> dict[str, Any]:
    """Optimiser steps a second with the default settings, each over one rollout of a batch of windows: as a training
    begins, and as it ends, when rollouts go on with latents of the prior."""
    config, device = TrainConfig(), character.reset_poses.device
    with tempfile.TemporaryDirectory() as folder:
        trainer = Trainer(made_up(character), config, Path(folder), str(device))
        keys: dict[str, Any] = {"mvae_batch": config.batch, "mvae_rollout": config.rollout}
        for name, epoch in (("", 0), ("_with_prior", config.prior_from_epoch)):
            trainer.epoch = epoch
            timing = measure(finished(lambda: trainer.rollout(config.beta, teacher=0.0), device), seconds)
            keys[f"mvae_optimiser_steps_per_s{name}"] = timing.per_s()
    return keys
