"""Text over the picture, and a panel of sliders."""

from __future__ import annotations

import pygame
from OpenGL import GL

from controller.viewer.gl.program import Program
from controller.viewer.scene.panel import Panel
from controller.viewer.scene.sliders import Sliders
from controller.viewer.scene.texts import Texts

# sRGB; the plate lets the picture through
INK = (236, 240, 244)
PLATE = (18, 24, 32, 165)
# pixels, the latter painted at twice the size
MARGIN = 12
PADDING = 18


class Hud:
    """Needs a current OpenGL context. Text becomes a texture once and is drawn from that until it
    changes."""

    def __init__(self, text_height: int = 19) -> None:
        self._font = pygame.font.Font(None, 2 * text_height)
        self._large = pygame.font.Font(None, 4 * text_height)
        self._small = pygame.font.Font(None, 16)
        self._program = Program(("hud.vert",), ("hud.frag",), {})
        self._place = self._program.uniform("place")
        self._window = self._program.uniform("window")
        self._empty = GL.glGenVertexArrays(
            1
        )  # the shader makes the corners, yet core OpenGL wants an array bound
        self._labels: dict[str, tuple[str, int, tuple[int, int]]] = {}
        self._panel: Panel | None = None

    def panel(self, sliders: Sliders) -> Panel:
        """The panel that these sliders are shown in."""
        if self._panel is None or self._panel.sliders is not sliders:
            self._panel = Panel(sliders, self._small)
        return self._panel

    def draw(self, window: tuple[int, int], texts: Texts) -> None:
        """Draw the texts over a window of that size."""
        self._program.use()
        GL.glBindVertexArray(self._empty)
        GL.glDisable(GL.GL_DEPTH_TEST)
        GL.glEnable(GL.GL_BLEND)
        GL.glBlendFunc(GL.GL_SRC_ALPHA, GL.GL_ONE_MINUS_SRC_ALPHA)
        GL.glUniform2f(self._window, *window)
        width, height = self._fit("line", texts.line, window)
        self._draw(MARGIN, window[1] - height - MARGIN, width, height)
        if texts.title:
            self._draw(
                MARGIN,
                MARGIN,
                *self._fit("title", texts.title, window, 0.5 if texts.sliders else 1.0),
            )
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
        GL.glUniform4f(self._place, *place)
        GL.glDrawArrays(GL.GL_TRIANGLE_STRIP, 0, 4)

    def _fit(
        self, slot: str, text: str, window: tuple[int, int], share: float = 1.0
    ) -> tuple[int, int]:
        """Bind a text and return its size, smaller than painted if that ``share`` of the window is
        too narrow."""
        width, height = self._bind(slot, text)
        scale = min(
            1.0, (share * window[0] - 2 * MARGIN) / width, (window[1] - 2 * MARGIN) / height
        )
        return round(width * scale), round(height * scale)

    def _bind(self, slot: str, text: str) -> tuple[int, int]:
        """Make the texture of ``text`` current, painting it if the slot held another, and return
        its size."""
        known, texture, size = self._labels.get(slot, ("", 0, (0, 0)))
        if texture and known == text:
            GL.glBindTexture(GL.GL_TEXTURE_2D, texture)
            return size
        painted = paint(self._large if slot == "clock" else self._font, text)
        return self._texture(
            slot, text, pygame.transform.smoothscale_by(painted, 0.5)
        )  # letters sit better

    def _texture(self, slot: str, text: str, plate: pygame.Surface) -> tuple[int, int]:
        """Make a picture the texture of a slot, and current; returns its size."""
        texture = self._labels[slot][1] if slot in self._labels else GL.glGenTextures(1)
        GL.glBindTexture(GL.GL_TEXTURE_2D, texture)
        for name in (GL.GL_TEXTURE_MIN_FILTER, GL.GL_TEXTURE_MAG_FILTER):
            GL.glTexParameteri(GL.GL_TEXTURE_2D, name, GL.GL_LINEAR)
        pixels = pygame.image.tobytes(plate, "RGBA")
        GL.glTexImage2D(
            GL.GL_TEXTURE_2D,
            0,
            GL.GL_RGBA8,
            *plate.get_size(),
            0,
            GL.GL_RGBA,
            GL.GL_UNSIGNED_BYTE,
            pixels,
        )
        self._labels[slot] = text, texture, plate.get_size()
        return plate.get_size()


def paint(font: pygame.font.Font, text: str) -> pygame.Surface:
    """Lines of text on a dark, rounded plate; a tab in a line starts its second column."""
    rows = [
        [font.render(cell, True, INK) for cell in line.split("\t")] for line in text.split("\n")
    ]
    second = max((row[0].get_width() for row in rows if len(row) > 1), default=0) + 2 * PADDING
    width = max(second + row[1].get_width() if len(row) > 1 else row[0].get_width() for row in rows)
    step = font.get_linesize() + (8 if len(rows) > 1 else 0)
    plate = pygame.Surface(
        (width + 2 * PADDING, step * len(rows) + 2 * PADDING - 8), pygame.SRCALPHA
    )
    pygame.draw.rect(plate, PLATE, plate.get_rect(), border_radius=PADDING)
    for index, row in enumerate(rows):
        for column, cell in enumerate(row):
            plate.blit(cell, (PADDING + column * second, PADDING - 4 + index * step))
    return plate
