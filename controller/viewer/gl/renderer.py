"""Draws a scene: the bodies, their shadows, the ground and what is on it."""

from __future__ import annotations

import math

import numpy as np
import torch
from OpenGL import GL

from controller.core.errors import DisplayError
from controller.motion.skeleton import Skeleton, forward_kinematics
from controller.viewer.gl import flag, sun, walls
from controller.viewer.gl import quality as qualities
from controller.viewer.gl.body import Body
from controller.viewer.gl.framebuffer import Target
from controller.viewer.gl.instances import Capsules, Instances
from controller.viewer.gl.marks import CLOCK, PLAIN, SOFT, WEDGED, ground_marks, quiet_marks
from controller.viewer.gl.program import FRAME_BINDING, Program
from controller.viewer.gl.quality import Quality
from controller.viewer.gl.shadow_map import ShadowMap
from controller.viewer.scene.camera import FollowCamera
from controller.viewer.scene.pose import Pose
from controller.viewer.scene.scene import Scene

FRAME = np.dtype(
    [
        ("camera", np.float32, (4, 4)),
        ("rays", np.float32, (4, 4)),
        ("sunlight", np.float32, (4, 4)),
        ("eye", np.float32, 4),
        ("sun", np.float32, 4),
        ("shaded", np.float32, (4, 4)),
        ("soles", np.float32, (4, 4)),
    ]
)  # the block "Frame" of common.glsl
# 1/m² times log 2; metres from the camera to what it looks at from which on fog gets thinner
FOG = 0.0042
CLEAR = 8.0
WIDEST = 1.5  # metres from a character's hips to whatever of it may be seen
# characters drawn as finely as the one that is followed, and metres to them
FINE = 12
FINE_WITHIN = 8.0


