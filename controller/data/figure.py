"""A source as a plain figure: lines from joint to joint as the file has them, in metres."""

from __future__ import annotations

from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from controller.core.errors import ControllerError
from controller.data.alignment import points_at
from controller.data.canonical import CanonicalSettings, find_roles
from controller.data.exhibits import Exhibit
from controller.data.orientation import axis, find_orientation, leg_length
from controller.data.scale import find_unit
from controller.motion.capture import Capture
from controller.motion.roles import Roles

USUAL_M = 1.7
"""m: a body without legs that could be measured is drawn this tall or long."""
FAR_FLOOR_M = 0.5
"""m: where a file's floor is further up or down, its source is drawn at the height of the clip."""
HIPS_M = 0.9
"""m: a usual height of hips."""


class Figure:
    """The source of an exhibit.

    unit    metres a file unit: that of the build, where there is one
    turn    (3, 3): what takes the file's axes to ours
    known   it was compared with what was built
    """

    def __init__(self, capture: Capture, exhibit: Exhibit) -> None:
        self.capture = capture
        self.exhibit = exhibit
        alignment = exhibit.alignment
        self.known = alignment is not None
        self._floor = 0.0 if alignment is None else abs(alignment.floor)
        if alignment is not None:
            self.unit = alignment.unit
            self.turn = alignment.axes.matrix()
        else:
            self.unit, self.turn = estimate(capture, exhibit.unit)
        self._bones = [joint for joint, parent in enumerate(capture.parents) if parent >= 0]
        self._parents = [capture.parents[joint] for joint in self._bones]
        self._leaves = [
            joint
            for joint, tip in enumerate(capture.tips)
            if not capture.children(joint) and bool(tip.any())
        ]

    @cached_property
    def _joint_sides(self) -> list[str]:
        """The side of each joint: the build's or, for what was left out, the one that names say."""
        alignment = self.exhibit.alignment
        if alignment is not None and self.exhibit.data is not None:
            ours = self.exhibit.data.layout.roles.sides
            return [ours[joint] if joint >= 0 else "" for joint in alignment.partners]
        return list(self._roles.sides)

    @cached_property
    def _roles(self) -> Roles:
        middle = self.capture.scaled(self.unit).posed(len(self.capture) // 2)
        return Roles.of(middle, complete=False)

    @cached_property
    def _hips(self) -> int:
        alignment = self.exhibit.alignment
        if alignment is not None and 0 in alignment.partners:
            return alignment.partners.index(0)
        return self._roles.hips

    @cached_property
    def sides(self) -> np.ndarray:
        """(N,) the side of each line."""
        sides = self._joint_sides
        return np.array([sides[joint] for joint in (*self._bones, *self._leaves)])

    def at(
        self, seconds: float, beside: np.ndarray | None, turned: bool
    ) -> tuple[np.ndarray, np.ndarray]:
        """The lines (N, 2, 3) at a time, and where the hips are, (3,).

        ``turned`` draws it in our axes. In the file's own, where these are others, and if nothing
        is known of its place, its hips are ``beside`` (3,); if its floor is far up or down, they
        are at that height. Where nothing was built, ``beside`` is
        None: then its lowest joint is on the ground or, in other axes than ours, its hips are at
        :data:`HIPS_M`.
        """
        points = self.unit * self._points(seconds)
        stands = turned or torch.allclose(self.turn, torch.eye(3, dtype=torch.float64))
        if turned:
            points = points @ self.turn.T
        if beside is None:
            rise = -self._ground(turned) if stands else HIPS_M - float(points[self._hips, 1])
            points = points + axis("+Y") * rise
        elif not self.known or not stands:
            points = points + torch.from_numpy(beside).double() - points[self._hips]
        elif self._floor > FAR_FLOOR_M:
            points = points + axis("+Y") * (float(beside[1]) - float(points[self._hips, 1]))

        count = len(self.capture.names)
        bones = torch.stack((points[self._parents], points[self._bones]), dim=1)
        tips = torch.stack((points[self._leaves], points[count:]), dim=1)
        return torch.cat((bones, tips)).numpy(), points[self._hips].numpy()

    def _points(self, seconds: float) -> Tensor:
        """(J + L, 3): the joints, then the ends of the L leaves' bones, in the file's units."""
        joints = points_at(self.capture, torch.tensor([seconds]))[0]
        frame = min(max(round(seconds * self.capture.fps), 0), len(self.capture) - 1)
        rotations = self.capture.rotations[frame, self._leaves]
        tips = (rotations @ self.capture.tips[self._leaves][..., None]).squeeze(-1)
        return torch.cat((joints, joints[self._leaves] + tips))

    def _ground(self, turned: bool) -> float:
        """The height of the lowest joint of all, in metres."""
        points = self.unit * self.capture.positions
        if turned:
            points = points @ self.turn.T
        return float(points[..., 1].min())

    def speed(self, seconds: float) -> float:
        """m/s of the hips, in any direction."""
        when = torch.tensor([seconds, seconds + 1 / self.capture.fps])
        hips = points_at(self.capture, when)[:, self._hips]
        return self.unit * self.capture.fps * float((hips[1] - hips[0]).norm())


def estimate(capture: Capture, unit: float | None) -> tuple[float, Tensor]:
    """Metres a unit, and what takes the axes to ours, of a file of which nothing was built: as far
    as they can be found out."""
    turn = torch.eye(3, dtype=torch.float64)
    leg = 0.0
    kind = "biped"
    try:
        roles = find_roles(capture, CanonicalSettings())
        leg = leg_length(capture, roles)
        kind = roles.kind
        turn = find_orientation(capture, roles).matrix()
    except ControllerError:
        pass
    if unit is not None:
        return unit, turn
    if leg > 0:
        return find_unit(leg, kind)[0], turn
    middle = capture.positions[len(capture) // 2]
    extent = float((middle.amax(dim=0) - middle.amin(dim=0)).max())
    return USUAL_M / max(extent, 1e-9), turn
