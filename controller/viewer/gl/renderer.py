"""The renderer: draws the bodies, their shadows, the ground and what is on it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from OpenGL import GL

from controller.body.own import OwnBody
from controller.core.errors import DisplayError
from controller.ground.ground import Ground
from controller.motion.skeleton import Skeleton
from controller.viewer.gl import flag, marks, sticks, sun, walls
from controller.viewer.gl import quality as qualities
from controller.viewer.gl.body import Body
from controller.viewer.gl.canvas import Canvas
from controller.viewer.gl.instances import Capsules, Instances
from controller.viewer.gl.joints import Joints
from controller.viewer.gl.looks import Look, Programs, Skin
from controller.viewer.gl.overlay import Overlay
from controller.viewer.gl.program import FRAME_BINDING, Program
from controller.viewer.gl.quality import Quality
from controller.viewer.gl.shadow_map import ShadowMap
from controller.viewer.gl.smoothing import Rectangle, around
from controller.viewer.gl.terrain import Terrain
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
)
"""The uniform block "Frame" of common.glsl."""
FOG = 0.0042
"""1/m²: the density of the fog; at distance d, 2^(−FOG·d²) of the light is left."""
CLEAR = 8.0
"""m from the camera to the point that it looks at: beyond this, the fog gets thinner."""
DEEP = 1e4
"""m below height 0 at which bodies are cut, where the ground is not flat."""
WIDEST = 1.5
"""m from a character's hips to its farthest visible part."""
FLESH = 0.25
"""m around joints in which a body may be."""
FINE = 12
"""At most this many others are drawn as finely as the character that the camera follows."""
FINE_WITHIN = 8.0
"""m from the camera: only within this distance."""


