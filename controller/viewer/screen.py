"""A screen: the window, the camera in the scene, and the renderer."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from controller.body.mesh import SkinnedBody
from controller.body.own import OwnBody
from controller.core.errors import DisplayError
from controller.motion.skeleton import Skeleton
from controller.viewer.gl.quality import Quality
from controller.viewer.input.window import Window
from controller.viewer.scene.camera import FollowCamera
from controller.viewer.scene.scene import Scene
from controller.viewer.scene.texts import Texts


class Screen:
    """A window that shows characters with one skeleton at a time; hidden if ``headless``.
    They have this ``skin``, or else consist of capsules. ``overlay``, if it is set, draws more over
    a picture of the size that it gets.

    With ``quality`` None, the quality suits the driver. Raises :class:`DisplayError`, with one
    sentence, if there is no screen or no OpenGL driver.
    """

    def __init__(
        self,
        skeleton: Skeleton,
        size: tuple[int, int],
        *,
        headless: bool = False,
        resizable: bool = True,
        quality: Quality | None = None,
        skin: SkinnedBody | OwnBody | None = None,
    ) -> None:
        self.window = Window(
            size, headless=headless, resizable=resizable, title="Motion VAE controller"
        )
        try:  # only now: when PyOpenGL is imported, it looks for the open window's driver
            from controller.viewer.gl.hud import Hud
            from controller.viewer.gl.renderer import Renderer
        except (ImportError, OSError, AttributeError, TypeError) as error:
            message = f"the OpenGL library of this machine cannot be loaded ({error})"
            raise DisplayError(message) from error
        self.renderer = Renderer(skeleton, self.window.size, quality, skin)
        self.hud = Hud()
        self.camera = FollowCamera()
        self.overlay: Callable[[tuple[int, int]], None] | None = None

    def show_skeleton(
        self, skeleton: Skeleton, hips: float, skin: SkinnedBody | OwnBody | None = None
    ) -> None:
        """Draw characters with this skeleton from now on, with this ``skin`` or else as capsules.
        Its hips are about so many metres above the ground."""
        self.renderer.use_skeleton(skeleton, skin)
        self.camera.aim_at(hips)

    def draw(self, scene: Scene, seconds: float) -> None:
        """Draw the scene, after moving the camera on by ``seconds``."""
        self.camera.ground = scene.ground
        others = None if scene.others is None else scene.others.root.numpy()
        self.camera.follow(scene.pose.root.numpy(), scene.yaw, seconds, others)
        self.renderer.draw(scene, self.camera)

    def picture(self, texts: Texts | None = None) -> np.ndarray:
        """The picture, with text over it if there are ``texts``: (height, width, 3) uint8, the top
        row first."""
        if texts is None and self.overlay is None:
            return self.renderer.read()
        return self.renderer.read(lambda: self._draw_over(self.renderer.size, texts))

    def _draw_over(self, size: tuple[int, int], texts: Texts | None) -> None:
        if self.overlay is not None:
            self.overlay(size)
        if texts is not None:
            self.hud.draw(size, texts)

    def show(self, texts: Texts) -> float:
        """Show the picture in the window, with text over it.

        Returns the seconds since the last call.
        """
        self.renderer.show()
        self._draw_over(self.window.size, texts)
        seconds = self.window.flip()

        minimized = 0 in self.window.size
        if self.window.size != self.renderer.size and not minimized:
            self.renderer.resize(self.window.size)
        return seconds

    def close(self) -> None:
        """Close the window."""
        self.window.close()
