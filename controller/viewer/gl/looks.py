"""What characters look like: a skinned body, or capsules."""

from __future__ import annotations

from typing import NamedTuple, Protocol

import numpy as np
from OpenGL import GL

from controller.body.mesh import SkinnedBody
from controller.body.own import OwnBody, TexturedLevel
from controller.viewer.gl import skin, textures
from controller.viewer.gl.body import Body
from controller.viewer.gl.instances import Capsules
from controller.viewer.gl.program import Program
from controller.viewer.gl.quality import Quality
from controller.viewer.gl.skin import Bones, Skins
from controller.viewer.gl.textures import TexturedSkins, Textures

Skin = SkinnedBody | OwnBody
"""What a character may wear."""


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
    distant   without, for those far from the camera
    """

    shadow: Program
    shaded: Program
    unshaded: Program
    distant: Program

    @classmethod
    def build(
        cls, shape: str, vertex: str, constants: dict[str, float], influences: int = 4
    ) -> Programs:
        """Build the programs whose vertices the files ``shape`` and ``vertex`` place. Vertices of
        distant skins follow so many joints."""
        surface = ("shadow.glsl", "body.frag")
        constants = constants | {"INFLUENCES": 4}
        unshaded = constants | {"SHADED": 0}
        near = Program((shape, vertex), surface, unshaded)
        fewer = unshaded | {"INFLUENCES": influences}
        return cls(
            Program((shape, "shadow.vert"), ("shadow.frag",), constants),
            Program((shape, vertex), surface, constants | {"SHADED": 1}),
            near,
            near if influences == 4 else Program((shape, vertex), surface, fewer),
        )

    def tell(self, joints: int) -> None:
        """Tell programs of skinned bodies where transforms and pictures are, and how many
        transforms a character has."""
        for program in self:
            program.use()
            GL.glUniform1i(program.uniform("bones"), skin.UNIT)
            GL.glUniform1i(program.uniform("picture"), textures.UNIT)
            GL.glUniform1i(program.uniform("joints"), joints)


class Look(NamedTuple):
    """How the characters of one skeleton are drawn.

    body       places them
    programs   draw them
    shadow     of the one that the camera follows; it is placed with that one
    character  that one itself
    fine       others near the camera
    coarse     the rest
    owned      transforms and textures that these share
    """

    body: Placed
    programs: Programs
    shadow: Drawn
    character: Drawn
    fine: Drawn
    coarse: Drawn
    owned: tuple[Bones | Textures, ...] = ()

    @classmethod
    def capsules(cls, body: Body, quality: Quality, programs: Programs) -> Look:
        """Characters made of capsules."""
        character, fine = (Capsules(body.looks, quality.segments) for _ in range(2))
        coarse = Capsules(body.looks, quality.crowd_segments)
        return cls(body, programs, character, character, fine, coarse)

    @classmethod
    def skinned(cls, body: Skin, quality: Quality, programs: Programs) -> Look:
        """Characters with a skin, which needs programs for textures if it has those."""
        programs.tell(body.bones)
        last = len(body.levels) - 1
        levels = [body.levels[min(level, last)] for level in quality.skin_levels]
        bones = [Bones(body.bones) for _ in range(3)]
        placed_by = (bones[0], *bones)  # the shadow has the character's pose
        worn = Textures(body.pictures) if isinstance(body, OwnBody) else None
        if worn:
            levels[0] = levels[1]  # a rougher surface would cast shadows on the finer one
        shadow, character, fine, coarse = (
            TexturedSkins(level, own, worn)
            if isinstance(level, TexturedLevel) and worn
            else Skins(level, own)
            for level, own in zip(levels, placed_by, strict=True)
        )
        owned: tuple[Bones | Textures, ...] = (*bones, *([worn] if worn else []))
        return cls(body, programs, shadow, character, fine, coarse, owned)

    def delete(self) -> None:
        """Free the graphics memory."""
        for drawn in {self.shadow, self.character, self.fine, self.coarse}:
            drawn.delete()
        for each in self.owned:
            each.delete()
