"""A panel of sliders: its layout, what lies under a pixel, and its picture."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import pygame

from controller.viewer.scene.sliders import Sliders

# Colours, sRGB
INK = (236, 240, 244)
FAINT = (120, 130, 140)
PLATE = (18, 24, 32, 185)
FREE = (126, 170, 214)
CLAMPED = (240, 150, 60)
TRACK = (58, 68, 80)

BROADEST = 0.38  # of the window's width
ROWS = 16  # sliders in a column

# Pixels
PAD = 10
HEAD = 44
ROW = 16
LABEL = 22
TRACK_WIDTH = 88
COLUMN = LABEL + TRACK_WIDTH + PAD


class Hit(NamedTuple):
    """What lies under a pixel of the panel.

    what   "slider", "switch", "release", or "" for the bare panel
    unit   the index of the slider's value
    value  the slider's value at this pixel
    """

    what: str
    unit: int = -1
    value: float = 0.0


class Panel:
    """Sliders in columns, below a head with a switch and a button that releases all of them.

    Pixels count from the upper left corner, of the panel or of the window.
    """

    def __init__(self, sliders: Sliders, font: pygame.font.Font) -> None:
        self.sliders = sliders
        self._font = font
        count = len(sliders.values)
        self._columns = math.ceil(count / ROWS)
        self.size = PAD + max(self._columns, 2) * COLUMN, HEAD + min(count, ROWS) * ROW + PAD
        self._numbers = [font.render(str(index + 1), True, INK) for index in range(count)]

    def place(self, window: tuple[int, int], margin: int = 12) -> tuple[int, int, int, int]:
        """The panel's left, top, width and height in a window of this size.

        It lies in the upper right corner, and is scaled down if the window is small.
        """
        width, height = self.size
        scale = min(1.0, (window[1] - 6 * margin) / height, BROADEST * window[0] / width)
        left = round(window[0] - margin - scale * width)
        return left, margin, round(scale * width), round(scale * height)

    def hit(self, pixel: tuple[int, int], window: tuple[int, int]) -> Hit | None:
        """What lies under a pixel of the window; None outside the panel."""
        left, top, width, height = self.place(window)
        x = (pixel[0] - left) * self.size[0] / width
        y = (pixel[1] - top) * self.size[1] / height
        if not (0 <= x < self.size[0] and 0 <= y < self.size[1]):
            return None
        if y < HEAD / 2:
            return Hit("")
        if y < HEAD:
            return Hit("switch" if x < self.size[0] / 2 else "release")

        column = int((x - PAD / 2) // COLUMN)
        row = int((y - HEAD) // ROW)
        index = column * ROWS + row
        if not (0 <= row < ROWS and column >= 0 and index < len(self.sliders.values)):
            return Hit("")
        return Hit("slider", index, self.value_at(index, pixel, window))

    def value_at(self, index: int, pixel: tuple[int, int], window: tuple[int, int]) -> float:
        """The value of a slider whose knob is at this pixel of the window.

        Only the pixel's column counts, and beyond the track the value stays at its limit.
        """
        left, _, width, _ = self.place(window)
        start, _ = self._track(index)
        x = (pixel[0] - left) * self.size[0] / width
        share = (x - start) / TRACK_WIDTH
        return float(np.clip(2 * share - 1, -1, 1)) * self.sliders.limit

    def _track(self, index: int) -> tuple[int, int]:
        """The left end of a slider's track, and the height of its middle."""
        column, row = divmod(index, ROWS)
        return PAD + column * COLUMN + LABEL, HEAD + row * ROW + ROW // 2

    def paint(self) -> pygame.Surface:
        """The picture of the panel as it is now."""
        plate = pygame.Surface(self.size, pygame.SRCALPHA)
        pygame.draw.rect(plate, PLATE, plate.get_rect(), border_radius=9)
        self._paint_head(plate)
        for index in range(len(self.sliders.values)):
            self._paint_slider(plate, index)
        return plate

    def _paint_head(self, plate: pygame.Surface) -> None:
        """The title, the switch and the button that releases all sliders."""
        sliders = self.sliders
        title = f"{sliders.title}: {len(sliders.values)} units, the bright ones move most"
        plate.blit(self._font.render(title, True, INK), (PAD, 6))

        switch = CLAMPED if sliders.random else FAINT
        knob = PAD + (16 if sliders.random else 6)
        pygame.draw.rect(plate, switch, (PAD, 26, 22, 12), border_radius=6)
        pygame.draw.circle(plate, INK, (knob, 32), 5)
        plate.blit(self._font.render("at random (N)", True, INK), (PAD + 28, 25))

        colour = INK if sliders.clamped.any() else FAINT
        release = self._font.render("release all (0)", True, colour)
        plate.blit(release, (self.size[0] // 2 + PAD, 25))

    def _paint_slider(self, plate: pygame.Surface, index: int) -> None:
        sliders = self.sliders
        x, y = self._track(index)
        light = 0.5 + 0.5 * float(sliders.weight[index])
        number = self._numbers[index]
        number.set_alpha(round(255 * light))
        plate.blit(number, (x - 5 - number.get_width(), y - number.get_height() // 2))

        middle = x + TRACK_WIDTH // 2
        share = float(sliders.values[index]) / sliders.limit
        knob = middle + round(share * TRACK_WIDTH / 2)
        free = tuple(round(light * part) for part in FREE)
        colour = CLAMPED if sliders.clamped[index] else free
        pygame.draw.rect(plate, TRACK, (x, y - 2, TRACK_WIDTH, 4), border_radius=2)
        pygame.draw.rect(plate, colour, (min(middle, knob), y - 2, abs(knob - middle) + 1, 4))
        pygame.draw.rect(plate, colour, (knob - 2, y - 5, 5, 11), border_radius=2)
