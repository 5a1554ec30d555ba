"""A rest pose for any skeleton: world-aligned frames, facing +Z, left and right alike.

A file's own rest pose may lie on its back, have bones along any local axis, or be no pose at all.
So the rest pose is taken from the frame of the motion in which the body stands most upright and
most symmetrically, turned to face +Z and made symmetric.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import normalize

from controller.data.orientation import forward
from controller.motion import geometry
from controller.motion.capture import Capture
from controller.motion.roles import Roles
from controller.motion.skeleton import Skeleton

CANDIDATES = 200
"""Frames of a set of clips that are tried as the reference."""
MIRROR = torch.diag(torch.tensor([-1.0, 1.0, 1.0], dtype=torch.float64))


@dataclass(frozen=True, eq=False)
class Reference:
    """A body in its reference pose, facing +Z.

    joints     (J, 3) float64 positions in metres, relative to the hips
    rotations  (J, 3, 3) float64: each joint's frame in the world
    """

    joints: Tensor
    rotations: Tensor


def facing_matrices(capture: Capture, roles: Roles) -> Tensor:
    """(T, 3, 3): what turns the world so that the body of each frame faces +Z."""
    ahead = forward(capture, roles)
    return geometry.yaw_matrix(-torch.atan2(ahead[:, 0], ahead[:, 2]))


def find_reference(
    captures: Sequence[Capture], roles: Roles, like: Tensor | None = None
) -> Reference:
    """The best standing frame of all clips, which share joints and local frames; or the one that is
    nearest to a pose (J, 3), relative to the hips and facing +Z, that is to be ``like``."""
    step = max(1, sum(map(len, captures)) // CANDIDATES)
    best: tuple[float, Reference] | None = None
    for capture in captures:
        frames = torch.arange(0, len(capture), step)
        turn = facing_matrices(capture, roles)[frames]
        joints = capture.positions[frames]
        joints = (joints - joints[:, roles.hips, None]) @ turn.transpose(-1, -2)
        if like is None:
            cost = asymmetry(joints, roles) + slouch(joints, roles)
        else:
            cost = (joints - like).norm(dim=-1).mean(dim=-1)
        row = int(cost.argmin())
        if best is None or float(cost[row]) < best[0]:
            rotations = turn[row] @ capture.rotations[frames[row]]
            best = float(cost[row]), Reference(joints[row], rotations)
    assert best is not None
    return best[1]


def asymmetry(joints: Tensor, roles: Roles) -> Tensor:
    """(F,) metres: how far poses (F, J, 3) that face +Z are from their own mirror images."""
    pairs = torch.tensor([max(partner, 0) for partner in roles.partners])
    known = torch.tensor([partner >= 0 for partner in roles.partners])
    apart = (joints - joints[:, pairs] @ MIRROR).norm(dim=-1)
    return apart[:, known].mean(dim=-1)


def slouch(joints: Tensor, roles: Roles) -> Tensor:
    """(F,) metres: how far legs and trunk of poses (F, J, 3) are from vertical."""
    total = joints.new_zeros(len(joints))
    for limb in roles.legs:
        leg = joints[:, limb.start] - joints[:, limb.end if limb.end is not None else limb.contact]
        total = total + leg.norm(dim=-1) - leg[:, 1]
    return total


def bone_lengths(captures: Sequence[Capture], roles: Roles) -> Tensor:
    """(J,) metres: each joint's median distance from its parent, the mean of left and right."""
    lengths = torch.zeros(len(roles.partners), dtype=torch.float64)
    for joint, parent in enumerate(captures[0].parents):
        if parent >= 0:
            distances = [
                (capture.positions[:, joint] - capture.positions[:, parent]).norm(dim=-1)
                for capture in captures
            ]
            lengths[joint] = torch.cat(distances).median()
    partners = [joint if partner < 0 else partner for joint, partner in enumerate(roles.partners)]
    return (lengths + lengths[partners]) / 2


def reference_skeleton(
    capture: Capture, roles: Roles, reference: Reference, lengths: Tensor
) -> Skeleton:
    """The skeleton in its reference pose, made symmetric joint by joint.

    The bones of one joint keep their angles to each other: a bundle on the midline (thighs and
    spine on the hips) is turned until its own axis of symmetry is the world's, and a bundle on the
    left and its image on the right are averaged.
    """
    parents = list(capture.parents)
    bones = torch.zeros_like(reference.joints)
    for joint, parent in enumerate(parents):
        if parent >= 0:
            bones[joint] = reference.joints[joint] - reference.joints[parent]
    tips = (reference.rotations @ capture.tips[..., None]).squeeze(-1)

    offsets = torch.zeros_like(bones)
    ends = torch.zeros_like(tips)
    for joint in range(len(parents)):
        partner = roles.partners[joint]
        children = capture.children(joint)
        if partner < 0:
            offsets[children] = bones[children]
            ends[joint] = tips[joint]
        elif partner == joint:
            offsets[children] = _midline_bones(bones, children, roles)
            ends[joint] = (tips[joint] + MIRROR @ tips[joint]) / 2
        elif joint < partner:
            left = bones[children]
            images = [roles.partners[child] for child in children]
            right = bones[images] @ MIRROR
            mean = _mean_bundle(left, right)
            offsets[children] = mean
            offsets[images] = mean @ MIRROR
            ends[joint] = _mean_bundle(tips[joint][None], (MIRROR @ tips[partner])[None])[0]
            ends[partner] = MIRROR @ ends[joint]
    offsets = normalize(offsets, dim=-1) * lengths[:, None]
    return Skeleton(capture.names, capture.parents, offsets.float(), ends.float())


def _midline_bones(bones: Tensor, children: list[int], roles: Roles) -> Tensor:
    """(C, 3): the bones of a joint on the midline, symmetric about the plane x = 0."""
    own = bones[children]
    images = [children.index(roles.partners[c]) if roles.partners[c] in children else i
              for i, c in enumerate(children)]  # fmt: skip
    if len(children) > 1:
        own = own @ _to_symmetry(own, images, [roles.sides[c] for c in children]).T
    return (own + own[images] @ MIRROR) / 2


def _to_symmetry(bones: Tensor, images: list[int], sides: list[str]) -> Tensor:
    """The smallest rotation (3, 3) after which bones (C, 3) are most nearly their mirror images.

    The lateral axis is the one along which bones of the midline, and sums of pairs, have the least,
    and differences of pairs the most: the first eigenvector of a sum of their outer products.
    """
    spread = torch.zeros(3, 3, dtype=bones.dtype)
    lateral = torch.zeros(3, dtype=bones.dtype)
    for row, image in enumerate(images):
        total = bones[row] + bones[image]
        apart = bones[row] - bones[image]
        spread = spread + torch.outer(total, total) - torch.outer(apart, apart)
        lateral = lateral + apart * {"left": 1.0, "right": -1.0}.get(sides[row], 0.0)
    across = torch.linalg.eigh(spread).eigenvectors[:, 0]
    sign = lateral @ across if float(lateral.norm()) > 1e-6 else across[0]
    across = -across if float(sign) < 0 else across
    return geometry.rotation_between(across, torch.tensor([1.0, 0.0, 0.0], dtype=bones.dtype))


def _mean_bundle(one: Tensor, other: Tensor) -> Tensor:
    """The mean of two bundles of bones (C, 3), the second turned onto the first."""
    if len(one) == 1:
        size = (one.norm() + other.norm()) / 2
        return size * normalize(normalize(one, dim=-1) + normalize(other, dim=-1), dim=-1)
    if len(one) == 0:
        return one
    return (one + other @ geometry.best_rotation(other, one).T) / 2
