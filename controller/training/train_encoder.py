"""Train the encoder of a motion VAE whose decoder is finished: ``python -m controller train-encoder
--data FILE.npz --start MODEL --out DIR``.

The encoder then follows captured motion more closely. What plays the model stays the same, since
free rollouts and policies use only the decoder. The command has the options of ``python -m
controller train``, with other defaults, and writes the same files.
"""

from __future__ import annotations

import tyro

from controller.core import command_line
from controller.training.config import ENCODER
from controller.training.train_mvae import Options, train_and_print

DEFAULTS = Options(data=tyro.MISSING, out=tyro.MISSING, start=tyro.MISSING, config=ENCODER)


def main() -> None:
    train_and_print(command_line.read(Options, default=DEFAULTS, description=__doc__))
