"""From captures to clips in one form: metres, Y up, a world-aligned rest pose that faces +Z.

What is built is compared with what was read: see :mod:`controller.data.roundtrip`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from controller.core.errors import DataError, require
from controller.data.orientation import (
    UPRIGHT,
    UPS,
    Orientation,
    find_orientation,
    leg_length,
    turn_to_up,
    upright,
)
from controller.data.reference import (
    Reference,
    bone_lengths,
    find_reference,
)
from controller.data.scale import find_unit
from controller.motion import geometry
from controller.motion.capture import Capture
from controller.motion.roles import RoleOverrides, Roles
from controller.motion.skeleton import Clip, Skeleton, to_local

RIGID_M = 1e-3
"""Leg lengths by which a joint may move in its grandparent's frame and still be carried by it."""
SAME_BODY = 0.05
"""Share by which bones of one body may differ between files; 1 cm is always allowed."""
FEW_FILES = 3
"""Files that may all travel backward: somebody may have captured just that."""
BACKWARD = -0.5
"""Mean cosine between travel and facing of all clips together below which one of them is wrong."""


@dataclass(frozen=True)
class CanonicalSettings:
    """What is stated and not to be found out. None: found out.

    up      axis that points up in the files
    facing  axis that the body faces in a file's first frame
    unit    metres a file unit
    height  metres from the soles to the top of the head
    """

    up: str | None = None
    facing: str | None = None
    unit: float | None = None
    height: float | None = None
    overrides: RoleOverrides = field(default_factory=RoleOverrides)
    keep_fingers: bool = False

    def __post_init__(self) -> None:
        require(self.up is None or self.up in UPS, "--up", self.up, ", ".join(UPS))
        require(self.facing is None or self.facing in UPS, "--forward", self.facing, ", ".join(UPS))
        unit = "metres a unit, above 0"
        require(self.unit is None or 0 < self.unit < 100, "--unit", self.unit, unit)
        tall = "metres, 0.1 to 5"
        require(self.height is None or 0.1 <= self.height <= 5, "--height", self.height, tall)


@dataclass(frozen=True, eq=False)
class Body:
    """Captures of one body in one kind of file, in metres and our axes, with the joints that stay.

    roles      of those joints
    labels     what each joint is, unique, so that joints of other files can be matched
    lengths    (J,) metres, of the bones
    reference  the pose in which the body stands
    """

    captures: list[Capture]
    roles: Roles
    labels: tuple[str, ...]
    lengths: Tensor
    reference: Reference

    @property
    def frames(self) -> int:
        """Frames of all its captures."""
        return sum(map(len, self.captures))


def roles_of(skeleton: Skeleton, settings: CanonicalSettings) -> Roles:
    """The roles of a skeleton's joints; of the stated ones, those count whose joints it has."""
    return Roles.of(skeleton, settings.overrides.restricted(skeleton.names))


def find_roles(capture: Capture, settings: CanonicalSettings) -> Roles:
    """The roles of a capture's joints, whatever its axes.

    Names usually suffice; where they say nothing, each axis is tried for up until the roles that
    follow from it are upright along it. Raises DataError if none is.
    """
    error: DataError | None = None
    for up in (settings.up,) if settings.up else UPS:
        turned = capture.transformed(turn_to_up(up))
        frame = len(capture) // 2
        try:
            roles = roles_of(turned.posed(frame), settings)
            best, cosine = upright(turned, roles)
        except DataError as reason:
            error = error or reason
            continue
        if best == "+Y" and cosine > UPRIGHT:
            return roles
        error = error or DataError(
            f"{capture.name}: the body does not stand; name the axis with --up"
        )
    assert error is not None
    raise error


