"""One shape drawn many times in one call."""

from __future__ import annotations

import ctypes

import numpy as np
from OpenGL import GL

from controller.viewer.gl.capsule import capsule


class Instances:
    """A vertex array with rows of floats that belong to an instance each, sent anew for every
    picture.

    ``layout`` gives (location, floats) of a row's attributes. Needs a current OpenGL context.
    """

    def __init__(self, layout: tuple[tuple[int, int], ...]) -> None:
        self.count = 0
        self._array = GL.glGenVertexArrays(1)
        GL.glBindVertexArray(self._array)
        self._rows = attributes(layout, per_instance=True)

    def send(self, rows: np.ndarray) -> None:
        """Have the rows (N, …) of float32 drawn from now on."""
        self.count = len(rows)
        if self.count:
            GL.glBindBuffer(GL.GL_ARRAY_BUFFER, self._rows)
            GL.glBufferData(GL.GL_ARRAY_BUFFER, rows.nbytes, rows, GL.GL_STREAM_DRAW)

    def draw(self) -> None:
        """Draw a rectangle for each row, whose corners the shader makes."""
        if self.count:
            GL.glBindVertexArray(self._array)
            GL.glDrawArraysInstanced(GL.GL_TRIANGLE_STRIP, 0, 4, self.count)


class Capsules(Instances):
    """Rounded cones as ``capsule.glsl`` reads them: rows are part → world, (3, 4).

    ``looks`` (P, 8) are the P parts of one thing: shape, colour and cuff of a :class:`Body`. Rows
    come thing by thing.
    """

    def __init__(self, looks: np.ndarray, segments: int) -> None:
        super().__init__(((1, 4), (2, 4), (3, 4)))
        self._one = looks
        self._known = 0
        self._looks = attributes(((4, 4), (5, 4)), per_instance=True, floats=looks.shape[1])
        vertices, triangles = capsule(segments, max(segments // 4, 1))
        attributes(((0, 4),), per_instance=False)
        GL.glBufferData(GL.GL_ARRAY_BUFFER, vertices.nbytes, vertices, GL.GL_STATIC_DRAW)
        elements = GL.glGenBuffers(1)
        GL.glBindBuffer(GL.GL_ELEMENT_ARRAY_BUFFER, elements)
        GL.glBufferData(GL.GL_ELEMENT_ARRAY_BUFFER, triangles.nbytes, triangles, GL.GL_STATIC_DRAW)
        self._corners = triangles.size

    def send(self, rows: np.ndarray) -> None:
        super().send(rows)
        if self.count > self._known:  # more things than ever before
            looks = np.tile(self._one, (self.count // len(self._one), 1)).astype(np.float32)
            GL.glBindBuffer(GL.GL_ARRAY_BUFFER, self._looks)
            GL.glBufferData(GL.GL_ARRAY_BUFFER, looks.nbytes, looks, GL.GL_STATIC_DRAW)
            self._known = self.count

    def draw(self) -> None:
        if self.count:
            GL.glBindVertexArray(self._array)
            GL.glDrawElementsInstanced(
                GL.GL_TRIANGLES, self._corners, GL.GL_UNSIGNED_SHORT, None, self.count
            )


def attributes(layout: tuple[tuple[int, int], ...], *, per_instance: bool, floats: int = 0) -> int:
    """A buffer of float rows, of as many ``floats`` as ``layout`` names unless given, as attributes
    of the vertex array that is bound; returns the buffer, which stays bound."""
    buffer = GL.glGenBuffers(1)
    GL.glBindBuffer(GL.GL_ARRAY_BUFFER, buffer)
    stride = 4 * (floats or sum(size for _, size in layout))
    start = 0
    for location, size in layout:
        GL.glEnableVertexAttribArray(location)
        GL.glVertexAttribPointer(location, size, GL.GL_FLOAT, False, stride, ctypes.c_void_p(start))
        GL.glVertexAttribDivisor(location, int(per_instance))
        start += 4 * size
    return buffer
