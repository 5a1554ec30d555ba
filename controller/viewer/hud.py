"""Text over the picture: a line at the bottom, and help when it is asked for."""

from __future__ import annotations

import pygame
from OpenGL import GL

from controller.viewer.program import Program

INK, PLATE = (236, 240, 244), (18, 24, 32, 165)  # sRGB; the plate lets the picture through
MARGIN, PADDING = 12, 18  # pixels, the latter painted at twice the size


class Hud:
    """Needs a current OpenGL context. Text becomes a texture once and is drawn from that until it changes."""

    def __init__(self, text_height: int = 19) -> None:
        self._font = pygame.font.Font(None, 2 * text_height)
        self._program = Program(("hud.vert",), ("hud.frag",), {})
        self._place, self._window = self._program.uniform("place"), self._program.uniform("window")
        self._empty = GL.glGenVertexArrays(1)  # the shader makes the corners, yet core OpenGL wants an array bound
        self._labels: dict[str, tuple[str, int, tuple[int, int]]] = {}

    def draw(self, window: tuple[int, int], line: str, help_text: str = "") -> None:
        """Draw ``line`` at the lower left and, unless empty, ``help_text`` in the middle of a window of that size."""
        self._program.use()
        GL.glBindVertexArray(self._empty)
        GL.glDisable(GL.GL_DEPTH_TEST)
        GL.glEnable(GL.GL_BLEND)
        GL.glBlendFunc(GL.GL_SRC_ALPHA, GL.GL_ONE_MINUS_SRC_ALPHA)
        GL.glUniform2f(self._window, *window)
        width, height = self._fit("line", line, window)
        self._draw(MARGIN, window[1] - height - MARGIN, width, height)
        if help_text:
            width, height = self._fit("help", help_text, window)
            self._draw((window[0] - width) // 2, (window[1] - height) // 2, width, height)
        GL.glDisable(GL.GL_BLEND)

    def _draw(self, *place: int) -> None:
        GL.glUniform4f(self._place, *place)
        GL.glDrawArrays(GL.GL_TRIANGLE_STRIP, 0, 4)

    def _fit(self, slot: str, text: str, window: tuple[int, int]) -> tuple[int, int]:
        """Bind a text and return its size, smaller than painted if the window is too narrow for it."""
        width, height = self._bind(slot, text)
        scale = min(1.0, (window[0] - 2 * MARGIN) / width)
        return round(width * scale), round(height * scale)

    def _bind(self, slot: str, text: str) -> tuple[int, int]:
        """Make the texture of ``text`` current, painting it if the slot held another, and return its size."""
        known, texture, size = self._labels.get(slot, ("", 0, (0, 0)))
        if texture and known == text:
            GL.glBindTexture(GL.GL_TEXTURE_2D, texture)
            return size
        painted = paint(self._font, text)
        plate = pygame.transform.smoothscale_by(painted, 0.5)  # letters sit better than if painted this small
        texture = texture or GL.glGenTextures(1)
        GL.glBindTexture(GL.GL_TEXTURE_2D, texture)
        for name in (GL.GL_TEXTURE_MIN_FILTER, GL.GL_TEXTURE_MAG_FILTER):
            GL.glTexParameteri(GL.GL_TEXTURE_2D, name, GL.GL_LINEAR)
        pixels = pygame.image.tobytes(plate, "RGBA")
        GL.glTexImage2D(GL.GL_TEXTURE_2D, 0, GL.GL_RGBA8, *plate.get_size(), 0, GL.GL_RGBA, GL.GL_UNSIGNED_BYTE, pixels)
        self._labels[slot] = text, texture, plate.get_size()
        return plate.get_size()


def paint(font: pygame.font.Font, text: str) -> pygame.Surface:
    """Lines of text on a dark, rounded plate; a tab in a line starts its second column."""
    rows = [[font.render(cell, True, INK) for cell in line.split("\t")] for line in text.split("\n")]
    second = max((row[0].get_width() for row in rows if len(row) > 1), default=0) + 2 * PADDING
    width = max(second + row[1].get_width() if len(row) > 1 else row[0].get_width() for row in rows)
    step = font.get_linesize() + (8 if len(rows) > 1 else 0)
    plate = pygame.Surface((width + 2 * PADDING, step * len(rows) + 2 * PADDING - 8), pygame.SRCALPHA)
    pygame.draw.rect(plate, PLATE, plate.get_rect(), border_radius=PADDING)
    for index, row in enumerate(rows):
        for column, cell in enumerate(row):
            plate.blit(cell, (PADDING + column * second, PADDING - 4 + index * step))
    return plate
