"""A picture in graphics memory to draw into."""

from __future__ import annotations

import numpy as np
from OpenGL import GL

from controller.core.errors import DisplayError


class Framebuffer:
    """A framebuffer of ``size`` (width, height) in pixels, with colour and depth.

    ``samples`` is the number of samples per pixel; 0 for no antialiasing. Raises
    :class:`DisplayError` if the driver cannot draw into it.
    """

    def __init__(self, size: tuple[int, int], samples: int = 0) -> None:
        self.size = size
        self.samples = samples
        self.handle = GL.glGenFramebuffers(1)
        self._buffers = GL.glGenRenderbuffers(2)
        GL.glBindFramebuffer(GL.GL_FRAMEBUFFER, self.handle)
        colour, depth = self._buffers
        self._attach(colour, GL.GL_RGBA8, GL.GL_COLOR_ATTACHMENT0)
        self._attach(depth, GL.GL_DEPTH_COMPONENT24, GL.GL_DEPTH_ATTACHMENT)
        check_complete()

    def _attach(self, buffer: int, kind: int, point: int) -> None:
        """Give a buffer its memory, and attach it to this framebuffer, which must be bound."""
        GL.glBindRenderbuffer(GL.GL_RENDERBUFFER, buffer)
        GL.glRenderbufferStorageMultisample(GL.GL_RENDERBUFFER, self.samples, kind, *self.size)
        GL.glFramebufferRenderbuffer(GL.GL_FRAMEBUFFER, point, GL.GL_RENDERBUFFER, buffer)

    def bind(self) -> None:
        """Draw into this framebuffer from now on."""
        GL.glBindFramebuffer(GL.GL_FRAMEBUFFER, self.handle)
        GL.glViewport(0, 0, *self.size)

    def copy_to(self, handle: int, size: tuple[int, int]) -> None:
        """Copy the colours into another framebuffer, scaled to ``size``. Handle 0 is the window."""
        GL.glBindFramebuffer(GL.GL_READ_FRAMEBUFFER, self.handle)
        GL.glBindFramebuffer(GL.GL_DRAW_FRAMEBUFFER, handle)
        filtering = GL.GL_NEAREST if size == self.size else GL.GL_LINEAR
        GL.glBlitFramebuffer(0, 0, *self.size, 0, 0, *size, GL.GL_COLOR_BUFFER_BIT, filtering)

    def read(self) -> np.ndarray:
        """The colours, (height, width, 3) uint8, the top row first.

        Does not work with several samples per pixel.
        """
        width, height = self.size
        GL.glBindFramebuffer(GL.GL_FRAMEBUFFER, self.handle)
        GL.glPixelStorei(GL.GL_PACK_ALIGNMENT, 1)
        pixels = GL.glReadPixels(0, 0, width, height, GL.GL_RGB, GL.GL_UNSIGNED_BYTE)
        return np.frombuffer(pixels, np.uint8).reshape(height, width, 3)[::-1]

    def delete(self) -> None:
        """Free the graphics memory."""
        GL.glDeleteFramebuffers(1, [self.handle])
        GL.glDeleteRenderbuffers(2, self._buffers)


def check_complete() -> None:
    """Raise :class:`DisplayError` unless the driver can draw into the bound framebuffer."""
    if GL.glCheckFramebufferStatus(GL.GL_FRAMEBUFFER) != GL.GL_FRAMEBUFFER_COMPLETE:
        raise DisplayError("this OpenGL driver cannot draw off-screen")
