"""A shader program, put together from the files in ``assets/shaders``."""

from __future__ import annotations

from collections.abc import Mapping

from OpenGL import GL

from controller.core.errors import DisplayError
from controller.core.paths import ASSETS

SHADERS = ASSETS / "shaders"
FRAME_BINDING = 0  # where every program finds the uniforms of the frame


class Program:
    """Vertex and fragment shader, linked. ``constants`` become #defines: what must be known to the
    compiler.

    Raises :class:`DisplayError` with the driver's first complaint if it cannot be built.
    """

    def __init__(
        self, vertex: tuple[str, ...], fragment: tuple[str, ...], constants: Mapping[str, float]
    ) -> None:
        defines = "".join(f"#define {name} {value}\n" for name, value in constants.items())
        self.handle = GL.glCreateProgram()
        for kind, files in ((GL.GL_VERTEX_SHADER, vertex), (GL.GL_FRAGMENT_SHADER, fragment)):
            source = "\n".join(
                (SHADERS / file).read_text(encoding="utf-8") for file in ("common.glsl", *files)
            )
            GL.glAttachShader(
                self.handle, _compile(kind, "#version 330 core\n" + defines + source, files[-1])
            )
        GL.glLinkProgram(self.handle)
        if not GL.glGetProgramiv(self.handle, GL.GL_LINK_STATUS):
            raise _complaint(vertex[-1], GL.glGetProgramInfoLog(self.handle))
        block = GL.glGetUniformBlockIndex(self.handle, "Frame")
        if block != GL.GL_INVALID_INDEX:
            GL.glUniformBlockBinding(self.handle, block, FRAME_BINDING)

    def use(self) -> None:
        GL.glUseProgram(self.handle)

    def uniform(self, name: str) -> int:
        """Where that uniform is; −1, which OpenGL ignores, if the compiler had no use for it."""
        return GL.glGetUniformLocation(self.handle, name)


def _compile(kind: int, source: str, file: str) -> int:
    shader = GL.glCreateShader(kind)
    GL.glShaderSource(shader, source)
    GL.glCompileShader(shader)
    if not GL.glGetShaderiv(shader, GL.GL_COMPILE_STATUS):
        raise _complaint(file, GL.glGetShaderInfoLog(shader))
    return shader


def _complaint(file: str, log: bytes | str) -> DisplayError:
    text = log.decode(errors="replace") if isinstance(log, bytes) else log
    return DisplayError(
        f"this OpenGL driver cannot build the shader {file}: "
        f"{(text.strip() or 'no reason given').splitlines()[0]}"
    )
