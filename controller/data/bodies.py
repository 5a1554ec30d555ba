"""Many captures of perhaps many bodies → clips on one canonical skeleton, each judged."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import torch

from controller.core.errors import ConfigError, ControllerError, DataError
from controller.data import transfer
from controller.data.anatomy import Anatomy, find_anatomy
from controller.data.canonical import (
    SAME_BODY,
    Body,
    CanonicalSettings,
    labels_of,
    make_body,
    on_skeleton,
    roles_of,
)
from controller.data.reference import bone_lengths, find_reference, reference_skeleton
from controller.data.retarget import Retargeter, Target
from controller.data.roundtrip import RoundTrip, compare, implausible
from controller.data.transfer import Transfer
from controller.motion.capture import Capture
from controller.motion.skeleton import Clip, Skeleton

SAME_DIRECTION = 0.94
"""Cosine of 20°: bones of one kind of file point in the same local directions, up to what differs
between performers."""
RIGID = 0.05
"""Share of its length by which a bone may usually move in its parent's frame."""
SAME_UNIT = 1.8
"""Ratio of sizes from which on two files are in different units: of people it is up to 1.6, of
inches and CMU's unit 2.2."""
SAME_BODY_M = 0.01
"""m by which bones of one body may always differ between files."""


@dataclass(frozen=True, eq=False)
class Canonical:
    """What became of many captures.

    skeleton  the one that all clips are on
    clips     in metres, Y up, at the files' own rates
    trips     the round trip of each clip
    notes     a sentence for everything that was assumed, changed or left out
    transfers how the clips of other bodies came over
    """

    skeleton: Skeleton
    clips: list[Clip]
    trips: list[RoundTrip]
    notes: list[str]
    transfers: list[Transfer] = field(default_factory=list)


def canonical(captures: Sequence[Capture], settings: CanonicalSettings) -> Canonical:
    """Bring captures to one form. Raises DataError if none of them can be used, and ConfigError if
    a role is stated for a joint that none of them has."""
    bodies, notes = find_bodies(captures, settings)
    main = max(bodies, key=lambda body: body.frames)
    skeleton = skeleton_of(main, settings)
    clips = []
    trips = []
    for body in bodies:
        order, reason = match(body, main)
        if order is None:
            notes += [f"{capture.name}: left out ({reason})" for capture in body.captures]
            continue
        if body is not main:
            body = _in_the_pose_of(main, body, order)
        for capture in body.captures:
            clip = on_skeleton(capture, body, skeleton, order)
            trip = compare(clip, capture, order)
            if not trip.is_good:
                notes.append(f"{capture.name}: left out ({trip.complaint})")
                continue
            clips.append(clip)
            trips.append(trip)
    return Canonical(skeleton, clips, trips, notes)


def find_bodies(
    captures: Sequence[Capture], settings: CanonicalSettings
) -> tuple[list[Body], list[str]]:
    """The bodies in captures, and a sentence for everything that was assumed or left out. Raises
    DataError if there are none, and ConfigError if a role is stated for a joint that none has."""
    _check_overrides(captures, settings)
    notes: list[str] = []
    bodies: list[Body] = []
    for group in same_files(captures):
        try:
            body, remarks = make_body(group, settings)
        except ControllerError as error:
            notes += [f"{capture.name}: left out ({error})" for capture in group]
            continue
        name = f"{group[0].name} and {len(group) - 1} more" if len(group) > 1 else group[0].name
        notes += [f"{name}: {remark}" for remark in remarks]
        bodies += split_by_size(body)
    if not bodies:
        raise DataError("\n  ".join(["no usable motion in it", *notes]))
    return bodies, notes


def skeleton_of(body: Body, settings: CanonicalSettings) -> Skeleton:
    """The skeleton of a body in its reference pose. Raises DataError if no body has such
    proportions."""
    kind = body.captures[0]
    skeleton = reference_skeleton(kind, body.roles, body.reference, body.lengths)
    fault = implausible(skeleton, roles_of(skeleton, settings))
    if fault:
        raise DataError(
            f"{kind.name}: no body has such proportions ({fault}); state what is wrong with --up, "
            "--unit, --height or --roles"
        )
    return skeleton


