"""The pose vector: what it says of a walk, that it does not depend on the place, and its mirror
image."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from synthetic import STRIDE_HZ, layout, moved, skeleton, walk
from torch import Tensor

from controller.core.errors import DataError
from controller.motion import geometry
from controller.motion.pose import (
    FPS,
    PoseLayout,
    encode,
    facing,
    gaussian_smooth,
    root_trajectory,
)
from controller.motion.skeleton import Clip, Skeleton, to_global, to_local

STEADY = slice(20, -20)
"""Frames whose facing is not touched by the held ends of the smoothing."""


def root_velocity(clip: Clip) -> Tensor:
    return encode(layout(), clip)[STEADY, layout().root_velocity]


def test_the_parts_tile_the_vector() -> None:
    part = layout()
    covered: list[int] = []
    for piece in (part.root_velocity, part.positions, part.velocities, part.orientations):
        covered += range(part.size)[piece]
    joints = len(skeleton())
    assert covered == list(range(3 + 3 * joints + 3 * joints + 6 * joints))
    assert encode(part, walk(seconds=1.0)).shape == (30, part.size)


def test_feet_are_the_toes_left_first() -> None:
    assert [skeleton().names[joint] for joint in layout().feet] == ["LeftToe", "RightToe"]
    legless = skeleton().names.index("Spine")
    upper = Skeleton(
        ("Hips", *skeleton().names[legless:]),
        (-1, *(max(0, parent - legless + 1) for parent in skeleton().parents[legless:])),
        torch.cat((torch.zeros(1, 3), skeleton().offsets[legless:])),
        torch.cat((torch.zeros(1, 3), skeleton().tips[legless:])),
    )
    with pytest.raises(DataError, match=r"no left and right leg among Hips, Spine, .*--roles FILE"):
        _ = PoseLayout(upper).feet


@pytest.mark.parametrize("speed", [0.0, 0.5, 1.5])
def test_walking_forward_is_forward_velocity(speed: float) -> None:
    velocity = root_velocity(walk(speed=speed, yaw=2.0))
    assert float((velocity[:, 0] - speed).abs().max()) < 0.01
    assert float(velocity[:, 1].abs().mean()) < 0.02
    assert float(velocity[:, 2].mean().abs()) < 0.02


@pytest.mark.parametrize(
    ("aside", "forward", "left"),
    [
        (math.pi, -1, 0),
        (math.pi / 2, 0, 1),
        (-math.pi / 2, 0, -1),
        (math.pi / 4, 0.5**0.5, 0.5**0.5),
    ],
)
def test_walking_another_way_than_one_faces(aside: float, forward: float, left: float) -> None:
    for yaw in (0.0, 1.0, 3.0):
        velocity = root_velocity(walk(speed=0.5, yaw=yaw, aside=aside)).mean(dim=0)
        torch.testing.assert_close(
            velocity, torch.tensor([0.5 * forward, 0.5 * left, 0.0]), atol=0.01, rtol=0
        )


@pytest.mark.parametrize("turn", [0.8, -0.8])
def test_turning_left_is_positive(turn: float) -> None:
    velocity = root_velocity(walk(speed=1.0, turn=turn, seconds=4.0)).mean(dim=0)
    torch.testing.assert_close(velocity, torch.tensor([1.0, 0.0, turn]), atol=0.03, rtol=0)


def test_the_pose_by_hand() -> None:
    """Facing +X and standing: what is ahead (+X) becomes +Z, what is to the left (−Z) becomes
    +X."""
    clip = walk(speed=0.0, sway=0.0, yaw=math.pi / 2, start=(5.0, 7.0), seconds=1.0)
    world = clip.joint_positions()[1]
    pose = encode(layout(), clip)[0]
    joints = layout().joint_positions(pose)
    expected = torch.stack((-(world[:, 2] - 7), world[:, 1], world[:, 0] - 5), dim=-1)
    torch.testing.assert_close(joints, expected, atol=1e-5, rtol=0)
    assert (
        joints[skeleton().index("LeftToe"), 0] > 0.05
        and joints[skeleton().index("LeftToe"), 2] > 0.1
    )
    torch.testing.assert_close(layout().joint_rotations(pose)[0], torch.eye(3), atol=1e-5, rtol=0)


@settings(max_examples=25)
@given(yaw=st.floats(-math.pi, math.pi), x=st.floats(-20, 20), z=st.floats(-20, 20))
def test_a_pose_does_not_tell_where_in_the_world_it_was(yaw: float, x: float, z: float) -> None:
    clip = walk(seconds=1.5, turn=0.7)
    here = encode(layout(), clip)
    there = encode(layout(), moved(clip, yaw, x, z))
    quick = [layout().root_velocity, layout().velocities]
    for part in quick:  # 30 / s times the rounding of coordinates of 20 m
        torch.testing.assert_close(there[:, part], here[:, part], atol=1e-3, rtol=0)
        there[:, part] = here[:, part]
    torch.testing.assert_close(there, here, atol=2e-5, rtol=0)


def world_positions(poses: Tensor) -> tuple[Tensor, Tensor]:
    """Joints (T, J, 3) in the world as the root's own velocities place them, and yaws (T,)."""
    place, yaw = root_trajectory(poses)
    local = layout().joint_positions(poses)
    turned = (geometry.yaw_matrix(yaw)[:, None] @ local[..., None])[..., 0]
    return turned + torch.stack((place[:, 0], torch.zeros(len(poses)), place[:, 1]), dim=-1)[
        :, None
    ], yaw


