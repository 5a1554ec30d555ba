"""How a file's world became ours, found by comparing joints: unit, axes, hands, place.

It is measured on what was built, not taken from what the build says it did: points of the file are
brought onto those of the clip by the similarity that fits best (Umeyama 1991, with reflections).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from controller.core.errors import ControllerError
from controller.data import catalogue
from controller.data.canonical import CanonicalSettings, find_roles, labels_of
from controller.data.orientation import UPS, Orientation, axis
from controller.data.scale import UNITS
from controller.motion import geometry
from controller.motion.capture import Capture
from controller.motion.roles import Roles
from controller.motion.skeleton import Skeleton

FRAMES = 60
"""Frames that are compared."""
FEWEST = 4
"""Joints that must be common to both."""
SAME_UNIT = 0.02
"""Share by which a measured unit may differ from the usual one that it is."""


@dataclass(frozen=True, eq=False)
class Alignment:
    """What takes a file's points to a built clip's.

    unit      metres a file unit
    axes      the file's axes: which points up, and whether the file is left-handed
    yaw       radians about +Y by which the clip is turned against the file
    shift     (3,) metres, from the clip, turned back, to the file, in our axes; level
    floor     metres by which the build lowered the motion
    facing    the file's axis that is nearest to where the body faces in the clip's first frame, as
              "+Z"
    aside     degrees between the two
    apart     metres between joints of both, on average
    partners  for each of the file's joints the clip's, or −1
    """

    unit: float
    axes: Orientation
    yaw: float
    shift: Tensor
    floor: float
    facing: str
    aside: float
    apart: float
    partners: tuple[int, ...]

    @property
    def unit_name(self) -> str:
        """The unit in words."""
        for name, metres in UNITS.items():
            if abs(self.unit - metres) < SAME_UNIT * metres:
                return name
        return f"{self.unit:.4g} m"


def align(capture: Capture, times: Tensor, joints: Tensor, skeleton: Skeleton) -> Alignment | None:
    """Compare a file with a clip whose joints (T, J, 3) were at ``times`` (T,) seconds of the file.

    None if too few joints or frames are common to both.
    """
    partners = matched(capture, skeleton)
    pairs = [(ours, theirs) for theirs, ours in enumerate(partners) if ours >= 0]
    inside = torch.nonzero(times * capture.fps <= len(capture) - 1 + 1e-6).flatten()
    if len(pairs) < FEWEST or not len(inside):
        return None
    chosen = inside[:: max(1, len(inside) // FRAMES)]
    ours = joints[chosen][:, [pair[0] for pair in pairs]].double().flatten(0, 1)
    theirs = points_at(capture, times[chosen])[:, [pair[1] for pair in pairs]].flatten(0, 1)
    unit, turn, shift = similarity(theirs, ours)

    up = max(UPS, key=lambda name: float((turn @ axis(name))[1]))
    axes = Orientation(up, bool(torch.linalg.det(turn) < 0), math.nan)
    about = turn @ axes.matrix().T
    yaw = math.atan2(float(about[0, 2]), float(about[2, 2]))
    level_ahead = torch.tensor(facing_of(joints[0], skeleton), dtype=torch.float64)
    ahead = torch.nn.functional.normalize(turn.T @ level_ahead, dim=0)
    facing = max(UPS, key=lambda name: float(axis(name) @ ahead))
    level = shift * torch.tensor([1.0, 0.0, 1.0], dtype=torch.float64)
    unturned = -geometry.yaw_matrix(torch.tensor(-yaw, dtype=torch.float64)) @ level
    fitted = unit * theirs @ turn.T + shift
    return Alignment(
        unit,
        axes,
        yaw,
        unturned.float(),
        -float(shift[1]),
        facing,
        math.degrees(math.acos(min(1.0, float(axis(facing) @ ahead)))),
        float((fitted - ours).norm(dim=-1).mean()),
        partners,
    )


def similarity(source: Tensor, target: Tensor) -> tuple[float, Tensor, Tensor]:
    """The factor, the orthogonal matrix (3, 3) and the shift (3,) that take points (N, 3) nearest
    to others, by least squares."""
    middle = source.mean(dim=0)
    centre = target.mean(dim=0)
    one = source - middle
    left, sizes, right = torch.linalg.svd((target - centre).T @ one)
    turn = left @ right
    factor = float(sizes.sum() / one.square().sum().clamp(min=1e-12))
    return factor, turn, centre - factor * turn @ middle


def facing_of(joints: Tensor, skeleton: Skeleton) -> list[float]:
    """(x, 0, z), where a body with joints (J, 3) faces: at right angles to its hips and
    shoulders."""
    roles = Roles.of(skeleton)
    x = 0.0
    z = 0.0
    for pair in (roles.legs, roles.arms):
        if pair is not None:
            across = (joints[pair[0].start] - joints[pair[1].start]).tolist()
            size = max(math.hypot(across[0], across[2]), 1e-9)
            x -= across[2] / size
            z += across[0] / size
    return [x, 0.0, z]


def points_at(capture: Capture, seconds: Tensor) -> Tensor:
    """(T, J, 3) float64: a file's joints at these times (T,), between its frames linearly."""
    place = (seconds.double() * capture.fps).clamp(0, len(capture) - 1)
    before = place.floor().long().clamp(max=max(0, len(capture) - 2))
    after = (before + 1).clamp(max=len(capture) - 1)
    share = (place - before)[:, None, None]
    return torch.lerp(capture.positions[before], capture.positions[after], share)


def matched(capture: Capture, skeleton: Skeleton) -> tuple[int, ...]:
    """For each joint of a file that of a skeleton, or −1: by name or, if the names differ, by what
    each joint is."""
    renames = {
        old: new
        for dataset in map(catalogue.load, catalogue.names())
        for old, new in dataset.joints.items()
    }
    indices = {name: joint for joint, name in enumerate(skeleton.names)}
    named = tuple(
        indices.get(name, indices.get(renames.get(name, ""), -1)) for name in capture.names
    )
    if sum(joint >= 0 for joint in named) >= FEWEST:
        return named
    try:
        theirs = labels_of(find_roles(capture, CanonicalSettings()), capture.names)
        labels = labels_of(Roles.of(skeleton), skeleton.names)
    except ControllerError:
        return named
    places = {label: joint for joint, label in enumerate(labels)}
    return tuple(places.get(label, -1) for label in theirs)
