"""A picture of its own size, drawn large over the right of the window's."""

from __future__ import annotations

import numpy as np
from OpenGL import GL

WIDTH = 0.38
HEIGHT = 0.8
"""The part of the window's sides that it may fill: the character stays visible in the middle."""
FRAME = 225
"""Grey of the line around it, one of its own pixels wide."""
MARGIN = 8
"""Pixels to the window's edge."""


def place(picture: tuple[int, int], window: tuple[int, int]) -> tuple[int, int, int, int]:
    """Left, bottom, right and top in pixels, from the lower left corner, of a picture with such
    sides (width, height) at the right of a window."""
    scale = min(WIDTH * window[0] / picture[0], HEIGHT * window[1] / picture[1])
    width, height = (max(1, round(scale * side)) for side in picture)
    right = max(width, window[0] - MARGIN)
    bottom = (window[1] - height) // 2
    return right - width, bottom, right, bottom + height


class Inset:
    """Draws a picture (height, width, 3) uint8 over what was drawn last. Needs OpenGL."""

    def __init__(self) -> None:
        self._texture = GL.glGenTextures(1)
        self._framebuffer = GL.glGenFramebuffers(1)

    def draw(self, picture: np.ndarray, window: tuple[int, int]) -> None:
        """Draw it into the framebuffer that is bound, whose size (width, height) is ``window``."""
        target = GL.glGetIntegerv(GL.GL_DRAW_FRAMEBUFFER_BINDING)
        framed = np.pad(picture, ((1, 1), (1, 1), (0, 0)), constant_values=FRAME)
        height, width = framed.shape[:2]
        rows = np.ascontiguousarray(framed[::-1])  # OpenGL begins below
        bound = GL.glGetIntegerv(GL.GL_TEXTURE_BINDING_2D)
        GL.glBindTexture(GL.GL_TEXTURE_2D, self._texture)
        GL.glPixelStorei(GL.GL_UNPACK_ALIGNMENT, 1)
        GL.glTexImage2D(
            GL.GL_TEXTURE_2D, 0, GL.GL_RGBA8, width, height, 0, GL.GL_RGB, GL.GL_UNSIGNED_BYTE, rows
        )
        GL.glBindTexture(GL.GL_TEXTURE_2D, bound)
        GL.glBindFramebuffer(GL.GL_READ_FRAMEBUFFER, self._framebuffer)
        GL.glFramebufferTexture2D(
            GL.GL_READ_FRAMEBUFFER, GL.GL_COLOR_ATTACHMENT0, GL.GL_TEXTURE_2D, self._texture, 0
        )
        where = place((width, height), window)
        GL.glBlitFramebuffer(0, 0, width, height, *where, GL.GL_COLOR_BUFFER_BIT, GL.GL_NEAREST)
        GL.glBindFramebuffer(GL.GL_FRAMEBUFFER, target)
