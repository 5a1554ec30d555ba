"""Crowd: many walk to points of their own through each other; somebody watches, and sends one of
them or all."""

from __future__ import annotations

import math
from collections.abc import Set

import numpy as np
import torch

from controller.core import batch
from controller.dynamics.character import Character, CharacterState
from controller.games.base import Game
from controller.games.settings import Settings
from controller.tasks.arrival import distance_to
from controller.tasks.crowd import REACHED, CrowdTask
from controller.viewer.scene.stage import Stage

STAY = 1.0
STAY_SENT = 6.0
"""s that one stays where it went: by its own choice, or sent there."""
TOUCH = 0.6
"""m: who points nearer than this to somebody means that one."""
PLACE = 3.0
"""m²: ground for each of those who are sent to one point; on less, who is there first bars the
way."""
GOLDEN = math.pi * (3 - math.sqrt(5))
"""radians: from one to the next, which spreads any number of points evenly over a disc (Vogel
1979)."""


class CrowdGame(Game):
    """Everybody walks to one point after the other, about the place where the first one began.

    Pointing at somebody follows that one; pointing elsewhere sends the one who is followed, or
    everybody while the camera overlooks all.
    """

    task_type = CrowdTask
    pages = (
        "N, click on somebody\tcrowd: follow another one; C, camera “all”, shows everybody",
        "click on the ground\tcrowd: send that one there, or everybody under the camera “all”",
    )

    def __init__(
        self, character: Character, generator: torch.Generator, settings: Settings
    ) -> None:
        super().__init__(character, generator, settings)
        assert isinstance(self.task, CrowdTask)
        self.crowd: CrowdTask = self.task
        self.count = settings.characters

    def enter(self, state: CharacterState) -> CharacterState:
        self.followed = 0
        self.middle = state.position.clone()
        state = self.around(state) if self.count > 1 else state
        self.sent = torch.zeros(len(state), dtype=torch.bool)
        self.waited = torch.zeros(len(state))
        self.goal = self.crowd.goal_at(state, self.draw_points(len(state)))
        return state

    def around(self, state: CharacterState) -> CharacterState:
        """The one (1) as the first of a crowd, each of the others on a square of its own."""
        crowd = self.crowd.begin(self.character.reset(self.count, self.generator), self.generator)
        place = crowd.position + self.middle
        nearest = int((place - self.middle).norm(dim=-1).argmin())  # whose square it takes
        rest = torch.tensor([row for row in range(self.count) if row != nearest])
        others = batch.select(CharacterState(crowd.pose, place, crowd.yaw), rest)
        return batch.cat((state, others))

    def draw_points(self, count: int) -> torch.Tensor:
        """(count, 2) metres: at random on the crowd's ground."""
        return self.middle + (
            torch.rand(count, 2, generator=self.generator) - 0.5
        ) * self.crowd.side(self.count)

    def press(self, keys: Set[str]) -> None:
        if "n" in keys:
            self.followed = (self.followed + 1) % len(self.waited)

    def point(self, state: CharacterState, x: float, z: float) -> None:
        if not self.touch(state, x, z):
            self.send(state, torch.tensor([self.followed]), x, z)

    def gather(self, state: CharacterState, x: float, z: float) -> None:
        if not self.touch(state, x, z):
            self.send(state, torch.arange(len(state)), x, z)

    def touch(self, state: CharacterState, x: float, z: float) -> bool:
        """Follow whoever stands there; False if nobody does."""
        apart = (state.position - torch.tensor([[x, z]])).norm(dim=-1)
        if float(apart.min()) < TOUCH:
            self.followed = int(apart.argmin())
            return True
        return False

    def send(self, state: CharacterState, rows: torch.Tensor, x: float, z: float) -> None:
        """Send these to a point: side by side around it, if they are many."""
        number = torch.arange(len(rows), dtype=torch.float32)
        radius = (PLACE * number / math.pi).sqrt()
        angle = GOLDEN * number
        places = torch.tensor([[x, z]]) + torch.stack(
            (radius * angle.sin(), radius * angle.cos()), dim=-1
        )
        points = self.goal.position.clone()
        points[rows] = places[nearest_pairs(state.position[rows], places)]
        self.sent[rows], self.waited[rows] = True, 0.0
        self.goal = self.crowd.goal_at(state, points)

    def step(self, state: CharacterState) -> CharacterState:
        after = self.revived(self.simulation.move(state, self.latent(state)))
        there = distance_to(after, self.goal.position) < REACHED
        self.waited = (self.waited + 1 / self.character.fps) * there
        done = self.waited > torch.where(self.sent, STAY_SENT, STAY)
        points = torch.where(done[:, None], self.draw_points(len(after)), self.goal.position)
        self.sent &= ~done
        self.goal = self.crowd.goal_at(after, points)
        return after

    def revived(self, state: CharacterState) -> CharacterState:
        """Whoever fell stands up where it lies."""
        alive = self.character.alive(state)
        if bool(alive.all()):
            return state
        fresh = CharacterState(
            self.character.reset(len(state), self.generator).pose, state.position, state.yaw
        )
        return batch.where(alive, state, fresh)

    @property
    def status(self) -> str:  # type: ignore[override]
        return f"{len(self.waited)} characters, following number {self.followed + 1}"

    def stage(self) -> Stage:
        points: np.ndarray = self.goal.position.numpy()
        return Stage(targets=np.delete(points, self.followed, axis=0), flag=points[self.followed])


def nearest_pairs(one: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
    """(N,): for each of N points (N, 2) another one of N others, the nearest pairs first: nobody
    need cross a crowd."""
    apart = torch.cdist(one, other)
    pairs = torch.zeros(len(one), dtype=torch.long)
    for _ in range(len(one)):
        row, column = divmod(int(apart.argmin()), len(one))
        pairs[row] = column
        apart[row], apart[:, column] = math.inf, math.inf
    return pairs