@pytest.mark.parametrize("aside", [0.0, 2.0])
def test_root_motion_and_poses_give_back_the_world(aside: float) -> None:
    clip = walk(turn=-0.9, yaw=2.5, aside=aside, start=(2.0, -1.0))
    ours, _ = world_positions(encode(layout(), clip))
    first = facing(clip)[0]
    captured = clip.joint_positions()[1:] - clip.positions[0] * torch.tensor([1.0, 0, 1])
    seen = (geometry.yaw_matrix(-first) @ captured[..., None])[..., 0]  # from where the clip begins
    torch.testing.assert_close(ours, seen, atol=2e-4, rtol=0)


def test_velocities_are_the_joints_motion_through_the_world() -> None:
    poses = encode(layout(), walk(turn=1.1, speed=1.4))
    world, yaw = world_positions(poses)
    speed = (world[1:] - world[:-1]) * FPS
    expected = (geometry.yaw_matrix(-yaw[1:])[:, None] @ speed[..., None])[..., 0]
    stored = poses[1:, layout().velocities].unflatten(-1, (-1, 3))
    torch.testing.assert_close(stored, expected, atol=5e-3, rtol=0)


def test_forward_kinematics_of_captured_poses_are_their_positions() -> None:
    poses = encode(layout(), walk(turn=0.5))
    torch.testing.assert_close(
        layout().posed_joints(poses), layout().joint_positions(poses), atol=1e-4, rtol=0
    )
    rotations = layout().joint_rotations(poses)
    eye = torch.eye(3).expand_as(rotations)
    torch.testing.assert_close(rotations @ rotations.transpose(-1, -2), eye, atol=1e-5, rtol=0)


def reflected(clip: Clip) -> Clip:
    """The clip in a mirror across x = 0, made from its world rotations joint by joint."""
    bones = clip.skeleton
    flip = torch.diag(torch.tensor([-1.0, 1.0, 1.0]))
    rotations = to_global(bones.parents, clip.rotations)
    swapped = [bones.index(other_side(name)) for name in bones.names]
    mirrored = flip @ rotations[:, swapped] @ flip
    return replace(
        clip, positions=clip.positions @ flip, rotations=to_local(bones.parents, mirrored)
    )


def other_side(name: str) -> str:
    if name.startswith("Left"):
        return "Right" + name[4:]
    return "Left" + name[5:] if name.startswith("Right") else name


def test_a_mirrored_pose_is_the_pose_of_the_mirrored_clip() -> None:
    clip = walk(turn=0.6, aside=0.5, yaw=0.3)
    torch.testing.assert_close(
        encode(layout(), reflected(clip)),
        layout().mirror(encode(layout(), clip)),
        atol=1e-3,
        rtol=0,
    )


