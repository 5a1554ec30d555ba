"""Gymnasium environments of the character. Importing this package registers them.

``MotionVAE/Joystick-v0`` and ``MotionVAE/RandomWalk-v0``: see :class:`envs.character_env.CharacterEnv`.
"""

from gymnasium.envs.registration import register

for _name, _task in (("Joystick", "joystick"), ("RandomWalk", "random")):
    register(
        id=f"MotionVAE/{_name}-v0",
        entry_point="envs.character_env:CharacterEnv",
        vector_entry_point="envs.character_env:VectorCharacterEnv",
        kwargs={"task": _task},
    )
