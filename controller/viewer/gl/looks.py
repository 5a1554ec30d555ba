"""What characters look like: a skinned body, or capsules."""

from __future__ import annotations

from typing import NamedTuple, Protocol

import numpy as np
from OpenGL import GL

from controller.body.mesh import SkinnedBody
from controller.viewer.gl.body import Body
from controller.viewer.gl.instances import Capsules
from controller.viewer.gl.program import Program
from controller.viewer.gl.quality import Quality
from controller.viewer.gl.skin import UNIT, Bones, Skins


class Drawn(Protocol):
    """Characters in graphics memory; a row is a transform (3, 4)."""

    def send(self, rows: np.ndarray) -> None: ...
    def draw(self) -> None: ...
    def delete(self) -> None: ...


class Placed(Protocol):
    """A body that turns poses into the transforms (..., R, 3, 4) that draw it, for joint positions
    (..., J, 3) and global rotations (..., J, 3, 3)."""

    def place(self, positions: np.ndarray, rotations: np.ndarray) -> np.ndarray: ...


class Programs(NamedTuple):
    """The programs that draw one kind of body.

    shadow    into the shadow map
    shaded    with the shadows of that map
    unshaded  without
    """

    shadow: Program
    shaded: Program
    unshaded: Program

    @classmethod
    def build(cls, shape: str, vertex: str, constants: dict[str, float]) -> Programs:
        """Build the programs whose vertices the files ``shape`` and ``vertex`` place."""
        surface = ("shadow.glsl", "body.frag")
        return cls(
            Program((shape, "shadow.vert"), ("shadow.frag",), constants),
            Program((shape, vertex), surface, constants | {"SHADED": 1}),
            Program((shape, vertex), surface, constants | {"SHADED": 0}),
        )

    def tell(self, joints: int) -> None:
        """Tell programs of skinned bodies where transforms are, and how many a character has."""
        for program in self:
            program.use()
            GL.glUniform1i(program.uniform("bones"), UNIT)
            GL.glUniform1i(program.uniform("joints"), joints)


class Look(NamedTuple):
    """How the characters of one skeleton are drawn.

    body       places them
    programs   draw them
    shadow     of the one that the camera follows; it is placed with that one
    character  that one itself
    fine       others near the camera
    coarse     the rest
    owned      transforms that these share
    """

    body: Placed
    programs: Programs
    shadow: Drawn
    character: Drawn
    fine: Drawn
    coarse: Drawn
    owned: tuple[Bones, ...] = ()

    @classmethod
    def capsules(cls, body: Body, quality: Quality, programs: Programs) -> Look:
        """Characters made of capsules."""
        character, fine = (Capsules(body.looks, quality.segments) for _ in range(2))
        coarse = Capsules(body.looks, quality.crowd_segments)
        return cls(body, programs, character, character, fine, coarse)

    @classmethod
    def skinned(cls, body: SkinnedBody, quality: Quality, programs: Programs) -> Look:
        """Characters with a skin."""
        joints = len(body.skeleton)
        programs.tell(joints)
        last = len(body.levels) - 1
        levels = [body.levels[min(level, last)] for level in quality.skin_levels]
        bones = [Bones(joints) for _ in range(3)]
        placed_by = (bones[0], *bones)  # the shadow has the character's pose
        shadow, character, fine, coarse = (
            Skins(level, own) for level, own in zip(levels, placed_by, strict=True)
        )
        return cls(body, programs, shadow, character, fine, coarse, tuple(bones))

    def delete(self) -> None:
        """Free the graphics memory."""
        for drawn in {self.shadow, self.character, self.fine, self.coarse}:
            drawn.delete()
        for bones in self.owned:
            bones.delete()
