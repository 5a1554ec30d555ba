"""The tasks as they are played at the window, by name."""

# In the order of the keys that choose them.
from controller.games import joystick, target, path, maze  # isort: skip
from controller.games import crowd, random_walk, monte_carlo  # isort: skip
from controller.games.registry import GAMES, game

__all__ = ["GAMES", "game"]
__all__ += ["crowd", "joystick", "maze", "monte_carlo", "path", "random_walk", "target"]
