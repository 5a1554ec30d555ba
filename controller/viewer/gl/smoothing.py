"""Smooth edges without several samples per pixel, in a part of the picture."""

from __future__ import annotations

import math

import numpy as np
from OpenGL import GL

from controller.viewer.gl.program import Program

UNIT = 4
"""The texture unit of the picture. 0 has the shadow map, 1 transforms, 2 heights, 3 pictures."""
BORDER = 4
"""Pixels to each side at which a pixel looks."""
Rectangle = tuple[int, int, int, int]
"""Left, bottom, width and height in pixels."""


class Smoothing:
    """Smooths the bound framebuffer of this ``size`` where brightness has an edge
    (``smooth.frag``). Needs a current OpenGL context."""

    def __init__(self, size: tuple[int, int]) -> None:
        self.size = size
        self._program = Program(("smooth.vert",), ("smooth.frag",), {})
        self._program.use()
        GL.glUniform1i(self._program.uniform("picture"), UNIT)
        self._empty = GL.glGenVertexArrays(1)
        self._texture = GL.glGenTextures(1)
        self._bind()
        layout = (GL.GL_RGBA, GL.GL_UNSIGNED_BYTE, None)
        GL.glTexImage2D(GL.GL_TEXTURE_2D, 0, GL.GL_RGBA8, *size, 0, *layout)
        for name, value in (
            (GL.GL_TEXTURE_MIN_FILTER, GL.GL_LINEAR),
            (GL.GL_TEXTURE_MAG_FILTER, GL.GL_LINEAR),
            (GL.GL_TEXTURE_WRAP_S, GL.GL_CLAMP_TO_EDGE),
            (GL.GL_TEXTURE_WRAP_T, GL.GL_CLAMP_TO_EDGE),
        ):
            GL.glTexParameteri(GL.GL_TEXTURE_2D, name, value)
        GL.glActiveTexture(GL.GL_TEXTURE0)

    def _bind(self) -> None:
        """Make the texture the one that is written to."""
        GL.glActiveTexture(GL.GL_TEXTURE0 + UNIT)
        GL.glBindTexture(GL.GL_TEXTURE_2D, self._texture)

    def apply(self, part: Rectangle) -> None:
        """Smooth this part of the bound framebuffer. The depth test is off afterwards."""
        left, bottom, width, height = part
        if width <= 0 or height <= 0:
            return
        self._bind()
        GL.glCopyTexSubImage2D(GL.GL_TEXTURE_2D, 0, left, bottom, left, bottom, width, height)
        GL.glActiveTexture(GL.GL_TEXTURE0)
        GL.glDisable(GL.GL_DEPTH_TEST)
        GL.glEnable(GL.GL_SCISSOR_TEST)
        # What is around the part is older: pixels that would look there stay as they are.
        inner = max(width - 2 * BORDER, 0), max(height - 2 * BORDER, 0)
        GL.glScissor(left + BORDER, bottom + BORDER, *inner)
        self._program.use()
        GL.glBindVertexArray(self._empty)
        GL.glDrawArrays(GL.GL_TRIANGLES, 0, 3)
        GL.glDisable(GL.GL_SCISSOR_TEST)

    def delete(self) -> None:
        """Free the graphics memory."""
        GL.glDeleteTextures(1, [self._texture])
        GL.glDeleteVertexArrays(1, [self._empty])
        GL.glDeleteProgram(self._program.handle)


def around(points: np.ndarray, matrix: np.ndarray, size: tuple[int, int], by: float) -> Rectangle:
    """The part of a picture of this ``size`` that shows points (N, 3) and ``by`` m around them,
    for the camera's ``matrix`` (4, 4); all of it if one of them is not in front of the camera."""
    whole = (0, 0, *size)
    if not len(points):
        return 0, 0, 0, 0
    clip = np.c_[points, np.ones(len(points))] @ matrix.T
    depth = clip[:, 3]
    if float(depth.min()) < by:
        return whole
    reach = by * np.sqrt((matrix[:2, :3] ** 2).sum(axis=1)) / depth[:, None]
    places = clip[:, :2] / depth[:, None]
    ends = (places - reach).min(axis=0), (places + reach).max(axis=0)
    left, bottom = (
        min(max(math.floor((end + 1) / 2 * side), 0), side)
        for end, side in zip(ends[0], size, strict=True)
    )
    right, top = (
        min(max(math.ceil((end + 1) / 2 * side), 0), side)
        for end, side in zip(ends[1], size, strict=True)
    )
    return left, bottom, right - left, top - bottom
