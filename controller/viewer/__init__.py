"""The window and the picture in it. Knows skeletons and poses, but no model and no task."""

import os

os.environ.setdefault("PYGAME_HIDE_SUPPORT_PROMPT", "1")  # before any module here imports pygame
