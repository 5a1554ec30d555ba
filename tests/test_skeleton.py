"""Skeletons, forward kinematics and resampling."""

from __future__ import annotations

import math
import re

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from synthetic import skeleton, walk
from torch import Tensor

from controller.core.errors import DataError
from controller.motion import geometry
from controller.motion.skeleton import Clip, Skeleton, forward_kinematics, to_global, to_local


def random_tree(seed: int, joints: int) -> tuple[Skeleton, Tensor, Tensor]:
    """A skeleton in which a parent is any earlier joint, root positions (3, 3) and local rotations
    (3, J, 3, 3)."""
    generator = torch.Generator().manual_seed(seed)
    parents = (
        -1,
        *(int(torch.randint(joint, (1,), generator=generator)) for joint in range(1, joints)),
    )
    offsets = torch.randn(joints, 3, generator=generator)
    offsets[0] = 0
    tree = Skeleton(
        tuple(f"joint{i}" for i in range(joints)), parents, offsets, torch.zeros(joints, 3)
    )
    rotations = geometry.matrix_from_6d(torch.randn(3, joints, 6, generator=generator))
    return tree, torch.randn(3, 3, generator=generator), rotations


def place(
    tree: Skeleton, root: np.ndarray, local: np.ndarray, joint: int
) -> tuple[np.ndarray, np.ndarray]:
    """Position and world rotation of one joint, by asking its parent first."""
    parent = tree.parents[joint]
    if parent < 0:
        return root, local[joint]
    position, rotation = place(tree, root, local, parent)
    return position + rotation @ tree.offsets[joint].double().numpy(), rotation @ local[joint]


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**31), joints=st.integers(1, 12))
def test_forward_kinematics_agree_with_a_walk_up_the_tree(seed: int, joints: int) -> None:
    tree, root, local = random_tree(seed, joints)
    rotations = to_global(tree.parents, local)
    positions = forward_kinematics(tree, root, rotations)
    for frame in range(3):
        for joint in range(joints):
            position, rotation = place(
                tree, root[frame].double().numpy(), local[frame].double().numpy(), joint
            )
            np.testing.assert_allclose(positions[frame, joint].numpy(), position, atol=2e-5)
            np.testing.assert_allclose(rotations[frame, joint].numpy(), rotation, atol=2e-6)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**31), joints=st.integers(1, 12))
def test_local_and_global_rotations_are_each_others_inverse(seed: int, joints: int) -> None:
    tree, _, rotations = random_tree(seed, joints)
    torch.testing.assert_close(
        to_local(tree.parents, to_global(tree.parents, rotations)), rotations, atol=1e-5, rtol=0
    )
    torch.testing.assert_close(
        to_global(tree.parents, to_local(tree.parents, rotations)), rotations, atol=1e-5, rtol=0
    )


def test_bones_keep_their_lengths_in_any_pose() -> None:
    tree, root, local = random_tree(5, 10)
    positions = forward_kinematics(tree, root, to_global(tree.parents, local))
    bones = positions[:, 1:] - positions[:, list(tree.parents[1:])]
    torch.testing.assert_close(
        bones.norm(dim=-1), tree.offsets[1:].norm(dim=-1).expand(3, -1), atol=1e-5, rtol=0
    )


ZEROS = torch.zeros(2, 3)


@pytest.mark.parametrize(
    ("names", "parents", "offsets", "tips", "words"),
    [
        (("a", "b"), (-1,), ZEROS, ZEROS, "as many parents"),
        (("a", "b"), (-1, 0), torch.zeros(3, 3), ZEROS, "as many parents, offsets"),
        (("a", "b"), (-1, 0), ZEROS, torch.zeros(2, 2), "offsets and tips"),
        (("a", "b"), (0, 0), ZEROS, ZEROS, "root, whose parent is -1"),
        (("a", "b"), (-1, 1), ZEROS, ZEROS, "joint b: its parent must come before it"),
        (("a", "b"), (-1, -1), ZEROS, ZEROS, "joint b: its parent must come before it"),
        ((), (), torch.zeros(0, 3), torch.zeros(0, 3), "starts with its root"),
    ],
)
def test_bad_skeletons_are_refused(
    names: tuple[str, ...], parents: tuple[int, ...], offsets: Tensor, tips: Tensor, words: str
) -> None:
    with pytest.raises(DataError, match=re.escape(words)):
        Skeleton(names, parents, offsets, tips)


def test_an_unknown_joint_is_refused_with_the_names_there_are() -> None:
    assert skeleton().index("Spine") == skeleton().names.index("Spine")
    with pytest.raises(DataError, match=r"no joint 'Tail'.*Hips, LeftUpLeg"):
        skeleton().index("Tail")


