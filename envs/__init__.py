"""Gymnasium environments of the character. Importing this package registers them.

One for each task in ``controller.tasks``, named after its class: ``MotionVAE/Joystick-v0``,
``MotionVAE/Target-v0``, ``MotionVAE/TimedTarget-v0``, ``MotionVAE/Path-v0``, ``MotionVAE/Maze-v0``,
``MotionVAE/Crowd-v0``, ``MotionVAE/RandomWalk-v0``. See :class:`envs.character_env.CharacterEnv`.
"""

from typing import Any, TypeVar

import gymnasium

from controller.tasks import TASKS, Task

EPISODE_FRAMES = 1200
"""Frames of an episode: 40 s, as in the paper."""

Kind = TypeVar("Kind", bound=type[Task[Any, Any]])


def register(kind: Kind) -> Kind:
    """Make a task known by its name to every command, and to Gymnasium: ``CompanionTask`` as
    ``MotionVAE/Companion-v0``. Returns the class, so as to decorate it."""
    TASKS[kind.name] = kind
    gymnasium.register(
        id=f"MotionVAE/{kind.__name__.removesuffix('Task')}-v0",
        entry_point="envs.character_env:CharacterEnv",
        vector_entry_point="envs.character_env:VectorCharacterEnv",
        max_episode_steps=EPISODE_FRAMES,
        kwargs={"task": kind.name},
    )
    return kind


for _kind in list(TASKS.values()):
    register(_kind)