class Renderer:
    """Needs a current OpenGL 3.3 context; raises :class:`DisplayError` if it is older or cannot do
    what is needed."""

    def __init__(
        self, skeleton: Skeleton, size: tuple[int, int], quality: Quality | None = None
    ) -> None:
        self.driver = GL.glGetString(GL.GL_RENDERER).decode()
        version = GL.glGetIntegerv(GL.GL_MAJOR_VERSION), GL.glGetIntegerv(GL.GL_MINOR_VERSION)
        if version < (3, 3):
            raise DisplayError(f"OpenGL 3.3 is needed; {self.driver} has {version[0]}.{version[1]}")
        self.quality = quality or qualities.suited_to(self.driver)
        self.skeleton = skeleton
        self.body = Body.of(skeleton)
        self.frame = np.zeros((), dtype=FRAME)
        self._shadow_map = ShadowMap(self.quality.shadow_side)
        self._soles = self.body.soles
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
        # What cannot be read as it is, having several samples a pixel or another size, is copied to
        # a picture first.
        as_it_is = not self.quality.samples and drawn == size
        self._picture = self._canvas if as_it_is else Target(size)
        self._targets = [self._canvas] if as_it_is else [self._canvas, self._picture]

    def draw(self, scene: Scene, camera: FollowCamera) -> None:
        """Draw the scene; :meth:`show` or :meth:`read` it afterwards."""
        self._upload(scene, camera)
        GL.glEnable(GL.GL_DEPTH_TEST)
        GL.glEnable(GL.GL_CULL_FACE)
        GL.glBindTexture(GL.GL_TEXTURE_2D, self._shadow_map.texture)

        self._shadow_map.bind()
        GL.glClear(GL.GL_DEPTH_BUFFER_BIT)
        self._shadow_program.use()
        self._own.draw()

        self._canvas.bind()
        GL.glClear(GL.GL_DEPTH_BUFFER_BIT)
        GL.glEnable(GL.GL_CLIP_DISTANCE0)
        self._body_program.use()
        self._own.draw()
        self._far_body_program.use()
        self._near.draw()
        self._others.draw()
        self._flag.draw()
        self._face_program.use()
        self._faces.draw()
        GL.glDisable(GL.GL_CLIP_DISTANCE0)

        GL.glDisable(GL.GL_CULL_FACE)
        self._draw_ground()
        GL.glDepthMask(True)
        GL.glDepthFunc(GL.GL_LESS)

    def _draw_ground(self) -> None:
        """The ground and the sky behind everything, and the marks on the ground."""
        GL.glBindVertexArray(self._empty)
        self._near_program.use()
        GL.glDrawArrays(GL.GL_TRIANGLE_STRIP, 0, 4)
        GL.glDepthFunc(GL.GL_LEQUAL)
        GL.glDepthMask(False)
        self._far_program.use()
        GL.glDrawArrays(GL.GL_TRIANGLES, 0, 3)
        GL.glEnable(GL.GL_BLEND)
        GL.glBlendFunc(GL.GL_SRC_ALPHA, GL.GL_ONE_MINUS_SRC_ALPHA)
        self._mark_program.use()
        self._quiet_marks.draw()
        self._marks.draw()
        GL.glDepthFunc(
            GL.GL_GREATER
        )  # the body hides the arrows from a camera behind it: let them shine through
        GL.glBlendFunc(GL.GL_CONSTANT_ALPHA, GL.GL_ONE_MINUS_CONSTANT_ALPHA)
        self._marks.draw()
        GL.glDisable(GL.GL_BLEND)

    def show(self) -> None:
        """Copy what was drawn to the window, which stays bound for what is to be drawn over it."""
        source = self._canvas
        if (
            self.quality.samples
        ):  # samples and size cannot change in one copy, and a window's format is not ours
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

    def _upload(self, scene: Scene, camera: FollowCamera) -> None:
        """Send what changes from picture to picture."""
        rotations = scene.pose.matrices()
        positions = forward_kinematics(self.skeleton, scene.pose.root, rotations).numpy()
        frame, width, height = self.frame, *self.size
        matrix = camera.matrix(width / height)
        frame["camera"], frame["rays"] = (
            matrix.T,
            np.linalg.inv(matrix).T,
        )  # OpenGL wants columns first
        frame["sunlight"] = sun.view(positions[0]).T
        frame["eye"] = (
            *camera.eye,
            FOG / max(1.0, float(np.linalg.norm(camera.eye - camera.aim)) / CLEAR) ** 2,
        )
        frame["sun"][:3] = sun.TOWARDS
        frame["shaded"][:, :3] = sun.shaded_ground(positions[0])
        for slot, joint in enumerate(self._soles):
            frame["soles"][slot] = *(positions[joint] + (0.0, 0.02, 0.0)), 0.055
        GL.glBindBuffer(GL.GL_UNIFORM_BUFFER, self._frame_buffer)
        GL.glBufferData(GL.GL_UNIFORM_BUFFER, frame.nbytes, frame, GL.GL_STREAM_DRAW)

        self._own.send(self.body.place(positions, rotations.numpy()))
        near, far = self._placed_others(scene.others, matrix)
        self._near.send(near)
        self._others.send(far)
        self._flag.send(flag.placed(scene.stage.flag, camera.eye))
        self._faces.send(
            np.concatenate((walls.faces(scene.stage.walls), walls.beams(scene.stage.rays)))
        )
        self._marks.send(ground_marks(scene))
        self._quiet_marks.send(quiet_marks(scene))

    def _placed_others(
        self, others: Pose | None, matrix: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """(N · P, 3, 4) each: the parts of those who are in the picture, of the few who are near
        and of the others."""
        if others is None:
            return np.zeros((0, 3, 4), np.float32), np.zeros((0, 3, 4), np.float32)
        clip = np.c_[others.root.numpy(), np.ones(len(others.root))] @ matrix.T
        depth = clip[:, 3]
        inside = np.abs(clip[:, :2]) < depth[:, None] + WIDEST * (
            1 + np.abs(matrix[:2, :3]).sum(axis=1)
        )
        order = np.argsort(depth)
        seen = torch.from_numpy(order[((depth > -WIDEST) & inside.all(axis=1))[order]])
        pose = Pose(others.root[seen], others.quaternions[seen])
        rotations = pose.matrices()
        positions = forward_kinematics(self.skeleton, pose.root, rotations)
        placed = self.body.place(positions.numpy(), rotations.numpy())
        near = min(FINE, int((depth[seen] < FINE_WITHIN).sum()))
        return placed[:near].reshape(-1, 3, 4), placed[near:].reshape(-1, 3, 4)

    def _make_programs(self) -> None:
        side = self.quality.shadow_side
        reach = self.quality.shadow_reach
        spread = 0.02 / (2 * sun.HALF * reach)  # soft edges 2 cm to each side
        constants = {
            "REACH": reach,
            "GROUND_BLUR": spread,
            "BODY_BLUR": max(0.6 * spread, 1 / side),
        }
        self._shadow_program = Program(("capsule.glsl", "shadow.vert"), ("shadow.frag",), constants)
        body = ("capsule.glsl", "body.vert"), ("shadow.glsl", "body.frag")
        self._body_program = Program(*body, constants | {"SHADED": 1})
        self._far_body_program = Program(*body, constants | {"SHADED": 0})
        self._face_program = Program(
            ("face.vert",), ("shadow.glsl", "body.frag"), constants | {"SHADED": 0}
        )
        ground = ("ground.vert",), ("shadow.glsl", "ground.frag")
        self._near_program = Program(*ground, constants | {"NEAR": 1})
        self._far_program = Program(*ground, constants | {"NEAR": 0})
        kinds = {"WEDGED": WEDGED, "PLAIN": PLAIN, "SOFT": SOFT, "CLOCK": CLOCK}
        self._mark_program = Program(
            ("mark.vert",), ("shadow.glsl", "mark.frag"), constants | kinds
        )
        GL.glBlendColor(0.0, 0.0, 0.0, 0.3)

    def _make_buffers(self) -> None:
        self._empty = GL.glGenVertexArrays(
            1
        )  # shaders make the ground's corners, yet core OpenGL wants one bound
        self._own = Capsules(self.body.looks, self.quality.segments)
        self._near = Capsules(self.body.looks, self.quality.segments)
        self._others = Capsules(self.body.looks, self.quality.crowd_segments)
        self._flag = Capsules(flag.LOOKS, self.quality.segments)
        self._faces = Instances(((0, 4), (1, 4), (2, 4), (3, 4)))
        self._marks = Instances(((0, 4), (1, 4)))
        self._quiet_marks = Instances(((0, 4), (1, 4)))
        self._frame_buffer = GL.glGenBuffers(1)
        GL.glBindBufferBase(GL.GL_UNIFORM_BUFFER, FRAME_BINDING, self._frame_buffer)