def bring_onto(
    captures: Sequence[Capture], settings: CanonicalSettings, target: Target
) -> Canonical:
    """Bring captures of any bodies onto the skeleton of a target. Those that are of that body
    already are not retargeted. Raises DataError if none of them can be used."""
    bodies, notes = find_bodies(captures, settings)
    result = Canonical(target.skeleton, [], [], notes)
    faults = []
    for body in bodies:
        try:
            _add_body(target, body, settings, result)
        except ControllerError as error:
            faults.append(str(error))
            notes += [f"{capture.name}: left out ({error})" for capture in body.captures]
    if len(faults) == len(bodies):
        raise DataError(faults[0])
    return result


def _add_body(target: Target, body: Body, settings: CanonicalSettings, result: Canonical) -> None:
    """Add the clips of one body to the result. Raises ControllerError if it is no body, or one of
    another kind."""
    own = skeleton_of(body, settings)
    every = list(range(len(own)))
    clips: list[tuple[Clip, RoundTrip, Capture]] = []
    for capture in body.captures:
        clip = on_skeleton(capture, body, own, every)
        trip = compare(clip, capture, every)
        if trip.is_good:
            clips.append((clip, trip, capture))
        else:
            result.notes.append(f"{capture.name}: left out ({trip.complaint})")
    if not clips:
        return
    retarget = Retargeter(
        find_anatomy(own, [clip for clip, _, _ in clips], body.roles), target.anatomy
    )
    if (order := _same_body(body, target)) is not None:
        turned = _with_axes_of(target, body, order, retarget.source)
        others = []
        for clip, trip, capture in clips:
            same = on_skeleton(capture, turned, target.skeleton, order)
            if compare(same, capture, order).is_good:
                result.clips.append(same)
                result.trips.append(compare(same, capture, order))
            else:
                others.append((clip, trip, capture))
        clips = others
    if not clips:
        return

    for clip, trip, _ in clips:
        made = retarget(clip)
        how = transfer.compare(retarget, clip, made)
        if how.complaint:
            result.notes.append(f"{clip.name}: left out ({how.complaint})")
            continue
        result.clips.append(made)
        result.trips.append(trip)
        result.transfers.append(how)
    name = clips[0][0].name + (f" and {len(clips) - 1} more" if len(clips) > 1 else "")
    result.notes.append(
        f"{name}: retargeted onto {target.name}; travel and speeds times {retarget.scale:.3f} "
        f"(legs of {retarget.legs[0]:.2f} m and {retarget.legs[1]:.2f} m)"
    )


def _same_body(body: Body, target: Target) -> list[int] | None:
    """For each joint of the target that of a body, if it is the target's body."""
    labels = labels_of(target.anatomy.roles, target.skeleton.names)
    if not set(labels) <= set(body.labels):
        return None
    order = [body.labels.index(label) for label in labels]
    lengths = target.skeleton.offsets.double().norm(dim=-1)
    parents = [order[parent] if parent >= 0 else -1 for parent in target.skeleton.parents]
    same_tree = [body.captures[0].parents[joint] for joint in order] == parents
    return order if same_tree and alike(body.lengths[order], lengths) else None


def _with_axes_of(target: Target, body: Body, order: list[int], own: Anatomy) -> Body:
    """The body with a reference by which the same pose has the same rotations as the target's."""
    rotations = body.reference.rotations.clone()
    for joint, other in enumerate(order):
        turn = target.anatomy.axes[joint] @ own.axes[other].T
        rotations[other] = turn @ rotations[other]
    return replace(body, reference=replace(body.reference, rotations=rotations))


def _in_the_pose_of(main: Body, body: Body, order: list[int]) -> Body:
    """The body with the reference pose that is nearest to that of ``main``, so that the same pose
    has the same rotations in both. Joints that ``main`` lacks do not count."""
    like = body.reference.joints.clone()
    like[order] = main.reference.joints
    return replace(body, reference=find_reference(body.captures, body.roles, like))