def test_the_mirror_twice_is_nothing() -> None:
    poses = torch.randn(5, layout().size, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(layout().mirror(layout().mirror(poses)), poses)


def test_the_mirror_swaps_sides() -> None:
    poses = encode(layout(), walk(turn=0.6, aside=0.5))
    mirror = layout().mirror(poses)
    sign = torch.tensor([1.0, -1.0, -1.0])
    torch.testing.assert_close(
        mirror[:, layout().root_velocity], poses[:, layout().root_velocity] * sign
    )
    left = skeleton().index("LeftHand")
    right = skeleton().index("RightHand")
    across = torch.tensor([-1.0, 1.0, 1.0])
    ours = layout().joint_positions(mirror)
    theirs = layout().joint_positions(poses)
    torch.testing.assert_close(ours[:, left], theirs[:, right] * across)
    assert float((ours[:, left] - theirs[:, left]).abs().max()) > 0.02


def test_the_mirrors_orientations_agree_with_its_positions() -> None:
    mirror = layout().mirror(encode(layout(), walk(turn=0.6)))
    torch.testing.assert_close(
        layout().posed_joints(mirror), layout().joint_positions(mirror), atol=1e-4, rtol=0
    )


def swing(angle: Tensor) -> float:
    """Amplitude of an angle's part at the stride frequency."""
    time = torch.arange(len(angle)) / FPS
    wave = torch.exp(-2j * math.pi * STRIDE_HZ * time)
    return float((2 * (angle - angle.mean()) * wave).mean().abs())


def test_the_facing_does_not_wobble_with_the_stride() -> None:
    sway = 0.2
    clip = walk(sway=sway, seconds=12.0, yaw=0.5)
    forward = clip.global_rotations()[:, 0] @ torch.tensor([0.0, 0.0, 1.0])
    middle = slice(30, 330)  # nine strides of a third of 100 frames
    assert swing(geometry.yaw_of(forward)[middle]) == pytest.approx(sway, rel=0.05)
    ours = facing(clip)[middle]
    assert swing(ours) < 0.08 * sway
    assert float((ours - 0.5).abs().max()) < 0.03


def test_the_facing_has_no_seam_where_it_passes_backward() -> None:
    """Round and round, over ±π several times."""
    clip = walk(turn=1.5, seconds=10.0, yaw=3.0)
    true = 3.0 + 1.5 * torch.arange(len(clip)) / FPS
    off = geometry.wrap_angle(facing(clip) - true)
    assert float(off[30:-30].abs().max()) < 0.05
    turning = encode(layout(), clip)[30:-30, 2]
    assert float(turning.min()) > 1.2 and float(turning.max()) < 1.8


def test_smoothing_keeps_means_and_holds_the_ends() -> None:
    constant = torch.full((10, 2), 3.0)
    torch.testing.assert_close(gaussian_smooth(constant, 4.0), constant)
    peak = torch.zeros(101, 1)
    peak[50] = 1
    smooth = gaussian_smooth(peak, 5.0)[:, 0]
    assert float(smooth.sum()) == pytest.approx(1.0, abs=1e-5)
    spread = (smooth * (torch.arange(101) - 50).square()).sum().sqrt()
    assert float(spread) == pytest.approx(5.0, rel=0.03)


def test_a_clip_of_another_skeleton_is_refused() -> None:
    clip = walk(seconds=1.0)
    names = ("Pelvis", *skeleton().names[1:])
    other = replace(
        clip, skeleton=Skeleton(names, skeleton().parents, skeleton().offsets, skeleton().tips)
    )
    with pytest.raises(DataError, match=r"walk: joints Pelvis, .* are not those of the layout"):
        encode(layout(), other)


def test_the_trajectory_of_poses_starts_after_the_first_step() -> None:
    poses = torch.zeros(2, 3, layout().size)
    poses[0, :, 0] = 3.0  # forward, 10 cm a frame
    poses[1, 0, 2] = math.pi / 2 * FPS  # turns a quarter, then walks
    poses[1, 1:, 0] = 3.0
    place, yaw = root_trajectory(poses)
    torch.testing.assert_close(place[0], torch.tensor([[0, 0.1], [0, 0.2], [0, 0.3]]))
    torch.testing.assert_close(
        place[1], torch.tensor([[0, 0.0], [0.1, 0], [0.2, 0]]), atol=1e-6, rtol=0
    )
    torch.testing.assert_close(yaw[1], torch.full((3,), math.pi / 2))
