"""Random walk: nobody steers, but z may be set by hand."""

from __future__ import annotations

from collections.abc import Set

import numpy as np
import torch
from torch import Tensor

from controller.dynamics.character import Character, CharacterState
from controller.games.base import Game
from controller.games.settings import Settings
from controller.motion.skeleton import forward_kinematics
from controller.tasks.random_walk import RandomWalkTask
from controller.tasks.simulation import LATENT_LIMIT
from controller.viewer.scene.sliders import Sliders


class RandomGame(Game):
    """Latents are drawn as the motion VAE was trained to take them, but for the units that somebody
    holds.

    A motion VAE of codes has no units to hold.
    """

    task_type = RandomWalkTask
    piloted = False
    pages = (
        "drag a slider\trandom walk: hold a unit of z; double-click: let it go",
        "N, 0\trandom walk: draw the others at random or not; let go of all",
    )

    def __init__(
        self, character: Character, generator: torch.Generator, settings: Settings
    ) -> None:
        super().__init__(character, generator, settings)
        if character.codes is None:
            self.sliders = Sliders.of(effect(character), LATENT_LIMIT, "z")

    def press(self, keys: Set[str]) -> None:
        if self.sliders and "n" in keys:
            self.sliders.switch()
        if self.sliders and "0" in keys:
            self.sliders.release()

    def latent(self, state: CharacterState) -> Tensor:
        drawn = self.character.draw_latents(1, self.generator)
        if self.sliders is None:
            return drawn
        self.sliders.draw(drawn[0].clamp(-LATENT_LIMIT, LATENT_LIMIT).numpy())
        return torch.from_numpy(self.sliders.values[None]).float()

    @property
    def status(self) -> str:  # type: ignore[override]
        if self.sliders is None:
            return "codes drawn at random"
        held = int(self.sliders.clamped.sum())
        others = "drawn at random" if self.sliders.random else "0"
        return (
            f"z {others}"
            if not held
            else f"{held} of {len(self.sliders.values)} of z held, the others {others}"
        )


@torch.inference_mode()
def effect(character: Character) -> np.ndarray:
    """(latent,) from 0 to 1: how far the joints move, on average over the poses to start from, as
    each unit of z goes from −1 to 1, next to the unit that moves them most."""
    poses = character.reset_poses[:32]
    units = torch.eye(character.latent)
    ends: list[Tensor] = []
    for sign in (-1.0, 1.0):
        latent = (sign * units).repeat_interleave(len(poses), dim=0)
        pose = character.model.decode(latent, poses.repeat(character.latent, 1))
        placed = CharacterState(pose, torch.zeros(len(pose), 2), torch.zeros(len(pose)))
        ends.append(forward_kinematics(character.skeleton, *character.joints(placed)))
    moved = (
        (ends[1] - ends[0])
        .norm(dim=-1)
        .mean(dim=-1)
        .unflatten(0, (character.latent, -1))
        .mean(dim=1)
    )
    share: np.ndarray = (moved / moved.max().clamp(min=1e-9)).numpy()
    return share
