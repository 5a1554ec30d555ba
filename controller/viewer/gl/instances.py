"""Instances: one shape, drawn many times in one call."""

from __future__ import annotations

import ctypes

import numpy as np
from OpenGL import GL

from controller.viewer.gl.capsule import capsule


class Instances:
    """Rectangles whose corners the vertex shader computes, each from one row of floats.

    The rows are sent again for every picture. ``layout`` lists (location, number of floats) of a
    row's attributes. Needs a current OpenGL context.
    """

    def __init__(self, layout: tuple[tuple[int, int], ...]) -> None:
        self.count = 0
        self._array = GL.glGenVertexArrays(1)
        GL.glBindVertexArray(self._array)
        self._rows = attributes(layout, per_instance=True)
        self._buffers = [self._rows]

    def send(self, rows: np.ndarray) -> None:
        """Draw these rows (N, …) of float32 from now on."""
        self.count = len(rows)
        if self.count:
            GL.glBindBuffer(GL.GL_ARRAY_BUFFER, self._rows)
            GL.glBufferData(GL.GL_ARRAY_BUFFER, rows.nbytes, rows, GL.GL_STREAM_DRAW)

    def delete(self) -> None:
        """Free the graphics memory."""
        GL.glDeleteVertexArrays(1, [self._array])
        GL.glDeleteBuffers(len(self._buffers), self._buffers)

    def draw(self) -> None:
        """Draw one instance for each row."""
        if self.count:
            GL.glBindVertexArray(self._array)
            GL.glDrawArraysInstanced(GL.GL_TRIANGLE_STRIP, 0, 4, self.count)

    def draw_parts(self, corners: int) -> None:
        """Draw one instance for each row, as triangles with so many corners in all."""
        if self.count:
            GL.glBindVertexArray(self._array)
            GL.glDrawArraysInstanced(GL.GL_TRIANGLES, 0, corners, self.count)


class Capsules(Instances):
    """Rounded cones as ``capsule.glsl`` reads them. A row is a part → world transform (3, 4).

    ``looks`` (P, 8) are the shapes, colours and cuffs of the P parts of one object, such as a
    :class:`Body`. The rows of an object follow one another, in the order of its parts.
    """

    def __init__(self, looks: np.ndarray, segments: int) -> None:
        super().__init__(((1, 4), (2, 4), (3, 4)))
        self._looks = looks
        self._capacity = 0  # rows for which the buffer of looks suffices
        self._looks_buffer = attributes(((4, 4), (5, 4)), per_instance=True)

        vertices, triangles = capsule(segments, max(segments // 4, 1))
        corners = attributes(((0, 4),), per_instance=False)
        GL.glBufferData(GL.GL_ARRAY_BUFFER, vertices.nbytes, vertices, GL.GL_STATIC_DRAW)
        elements = GL.glGenBuffers(1)
        GL.glBindBuffer(GL.GL_ELEMENT_ARRAY_BUFFER, elements)
        GL.glBufferData(GL.GL_ELEMENT_ARRAY_BUFFER, triangles.nbytes, triangles, GL.GL_STATIC_DRAW)
        self._corners = triangles.size
        self._buffers += [self._looks_buffer, corners, elements]

    def send(self, rows: np.ndarray) -> None:
        """Draw these transforms (N, 3, 4) of float32 from now on."""
        super().send(rows)
        if self.count > self._capacity:
            objects = self.count // len(self._looks)
            looks = np.tile(self._looks, (objects, 1)).astype(np.float32)
            GL.glBindBuffer(GL.GL_ARRAY_BUFFER, self._looks_buffer)
            GL.glBufferData(GL.GL_ARRAY_BUFFER, looks.nbytes, looks, GL.GL_STATIC_DRAW)
            self._capacity = self.count

    def draw(self) -> None:
        """Draw one instance for each row."""
        if self.count:
            GL.glBindVertexArray(self._array)
            GL.glDrawElementsInstanced(
                GL.GL_TRIANGLES, self._corners, GL.GL_UNSIGNED_SHORT, None, self.count
            )


def attributes(layout: tuple[tuple[int, int], ...], *, per_instance: bool) -> int:
    """Make a buffer of float rows, with attributes as ``layout`` lists them.

    The attributes belong to the bound vertex array. Returns the buffer, which stays bound.
    """
    buffer = GL.glGenBuffers(1)
    GL.glBindBuffer(GL.GL_ARRAY_BUFFER, buffer)
    stride = 4 * sum(size for _, size in layout)  # bytes
    start = 0
    for location, size in layout:
        GL.glEnableVertexAttribArray(location)
        GL.glVertexAttribPointer(location, size, GL.GL_FLOAT, False, stride, ctypes.c_void_p(start))
        GL.glVertexAttribDivisor(location, int(per_instance))
        start += 4 * size
    return buffer
