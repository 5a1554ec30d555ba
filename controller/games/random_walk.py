"""Random walk: no steering, but z can be set by hand."""

from __future__ import annotations

from collections.abc import Set
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from controller.dynamics.character import Character, CharacterState
from controller.games.base import Game
from controller.games.registry import game
from controller.games.settings import Settings
from controller.motion.skeleton import forward_kinematics
from controller.tasks.random_walk import NoGoal, RandomWalkTask
from controller.tasks.simulation import LATENT_LIMIT
from controller.viewer.scene.sliders import Sliders

EFFECT_POSES = 32
"""Reset poses over which the effect of each unit of z is averaged."""


@game
class RandomGame(Game[NoGoal]):
    """Latents are drawn from the distribution that the motion VAE was trained on, except for the
    units that the user holds with a slider.

    A motion VAE of codes has no units to hold.
    """

    task_type = RandomWalkTask
    title: ClassVar[str] = "random walk"
    does = "watches; moves sliders for z"
    uses_policy = False
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

    def enter(self, state: CharacterState) -> CharacterState:
        self.goal = self.task.draw_goal(state, self.generator)
        return state

    def press(self, keys: Set[str]) -> None:
        if self.sliders and "n" in keys:
            self.sliders.switch()
        if self.sliders and "0" in keys:
            self.sliders.release()

    def latent(self, state: CharacterState) -> Tensor:
        latent = self.character.draw_latents(1, self.generator)
        if self.sliders is None:
            return latent
        self.sliders.draw(latent[0].clamp(-LATENT_LIMIT, LATENT_LIMIT).numpy())
        return torch.from_numpy(self.sliders.values[None]).float()

    @property
    def status(self) -> str:  # type: ignore[override]
        if self.sliders is None:
            return "codes drawn at random"
        count = int(self.sliders.clamped.sum())
        others = "drawn at random" if self.sliders.random else "0"
        if not count:
            return f"z {others}"
        return f"{count} of {len(self.sliders.values)} of z held, the others {others}"


@torch.inference_mode()
def effect(character: Character) -> np.ndarray:
    """Return how far each unit of z moves the joints, (latent,), relative to the unit that moves
    them most.

    It is the mean joint displacement, over some reset poses, as the unit goes from −1 to 1.
    """
    poses = character.reset_poses[:EFFECT_POSES]
    units = torch.eye(character.latent)
    ends: list[Tensor] = []
    for sign in (-1.0, 1.0):
        latent = (sign * units).repeat_interleave(len(poses), dim=0)
        pose = character.model.decode(latent, poses.repeat(character.latent, 1))
        state = CharacterState(pose, torch.zeros(len(pose), 2), torch.zeros(len(pose)))
        ends.append(forward_kinematics(character.skeleton, *character.joints(state)))

    distance = (ends[1] - ends[0]).norm(dim=-1).mean(dim=-1)
    displacement = distance.unflatten(0, (character.latent, -1)).mean(dim=1)
    share: np.ndarray = (displacement / displacement.max().clamp(min=1e-9)).numpy()
    return share
