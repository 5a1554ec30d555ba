"""Train a motion VAE's encoder by itself, when its decoder is done: ``python -m
controller train-encoder --data FILE.npz --start MODEL --out DIR``.

It then follows captured motion more closely. Whatever plays the model is not touched: free rollouts
and policies are the decoder's. Writes what ``controller.training.train_mvae`` writes, and knows the
same options, with other defaults.
"""

from __future__ import annotations

import tyro

from controller.training.config import ENCODER
from controller.training.train_mvae import Options, train_and_tell

DEFAULTS = Options(data=tyro.MISSING, out=tyro.MISSING, start=tyro.MISSING, config=ENCODER)


def main() -> None:
    train_and_tell(tyro.cli(Options, default=DEFAULTS, description=__doc__))
