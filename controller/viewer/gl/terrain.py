"""Ground that is not flat: a mesh around the camera, in the look of the flat one."""

from __future__ import annotations

import ctypes
import math

import numpy as np
from OpenGL import GL

from controller.ground.ground import Ground
from controller.viewer.gl.instances import Instances
from controller.viewer.gl.program import Program

UNIT = 2
"""The texture unit of the heights; 0 has the shadow map and 1 the joints' transforms."""
FINEST = 0.1
"""m: lines of the mesh are no nearer, except at edges."""
BANDS = ((6.0, 1), (14.0, 4), (40.0, 16), (160.0, 64))
"""Metres from the camera's aim up to which the mesh has every so many-th line."""
EDGES = 0.25
"""If the table bends at fewer of its places than this share, the mesh has lines only there."""
EDGES_WITHIN = 30.0
"""m within which it has them."""
MOVED = 1.0
"""m by which the aim moves before the mesh is made again."""
PARTS = 12
"""Parts of a mark along each side: they go with the ground."""


class Terrain:
    """A ground in graphics memory. Needs a current OpenGL context.

    ``constants`` are those of the flat ground's shaders and of marks.
    """

    def __init__(self, ground: Ground, constants: dict[str, float]) -> None:
        self.ground = ground
        constants = constants | {"TERRAIN": 1, "PARTS": PARTS}
        surface = ("shadow.glsl", "floor.glsl", "terrain.glsl", "terrain.frag")
        self._surface = Program(("terrain.vert",), surface, constants)
        sky = ("shadow.glsl", "floor.glsl", "ground.frag")
        self._sky = Program(("ground.vert",), sky, constants | {"NEAR": 0})
        mark = ("terrain.glsl", "mark.vert"), ("shadow.glsl", "mark.frag")
        self._mark = Program(*mark, constants)
        self._make_texture()
        for program in (self._surface, self._mark):
            program.use()
            GL.glUniform1i(program.uniform("heights"), UNIT)
            scale = [1 / side for side in ground.size]
            GL.glUniform4f(program.uniform("table"), *ground.corner, *scale)
        self._empty, self._array = (GL.glGenVertexArrays(1) for _ in range(2))
        self._places, self._triangles = (GL.glGenBuffers(1) for _ in range(2))
        self._lines = _bends(ground, 0), _bends(ground, 1)
        self._aim: np.ndarray | None = None
        self._corners = 0

    def _make_texture(self) -> None:
        heights = self.ground.heights.astype(np.float32)
        self._texture = GL.glGenTextures(1)
        GL.glActiveTexture(GL.GL_TEXTURE0 + UNIT)
        GL.glBindTexture(GL.GL_TEXTURE_2D, self._texture)
        layout = (GL.GL_RED, GL.GL_FLOAT, heights)
        rows, columns = heights.shape
        GL.glTexImage2D(GL.GL_TEXTURE_2D, 0, GL.GL_R32F, columns, rows, 0, *layout)
        for name, value in (
            (GL.GL_TEXTURE_MIN_FILTER, GL.GL_LINEAR),
            (GL.GL_TEXTURE_MAG_FILTER, GL.GL_LINEAR),
            (GL.GL_TEXTURE_WRAP_S, GL.GL_REPEAT),
            (GL.GL_TEXTURE_WRAP_T, GL.GL_REPEAT),
        ):
            GL.glTexParameteri(GL.GL_TEXTURE_2D, name, value)
        GL.glActiveTexture(GL.GL_TEXTURE0)

    def look_at(self, aim: np.ndarray) -> None:
        """Have the finest part of the mesh around this point (3,)."""
        place = aim[[0, 2]]
        if self._aim is not None and float(np.abs(place - self._aim).max()) < MOVED:
            return
        self._aim = place
        x, z = (_lines(self.ground, axis, place[axis], self._lines[axis]) for axis in (0, 1))
        places = np.empty((len(x), len(z), 3), np.float32)
        places[..., 0] = x[:, None]
        places[..., 1] = self.ground.height(x[:, None], z[None, :])
        places[..., 2] = z[None, :]
        first = (np.arange(len(x) - 1)[:, None] * len(z) + np.arange(len(z) - 1)).reshape(-1, 1)
        across = first + len(z)
        triangles = np.hstack((first, first + 1, across, across, first + 1, across + 1))
        triangles = triangles.astype(np.uint32)

        GL.glBindVertexArray(self._array)
        GL.glBindBuffer(GL.GL_ARRAY_BUFFER, self._places)
        GL.glBufferData(GL.GL_ARRAY_BUFFER, places.nbytes, places, GL.GL_DYNAMIC_DRAW)
        GL.glEnableVertexAttribArray(0)
        GL.glVertexAttribPointer(0, 3, GL.GL_FLOAT, False, 12, ctypes.c_void_p(0))
        GL.glBindBuffer(GL.GL_ELEMENT_ARRAY_BUFFER, self._triangles)
        GL.glBufferData(GL.GL_ELEMENT_ARRAY_BUFFER, triangles.nbytes, triangles, GL.GL_DYNAMIC_DRAW)
        self._corners = triangles.size

    def draw(self) -> None:
        """Draw the ground, and the sky behind everything."""
        GL.glBindVertexArray(self._array)
        self._surface.use()
        GL.glDrawElements(GL.GL_TRIANGLES, self._corners, GL.GL_UNSIGNED_INT, None)
        GL.glDepthFunc(GL.GL_LEQUAL)
        GL.glDepthMask(False)
        GL.glBindVertexArray(self._empty)
        self._sky.use()
        GL.glDrawArrays(GL.GL_TRIANGLES, 0, 3)

    def use_marks(self) -> None:
        """Draw marks from now on."""
        self._mark.use()

    @staticmethod
    def draw_marks(marks: Instances) -> None:
        """Draw marks, in parts that lie on the ground."""
        marks.draw_parts(6 * PARTS * PARTS)

    def delete(self) -> None:
        """Free the graphics memory."""
        GL.glDeleteTextures(1, [self._texture])
        GL.glDeleteVertexArrays(2, [self._empty, self._array])
        GL.glDeleteBuffers(2, [self._places, self._triangles])
        for program in (self._surface, self._sky, self._mark):
            GL.glDeleteProgram(program.handle)


