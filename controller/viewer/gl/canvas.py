"""The picture while it is drawn, maybe with fewer pixels or several samples in each."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from OpenGL import GL

from controller.viewer.gl.framebuffer import Framebuffer
from controller.viewer.gl.quality import Quality
from controller.viewer.gl.smoothing import Rectangle, Smoothing


class Canvas:
    """What pictures of ``size`` (width, height) are drawn on. Needs a current OpenGL context.

    drawn  (width, height) in pixels of what is drawn; it is scaled up to the size
    """

    def __init__(self, size: tuple[int, int], quality: Quality) -> None:
        self.size = size
        self.quality = quality
        scale = min(1.0, math.sqrt(quality.pixels / (size[0] * size[1])))
        self.drawn = max(round(size[0] * scale), 1), max(round(size[1] * scale), 1)
        self._canvas = Framebuffer(self.drawn, quality.samples)
        self._picture = self._canvas
        if quality.samples or self.drawn != size:
            # Such a canvas cannot be read directly: it is copied to a picture first.
            self._picture = Framebuffer(size)
        smooth = quality.smooth and not quality.samples
        self._smoothing = Smoothing(self.drawn) if smooth else None

    def bind(self) -> None:
        """Draw on it from now on."""
        self._canvas.bind()

    def smooth(self, part: Rectangle) -> None:
        """Smooth the edges in this part of it, which must be bound, if the quality says so."""
        if self._smoothing is not None:
            self._smoothing.apply(part)

    def show(self) -> None:
        """Copy the picture to the window, which stays bound so that more can be drawn over it."""
        source = self._canvas
        if self.quality.samples:
            # One copy cannot both merge samples and change size or format, as the window may need.
            self._canvas.copy_to(self._picture.handle, self.size)
            source = self._picture
        source.copy_to(0, self.size)
        GL.glBindFramebuffer(GL.GL_FRAMEBUFFER, 0)
        GL.glViewport(0, 0, *self.size)

    def read(self, draw_over: Callable[[], None] | None = None) -> np.ndarray:
        """The picture, (height, width, 3) uint8, the top row first; after ``draw_over`` has drawn
        more into it, if that is given."""
        if self._picture is not self._canvas:
            self._canvas.copy_to(self._picture.handle, self.size)
        if draw_over is not None:
            self._picture.bind()
            draw_over()
        return self._picture.read()

    def delete(self) -> None:
        """Free the graphics memory."""
        self._canvas.delete()
        if self._picture is not self._canvas:
            self._picture.delete()
        if self._smoothing is not None:
            self._smoothing.delete()
