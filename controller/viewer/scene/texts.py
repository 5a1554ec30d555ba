"""What a person reads over the picture."""

from __future__ import annotations

from dataclasses import dataclass

from controller.viewer.scene.sliders import Sliders


@dataclass(frozen=True)
class Texts:
    """What is written over the picture, empty for nothing: a ``title`` at the upper left, a
    ``line`` at the lower left, a large ``clock`` at the upper right, ``help`` in the middle; and
    what may be set in a panel at the right."""

    line: str
    title: str = ""
    clock: str = ""
    help: str = ""
    sliders: Sliders | None = None
