"""Gymnasium environments of the character. Importing this package registers them.

There is one for each task, named after its class: ``MotionVAE/Joystick-v0`` for ``JoystickTask``
and so on. Tasks that are registered later join them. See
:class:`envs.character_env.CharacterEnv`.
"""

from typing import Any

from controller.core import extras

try:
    import gymnasium
except ModuleNotFoundError as error:
    # With this package's name, so that `python -m envs.train_policy` prints it in one line.
    raise extras.missing(error, "training, or an environment,", __name__) from error

from controller.tasks import TASKS
from controller.tasks.base import Task

EPISODE_FRAMES = 1200
"""Frames of an episode: 40 s, as in the paper."""


def environment_id(kind: type[Task[Any, Any]]) -> str:
    """What Gymnasium calls the environment of a task: ``MotionVAE/Companion-v0`` for
    ``CompanionTask``."""
    return f"MotionVAE/{kind.__name__.removesuffix('Task')}-v0"


def _register(kind: type[Task[Any, Any]]) -> None:
    name = environment_id(kind)
    if name in gymnasium.registry:
        return
    gymnasium.register(
        id=name,
        entry_point="envs.character_env:CharacterEnv",
        vector_entry_point="envs.character_env:VectorCharacterEnv",
        max_episode_steps=EPISODE_FRAMES,
        kwargs={"task": kind.name},
    )


TASKS.listen(_register)
