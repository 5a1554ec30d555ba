"""Examples of the documentation.

Importing one also registers its environments with Gymnasium, so that
``gymnasium.make("examples.companion:MotionVAE/Companion-v0")`` finds them.
"""

import envs  # noqa: F401
