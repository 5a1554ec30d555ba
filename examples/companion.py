"""Companion: keep a metre to the left of someone who walks on. The example of docs/new-task.md."""

import math
from dataclasses import dataclass, field

import torch
from torch import Tensor

from controller.dynamics.character import CharacterState
from controller.motion import geometry
from controller.tasks import task
from controller.tasks.arrival import around, observe_point
from controller.tasks.base import NoConfig, Task
from controller.tasks.goals import PLACE, YAW
from controller.tasks.tracking import facing_reward, velocity_reward


@dataclass(frozen=True)
class CompanionGoal:
    position: Tensor = field(metadata=PLACE)  # (B, 2) where each companion is
    yaw: Tensor = field(metadata=YAW)  # (B,) the way it walks, at 1 m/s


@task
class CompanionTask(Task[CompanionGoal, NoConfig]):
    name = "companion"
    goal_size = 5  # the place to be, as observe_point has it; cosine and sine of the way to walk

    def draw_goal(self, state: CharacterState, generator: torch.Generator) -> CompanionGoal:
        distance, side, way = torch.rand(3, len(state), generator=generator)
        return CompanionGoal(around(state.position, 3 * distance, side), 2 * math.pi * way)

    def follow_goal(self, state: CharacterState, goal: CompanionGoal) -> CompanionGoal:
        step = geometry.turn(torch.tensor([0.0, 1.0]), goal.yaw) / self.character.fps
        return CompanionGoal(goal.position + step, goal.yaw)

    def renewal(self, state: CharacterState, goal: CompanionGoal) -> float:
        return 1 / 150  # another companion every five seconds

    def place(self, goal: CompanionGoal) -> Tensor:
        return goal.position + geometry.turn(torch.tensor([1.0, 0.0]), goal.yaw)

    def observe_goal(self, state: CharacterState, goal: CompanionGoal) -> Tensor:
        angle = goal.yaw - state.yaw
        way = torch.stack((torch.cos(angle), torch.sin(angle)), dim=-1)
        return torch.cat((observe_point(state, self.place(goal)), way), dim=-1)

    def goal_bounds(self) -> list[float]:
        return [1.0] * 5

    def reward(
        self, before: CharacterState, latent: Tensor, after: CharacterState, goal: CompanionGoal
    ) -> tuple[Tensor, dict[str, Tensor]]:
        offset = self.place(self.follow_goal(after, goal)) - after.position
        pull = offset / (1 + offset.square().sum(-1, True)).sqrt()
        wish = geometry.turn(torch.tensor([0.0, 1.0]), goal.yaw) + pull
        velocity = velocity_reward(self.character.world_velocity(after), wish)
        facing = facing_reward(geometry.wrap_angle(goal.yaw - after.yaw))
        return self.with_penalties({"velocity": velocity, "facing": facing}, before, latent, after)
