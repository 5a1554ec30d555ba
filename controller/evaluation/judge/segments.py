"""Stretches of captured clips, which characters follow."""

from __future__ import annotations

import re
from dataclasses import dataclass

import torch
from torch import Tensor

from controller.core.errors import DataError
from controller.data.dataset import ClipEntry
from controller.evaluation.judge.settings import JudgeConfig
from controller.evaluation.judge.windows import SHORTEST
from controller.motion.pose import FPS

PIECE = re.compile(r"(\[\d*:\d*\])+$")
"""What follows the name of a take in the name of a piece of it."""
FEWEST_TAKES = 6
"""With fewer takes, pieces of them count as clips."""


@dataclass(frozen=True)
class Segments:
    """S stretches of captured clips.

    start     (S,) the first row of each; characters begin in its pose
    frames    (S,) how many frames follow it
    take      (S,) the number of the take that it is from; pieces of one take have the same
    held_out  (S,) booleans: nothing was trained on it
    ahead     (S,) frames by which its commands look ahead
    names     of the clips
    """

    start: Tensor
    frames: Tensor
    take: Tensor
    held_out: Tensor
    ahead: Tensor
    names: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.start)

    def select(self, chosen: list[int]) -> Segments:
        """Some of the segments."""
        return Segments(
            self.start[chosen],
            self.frames[chosen],
            self.take[chosen],
            self.held_out[chosen],
            self.ahead[chosen],
            tuple(self.names[number] for number in chosen),
        )

    def rows(self) -> Tensor:
        """(S, T) rows of the frames that follow the first; the last one is repeated."""
        steps = torch.arange(1, int(self.frames.max()) + 1)
        rows = self.start[:, None] + steps
        return torch.minimum(rows, (self.start + self.frames)[:, None])

    def valid(self) -> Tensor:
        """(S, T) booleans: the frame is in the segment."""
        return torch.arange(int(self.frames.max())) < self.frames[:, None]


def choose(entries: list[ClipEntry], config: JudgeConfig, seed: int) -> Segments:
    """Stretches of the clips, drawn at random, of whole windows. Raises DataError unless two takes
    are long enough, so that one may be held out."""
    generator = torch.Generator().manual_seed(seed)
    longest = round(config.seconds * FPS)
    found: list[tuple[int, int, int]] = []
    for number, clip in enumerate(entries):
        last = clip.length - 1
        for start in range(0, last - SHORTEST + 1, longest):
            found.append((number, clip.start + start, min(longest, last - start)))
    order = torch.randperm(len(found), generator=generator).tolist()
    held = [i for i in order if entries[found[i][0]].held_out]
    known = [i for i in order if not entries[found[i][0]].held_out]
    room = max(config.segments // 3, config.segments - len(known))
    held = held[:room]
    chosen = sorted(held + known[: config.segments - len(held)])

    takes = [take(clip.name) for clip in entries]
    if len({takes[found[i][0]] for i in chosen}) < FEWEST_TAKES:
        takes = [clip.name for clip in entries]
    numbers = {name: number for number, name in enumerate(dict.fromkeys(takes))}
    if len({takes[found[i][0]] for i in chosen}) < 2:
        raise DataError(
            f"two clips of {(SHORTEST + 1) / FPS:.1f} s are needed, so that the judge can be asked "
            f"about one that it has not seen; {len(chosen)} found"
        )
    first, last_ahead = config.ahead
    return Segments(
        start=torch.tensor([found[i][1] for i in chosen]),
        frames=torch.tensor([found[i][2] for i in chosen]),
        take=torch.tensor([numbers[takes[found[i][0]]] for i in chosen]),
        held_out=torch.tensor([entries[found[i][0]].held_out for i in chosen]),
        ahead=torch.randint(first, last_ahead + 1, (len(chosen),), generator=generator),
        names=tuple(entries[found[i][0]].name for i in chosen),
    )


def take(name: str) -> str:
    """The take of which a clip is a piece: ``walk[30:90]`` is from ``walk``."""
    return PIECE.sub("", name)
