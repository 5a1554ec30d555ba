"""Every test process: one thread (the tests run side by side already) and drawing without a display."""

import os

# Before anything that reads them is imported, and in the environment so that subprocesses have them too.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("SDL_VIDEODRIVER", "offscreen")
os.environ.setdefault("PYOPENGL_PLATFORM", "egl")

import torch

torch.set_num_threads(1)
