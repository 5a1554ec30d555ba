"""Clips made to agree: one skeleton and rest pose, the floor at zero, glitches and calibration
poses cut away."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from synthetic import layout, skeleton, walk
from torch import Tensor

from controller.core.errors import DataError
from controller.data.cleaning import (
    calibration_pose,
    floor_spread,
    glitches,
    levelled,
    renamed,
    rest_turn,
    retargeted,
    segments,
    symmetric_skeleton,
)
from controller.data.dataset import build
from controller.motion import geometry
from controller.motion.overrides import RoleOverrides
from controller.motion.skeleton import Clip, Skeleton, to_global, to_local


def with_other_rest(clip: Clip, turns: dict[str, Tensor], order: list[int]) -> Clip:
    """The same motion of a person whose rest pose has the bones *below* the named joints turned,
    and whose joints come in another order."""
    bones = clip.skeleton
    rotations = to_global(bones.parents, clip.rotations).clone()
    offsets = bones.offsets.clone()
    tips = bones.tips.clone()
    for name, turn in turns.items():
        joint = bones.index(name)
        rotations[:, joint] = rotations[:, joint] @ turn.T
        for child in bones.children(joint):
            offsets[child] = turn @ offsets[child]
        tips[joint] = turn @ tips[joint]
    other = Skeleton(
        tuple(bones.names[joint] for joint in order),
        tuple(
            -1 if bones.parents[joint] < 0 else order.index(bones.parents[joint]) for joint in order
        ),
        offsets[order],
        tips[order],
    )
    return Clip(
        clip.name, other, clip.positions, to_local(other.parents, rotations[:, order]), clip.fps
    )


ORDER = [
    0,
    9,
    14,
    15,
    16,
    11,
    12,
    13,
    10,
    5,
    6,
    7,
    8,
    1,
    2,
    3,
    4,
]  # right arm, left arm, head, right leg, left leg


def t_pose() -> dict[str, Tensor]:
    """Arms held out sideways in the rest pose, where ours hang."""
    quarter = torch.tensor(math.pi / 2)
    return {
        f"{side}{bone}": geometry.axis_rotation("Z", sign * quarter)
        for side, sign in (("Left", 1), ("Right", -1))
        for bone in ("Arm", "ForeArm", "Hand")
    }


def test_a_walk_captured_in_a_t_pose_skeleton_is_the_same_walk() -> None:
    clip = walk(turn=0.5)
    other = with_other_rest(clip, t_pose(), ORDER)
    names = other.skeleton.names
    assert names != skeleton().names
    left_hand = other.skeleton.offsets[names.index("LeftHand")]
    torch.testing.assert_close(
        left_hand, torch.tensor([0.25, 0.0, 0.0]), atol=1e-6, rtol=0
    )  # out to the left
    back = retargeted(other, skeleton())
    assert back.skeleton is skeleton()
    torch.testing.assert_close(back.joint_positions(), clip.joint_positions(), atol=1e-5, rtol=0)
    torch.testing.assert_close(back.global_rotations(), clip.global_rotations(), atol=1e-5, rtol=0)


@settings(max_examples=25)
@given(seed=st.integers(0, 2**31))
def test_limbs_point_where_they_pointed_whatever_the_rest_pose_and_the_bones_lengths(
    seed: int,
) -> None:
    generator = torch.Generator().manual_seed(seed)
    names = [
        name for name in skeleton().names if len(skeleton().children(skeleton().index(name))) == 1
    ]
    turns = geometry.matrix_from_6d(torch.randn(len(names), 6, generator=generator))
    clip = walk(seconds=1.0)
    other = with_other_rest(clip, dict(zip(names, turns, strict=True)), ORDER)
    factor = 0.7 + 0.6 * torch.rand(len(skeleton()), 1, generator=generator)
    ours = replace(skeleton(), offsets=skeleton().offsets * factor)
    back = retargeted(other, ours)
    for name in names:
        joint = skeleton().index(name)
        (child,) = skeleton().children(joint)
        captured = clip.joint_positions()[:, child] - clip.joint_positions()[:, joint]
        here = back.joint_positions()[:, child] - back.joint_positions()[:, joint]
        length = ours.offsets[child].norm()
        torch.testing.assert_close(here.norm(dim=-1), length.expand(len(clip)), atol=1e-5, rtol=0)
        torch.testing.assert_close(
            here / length, captured / captured.norm(dim=-1, keepdim=True), atol=1e-5, rtol=0
        )


def test_several_bones_of_one_joint_are_turned_together() -> None:
    turn = geometry.matrix_from_6d(torch.randn(6, generator=torch.Generator().manual_seed(2)))
    ours = skeleton().offsets[list(skeleton().children(0))]
    torch.testing.assert_close(rest_turn(ours, ours @ turn.T), turn, atol=1e-5, rtol=0)
    # a mirror image cannot be reached by turning: the answer is still a rotation
    odd = rest_turn(ours, ours * torch.tensor([-1.0, 1.0, 1.0]))
    assert float(torch.linalg.det(odd)) == pytest.approx(1.0, abs=1e-5)


def test_a_missing_joint_is_named() -> None:
    clip = renamed(walk(seconds=1.0), {"Head": "Skull"})
    assert "Skull" in clip.skeleton.names
    with pytest.raises(DataError, match=r"walk: joints Head are missing; it has Hips, .*Skull"):
        retargeted(clip, skeleton())


def test_a_skeleton_as_captured_becomes_symmetric() -> None:
    noise = 0.005 * torch.randn(len(skeleton()), 3, generator=torch.Generator().manual_seed(0))
    noise[0] = 0
    crooked = replace(skeleton(), offsets=skeleton().offsets + noise)
    straight = symmetric_skeleton(crooked)
    for joint, name in enumerate(straight.names):
        if name.startswith("Left"):
            other = straight.index("Right" + name[4:])
            torch.testing.assert_close(
                straight.offsets[joint] * torch.tensor([-1.0, 1, 1]), straight.offsets[other]
            )
            mean = (
                crooked.offsets[joint] * torch.tensor([-1.0, 1, 1]) + crooked.offsets[other]
            ) / 2
            torch.testing.assert_close(straight.offsets[other], mean)
    assert float(straight.offsets[straight.index("Head"), 0]) == 0
    assert symmetric_skeleton(skeleton()).to_dict() == skeleton().to_dict()


@pytest.mark.parametrize("floor", [-0.3, 0.0, 1.7])
def test_levelling_puts_the_first_percentile_of_the_lower_toe_at_zero(floor: float) -> None:
    clip = walk(floor=floor, seconds=4.0)
    level = levelled(clip, layout().feet)
    lower = level.joint_positions()[:, list(layout().feet), 1].amin(dim=-1).sort().values
    assert float(lower[0]) <= 0 < float(lower[3])  # 1 % of 121 frames
    assert float(lower[1]) == pytest.approx(0, abs=0.002)
    torch.testing.assert_close(level.positions[:, [0, 2]], clip.positions[:, [0, 2]])
    assert torch.equal(level.rotations, clip.rotations)


@pytest.mark.parametrize("fps", [30.0, 60.0, 120.0])
def test_a_clean_walk_has_no_glitches(fps: float) -> None:
    clip = walk(fps=fps, speed=2.0, turn=1.0)
    assert glitches(clip) == []
    pieces, notes = segments(clip)
    assert notes == [] and len(pieces) == 1
    assert pieces[0].name == clip.name and len(pieces[0]) == len(clip)


def teleported(clip: Clip, frame: int) -> Clip:
    positions = clip.positions.clone()
    positions[frame:, 0] += 2.0
    return replace(clip, positions=positions)


def flipped(clip: Clip, frame: int) -> Clip:
    """From ``frame`` on the left hand is twisted about its own length: no joint moves, only a mesh
    would tear."""
    rotations = clip.rotations.clone()
    hand = skeleton().index("LeftHand")
    rotations[frame:, hand] = rotations[frame:, hand] @ geometry.axis_rotation(
        "Y", torch.tensor(math.pi)
    )
    return replace(clip, rotations=rotations)


def flung(clip: Clip, frame: int) -> Clip:
    """The right arm is somewhere else in a single frame, by less than a flip."""
    rotations = clip.rotations.clone()
    arm = skeleton().index("RightArm")
    rotations[frame, arm] = rotations[frame, arm] @ geometry.axis_rotation("X", torch.tensor(0.8))
    return replace(clip, rotations=rotations)


@pytest.mark.parametrize(
    ("damage", "words"),
    [(teleported, "root at 60."), (flipped, "LeftHand flips by 180°"), (flung, "RightHand jumps")],
)
def test_a_frame_no_body_could_have_made_is_found_and_cut(damage, words: str) -> None:
    clip = damage(walk(seconds=4.0), 50)
    found = glitches(clip)
    assert found[0][0] == 50 and words in found[0][1]
    assert all(50 <= frame <= 53 for frame, _ in found)
    pieces, (note,) = segments(clip)
    assert note.startswith("walk: cut at frame 50 (") and words in note
    assert [piece.name for piece in pieces] == ["walk[0:50]", f"walk[{found[-1][0]}:121]"]
    assert torch.equal(pieces[0].positions, clip.positions[:50])
    assert torch.equal(pieces[1].rotations, clip.rotations[found[-1][0] :])
    assert all(glitches(piece) == [] for piece in pieces)


def test_what_is_left_between_glitches_must_be_a_second_long() -> None:
    clip = teleported(teleported(walk(seconds=4.0), 40), 60)
    pieces, (note,) = segments(clip)
    assert [len(piece) for piece in pieces] == [40, 60]
    assert "and 1 more" in note and "21 frames dropped in pieces under 1 s" in note
    assert segments(walk(seconds=0.9))[0] == []


def with_arms_out(clip: Clip, frames: slice, angle: float = math.pi / 2) -> Clip:
    rotations = clip.rotations.clone()
    for side, sign in (("Left", 1), ("Right", -1)):
        rotations[frames, clip.skeleton.index(f"{side}Arm")] = geometry.axis_rotation(
            "Z", torch.tensor(sign * angle)
        )
        rotations[frames, clip.skeleton.index(f"{side}ForeArm")] = torch.eye(3)
    return replace(clip, rotations=rotations)


def test_the_calibration_pose_at_a_takes_start_is_dropped() -> None:
    clip = with_arms_out(walk(seconds=5.0, speed=0.0), slice(0, 40))
    posing = calibration_pose(clip)
    assert posing[:50].all() and not posing[50:].any()  # a third of a second more
    pieces, (note,) = segments(clip)
    assert "50 frames of calibration pose dropped" in note
    assert len(pieces) == 1 and not calibration_pose(pieces[0]).any()
    assert torch.equal(pieces[0].positions, clip.positions[50:])


def test_swinging_or_slightly_lifted_arms_are_no_calibration_pose() -> None:
    assert not calibration_pose(walk(speed=2.0)).any()
    assert not calibration_pose(with_arms_out(walk(), slice(0, 40), angle=0.5)).any()
    handless = RoleOverrides({"LeftHand": "none", "RightHand": "none"})
    armless = replace(walk(), skeleton=replace(skeleton(), overrides=handless))
    assert not calibration_pose(with_arms_out(armless, slice(0, 40))).any()


# -- the floor -------------------------------------------------------------------------------------


def climbing(slope: float, step: float) -> Clip:
    """The walk up a slope of ``slope`` m per m, in steps of ``step`` m."""
    clip = walk(seconds=4.0)
    rise = slope * clip.positions[:, 2]
    height = rise if step == 0 else torch.floor(rise / step) * step
    return replace(clip, positions=clip.positions + height[:, None] * torch.tensor([0.0, 1.0, 0.0]))


@pytest.mark.parametrize(("slope", "step"), [(0.1, 0.0), (-0.1, 0.0), (0.3, 0.0), (0.3, 0.17)])
def test_slopes_and_stairs_are_left_out_with_a_sentence(slope: float, step: float) -> None:
    level = walk("level", seconds=4.0)
    data = build([level, replace(climbing(slope, step), name="climbing")], "both")
    assert [clip.name.partition("[")[0] for clip in data.clips] == ["level"]
    assert any(
        "climbing" in note and "slopes and stairs are not supported" in note for note in data.notes
    )


def test_a_level_floor_has_hardly_any_spread() -> None:
    assert floor_spread(walk(seconds=4.0), layout().feet) < 0.05
    assert floor_spread(walk(seconds=0.05), layout().feet) == 0