def joints_to_keep(
    capture: Capture, roles: Roles, keep_fingers: bool
) -> tuple[list[int], list[int], list[str]]:
    """The joints that matter, the hips first, their new parents, and the names of those dropped.

    What lies above the hips is merged into them. Fingers and joints without a role at the end of a
    chain are dropped, and so are joints on their parent that only divide its rotation.
    """
    hips = roles.hips
    below = [hips]
    for joint, parent in enumerate(capture.parents):
        if parent in below:
            below.append(joint)
    useful = {joint for joint in below if _has_role(roles, joint)}
    if keep_fingers:
        useful = set(below)
    needed = {hips}
    for end in useful:
        joint = end
        while joint not in needed:
            needed.add(joint)
            joint = capture.parents[joint]

    size = leg_length(capture, roles)
    kept = [joint for joint in below if joint in needed]
    for joint in list(kept):
        if joint != hips and _only_divides(capture, joint, size):
            kept.remove(joint)
    places = {joint: place for place, joint in enumerate(kept)}
    parents = []
    for joint in kept:
        parent = capture.parents[joint]
        while joint != hips and parent not in places:
            parent = capture.parents[parent]
        parents.append(-1 if joint == hips else places[parent])
    dropped = [capture.names[joint] for joint in below if joint not in places]
    return kept, parents, dropped


def tips_of(capture: Capture, kept: list[int]) -> Tensor:
    """(J, 3): where the bones of a capture's joints end, in their own frames. The end of a joint
    whose children are all dropped, and which has none of its own, is its first child."""
    tips = capture.tips.clone()
    for joint in kept:
        children = capture.children(joint)
        if children and not set(children) & set(kept) and not bool(tips[joint].any()):
            bone = capture.positions[:, children[0]] - capture.positions[:, joint]
            frame = capture.rotations[:, joint].transpose(-1, -2)
            tips[joint] = (frame @ bone[..., None]).squeeze(-1).median(dim=0).values
    return tips


def turned_tips(orientation: Orientation, tips: Tensor) -> Tensor:
    """Tips in the joints' frames of a capture that was brought to our axes: these are conjugated by
    the orientation's matrix."""
    return tips @ orientation.matrix().T


def _has_role(roles: Roles, joint: int) -> bool:
    role = roles.guesses[joint].role
    return role != "none" and not role.endswith("finger")


def _only_divides(capture: Capture, joint: int, size: float) -> bool:
    """Whether a joint sits on its parent and carries its children as the parent alone would."""
    parent = capture.parents[joint]
    if (
        float((capture.positions[:, joint] - capture.positions[:, parent]).abs().max())
        > RIGID_M * size
    ):
        return False
    frame = capture.rotations[:, parent].transpose(-1, -2)
    for child in capture.children(joint):
        bone = frame @ (capture.positions[:, child] - capture.positions[:, parent])[..., None]
        if float((bone - bone[:1]).abs().max()) > RIGID_M * size:
            return False
    return True


def labels_of(roles: Roles, names: Sequence[str]) -> tuple[str, ...]:
    """What each joint is; of several with one role their number counts, without one their name."""
    counts: dict[str, int] = {}
    labels = []
    for joint, guess in enumerate(roles.guesses):
        role = guess.role if guess.role != "none" else f"none {names[joint]}"
        counts[role] = counts.get(role, -1) + 1
        labels.append(f"{role} {counts[role]}")
    return tuple(labels)


