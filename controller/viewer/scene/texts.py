"""The texts over the picture."""

from __future__ import annotations

from dataclasses import dataclass

from controller.viewer.scene.sliders import Sliders


@dataclass(frozen=True)
class Texts:
    """What is drawn over the picture. An empty text is not drawn.

    line     at the lower left
    title    at the upper left
    clock    at the upper right, in large letters
    help     in the middle
    sliders  in a panel at the upper right; None for no panel
    """

    line: str
    title: str = ""
    clock: str = ""
    help: str = ""
    sliders: Sliders | None = None
