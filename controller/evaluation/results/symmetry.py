"""Does somebody do to the left as it does to the right? The same trial, as it is and seen in a
mirror."""

from __future__ import annotations

from dataclasses import fields
from typing import Any, TypeVar

import torch
from torch import Tensor

from controller.dynamics.character import Character, CharacterState
from controller.dynamics.rollout import Act
from controller.evaluation.trials import TRIALS
from controller.motion import geometry
from controller.tasks.base import Task
from controller.tasks.simulation import Simulation

G = TypeVar("G")

ANGLES = ("facing", "yaw")
"""Names of a goal's fields that are yaws."""
JUDGED = {
    "joystick": "response_left_s",
    "target": "reach_time_left_s",
    "timed_target": "miss_left_m",
    "path": "path_speed_original_m_s",
    "maze": "solve_time_original_s",
}
"""The figure of each task's trial by which the two sides are compared: that of goals of one side
alone, which in the mirror are of the other, and one that is never 0. A crowd's goals have no
side."""


def mirrored_goal(goal: G) -> G:
    """Goals in a world reflected in the plane x = 0: places and velocities ``(..., 2)``, as (x, z),
    get the opposite x, and yaws, fields of a name in :data:`ANGLES`, the opposite sign; everything
    else, times and counts, stays."""

    def reflect(name: str, value: Tensor) -> Tensor:
        if name in ANGLES:
            return geometry.wrap_angle(-value)
        return (
            value * value.new_tensor([-1, 1]) if value.dim() > 1 and value.shape[-1] == 2 else value
        )

    return type(goal)(*(reflect(f.name, getattr(goal, f.name)) for f in fields(goal)))  # type: ignore[arg-type]


class MirroredCharacter(Character):
    """A character that moves as the given one does in a mirror. Its right foot is the other one's
    left."""

    def __init__(self, character: Character) -> None:
        super().__init__(character.model, character.layout, character.reset_poses, character.header)
        self.original = character
        self.reset_poses = self._mirrored_pose(character.reset_poses)

    def _mirrored_pose(self, pose: Tensor) -> Tensor:
        normalizer = self.model.normalizer
        return normalizer.normalize(self.layout.mirror(normalizer.denormalize(pose)))

    def mirrored(self, state: CharacterState) -> CharacterState:
        """The same characters in a world reflected in the plane x = 0; twice, and they are as they
        were."""
        place = state.position * state.position.new_tensor([-1, 1])
        return CharacterState(
            self._mirrored_pose(state.pose), place, geometry.wrap_angle(-state.yaw)
        )

    def step(self, state: CharacterState, latent: Tensor) -> CharacterState:
        return self.mirrored(self.original.step(self.mirrored(state), latent))


def in_a_mirror(simulation: Simulation, act: Act) -> tuple[Simulation, Act]:
    """A simulation and somebody acting in it who sees and does everything as ``act`` would in a
    mirror.

    Who asks it to turn left asks ``act`` to turn right, from the mirror image of the pose.
    """
    character = MirroredCharacter(simulation.character)
    task: Task[Any, Any] = type(simulation.task)(character, simulation.task.config)

    def mirrored_act(state: CharacterState, goal: Any) -> Tensor:
        return act(character.mirrored(state), mirrored_goal(goal))

    return Simulation(character, task), mirrored_act


@torch.inference_mode()
def symmetry_figures(
    simulation: Simulation,
    act: Act,
    characters: int,
    seconds: float,
    seed: int,
    judged: float | None = None,
) -> dict[str, float]:
    """``mirrored``: the figure of :data:`JUDGED` in a mirror, of the trial with the same seed, so
    that every start and every goal has its mirror image. ``left_right_ratio``: the figure as it is,
    ``judged`` if it is known already, over that: 1 for who has no better side. Nothing for a task
    that is not judged.
    """
    name = simulation.task.name
    if name not in JUDGED:
        return {}
    if judged is None:
        judged = TRIALS[name](simulation, act, characters, seconds, seed)[JUDGED[name]]
    mirrored = TRIALS[name](*in_a_mirror(simulation, act), characters, seconds, seed)[JUDGED[name]]
    return {
        "mirrored": mirrored,
        "left_right_ratio": judged / mirrored if mirrored else float("nan"),
    }
