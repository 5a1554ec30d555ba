"""A picture in graphics memory that can be drawn into."""

from __future__ import annotations

import numpy as np
from OpenGL import GL

from controller.core.errors import DisplayError


class Target:
    """A framebuffer of ``size`` (width, height) with colour and depth, ``samples`` per pixel (0: no
    antialiasing)."""

    def __init__(self, size: tuple[int, int], samples: int = 0) -> None:
        self.size = size
        self.samples = samples
        self.handle = GL.glGenFramebuffers(1)
        self._buffers = GL.glGenRenderbuffers(2)
        GL.glBindFramebuffer(GL.GL_FRAMEBUFFER, self.handle)
        for buffer, kind, point in zip(
            self._buffers,
            (GL.GL_RGBA8, GL.GL_DEPTH_COMPONENT24),
            (GL.GL_COLOR_ATTACHMENT0, GL.GL_DEPTH_ATTACHMENT),
            strict=True,
        ):
            GL.glBindRenderbuffer(GL.GL_RENDERBUFFER, buffer)
            GL.glRenderbufferStorageMultisample(GL.GL_RENDERBUFFER, samples, kind, *size)
            GL.glFramebufferRenderbuffer(GL.GL_FRAMEBUFFER, point, GL.GL_RENDERBUFFER, buffer)
        check_complete()

    def bind(self) -> None:
        """Draw into this one from now on."""
        GL.glBindFramebuffer(GL.GL_FRAMEBUFFER, self.handle)
        GL.glViewport(0, 0, *self.size)

    def copy_to(self, handle: int, size: tuple[int, int]) -> None:
        """Copy the colours into another framebuffer, scaled to ``size``; 0 is the window."""
        GL.glBindFramebuffer(GL.GL_READ_FRAMEBUFFER, self.handle)
        GL.glBindFramebuffer(GL.GL_DRAW_FRAMEBUFFER, handle)
        smooth = GL.GL_NEAREST if size == self.size else GL.GL_LINEAR
        GL.glBlitFramebuffer(0, 0, *self.size, 0, 0, *size, GL.GL_COLOR_BUFFER_BIT, smooth)

    def read(self) -> np.ndarray:
        """The colours, (height, width, 3) uint8, the top row first. Not of a target with several
        samples."""
        width, height = self.size
        GL.glBindFramebuffer(GL.GL_FRAMEBUFFER, self.handle)
        GL.glPixelStorei(GL.GL_PACK_ALIGNMENT, 1)
        pixels = GL.glReadPixels(0, 0, width, height, GL.GL_RGB, GL.GL_UNSIGNED_BYTE)
        return np.frombuffer(pixels, np.uint8).reshape(height, width, 3)[::-1]

    def delete(self) -> None:
        GL.glDeleteFramebuffers(1, [self.handle])
        GL.glDeleteRenderbuffers(2, self._buffers)


def check_complete() -> None:
    """Raise :class:`DisplayError` unless the framebuffer now bound can be drawn into."""
    if GL.glCheckFramebufferStatus(GL.GL_FRAMEBUFFER) != GL.GL_FRAMEBUFFER_COMPLETE:
        raise DisplayError("this OpenGL driver cannot draw off-screen")