class Renderer:
    """Draws scenes of characters, all with the same skeleton, into pictures of ``size`` (width,
    height).

    With ``quality`` None, the quality suits the driver. Needs a current OpenGL context; raises
    :class:`DisplayError` if its version is below 3.3 or the driver cannot draw what is needed.
    ``skin`` is as in :meth:`use_skeleton`.

    skeleton_shown  whether the skeleton of the character that is followed is drawn over it
    """

    skeleton_shown = False

    def __init__(
        self,
        skeleton: Skeleton,
        size: tuple[int, int],
        quality: Quality | None = None,
        skin: Skin | None = None,
    ) -> None:
        self.driver = GL.glGetString(GL.GL_RENDERER).decode()
        version = GL.glGetIntegerv(GL.GL_MAJOR_VERSION), GL.glGetIntegerv(GL.GL_MINOR_VERSION)
        if version < (3, 3):
            raise DisplayError(f"OpenGL 3.3 is needed; {self.driver} has {version[0]}.{version[1]}")
        self.quality = quality or qualities.for_driver(self.driver)
        self.frame = np.zeros((), dtype=FRAME)
        self._look: Look | None = None
        self._terrain: Terrain | None = None
        self._rough: list[Rectangle] = []  # parts of the picture whose edges are smoothed
        self._shadow_map = ShadowMap(self.quality.shadow_side)
        self._make_programs()
        self._make_buffers()
        self.use_skeleton(skeleton, skin)
        self._canvas: Canvas | None = None
        self.resize(size)

    def use_skeleton(self, skeleton: Skeleton, skin: Skin | None = None) -> None:
        """Draw characters with this skeleton from now on: with this ``skin``, or else as
        capsules."""
        if self._look is not None:
            self._look.delete()
        self.skeleton = skeleton
        self._joints = Joints(skeleton)
        self.body = Body.of(skeleton)
        if skin is None:
            self._look = Look.capsules(self.body, self.quality, self._capsule_programs)
        else:
            self._look = Look.skinned(skin, self.quality, self._programs_for(skin))
        self.frame["soles"] = 0.0

    @property
    def look(self) -> Look:
        """How characters are drawn."""
        assert self._look is not None  # since the skeleton is known
        return self._look

    def resize(self, size: tuple[int, int]) -> None:
        """Draw pictures of ``size`` (width, height) from now on."""
        if self._canvas is not None:
            self._canvas.delete()
        self.size = size
        self._canvas = Canvas(size, self.quality)

    @property
    def canvas(self) -> Canvas:
        """What is drawn on."""
        assert self._canvas is not None  # since the size is known
        return self._canvas

    def draw(self, scene: Scene, camera: FollowCamera) -> None:
        """Draw the scene. Afterwards :meth:`show` or :meth:`read` it."""
        self._upload(scene, camera)
        GL.glEnable(GL.GL_DEPTH_TEST)
        GL.glEnable(GL.GL_CULL_FACE)
        GL.glBindTexture(GL.GL_TEXTURE_2D, self._shadow_map.texture)

        self._shadow_map.bind()
        GL.glClear(GL.GL_DEPTH_BUFFER_BIT)
        self.look.programs.shadow.use()
        self.look.shadow.draw()

        self.canvas.bind()
        GL.glClear(GL.GL_DEPTH_BUFFER_BIT)
        GL.glEnable(GL.GL_CLIP_DISTANCE0)
        self.look.programs.shaded.use()
        self.look.character.draw()
        self.look.programs.unshaded.use()
        self.look.fine.draw()
        self.look.programs.distant.use()
        self.look.coarse.draw()
        self._capsule_programs.unshaded.use()
        self._flag.draw()
        for lines in self._sticks.values():
            lines.draw()
        self._face_program.use()
        self._faces.draw()
        GL.glDisable(GL.GL_CLIP_DISTANCE0)

        GL.glDisable(GL.GL_CULL_FACE)
        if self._terrain is None:
            self._draw_ground()
            self._mark_program.use()
        else:
            self._terrain.draw()
            self._terrain.use_marks()
        self._draw_marks()
        GL.glDepthMask(True)
        GL.glDepthFunc(GL.GL_LESS)
        if self.skeleton_shown:
            self._capsule_programs.unshaded.use()
            self._overlay.draw()
        for part in self._rough:
            self.canvas.smooth(part)

    def _draw_ground(self) -> None:
        """Draw the flat ground, and the sky behind everything."""
        GL.glBindVertexArray(self._empty)
        self._near_ground_program.use()
        GL.glDrawArrays(GL.GL_TRIANGLE_STRIP, 0, 4)
        GL.glDepthFunc(GL.GL_LEQUAL)
        GL.glDepthMask(False)
        self._far_ground_program.use()
        GL.glDrawArrays(GL.GL_TRIANGLES, 0, 3)

    def _draw_marks(self) -> None:
        """Draw the marks on the ground, with the program in use."""
        draw = Instances.draw if self._terrain is None else self._terrain.draw_marks
        GL.glEnable(GL.GL_BLEND)
        GL.glBlendFunc(GL.GL_SRC_ALPHA, GL.GL_ONE_MINUS_SRC_ALPHA)
        draw(self._crowd_marks)
        draw(self._traces)
        draw(self._marks)

        # From behind, the body hides the arrows: let them show through faintly.
        GL.glDepthFunc(GL.GL_GREATER)
        GL.glBlendFunc(GL.GL_CONSTANT_ALPHA, GL.GL_ONE_MINUS_CONSTANT_ALPHA)
        draw(self._marks)
        GL.glDisable(GL.GL_BLEND)

    def show(self) -> None:
        """Copy the picture to the window, which stays bound so that more can be drawn over it."""
        self.canvas.show()

    def read(self, draw_over: Callable[[], None] | None = None) -> np.ndarray:
        """The picture, as :meth:`Canvas.read` returns it."""
        return self.canvas.read(draw_over)

    def finish(self) -> None:
        """Wait until everything is drawn, to measure how long it takes."""
        GL.glFinish()

    def _upload(self, scene: Scene, camera: FollowCamera) -> None:
        """Send everything that changes from picture to picture to the graphics memory."""
        positions, rotations = self._joints(scene.pose)
        self._use_ground(scene.ground)
        width, height = self.size
        matrix = camera.matrix(width / height)
        self._upload_frame(positions, camera, matrix, scene.visible)

        rows = self.look.body.place(positions, rotations)
        self.look.character.send(rows if scene.visible else rows[:0])
        self._rough = [around(positions, matrix, self.canvas.drawn, FLESH)]
        if self.skeleton_shown:
            self._overlay.send(positions, rotations, self.skeleton.parents)
        fine, coarse = self._place_others(scene.others, matrix)
        self.look.fine.send(fine)
        self.look.coarse.send(coarse)

        stage = scene.stage
        self._flag.send(flag.place(stage.flag, camera.eye, scene.ground))
        for side, lines in self._sticks.items():
            lines.send(sticks.place(stage.sticks, side))
        self._faces.send(np.concatenate(walls.all_faces(stage.walls, stage.rays, scene.ground)))
        self._marks.send(marks.ground_marks(scene))
        self._traces.send(marks.trace_marks(scene))
        self._crowd_marks.send(marks.crowd_marks(scene))

    def _use_ground(self, ground: Ground | None) -> None:
        """Draw this ground from now on; a flat one without any."""
        if ground is (self._terrain and self._terrain.ground):
            return
        if self._terrain is not None:
            self._terrain.delete()
        self._terrain = None if ground is None else Terrain(ground, self._mark_constants)

    def _upload_frame(
        self, positions: np.ndarray, camera: FollowCamera, matrix: np.ndarray, visible: bool
    ) -> None:
        """Send the frame's uniforms, for joint positions (J, 3) and the camera's matrix (4, 4)."""
        frame = self.frame
        frame["camera"] = matrix.T  # OpenGL stores matrices by columns
        frame["rays"] = np.linalg.inv(matrix).T
        level = 0.0
        frame["shaded"][0, 3] = 0.0 if self._terrain is None else DEEP
        if self._terrain is not None:
            self._terrain.look_at(camera.aim)
            level = float(self._terrain.ground.height(positions[0, 0], positions[0, 2]))
        frame["sunlight"] = sun.view(positions[0], level).T
        distance = float(np.linalg.norm(camera.eye - camera.aim))
        frame["eye"] = (*camera.eye, FOG / max(1.0, distance / CLEAR) ** 2)
        frame["sun"] = *sun.TOWARDS, level
        frame["shaded"][:, :3] = sun.shaded_ground(positions[0])
        frame["shaded"][1:3, 3] = positions[0, 0], positions[0, 2]
        for slot, joint in enumerate(self.body.soles):
            darkness = 0.055 if visible else 0.0
            frame["soles"][slot] = *(positions[joint] + (0.0, 0.02, 0.0)), darkness
        GL.glBindBuffer(GL.GL_UNIFORM_BUFFER, self._frame_buffer)
        GL.glBufferData(GL.GL_UNIFORM_BUFFER, frame.nbytes, frame, GL.GL_STREAM_DRAW)

    def _place_others(
        self, others: Pose | None, matrix: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """The transforms of all others in the picture, R for each, as two arrays (N·R, 3, 4).

        The first is for the few that are near the camera, the second for the rest.
        """
        if others is None:
            return np.zeros((0, 3, 4), np.float32), np.zeros((0, 3, 4), np.float32)

        clip = np.c_[others.root.numpy(), np.ones(len(others.root))] @ matrix.T
        depth = clip[:, 3]
        margin = WIDEST * (1 + np.abs(matrix[:2, :3]).sum(axis=1))
        inside = np.abs(clip[:, :2]) < depth[:, None] + margin
        visible = (depth > -WIDEST) & inside.all(axis=1)
        nearest_first = np.argsort(depth)
        rows = torch.from_numpy(nearest_first[visible[nearest_first]])

        pose = Pose(others.root[rows], others.quaternions[rows])
        positions, rotations = self._joints(pose)
        placed = self.look.body.place(positions, rotations)
        near = min(FINE, int((depth[rows] < FINE_WITHIN).sum()))
        for each in positions[:near]:
            self._rough.append(around(each, matrix, self.canvas.drawn, FLESH))
        return placed[:near].reshape(-1, 3, 4), placed[near:].reshape(-1, 3, 4)

    def _make_programs(self) -> None:
        side = self.quality.shadow_side
        reach = self.quality.shadow_reach
        spread = 0.02 / (2 * sun.HALF * reach)  # the edges of shadows are soft for 2 cm each side
        constants = {
            "REACH": reach,
            "DISC": self.quality.shadow_disc,
            "GROUND_BLUR": 0.02 / (2 * sun.HALF),
            "BODY_BLUR": max(0.6 * spread, 1 / side),
        }
        plain = constants | {"SKINNED": 0, "TEXTURED": 0}
        self._capsule_programs = Programs.build("capsule.glsl", "body.vert", plain)
        skinned = constants | {"SKINNED": 1, "TEXTURED": 0}
        few = self.quality.influences
        self._skin_programs = Programs.build("skin.glsl", "skin.vert", skinned, few)
        self._textured = skinned | {"TEXTURED": 1}
        self._textured_programs: Programs | None = None
        surface = ("shadow.glsl", "body.frag")
        self._face_program = Program(("face.vert",), surface, plain | {"SHADED": 0})

        ground = ("ground.vert",), ("shadow.glsl", "floor.glsl", "ground.frag")
        constants |= {"TERRAIN": 0}
        self._near_ground_program = Program(*ground, constants | {"NEAR": 1})
        self._far_ground_program = Program(*ground, constants | {"NEAR": 0})

        mark = ("mark.vert",), ("shadow.glsl", "mark.frag")
        self._mark_constants = constants | marks.KINDS
        self._mark_program = Program(*mark, self._mark_constants)
        GL.glBlendColor(0.0, 0.0, 0.0, 0.3)

    def _programs_for(self, skin: Skin) -> Programs:
        """The programs that draw a skin; those for textures are built when they are needed."""
        if not isinstance(skin, OwnBody):
            return self._skin_programs
        if self._textured_programs is None:
            self._textured_programs = Programs.build(
                "skin.glsl", "skin.vert", self._textured, self.quality.influences
            )
        return self._textured_programs

    def _make_buffers(self) -> None:
        # Shaders compute the ground's corners, but core OpenGL requires a bound vertex array.
        self._empty = GL.glGenVertexArrays(1)
        self._flag = Capsules(flag.LOOKS, self.quality.segments)
        self._sticks = {
            side: Capsules(looks, self.quality.crowd_segments)
            for side, looks in sticks.LOOKS.items()
        }
        self._faces = Instances(((0, 4), (1, 4), (2, 4), (3, 4)))
        self._marks = Instances(((0, 4), (1, 4)))
        self._traces = Instances(((0, 4), (1, 4)))
        self._crowd_marks = Instances(((0, 4), (1, 4)))
        self._overlay = Overlay(self.quality.crowd_segments)
        self._frame_buffer = GL.glGenBuffers(1)
        GL.glBindBufferBase(GL.GL_UNIFORM_BUFFER, FRAME_BINDING, self._frame_buffer)
