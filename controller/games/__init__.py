"""The tasks as they are played at the window, by name."""

from __future__ import annotations

from controller.games.base import Game
from controller.games.crowd import CrowdGame
from controller.games.joystick import JoystickGame
from controller.games.maze import MazeGame
from controller.games.monte_carlo import MonteCarloGame
from controller.games.path import PathGame
from controller.games.random_walk import RandomGame
from controller.games.target import TargetGame, TimedTargetGame

GAMES: dict[str, type[Game]] = {
    game.name: game
    for game in (
        JoystickGame,
        TargetGame,
        TimedTargetGame,
        PathGame,
        MazeGame,
        CrowdGame,
        RandomGame,
        MonteCarloGame,
    )
}
KEYS = {name: str(number) for number, name in enumerate(GAMES, start=1)}
"""The key that chooses each."""
