"""Draws a scene: the body, its shadow, the ground and the marks on it."""

from __future__ import annotations

import ctypes
import math

import numpy as np
from OpenGL import GL

from controller.errors import DisplayError
from controller.skeleton import Skeleton, forward_kinematics
from controller.viewer import anatomy, sun
from controller.viewer import quality as qualities
from controller.viewer.body import Body
from controller.viewer.camera import FollowCamera
from controller.viewer.capsule import capsule
from controller.viewer.marks import MOST, ground_marks
from controller.viewer.program import FRAME_BINDING, Program
from controller.viewer.quality import Quality
from controller.viewer.scene import Scene
from controller.viewer.shadow_map import ShadowMap
from controller.viewer.target import Target

FRAME = np.dtype(
    [
        ("camera", np.float32, (4, 4)),
        ("rays", np.float32, (4, 4)),
        ("sunlight", np.float32, (4, 4)),
        ("eye", np.float32, 4),
        ("sun", np.float32, 4),
        ("shaded", np.float32, (4, 4)),
        ("soles", np.float32, (4, 4)),
        ("marks", np.float32, (MOST, 2, 4)),
    ]
)  # the block "Frame" of common.glsl


class Renderer:
    """Needs a current OpenGL 3.3 context; raises :class:`DisplayError` if it is older or cannot do what is needed."""

    def __init__(self, skeleton: Skeleton, size: tuple[int, int], quality: Quality | None = None) -> None:
        self.driver = GL.glGetString(GL.GL_RENDERER).decode()
        version = GL.glGetIntegerv(GL.GL_MAJOR_VERSION), GL.glGetIntegerv(GL.GL_MINOR_VERSION)
        if version < (3, 3):
            raise DisplayError(f"OpenGL 3.3 is needed; {self.driver} has {version[0]}.{version[1]}")
        self.quality = quality or qualities.suited_to(self.driver)
        self.skeleton = skeleton
        self.body = Body.of(skeleton)
        self.frame = np.zeros((), dtype=FRAME)
        self._shadow_map = ShadowMap(self.quality.shadow_side)
        self._soles = [joint for joint, name in enumerate(skeleton.names) if anatomy.is_foot(name)][:4]
        self._make_programs()
        self._make_buffers()
        self._targets: list[Target] = []
        self.resize(size)

    def resize(self, size: tuple[int, int]) -> None:
        """Draw pictures of ``size`` (width, height) from now on."""
        for target in self._targets:
            target.delete()
        self.size = size
        scale = min(1.0, math.sqrt(self.quality.pixels / (size[0] * size[1])))
        drawn = max(round(size[0] * scale), 1), max(round(size[1] * scale), 1)
        self._canvas = Target(drawn, self.quality.samples)
        # What cannot be read as it is, having several samples a pixel or another size, is copied to a picture first.
        as_it_is = not self.quality.samples and drawn == size
        self._picture = self._canvas if as_it_is else Target(size)
        self._targets = [self._canvas] if as_it_is else [self._canvas, self._picture]

    def draw(self, scene: Scene, camera: FollowCamera) -> None:
        """Draw the scene; :meth:`show` or :meth:`read` it afterwards."""
        marks = self._upload(scene, camera)
        GL.glEnable(GL.GL_DEPTH_TEST)
        GL.glEnable(GL.GL_CULL_FACE)
        GL.glBindVertexArray(self._vertices)
        GL.glBindTexture(GL.GL_TEXTURE_2D, self._shadow_map.texture)

        self._shadow_map.bind()
        GL.glClear(GL.GL_DEPTH_BUFFER_BIT)
        self._draw_body(self._shadow_program)

        self._canvas.bind()
        GL.glClear(GL.GL_DEPTH_BUFFER_BIT)
        GL.glEnable(GL.GL_CLIP_DISTANCE0)
        self._draw_body(self._body_program)
        GL.glDisable(GL.GL_CLIP_DISTANCE0)

        GL.glDisable(GL.GL_CULL_FACE)
        self._near_program.use()
        GL.glDrawArrays(GL.GL_TRIANGLE_STRIP, 0, 4)
        GL.glDepthFunc(GL.GL_LEQUAL)
        GL.glDepthMask(False)
        self._far_program.use()
        GL.glDrawArrays(GL.GL_TRIANGLES, 0, 3)
        GL.glEnable(GL.GL_BLEND)
        GL.glBlendFunc(GL.GL_SRC_ALPHA, GL.GL_ONE_MINUS_SRC_ALPHA)
        self._mark_program.use()
        GL.glDrawArraysInstanced(GL.GL_TRIANGLE_STRIP, 0, 4, marks)
        GL.glDepthFunc(GL.GL_GREATER)  # the body hides the arrows from a camera behind it: let them shine through
        GL.glBlendFunc(GL.GL_CONSTANT_ALPHA, GL.GL_ONE_MINUS_CONSTANT_ALPHA)
        GL.glDrawArraysInstanced(GL.GL_TRIANGLE_STRIP, 0, 4, marks)
        GL.glDisable(GL.GL_BLEND)
        GL.glDepthMask(True)
        GL.glDepthFunc(GL.GL_LESS)

    def show(self) -> None:
        """Copy what was drawn to the window, which stays bound for what is to be drawn over it."""
        source = self._canvas
        if self.quality.samples:  # samples and size cannot change in one copy, and a window's format is not ours
            self._canvas.copy_to(self._picture.handle, self.size)
            source = self._picture
        source.copy_to(0, self.size)
        GL.glBindFramebuffer(GL.GL_FRAMEBUFFER, 0)
        GL.glViewport(0, 0, *self.size)

    def read(self) -> np.ndarray:
        """What was drawn, (height, width, 3) uint8, the top row first."""
        if self._picture is not self._canvas:
            self._canvas.copy_to(self._picture.handle, self.size)
        return self._picture.read()

    def finish(self) -> None:
        """Wait until all is drawn: for measuring."""
        GL.glFinish()

    def _draw_body(self, program: Program) -> None:
        program.use()
        GL.glDrawElementsInstanced(GL.GL_TRIANGLES, self._corners, GL.GL_UNSIGNED_SHORT, None, len(self.body))

    def _upload(self, scene: Scene, camera: FollowCamera) -> int:
        """Send what changes from picture to picture; returns how many marks there are."""
        rotations = scene.pose.matrices()
        positions = forward_kinematics(self.skeleton, scene.pose.root, rotations).numpy()
        frame, width, height = self.frame, *self.size
        matrix = camera.matrix(width / height)
        frame["camera"], frame["rays"] = matrix.T, np.linalg.inv(matrix).T  # OpenGL wants columns first
        frame["sunlight"] = sun.view(positions[0]).T
        frame["eye"][:3], frame["sun"][:3] = camera.eye, sun.TOWARDS
        frame["shaded"][:, :3] = sun.shaded_ground(positions[0])
        for slot, joint in enumerate(self._soles):
            frame["soles"][slot] = *(positions[joint] + (0.0, 0.02, 0.0)), 0.055
        marks = ground_marks(scene)
        if marks:
            frame["marks"][: len(marks)] = marks

        GL.glBindBuffer(GL.GL_UNIFORM_BUFFER, self._frame_buffer)
        GL.glBufferData(GL.GL_UNIFORM_BUFFER, frame.nbytes, frame, GL.GL_STREAM_DRAW)
        placed = self.body.place(positions, rotations.numpy())
        GL.glBindBuffer(GL.GL_ARRAY_BUFFER, self._placed_buffer)
        GL.glBufferData(GL.GL_ARRAY_BUFFER, placed.nbytes, placed, GL.GL_STREAM_DRAW)
        return len(marks)

    def _make_programs(self) -> None:
        side, reach = self.quality.shadow_side, self.quality.shadow_reach
        spread = 0.02 / (2 * sun.HALF * reach)  # soft edges 2 cm to each side
        constants = {"REACH": reach, "GROUND_BLUR": spread, "BODY_BLUR": max(0.6 * spread, 1 / side)}
        self._shadow_program = Program(("capsule.glsl", "shadow.vert"), ("shadow.frag",), constants)
        self._body_program = Program(("capsule.glsl", "body.vert"), ("shadow.glsl", "body.frag"), constants)
        ground = ("ground.vert",), ("shadow.glsl", "ground.frag")
        self._near_program = Program(*ground, constants | {"NEAR": 1})
        self._far_program = Program(*ground, constants | {"NEAR": 0})
        self._mark_program = Program(("mark.vert",), ("shadow.glsl", "mark.frag"), constants)
        GL.glBlendColor(0.0, 0.0, 0.0, 0.3)

    def _make_buffers(self) -> None:
        vertices, triangles = capsule(self.quality.segments, self.quality.segments // 4)
        self._corners = triangles.size
        self._vertices = GL.glGenVertexArrays(1)
        GL.glBindVertexArray(self._vertices)
        _attributes(vertices, ((0, 4),), per_instance=False)
        placed = np.zeros((len(self.body), 12), dtype=np.float32)
        self._placed_buffer = _attributes(placed, ((1, 4), (2, 4), (3, 4)), per_instance=True)
        looks = np.column_stack((self.body.shapes, self.body.colours, self.body.cuffs))
        _attributes(looks, ((4, 4), (5, 4)), per_instance=True)
        elements = GL.glGenBuffers(1)
        GL.glBindBuffer(GL.GL_ELEMENT_ARRAY_BUFFER, elements)
        GL.glBufferData(GL.GL_ELEMENT_ARRAY_BUFFER, triangles.nbytes, triangles, GL.GL_STATIC_DRAW)
        self._frame_buffer = GL.glGenBuffers(1)
        GL.glBindBufferBase(GL.GL_UNIFORM_BUFFER, FRAME_BINDING, self._frame_buffer)


def _attributes(values: np.ndarray, layout: tuple[tuple[int, int], ...], *, per_instance: bool) -> int:
    """A buffer of float rows as vertex attributes, ``layout`` giving (location, floats); returns the buffer."""
    buffer = GL.glGenBuffers(1)
    GL.glBindBuffer(GL.GL_ARRAY_BUFFER, buffer)
    GL.glBufferData(GL.GL_ARRAY_BUFFER, values.nbytes, values, GL.GL_DYNAMIC_DRAW)
    start = 0
    for location, floats in layout:
        GL.glEnableVertexAttribArray(location)
        GL.glVertexAttribPointer(location, floats, GL.GL_FLOAT, False, values.strides[0], ctypes.c_void_p(start))
        GL.glVertexAttribDivisor(location, int(per_instance))
        start += 4 * floats
    return buffer