def _check_overrides(captures: Sequence[Capture], settings: CanonicalSettings) -> None:
    """Raise ConfigError if a role is stated for a joint that no file has."""
    names = {name for capture in captures for name in capture.names}
    for joint in settings.overrides.joints:
        if joint not in names:
            raise ConfigError(
                f"roles.{joint} is not a joint of the skeleton; allowed: {', '.join(sorted(names))}"
            )


def same_files(captures: Sequence[Capture]) -> list[list[Capture]]:
    """Captures that share names, parents, the bones' directions in local frames, and the unit."""
    groups: list[tuple[Capture, torch.Tensor, float, list[Capture]]] = []
    for capture in captures:
        directions = local_directions(capture)
        size = total_length(capture)
        for first, known, usual, members in groups:
            joints = (first.names, first.parents)
            in_one_unit = size < SAME_UNIT * usual and usual < SAME_UNIT * size
            same_joints = joints == (capture.names, capture.parents)
            if same_joints and in_one_unit and agree(directions, known):
                members.append(capture)
                break
        else:
            groups.append((capture, directions, size, [capture]))
    return [members for *_, members in groups]


def total_length(capture: Capture) -> float:
    """The length of all bones together, in file units, as far as they are rigid."""
    return float(local_bones(capture).norm(dim=-1).sum())


def local_bones(capture: Capture) -> torch.Tensor:
    """(J, 3) file units: each joint's usual place in its parent's frame; zero for the root, and for
    a joint that moves about its parent, such as hips under a root that stays."""
    bones = torch.zeros(len(capture.names), 3, dtype=torch.float64)
    for joint, parent in enumerate(capture.parents):
        if parent >= 0:
            bone = capture.positions[:, joint] - capture.positions[:, parent]
            frame = capture.rotations[:, parent].transpose(-1, -2)
            own = (frame @ bone[..., None]).squeeze(-1)
            middle = own.median(dim=0).values
            if float((own - middle).norm(dim=-1).median()) < RIGID * float(middle.norm()):
                bones[joint] = middle
    return bones


def local_directions(capture: Capture) -> torch.Tensor:
    """(J, 3): the directions of :func:`local_bones`; zero for joints that are on their parent. Two
    programs may write one skeleton with other frames."""
    bones = local_bones(capture)
    size = bones.norm(dim=-1, keepdim=True)
    return torch.where(size > 1e-6 * size.max(), bones / size.clamp(min=1e-12), 0.0)


def agree(one: torch.Tensor, other: torch.Tensor) -> bool:
    """Whether directions (J, 3) are those of one kind of file, as far as both have them."""
    sizes = one.norm(dim=-1) * other.norm(dim=-1)
    return bool(((one * other).sum(dim=-1) >= SAME_DIRECTION * sizes).all())


def split_by_size(body: Body) -> list[Body]:
    """Bodies whose bones are alike: two performers may come in files of one kind."""
    clusters: list[tuple[torch.Tensor, list[Capture]]] = []
    for capture in body.captures:
        lengths = bone_lengths([capture], body.roles)
        for known, members in clusters:
            if alike(lengths, known):
                members.append(capture)
                break
        else:
            clusters.append((lengths, [capture]))
    if len(clusters) == 1:
        return [body]
    return [
        replace(
            body,
            captures=members,
            lengths=bone_lengths(members, body.roles),
            reference=find_reference(members, body.roles),
        )
        for _, members in clusters
    ]


def alike(one: torch.Tensor, other: torch.Tensor) -> bool:
    """Whether bone lengths (J,) are those of one body."""
    allowed = (SAME_BODY * torch.maximum(one, other)).clamp(min=SAME_BODY_M)
    return bool(((one - other).abs() <= allowed).all())


def match(body: Body, main: Body) -> tuple[list[int] | None, str]:
    """For each joint of ``main`` that of ``body``; None, and why, if they are not one body."""
    if body is main:
        return list(range(len(main.labels))), ""
    missing = [label for label in main.labels if label not in body.labels]
    if missing:
        return None, f"it has no joint for {missing[0]}; --skeleton retargets on purpose"
    order = [body.labels.index(label) for label in main.labels]
    if not alike(body.lengths[order], main.lengths):
        return None, "another body: its bones have other lengths; --skeleton retargets on purpose"
    return order, ""