def _bends(ground: Ground, axis: int) -> np.ndarray | None:
    """The places along x (0) or z (1) at which the ground bends; None if it does at many."""
    heights = ground.heights
    bend = np.roll(heights, 1, axis) - 2 * heights + np.roll(heights, -1, axis)
    places = np.flatnonzero(np.abs(bend).max(axis=1 - axis) > 1e-9)
    return places if len(places) < EDGES * heights.shape[axis] else None


def _lines(ground: Ground, axis: int, middle: float, bends: np.ndarray | None) -> np.ndarray:
    """Where the lines of the mesh lie along x (0) or z (1): the same in the world wherever the
    camera is, so that nothing swims."""
    cell = ground.cells[axis]
    corner = ground.corner[axis]
    count = ground.heights.shape[axis]
    every = max(math.ceil(FINEST / cell), 1)
    places = []
    for within, share in BANDS:
        step = every * share
        low = math.floor((middle - within - corner) / cell / step)
        high = math.ceil((middle + within - corner) / cell / step)
        places.append(step * np.arange(low, high + 1))
    if bends is not None:
        low = math.floor((middle - EDGES_WITHIN - corner) / cell / count)
        high = math.ceil((middle + EDGES_WITHIN - corner) / cell / count)
        every_tile = (count * np.arange(low, high + 1)[:, None] + bends[None, :]).ravel()
        near = np.abs(every_tile * cell + corner - middle) < EDGES_WITHIN
        places = [every_tile[near], places[-1]]
    return corner + cell * np.unique(np.concatenate(places))