def make_body(captures: Sequence[Capture], settings: CanonicalSettings) -> tuple[Body, list[str]]:
    """Bring captures with the same joints to metres and our axes, and find their reference pose.

    Returns the body and remarks. Raises DataError if nothing can be made of them.
    """
    longest = max(captures, key=len)
    roles = find_roles(longest, settings)
    kept, parents, dropped = joints_to_keep(longest, roles, settings.keep_fingers)
    notes = []
    if dropped:
        notes.append(f"joints dropped: {', '.join(dropped)}")

    turned = []
    usual: Orientation | None = None
    for capture in sorted(captures, key=len, reverse=True):
        try:
            orientation = find_orientation(capture, roles, settings.up, settings.facing)
            usual = usual or orientation
        except DataError as error:
            if usual is None:
                notes.append(f"{capture.name}: left out ({error})")
                continue
            orientation = usual
        turned.append((capture.transformed(orientation.matrix()), orientation))
    if not turned:
        raise DataError(f"{longest.name}: the body stands upright in none of the files")
    notes += _orientation_notes([orientation for _, orientation in turned])
    _check_travel(turned, longest.name)

    leg = sorted(leg_length(capture, roles) for capture, _ in turned)[len(turned) // 2]
    if settings.unit is None:
        unit, remark = find_unit(leg, roles.kind, settings.height)
        notes += [remark] if remark else []
    else:
        unit = settings.unit
    tips = tips_of(longest, kept)
    ready = [
        replace(capture, tips=turned_tips(orientation, tips)).scaled(unit).subset(kept, parents)
        for capture, orientation in turned
    ]
    own = roles_of(ready[0].posed(len(ready[0]) // 2), settings)
    reference = find_reference(ready, own)
    labels = labels_of(own, ready[0].names)
    return Body(ready, own, labels, bone_lengths(ready, own), reference), notes


def _orientation_notes(found: Sequence[Orientation]) -> list[str]:
    ups = {orientation.up for orientation in found} - {"+Y"}
    notes = [f"{up} is up in {sum(o.up == up for o in found)} files" for up in sorted(ups)]
    mirrored = sum(orientation.mirrored for orientation in found)
    return notes + ([f"{mirrored} files are left-handed and were mirrored"] if mirrored else [])


def _check_travel(turned: Sequence[tuple[Capture, Orientation]], name: str) -> None:
    """Raise DataError if, over all clips, the body travels away from where its toes point."""
    weights = [len(capture) for capture, orientation in turned if not math.isnan(orientation.ahead)]
    ahead = [orientation.ahead for _, orientation in turned if not math.isnan(orientation.ahead)]
    if not ahead:
        return
    mean = sum(w * a for w, a in zip(weights, ahead, strict=True)) / sum(weights)
    if mean < BACKWARD and len(ahead) > FEW_FILES:
        raise DataError(
            f"{name}: the body travels backward in nearly all files (cosine {mean:.2f}); "
            "if that is wrong, name the axis that it faces in its first frame with --forward"
        )


def on_skeleton(capture: Capture, body: Body, skeleton: Skeleton, order: list[int]) -> Clip:
    """A capture of a body as a clip on a canonical skeleton.

    ``order`` gives for each joint of the skeleton the body's. A joint's rotation follows the
    captured one and is turned so that its bones point where they did in the capture, which
    absorbs what the skeleton's own bones differ by.
    """
    positions = capture.positions[:, order]
    turns = body.reference.rotations[order].transpose(-1, -2)
    rotations = capture.rotations[:, order] @ turns
    offsets = skeleton.offsets.double()
    tips = skeleton.tips.double()
    result = []
    for joint in range(len(skeleton)):
        children = list(skeleton.children(joint))
        base = rotations[:, joint]
        if children:
            bones = positions[:, children] - positions[:, joint, None]
            expected = offsets[children] @ base.transpose(-1, -2)
            result.append(_turn_onto(expected, bones) @ base)
        elif float(tips[joint].norm()) > 1e-6:
            source = order[joint]
            bone = (capture.rotations[:, source] @ capture.tips[source][:, None]).transpose(-1, -2)
            result.append(_turn_onto((base @ tips[joint])[:, None], bone) @ base)
        else:
            result.append(base)
    world = torch.stack(result, dim=1)
    return Clip(
        capture.name,
        skeleton,
        positions[:, 0].float(),
        to_local(skeleton.parents, world).float(),
        capture.fps,
    )


def _turn_onto(source: Tensor, target: Tensor) -> Tensor:
    """(T, 3, 3): what turns bones (T, C, 3) onto others; the smallest rotation for a single one."""
    if source.shape[1] == 1:
        return geometry.rotation_between(source[:, 0], target[:, 0])
    return geometry.best_rotation(source, target)
