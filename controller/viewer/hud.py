"""Text over the picture: a line at the bottom, and help when it is asked for."""

from __future__ import annotations

import pygame
from OpenGL import GL

from controller.viewer.program import Program

INK, PLATE = (236, 240, 244), (18, 24, 32, 165)  # sRGB; the plate lets the picture through
PADDING = 9


class Hud:
    """Needs a current OpenGL context. Text becomes a texture once and is drawn from that until it changes."""

    def __init__(self, text_height: int = 17) -> None:
        self._font = pygame.font.Font(None, text_height + 4)
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
        GL.glUniform2f(self._window, *window)
        width, height = self._bind("line", line)
        GL.glUniform4f(self._place, 12, window[1] - height - 12, width, height)
        GL.glDrawArrays(GL.GL_TRIANGLE_STRIP, 0, 4)
        if help_text:
            width, height = self._bind("help", help_text)
            GL.glUniform4f(self._place, (window[0] - width) // 2, (window[1] - height) // 2, width, height)
            GL.glDrawArrays(GL.GL_TRIANGLE_STRIP, 0, 4)
        GL.glDisable(GL.GL_BLEND)

    def _bind(self, slot: str, text: str) -> tuple[int, int]:
        """Make the texture of ``text`` current, painting it if the slot held another, and return its size."""
        known, texture, size = self._labels.get(slot, ("", 0, (0, 0)))
        if texture and known == text:
            GL.glBindTexture(GL.GL_TEXTURE_2D, texture)
            return size
        plate = paint(self._font, text)
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
    step = font.get_linesize() + (3 if len(rows) > 1 else 0)
    plate = pygame.Surface((width + 2 * PADDING, step * len(rows) + 2 * PADDING - 4), pygame.SRCALPHA)
    pygame.draw.rect(plate, PLATE, plate.get_rect(), border_radius=PADDING)
    for index, row in enumerate(rows):
        for column, cell in enumerate(row):
            plate.blit(cell, (PADDING + column * second, PADDING - 2 + index * step))
    return plate
