"""Does a policy do to the left what it does to the right? The same trial, as it is and in a
mirror."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from controller.dynamics.character import Character, CharacterState
from controller.dynamics.rollout import Act
from controller.evaluation.trials import TRIALS
from controller.motion import geometry
from controller.tasks.base import Goal
from controller.tasks.simulation import Simulation


def judged_figure(task: str) -> str | None:
    """The figure of a task's trial by which left and right are compared; None if there is none."""
    return TRIALS[task].symmetry if task in TRIALS else None


class MirroredCharacter(Character):
    """A character that moves as another one does in a mirror: its right foot is the other one's
    left foot."""

    def __init__(self, character: Character) -> None:
        super().__init__(character.model, character.layout, character.reset_poses, character.header)
        self.original = character
        self.reset_poses = self._mirrored_pose(character.reset_poses)

    def _mirrored_pose(self, pose: Tensor) -> Tensor:
        normalizer = self.model.normalizer
        return normalizer.normalize(self.layout.mirror(normalizer.denormalize(pose)))

    def mirrored(self, state: CharacterState) -> CharacterState:
        """Return the same characters in a world reflected in the plane x = 0. Applied twice, it
        changes nothing."""
        place = state.position * state.position.new_tensor([-1, 1])
        return CharacterState(
            self._mirrored_pose(state.pose), place, geometry.wrap_angle(-state.yaw)
        )

    def step(self, state: CharacterState, latent: Tensor) -> CharacterState:
        return self.mirrored(self.original.step(self.mirrored(state), latent))


def in_a_mirror(simulation: Simulation[Goal], act: Act) -> tuple[Simulation[Goal], Act]:
    """Return a simulation and someone acting in it who observes and does everything as ``act``
    would in a mirror.

    Asked to turn left, it asks ``act`` to turn right from the mirror image of the pose.
    """
    character = MirroredCharacter(simulation.character)
    task = type(simulation.task)(character, simulation.task.config)

    def mirrored_act(state: CharacterState, goal: Any) -> Tensor:
        return act(character.mirrored(state), task.mirror_goal(goal))

    return Simulation(character, task), mirrored_act


@torch.inference_mode()
def symmetry_figures(
    simulation: Simulation[Any],
    act: Act,
    characters: int,
    seconds: float,
    seed: int,
    judged: float | None = None,
) -> dict[str, float]:
    """Compare left and right by the figure that the task's trial declares for it.

    mirrored          the figure in a mirror: of the trial with the same seed, so that every start
                      and every goal has its mirror image
    left_right_ratio  the figure as it is (``judged``, if it is already known) over that: 1 for a
                      policy that has no better side

    Empty for a task whose trial declares no such figure.
    """
    name = simulation.task.name
    figure = judged_figure(name)
    if figure is None:
        return {}
    trial = TRIALS[name]
    if judged is None:
        judged = trial(simulation, act, characters, seconds, seed)[figure]
    mirrored = trial(*in_a_mirror(simulation, act), characters, seconds, seed)[figure]
    ratio = judged / mirrored if mirrored else float("nan")
    return {"mirrored": mirrored, "left_right_ratio": ratio}
