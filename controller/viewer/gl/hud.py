"""Texts and a panel of sliders, drawn over the picture."""

from __future__ import annotations

import pygame
from OpenGL import GL

from controller.viewer.gl.program import Program
from controller.viewer.scene.panel import Panel
from controller.viewer.scene.sliders import Sliders
from controller.viewer.scene.texts import Texts

INK = (236, 240, 244)  # sRGB
PLATE = (18, 24, 32, 165)  # sRGB and alpha: the picture is visible through it
MARGIN = 12  # pixels
PADDING = 18  # pixels, at twice the size: texts are painted so and scaled down


class Hud:
    """Draws texts. Each is painted into a texture, which is used until the text changes.

    Needs a current OpenGL context.
    """

    def __init__(self, text_height: int = 19) -> None:
        self._font = pygame.font.Font(None, 2 * text_height)
        self._large = pygame.font.Font(None, 4 * text_height)
        self._small = pygame.font.Font(None, 16)
        self._program = Program(("hud.vert",), ("hud.frag",), {})
        self._place = self._program.uniform("place")
        self._window = self._program.uniform("window")
        # The shader computes the corners, but core OpenGL requires a vertex array to be bound.
        self._empty = GL.glGenVertexArrays(1)
        self._labels: dict[str, tuple[str, int, tuple[int, int]]] = {}
        self._panel: Panel | None = None

    def panel(self, sliders: Sliders) -> Panel:
        """The panel that shows these sliders."""
        if self._panel is None or self._panel.sliders is not sliders:
            self._panel = Panel(sliders, self._small)
        return self._panel

    def draw(self, window: tuple[int, int], texts: Texts) -> None:
        """Draw the texts over a window of this size."""
        self._program.use()
        GL.glBindVertexArray(self._empty)
        GL.glDisable(GL.GL_DEPTH_TEST)
        GL.glEnable(GL.GL_BLEND)
        GL.glBlendFunc(GL.GL_SRC_ALPHA, GL.GL_ONE_MINUS_SRC_ALPHA)
        GL.glUniform2f(self._window, *window)

        width, height = self._fit("line", texts.line, window)
        self._draw(MARGIN, window[1] - height - MARGIN, width, height)
        if texts.title:
            share = 0.5 if texts.sliders else 1.0
            width, height = self._fit("title", texts.title, window, share)
            self._draw(MARGIN, MARGIN, width, height)
        if texts.clock:
            width, height = self._fit("clock", texts.clock, window)
            self._draw(window[0] - width - MARGIN, MARGIN, width, height)
        if texts.sliders:
            panel = self.panel(texts.sliders)
            self._texture("panel", "", panel.paint())
            self._draw(*panel.place(window, MARGIN))
        if texts.help:
            width, height = self._fit("help", texts.help, window)
            self._draw((window[0] - width) // 2, (window[1] - height) // 2, width, height)
        GL.glDisable(GL.GL_BLEND)

    def _draw(self, *place: int) -> None:
        """Draw the bound texture at (left, top, width, height) of the window."""
        GL.glUniform4f(self._place, *place)
        GL.glDrawArrays(GL.GL_TRIANGLE_STRIP, 0, 4)

    def _fit(
        self, slot: str, text: str, window: tuple[int, int], share: float = 1.0
    ) -> tuple[int, int]:
        """Bind the texture of a text, and return its size in the window.

        The text is scaled down if it does not fit into this ``share`` of the window's width.
        """
        width, height = self._bind(slot, text)
        across = share * window[0] - 2 * MARGIN
        down = window[1] - 2 * MARGIN
        scale = min(1.0, across / width, down / height)
        return round(width * scale), round(height * scale)

    def _bind(self, slot: str, text: str) -> tuple[int, int]:
        """Bind the texture of ``text``, painting it if the slot has another text.

        Returns its size in pixels.
        """
        last_text, texture, size = self._labels.get(slot, ("", 0, (0, 0)))
        if texture and last_text == text:
            GL.glBindTexture(GL.GL_TEXTURE_2D, texture)
            return size

        plate = paint(self._large if slot == "clock" else self._font, text)
        half_size = pygame.transform.smoothscale_by(plate, 0.5)  # letters are spaced better
        return self._texture(slot, text, half_size)

    def _texture(self, slot: str, text: str, plate: pygame.Surface) -> tuple[int, int]:
        """Make a picture the texture of a slot, bind it, and return its size in pixels."""
        size = plate.get_size()
        pixels = pygame.image.tobytes(plate, "RGBA")
        texture = self._labels[slot][1] if slot in self._labels else GL.glGenTextures(1)
        GL.glBindTexture(GL.GL_TEXTURE_2D, texture)
        for name in (GL.GL_TEXTURE_MIN_FILTER, GL.GL_TEXTURE_MAG_FILTER):
            GL.glTexParameteri(GL.GL_TEXTURE_2D, name, GL.GL_LINEAR)
        layout = (GL.GL_RGBA, GL.GL_UNSIGNED_BYTE)
        GL.glTexImage2D(GL.GL_TEXTURE_2D, 0, GL.GL_RGBA8, *size, 0, *layout, pixels)
        self._labels[slot] = text, texture, size
        return size


def paint(font: pygame.font.Font, text: str) -> pygame.Surface:
    """Paint lines of text on a dark, rounded plate. A tab starts a line's second column."""
    lines = [line.split("\t") for line in text.split("\n")]
    rows = [[font.render(cell, True, INK) for cell in line] for line in lines]

    first_widths = [row[0].get_width() for row in rows if len(row) > 1]
    second = max(first_widths, default=0) + 2 * PADDING  # where the second column begins
    width = max(second + row[1].get_width() if len(row) > 1 else row[0].get_width() for row in rows)
    step = font.get_linesize() + (8 if len(rows) > 1 else 0)
    size = (width + 2 * PADDING, step * len(rows) + 2 * PADDING - 8)

    plate = pygame.Surface(size, pygame.SRCALPHA)
    pygame.draw.rect(plate, PLATE, plate.get_rect(), border_radius=PADDING)
    for index, row in enumerate(rows):
        for column, cell in enumerate(row):
            plate.blit(cell, (PADDING + column * second, PADDING - 4 + index * step))
    return plate
