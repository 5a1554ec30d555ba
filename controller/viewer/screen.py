"""What is seen of the world: a window, a camera in the world, and someone who draws."""

from __future__ import annotations

import numpy as np

from controller.core.errors import DisplayError
from controller.motion.skeleton import Skeleton
from controller.viewer.gl.quality import Quality
from controller.viewer.input.window import Window
from controller.viewer.scene.camera import FollowCamera
from controller.viewer.scene.scene import Scene
from controller.viewer.scene.texts import Texts


class Screen:
    """A window (one that nobody sees if ``headless``) showing one character; ``quality`` None suits
    the driver.

    Raises :class:`DisplayError` with one sentence where there is no screen or no driver.
    """

    def __init__(
        self,
        skeleton: Skeleton,
        size: tuple[int, int],
        *,
        headless: bool = False,
        resizable: bool = True,
        quality: Quality | None = None,
    ) -> None:
        self.window = Window(
            size, headless=headless, resizable=resizable, title="Motion VAE controller"
        )
        try:  # only now: PyOpenGL looks for the open window's driver when it is imported
            from controller.viewer.gl.hud import Hud
            from controller.viewer.gl.renderer import Renderer
        except (ImportError, OSError, AttributeError, TypeError) as error:
            raise DisplayError(
                f"the OpenGL library of this machine cannot be loaded ({error})"
            ) from error
        self.renderer = Renderer(skeleton, self.window.size, quality)
        self.hud = Hud()
        self.camera = FollowCamera()

    def draw(self, scene: Scene, seconds: float) -> None:
        """Move the camera on by ``seconds`` and draw."""
        others = None if scene.others is None else scene.others.root.numpy()
        self.camera.follow(scene.pose.root.numpy(), scene.yaw, seconds, others)
        self.renderer.draw(scene, self.camera)

    def picture(self) -> np.ndarray:
        """What was drawn, without text over it: (height, width, 3) uint8, the top row first."""
        return self.renderer.read()

    def show(self, texts: Texts) -> float:
        """Bring what was drawn to the window with text over it; returns the seconds since the last
        time."""
        self.renderer.show()
        self.hud.draw(self.window.size, texts)
        seconds = self.window.flip()
        if self.window.size != self.renderer.size and all(
            self.window.size
        ):  # all: it may be hidden away
            self.renderer.resize(self.window.size)
        return seconds

    def close(self) -> None:
        self.window.close()
