"""A picture in graphics memory that can be drawn into."""

from __future__ import annotations

import numpy as np
from OpenGL import GL

from controller.errors import DisplayError


class Target:
    """A framebuffer of ``size`` (width, height) with colour and depth, ``samples`` per pixel (0: no antialiasing)."""

    def __init__(self, size: tuple[int, int], samples: int = 0) -> None:
        self.size, self.samples = size, samples
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
        """The colours, (height, width, 3) uint8, the top row first. Not of a target with several samples."""
        width, height = self.size
        GL.glBindFramebuffer(GL.GL_FRAMEBUFFER, self.handle)
        GL.glPixelStorei(GL.GL_PACK_ALIGNMENT, 1)
        pixels = GL.glReadPixels(0, 0, width, height, GL.GL_RGB, GL.GL_UNSIGNED_BYTE)
        return np.frombuffer(pixels, np.uint8).reshape(height, width, 3)[::-1]

    def delete(self) -> None:
        GL.glDeleteFramebuffers(1, [self.handle])
        GL.glDeleteRenderbuffers(2, self._buffers)


class ShadowMap:
    """A square depth picture, ``side`` pixels wide, that shaders compare depths with."""

    def __init__(self, side: int) -> None:
        self.side = side
        self.texture = GL.glGenTextures(1)
        GL.glBindTexture(GL.GL_TEXTURE_2D, self.texture)
        GL.glTexImage2D(
            GL.GL_TEXTURE_2D, 0, GL.GL_DEPTH_COMPONENT24, side, side, 0, GL.GL_DEPTH_COMPONENT, GL.GL_UNSIGNED_INT, None
        )
        for name, value in (
            (GL.GL_TEXTURE_MIN_FILTER, GL.GL_LINEAR),
            (GL.GL_TEXTURE_MAG_FILTER, GL.GL_LINEAR),
            (GL.GL_TEXTURE_WRAP_S, GL.GL_CLAMP_TO_EDGE),
            (GL.GL_TEXTURE_WRAP_T, GL.GL_CLAMP_TO_EDGE),
            (GL.GL_TEXTURE_COMPARE_MODE, GL.GL_COMPARE_REF_TO_TEXTURE),
            (GL.GL_TEXTURE_COMPARE_FUNC, GL.GL_LEQUAL),
        ):
            GL.glTexParameteri(GL.GL_TEXTURE_2D, name, value)
        self.handle = GL.glGenFramebuffers(1)
        GL.glBindFramebuffer(GL.GL_FRAMEBUFFER, self.handle)
        GL.glFramebufferTexture2D(GL.GL_FRAMEBUFFER, GL.GL_DEPTH_ATTACHMENT, GL.GL_TEXTURE_2D, self.texture, 0)
        GL.glDrawBuffer(GL.GL_NONE)
        GL.glReadBuffer(GL.GL_NONE)
        check_complete()

    def bind(self) -> None:
        """Draw into this one from now on."""
        GL.glBindFramebuffer(GL.GL_FRAMEBUFFER, self.handle)
        GL.glViewport(0, 0, self.side, self.side)


def check_complete() -> None:
    """Raise :class:`DisplayError` unless the framebuffer now bound can be drawn into."""
    if GL.glCheckFramebufferStatus(GL.GL_FRAMEBUFFER) != GL.GL_FRAMEBUFFER_COMPLETE:
        raise DisplayError("this OpenGL driver cannot draw off-screen")
