"""The window and what is seen in it. Knows skeletons and poses, and neither the model nor the
task."""

import os

os.environ.setdefault("PYGAME_HIDE_SUPPORT_PROMPT", "1")  # before any of its modules imports pygame
