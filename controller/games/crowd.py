"""Crowd: many characters walk to points of their own past each other. The user watches, and may
send one of them or all."""

from __future__ import annotations

import math
from collections.abc import Set

import numpy as np
import torch

from controller.core import batch
from controller.dynamics.character import Character, CharacterState
from controller.games.base import Game
from controller.games.registry import game
from controller.games.settings import Settings
from controller.tasks.arrival import distance_to
from controller.tasks.crowd import REACHED, CrowdGoal, CrowdTask
from controller.viewer.scene.stage import Stage

STAY = 1.0
"""s that a character stays at a point of its own choice."""
STAY_SENT = 6.0
"""s that a character stays where the user sent it."""
TOUCH = 0.6
"""m: a click nearer than this to a character means that character."""
PLACE = 3.0
"""m² of ground for each character that is sent to one point. With less, the first to arrive bar the
way."""
GOLDEN = math.pi * (3 - math.sqrt(5))
"""radians: the angle from one point to the next that spreads any number of points evenly over a
disc (Vogel 1979)."""


@game
class CrowdGame(Game[CrowdGoal]):
    """Everybody walks from one point to the next, around the place where the first one began.

    Pointing at a character follows it. Pointing elsewhere sends the followed character there, or
    everybody while the camera shows all.
    """

    task_type = CrowdTask
    task: CrowdTask
    does = "watches many walk through each other"
    pages = (
        "N, click on a character\tcrowd: follow another one; C, camera “all”, shows everybody",
        "click on the ground\tcrowd: send that one there, or everybody under the camera “all”",
    )

    def __init__(
        self, character: Character, generator: torch.Generator, settings: Settings
    ) -> None:
        super().__init__(character, generator, settings)
        self.count = settings.characters

    def enter(self, state: CharacterState) -> CharacterState:
        self.followed = 0
        self.middle = state.position.clone()
        state = self.around(state) if self.count > 1 else state
        self.sent = torch.zeros(len(state), dtype=torch.bool)
        self.waited = torch.zeros(len(state))
        self.goal = self.task.goal_at(state, self.draw_points(len(state)))
        return state

    def around(self, state: CharacterState) -> CharacterState:
        """Return a crowd whose first member is the one in ``state`` (1). Each of the others stands
        in a square of its own."""
        crowd = self.task.begin(self.character.reset(self.count, self.generator), self.generator)
        place = crowd.position + self.middle
        # The first one takes the square that is nearest to it.
        nearest = int((place - self.middle).norm(dim=-1).argmin())
        rest = torch.tensor([row for row in range(self.count) if row != nearest])
        others = batch.select(CharacterState(crowd.pose, place, crowd.yaw), rest)
        return batch.cat((state, others))

    def draw_points(self, count: int) -> torch.Tensor:
        """(count, 2) metres: points at random on the crowd's ground."""
        share = torch.rand(count, 2, generator=self.generator) - 0.5
        return self.middle + share * self.task.side(self.count)

    def press(self, keys: Set[str]) -> None:
        if "n" in keys:
            self.followed = (self.followed + 1) % len(self.waited)

    def point(self, state: CharacterState, x: float, z: float) -> None:
        if not self.touch(state, x, z):
            self.send(state, torch.tensor([self.followed]), x, z)

    def point_all(self, state: CharacterState, x: float, z: float) -> None:
        if not self.touch(state, x, z):
            self.send(state, torch.arange(len(state)), x, z)

    def touch(self, state: CharacterState, x: float, z: float) -> bool:
        """Follow the character that stands at a point. Returns whether there is one."""
        apart = (state.position - torch.tensor([[x, z]])).norm(dim=-1)
        if float(apart.min()) >= TOUCH:
            return False
        self.followed = int(apart.argmin())
        return True

    def send(self, state: CharacterState, rows: torch.Tensor, x: float, z: float) -> None:
        """Send these characters to a point; several are spread side by side around it."""
        number = torch.arange(len(rows), dtype=torch.float32)
        radius = (PLACE * number / math.pi).sqrt()
        angle = GOLDEN * number
        spread = torch.stack((radius * angle.sin(), radius * angle.cos()), dim=-1)
        places = torch.tensor([[x, z]]) + spread

        points = self.goal.position.clone()
        points[rows] = places[nearest_pairs(state.position[rows], places)]
        self.sent[rows] = True
        self.waited[rows] = 0.0
        self.goal = self.task.goal_at(state, points)

    def step(self, state: CharacterState) -> CharacterState:
        after = self.revive(self.simulation.move(state, self.latent(state)))

        there = distance_to(after, self.goal.position) < REACHED
        self.waited = (self.waited + 1 / self.character.fps) * there
        done = self.waited > torch.where(self.sent, STAY_SENT, STAY)
        points = torch.where(done[:, None], self.draw_points(len(after)), self.goal.position)
        self.sent &= ~done
        self.goal = self.task.goal_at(after, points)
        return after

    def revive(self, state: CharacterState) -> CharacterState:
        """Stand fallen characters up again where they lie."""
        alive = self.character.alive(state)
        if bool(alive.all()):
            return state
        pose = self.character.reset(len(state), self.generator).pose
        fresh = CharacterState(pose, state.position, state.yaw)
        return batch.where(alive, state, fresh)

    @property
    def status(self) -> str:  # type: ignore[override]
        return f"{len(self.waited)} characters, following number {self.followed + 1}"

    def stage(self) -> Stage:
        points: np.ndarray = self.goal.position.numpy()
        return Stage(targets=np.delete(points, self.followed, axis=0), flag=points[self.followed])


def nearest_pairs(one: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
    """(N,): a partner among N points (N, 2) for each of N others. The nearest pairs come first, so
    that no one needs to cross the crowd."""
    apart = torch.cdist(one, other)
    pairs = torch.zeros(len(one), dtype=torch.long)
    for _ in range(len(one)):
        row, column = divmod(int(apart.argmin()), len(one))
        pairs[row] = column
        apart[row] = math.inf
        apart[:, column] = math.inf
    return pairs