def test_a_skeleton_survives_json() -> None:
    tree, _, _ = random_tree(1, 6)
    back = Skeleton.from_dict(tree.to_dict())
    assert (back.names, back.parents) == (tree.names, tree.parents)
    torch.testing.assert_close(back.offsets, tree.offsets, atol=1e-6, rtol=0)
    assert Skeleton.from_dict(back.to_dict()).to_dict() == back.to_dict()


def test_a_second_at_24_becomes_a_second_at_30() -> None:
    clip = walk(seconds=1.0, fps=24.0, speed=1.5, turn=0.0)
    assert len(clip) == 25
    other = clip.resampled(30.0)
    assert len(other) == 31 and other.fps == 30.0 and other.name == clip.name
    for frame in (0, -1):
        torch.testing.assert_close(other.positions[frame], clip.positions[frame])
        torch.testing.assert_close(other.rotations[frame], clip.rotations[frame], atol=1e-6, rtol=0)
    speed = (other.positions[1:] - other.positions[:-1])[:, [0, 2]].norm(dim=-1) * 30
    torch.testing.assert_close(speed, torch.full((30,), 1.5), atol=1e-4, rtol=0)
    # what lies between two frames is near the true motion, not only on a straight line
    torch.testing.assert_close(
        other.joint_positions(), walk(seconds=1.0, speed=1.5).joint_positions(), atol=3e-3, rtol=0
    )


@settings(max_examples=60, deadline=None)
@given(
    frames=st.integers(2, 200), fps=st.sampled_from([12.5, 24.0, 25.0, 29.97, 60.0, 100.0, 120.0])
)
def test_resampling_covers_the_same_time(frames: int, fps: float) -> None:
    still = Skeleton(("a",), (-1,), torch.zeros(1, 3), torch.zeros(1, 3))
    positions = (
        torch.arange(frames)[:, None] * torch.tensor([1.0, 0, 0]) / fps
    )  # 1 m/s: a position is a time
    clip = Clip("c", still, positions, torch.eye(3).repeat(frames, 1, 1, 1), fps)
    other = clip.resampled(30.0)
    times = other.positions[:, 0].double()
    if abs(fps - 30) > 0.1:
        torch.testing.assert_close(times, torch.arange(len(other)).double() / 30, atol=1e-5, rtol=0)
    assert (frames - 1) / fps - 1 / 30 < float(times[-1]) <= (frames - 1) / fps + 1e-5


@given(angle=st.floats(-3.1, 3.1), axis=st.sampled_from("XYZ"))
@settings(deadline=None)
def test_half_way_between_two_frames_is_half_the_turn(angle: float, axis: str) -> None:
    one = Skeleton(("a",), (-1,), torch.zeros(1, 3), torch.zeros(1, 3))
    rotations = geometry.axis_rotation(axis, torch.tensor([[0.0], [angle]]))
    clip = Clip("c", one, torch.tensor([[0.0, 1, 0], [2.0, 3, 4]]), rotations, 15.0).resampled(30.0)
    assert len(clip) == 3
    torch.testing.assert_close(clip.positions[1], torch.tensor([1.0, 2, 2]))
    half = geometry.axis_rotation(axis, torch.tensor(angle / 2))
    torch.testing.assert_close(clip.rotations[1, 0], half, atol=1e-5, rtol=0)


def test_a_clip_at_its_own_rate_or_of_one_frame_stays_as_it_is() -> None:
    clip = walk(seconds=0.5)
    same = clip.resampled(30.0)
    assert torch.equal(same.positions, clip.positions) and torch.equal(
        same.rotations, clip.rotations
    )
    single = Clip("one", clip.skeleton, clip.positions[:1], clip.rotations[:1], 120.0).resampled(
        30.0
    )
    assert len(single) == 1 and single.fps == 30.0


def test_the_walk_these_tests_use_is_a_walk() -> None:
    clip = walk(seconds=2.0, speed=1.2, turn=0.5, yaw=1.0, start=(3.0, 4.0))
    joints = clip.joint_positions()
    assert float(joints[0, 0, 0]) == pytest.approx(3.0) and float(joints[0, 0, 2]) == pytest.approx(
        4.0
    )
    root = clip.positions[:, [0, 2]]
    step = root[1:] - root[:-1]
    torch.testing.assert_close(step.norm(dim=-1) * 30, torch.full((60,), 1.2), atol=2e-3, rtol=0)
    heading = torch.atan2(step[:, 0], step[:, 1])
    torch.testing.assert_close(
        heading, 1.0 + 0.5 * (torch.arange(60) + 0.5) / 30, atol=2e-3, rtol=0
    )
    toes = joints[:, [skeleton().index("LeftToe"), skeleton().index("RightToe")], 1]
    assert -0.05 < float(toes.min()) < 0.05 and float(toes.max()) < math.pi / 8
