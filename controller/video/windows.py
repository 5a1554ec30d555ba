"""Windows of a film to train on, read from its file as they are drawn."""

from __future__ import annotations

import bisect
from itertools import accumulate

import torch
from torch import Tensor

from controller.video.film import Clip, Film, Split

MEAN_PICTURES = 256
"""Pictures over which the mean picture is taken."""


class Windows:
    """All windows of ``length`` pictures inside the episodes of a split. DataError if there are
    none."""

    def __init__(self, film: Film, split: Split, length: int) -> None:
        self.film = film
        self.length = length
        self.episodes = film.of(split, length)
        self._ends = list(accumulate(each.length - length + 1 for each in self.episodes))

    def __len__(self) -> int:
        return self._ends[-1]

    def read(self, index: int) -> Clip:
        """The window of this number."""
        number = bisect.bisect_right(self._ends, index)
        episode = self.episodes[number]
        before = self._ends[number - 1] if number else 0
        return self.film.read(episode.start + index - before, self.length)

    def draw(self, count: int, generator: torch.Generator) -> Clip:
        """So many windows at random, as a batch."""
        indices = torch.randint(len(self), (count,), generator=generator).tolist()
        return Clip.stack([self.read(index) for index in indices])


def mean_picture(windows: Windows) -> Tensor:
    """The mean picture (3, H, W) from 0 to 1 of pictures that are evenly spread over a split."""
    count = min(MEAN_PICTURES, len(windows))
    places = torch.linspace(0, len(windows) - 1, count).long().tolist()
    frames = torch.stack([windows.read(place).frames[0] for place in places])
    return frames.float().mean(dim=0) / 255
