"""Skinned meshes, drawn many times in one call."""

from __future__ import annotations

import ctypes

import numpy as np
from OpenGL import GL

from controller.body.mesh import Level
from controller.body.own import TexturedLevel

UNIT = 1
"""The texture unit of the joints' transforms; unit 0 has the shadow map."""


class Bones:
    """The transforms (3, 4) from the bound pose to the world of the ``joints`` joints of each of N
    characters, in a buffer that vertex shaders read as a texture. Needs a current OpenGL
    context."""

    def __init__(self, joints: int) -> None:
        self.joints = joints
        self.characters = 0
        self._rows = GL.glGenBuffers(1)
        GL.glBindBuffer(GL.GL_TEXTURE_BUFFER, self._rows)
        GL.glBufferData(GL.GL_TEXTURE_BUFFER, 48 * joints, None, GL.GL_STREAM_DRAW)
        self._texture = GL.glGenTextures(1)
        GL.glBindTexture(GL.GL_TEXTURE_BUFFER, self._texture)
        GL.glTexBuffer(GL.GL_TEXTURE_BUFFER, GL.GL_RGBA32F, self._rows)

    def send(self, rows: np.ndarray) -> None:
        """Use these transforms (N·J, 3, 4) of float32 from now on."""
        self.characters = len(rows) // self.joints
        if self.characters:
            GL.glBindBuffer(GL.GL_TEXTURE_BUFFER, self._rows)
            GL.glBufferData(GL.GL_TEXTURE_BUFFER, rows.nbytes, rows, GL.GL_STREAM_DRAW)

    def bind(self) -> None:
        """Let the shaders read these transforms."""
        GL.glActiveTexture(GL.GL_TEXTURE0 + UNIT)
        GL.glBindTexture(GL.GL_TEXTURE_BUFFER, self._texture)
        GL.glActiveTexture(GL.GL_TEXTURE0)

    def delete(self) -> None:
        """Free the graphics memory."""
        GL.glDeleteTextures(1, [self._texture])
        GL.glDeleteBuffers(1, [self._rows])


class Skins:
    """One level of a skinned body, once for each character that has its ``bones`` there.

    Has the methods of :class:`controller.viewer.gl.instances.Instances`; a row is a transform of
    the bones. Needs a current OpenGL context.
    """

    def __init__(self, level: Level, bones: Bones) -> None:
        self.bones = bones
        self._array = GL.glGenVertexArrays(1)
        GL.glBindVertexArray(self._array)
        vertices = _vertices(level)
        corners = GL.glGenBuffers(1)
        GL.glBindBuffer(GL.GL_ARRAY_BUFFER, corners)
        GL.glBufferData(GL.GL_ARRAY_BUFFER, vertices.nbytes, vertices, GL.GL_STATIC_DRAW)
        _attributes(vertices.dtype)

        elements = GL.glGenBuffers(1)
        triangles = np.ascontiguousarray(level.triangles, np.uint32)
        GL.glBindBuffer(GL.GL_ELEMENT_ARRAY_BUFFER, elements)
        GL.glBufferData(GL.GL_ELEMENT_ARRAY_BUFFER, triangles.nbytes, triangles, GL.GL_STATIC_DRAW)
        self._triangles = len(triangles)
        self._buffers = [corners, elements]

    def send(self, rows: np.ndarray) -> None:
        """Draw characters with these transforms (N·J, 3, 4) of float32 from now on."""
        self.bones.send(rows)

    def draw(self) -> None:
        """Draw all characters with the program in use."""
        if self.bones.characters:
            self.bones.bind()
            GL.glBindVertexArray(self._array)
            self._draw_triangles(0, self._triangles)

    def _draw_triangles(self, start: int, end: int) -> None:
        """Draw some triangles of all characters."""
        GL.glDrawElementsInstanced(
            GL.GL_TRIANGLES,
            3 * (end - start),
            GL.GL_UNSIGNED_INT,
            ctypes.c_void_p(12 * start),
            self.bones.characters,
        )

    def delete(self) -> None:
        """Free the graphics memory, except the bones'."""
        GL.glDeleteVertexArrays(1, [self._array])
        GL.glDeleteBuffers(len(self._buffers), self._buffers)


def _vertices(level: Level) -> np.ndarray:
    """The vertices of a level as rows of the fields that ``skin.glsl`` reads, in its order."""
    layout = [
        ("position", np.float32, 3),
        ("normal", np.float32, 3),
        ("joints", np.uint16, 4),
        ("weights", np.uint8, 4),
        ("colours", np.uint8, 4),
        *([("uvs", np.float32, 2)] if isinstance(level, TexturedLevel) else []),
    ]
    vertices = np.zeros(len(level.positions), dtype=layout)
    vertices["position"] = level.positions
    vertices["normal"] = level.normals
    order = np.argsort(level.weights, axis=1, kind="stable")[:, ::-1]
    vertices["joints"] = np.take_along_axis(level.joints, order, axis=1)
    vertices["weights"] = np.take_along_axis(level.weights, order, axis=1)
    vertices["colours"] = level.colours
    if isinstance(level, TexturedLevel):
        vertices["uvs"] = level.uvs
    return vertices


def _attributes(layout: np.dtype) -> None:
    """Describe the bound buffer's rows to the bound vertex array, field by field."""
    kinds = {"f": GL.GL_FLOAT, "u2": GL.GL_UNSIGNED_SHORT, "u1": GL.GL_UNSIGNED_BYTE}
    for location, name in enumerate(layout.names or ()):
        field, start = layout.fields[name][:2]  # type: ignore[index]
        base = field.base
        kind = kinds["f" if base.kind == "f" else f"u{base.itemsize}"]
        size = field.shape[0]
        place = ctypes.c_void_p(start)
        GL.glEnableVertexAttribArray(location)
        if name == "joints":
            GL.glVertexAttribIPointer(location, size, kind, layout.itemsize, place)
        else:
            normalised = base.kind == "u"
            GL.glVertexAttribPointer(location, size, kind, normalised, layout.itemsize, place)
