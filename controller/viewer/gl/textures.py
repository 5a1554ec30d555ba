"""Textured skinned meshes, drawn many times in one call for each texture."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from OpenGL import GL

from controller.body.own import TexturedLevel
from controller.viewer.gl.skin import Bones, Skins

UNIT = 3
"""The texture unit of the pictures; 2 has the heights of the ground."""
WHITE = np.full((1, 1, 4), 255, np.uint8)


class Textures:
    """Pictures (H, W, 4) uint8 of sRGB and alpha in graphics memory, the first of which is white.
    Needs a current OpenGL context."""

    def __init__(self, pictures: Sequence[np.ndarray]) -> None:
        self._names = [_texture(picture) for picture in (WHITE, *pictures)]
        self._bound: int | None = None

    def bind(self, number: int) -> None:
        """Let the shaders read a picture; −1 is white."""
        if number != self._bound:
            GL.glActiveTexture(GL.GL_TEXTURE0 + UNIT)
            GL.glBindTexture(GL.GL_TEXTURE_2D, self._names[number + 1])
            GL.glActiveTexture(GL.GL_TEXTURE0)
            self._bound = number

    def delete(self) -> None:
        """Free the graphics memory."""
        GL.glDeleteTextures(len(self._names), self._names)


class TexturedSkins(Skins):
    """One level of a textured body, as :class:`Skins`."""

    def __init__(self, level: TexturedLevel, bones: Bones, textures: Textures) -> None:
        super().__init__(level, bones)
        self._runs = level.runs
        self._textures = textures

    def draw(self) -> None:
        """Draw all characters with the program in use."""
        if not self.bones.characters:
            return
        self.bones.bind()
        GL.glBindVertexArray(self._array)
        for run in self._runs:
            self._textures.bind(run.picture)
            if run.double:
                GL.glDisable(GL.GL_CULL_FACE)
            self._draw_triangles(run.start, run.end)
            if run.double:
                GL.glEnable(GL.GL_CULL_FACE)


def _texture(picture: np.ndarray) -> int:
    height, width = picture.shape[:2]
    name: int = GL.glGenTextures(1)
    GL.glBindTexture(GL.GL_TEXTURE_2D, name)
    GL.glPixelStorei(GL.GL_UNPACK_ALIGNMENT, 1)
    layout = (GL.GL_RGBA, GL.GL_UNSIGNED_BYTE, np.ascontiguousarray(picture))
    GL.glTexImage2D(GL.GL_TEXTURE_2D, 0, GL.GL_SRGB8_ALPHA8, width, height, 0, *layout)
    GL.glGenerateMipmap(GL.GL_TEXTURE_2D)
    for key, value in (
        (GL.GL_TEXTURE_MIN_FILTER, GL.GL_LINEAR_MIPMAP_NEAREST),
        (GL.GL_TEXTURE_MAG_FILTER, GL.GL_LINEAR),
        (GL.GL_TEXTURE_WRAP_S, GL.GL_REPEAT),
        (GL.GL_TEXTURE_WRAP_T, GL.GL_REPEAT),
    ):
        GL.glTexParameteri(GL.GL_TEXTURE_2D, key, value)
    return name
