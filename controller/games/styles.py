"""The style in which a character is asked to move, chosen by keys while it plays."""

from __future__ import annotations

from collections.abc import Set

import torch
from torch import Tensor

PREVIOUS = "j"
NEXT = "k"
BACK = "h"
ON = "l"
KEYS = (PREVIOUS, NEXT, BACK, ON)
PAGE = "J K, H L\tthe style before or after this one, if there are several; blend the last two"
BLEND_SECONDS = 1.5
"""How long a key is held to blend from one style to the other."""
FIRST = "normal"
"""The style to begin with, if there is one of that name."""
BAR = 10
"""Marks of the slider."""


class StyleChooser:
    """A blend of the two styles that were chosen last.

    names   of the styles
    chosen  the number of the one chosen last
    before  the number of the one chosen before it
    share   of the one chosen last, 0 to 1; the other has the rest
    """

    def __init__(self, names: tuple[str, ...]) -> None:
        self.names = names
        self.chosen = names.index(FIRST) if FIRST in names else 0
        self.before = self.chosen
        self.share = 1.0

    def step(self, pressed: Set[str], keys: Set[str], seconds: float) -> bool:
        """Do what keys ask for that were ``pressed`` in this step, or are held for its
        ``seconds``. Returns whether another style was chosen."""
        turn = (NEXT in pressed) - (PREVIOUS in pressed)
        if turn:
            self.before = self.chosen
            self.chosen = (self.chosen + turn) % len(self.names)
            self.share = 1.0
        slide = (ON in keys) - (BACK in keys)
        self.share = min(1.0, max(0.0, self.share + slide * seconds / BLEND_SECONDS))
        return bool(turn)

    @property
    def weights(self) -> Tensor:
        """The weights ``(S,)`` of all styles: none is negative, and their sum is 1."""
        weights = torch.zeros(len(self.names))
        weights[self.before] += 1 - self.share
        weights[self.chosen] += self.share
        return weights

    @property
    def status(self) -> str:
        """The styles, with a slider between them if there are two: "style sad --o-- proud"."""
        if self.before == self.chosen:
            return f"style {self.names[self.chosen]}"
        place = round(self.share * BAR)
        slider = "-" * place + "o" + "-" * (BAR - place)
        return f"style {self.names[self.before]} {slider} {self.names[self.chosen]}"
