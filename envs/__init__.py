"""Gymnasium environments of the character. Importing this package registers them.

``MotionVAE/Joystick-v0`` and ``MotionVAE/RandomWalk-v0``: see :class:`envs.character_env.CharacterEnv`.
"""

from gymnasium.envs.registration import register

EPISODE_FRAMES = 1200
"""Frames of an episode: 40 s, as in the paper."""

for _name, _task in (("Joystick", "joystick"), ("RandomWalk", "random")):
    register(
        id=f"MotionVAE/{_name}-v0",
        entry_point="envs.character_env:CharacterEnv",
        vector_entry_point="envs.character_env:VectorCharacterEnv",
        max_episode_steps=EPISODE_FRAMES,
        kwargs={"task": _task},
    )
