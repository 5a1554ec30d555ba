"""Other people's files come out right, or are refused: never silently wrong."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import hypothesis.strategies as st
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from rewriting import TURNS, Convention, write
from synthetic import layout, walk

from controller.core.errors import ConfigError, DataError
from controller.data.bodies import Canonical, canonical
from controller.data.canonical import CanonicalSettings
from controller.data.cleaning import levelled
from controller.data.formats import bvh
from controller.motion.capture import Capture
from controller.motion.geometry import quaternion_to_matrix
from controller.motion.pose import PoseLayout, encode

WALK = walk(speed=1.2, turn=0.3)
"""To the left, forward: a mirrored or backward result is plainly another."""
FAMILIES = {
    "mixamo": {name: f"mixamorig:{name}" for name in WALK.skeleton.names},
    "bandai": {
        "LeftUpLeg": "UpperLeg_L", "LeftLeg": "LowerLeg_L", "LeftFoot": "Foot_L",
        "LeftToe": "Toes_L", "LeftArm": "UpperArm_L", "LeftForeArm": "LowerArm_L",
        "LeftHand": "Hand_L", "RightUpLeg": "UpperLeg_R", "RightLeg": "LowerLeg_R",
        "RightFoot": "Foot_R", "RightToe": "Toes_R", "RightArm": "UpperArm_R",
        "RightForeArm": "LowerArm_R", "RightHand": "Hand_R", "Spine": "Chest",
    },
    "unreal": {
        "Hips": "pelvis", "Spine": "spine_01", "Head": "head", "LeftUpLeg": "thigh_l",
        "LeftLeg": "calf_l", "LeftFoot": "foot_l", "LeftToe": "ball_l", "LeftArm": "upperarm_l",
        "LeftForeArm": "lowerarm_l", "LeftHand": "hand_l", "RightUpLeg": "thigh_r",
        "RightLeg": "calf_r", "RightFoot": "foot_r", "RightToe": "ball_r",
        "RightArm": "upperarm_r", "RightForeArm": "lowerarm_r", "RightHand": "hand_r",
    },
    "smpl": {
        "Hips": "Pelvis", "Spine": "Spine1", "LeftUpLeg": "L_Hip", "LeftLeg": "L_Knee",
        "LeftFoot": "L_Ankle", "LeftToe": "L_Foot", "LeftArm": "L_Shoulder",
        "LeftForeArm": "L_Elbow", "LeftHand": "L_Wrist", "RightUpLeg": "R_Hip",
        "RightLeg": "R_Knee", "RightFoot": "R_Ankle", "RightToe": "R_Foot",
        "RightArm": "R_Shoulder", "RightForeArm": "R_Elbow", "RightHand": "R_Wrist",
    },
    "acclaim": {
        "Hips": "root", "Spine": "thorax", "Head": "head", "LeftUpLeg": "lfemur",
        "LeftLeg": "ltibia", "LeftFoot": "lfoot", "LeftToe": "ltoes", "LeftArm": "lhumerus",
        "LeftForeArm": "lradius", "LeftHand": "lwrist", "RightUpLeg": "rfemur",
        "RightLeg": "rtibia", "RightFoot": "rfoot", "RightToe": "rtoes", "RightArm": "rhumerus",
        "RightForeArm": "rradius", "RightHand": "rwrist",
    },
    "biped": {
        "Hips": "Bip01 Pelvis", "Spine": "Bip01 Spine", "Head": "Bip01 Head",
        "LeftUpLeg": "Bip01 L Thigh", "LeftLeg": "Bip01 L Calf", "LeftFoot": "Bip01 L Foot",
        "LeftToe": "Bip01 L Toe0", "LeftArm": "Bip01 L UpperArm",
        "LeftForeArm": "Bip01 L Forearm", "LeftHand": "Bip01 L Hand",
        "RightUpLeg": "Bip01 R Thigh", "RightLeg": "Bip01 R Calf", "RightFoot": "Bip01 R Foot",
        "RightToe": "Bip01 R Toe0", "RightArm": "Bip01 R UpperArm",
        "RightForeArm": "Bip01 R Forearm", "RightHand": "Bip01 R Hand",
    },
    "rigify": {
        "Hips": "spine", "Spine": "spine.001", "Head": "spine.006", "LeftUpLeg": "thigh.L",
        "LeftLeg": "shin.L", "LeftFoot": "foot.L", "LeftToe": "toe.L", "LeftArm": "upper_arm.L",
        "LeftForeArm": "forearm.L", "LeftHand": "hand.L", "RightUpLeg": "thigh.R",
        "RightLeg": "shin.R", "RightFoot": "foot.R", "RightToe": "toe.R",
        "RightArm": "upper_arm.R", "RightForeArm": "forearm.R", "RightHand": "hand.R",
    },
    "cgspeed": {
        "Hips": "hip", "Spine": "abdomen", "Head": "head", "LeftUpLeg": "lThigh",
        "LeftLeg": "lShin", "LeftFoot": "lFoot", "LeftToe": "lToe", "LeftArm": "lShldr",
        "LeftForeArm": "lForeArm", "LeftHand": "lHand", "RightUpLeg": "rThigh",
        "RightLeg": "rShin", "RightFoot": "rFoot", "RightToe": "rToe", "RightArm": "rShldr",
        "RightForeArm": "rForeArm", "RightHand": "rHand",
    },
    "xsens": {
        "Hips": "Pelvis", "Spine": "T8", "LeftUpLeg": "LeftUpperLeg", "LeftLeg": "LeftLowerLeg",
        "LeftArm": "LeftUpperArm", "RightUpLeg": "RightUpperLeg", "RightLeg": "RightLowerLeg",
        "RightArm": "RightUpperArm",
    },
    "rokoko": {
        "LeftUpLeg": "LeftThigh", "LeftLeg": "LeftShin", "RightUpLeg": "RightThigh",
        "RightLeg": "RightShin",
    },
    "knees": {
        "LeftUpLeg": "LeftHip", "LeftLeg": "LeftKnee", "LeftFoot": "LeftAnkle",
        "RightUpLeg": "RightHip", "RightLeg": "RightKnee", "RightFoot": "RightAnkle",
    },
    "nameless": {name: f"joint_{i}" for i, name in enumerate(WALK.skeleton.names)},
}  # fmt: skip


def read(path: Path, convention: Convention = Convention()) -> Capture:  # noqa: B008 - frozen
    return bvh.read_capture(write(path, WALK, convention))


def frames(seed: int) -> np.ndarray:
    """A random rotation for each joint's own frame."""
    draws = np.random.default_rng(seed).normal(size=(len(WALK.skeleton), 4))
    quaternions = draws / np.linalg.norm(draws, axis=1, keepdims=True)
    return quaternion_to_matrix(torch.from_numpy(quaternions)).numpy()


def check_is_the_walk(result: Canonical) -> None:
    """The clip is the walk: its speeds and turns, its heights, and the file's own joints."""
    (clip,) = result.clips
    (trip,) = result.trips
    assert trip.mean < 5 and trip.worst < 10
    ours = PoseLayout(result.skeleton)
    got = encode(ours, levelled(clip, ours.feet))
    expected = encode(layout(), levelled(WALK, layout().feet))
    torch.testing.assert_close(got[:, :3], expected[:, :3], atol=0.05, rtol=0)
    height = got[:, ours.hip_height] - expected[:, layout().hip_height]
    assert float(height.abs().max()) < 0.01
    left = clip.joint_positions()[:, ours.roles.legs[0].start]
    original = WALK.joint_positions()[:, WALK.skeleton.index("LeftUpLeg")]
    torch.testing.assert_close(left[:, 1], original[:, 1], atol=0.01, rtol=0)


CONVENTIONS = {
    **{f"{up} up": Convention(up=up) for up in TURNS},
    **{f"{unit:.4g} m": Convention(metres=unit) for unit in (1, 0.01, 0.001, 0.0254, 0.3048)},
    "CMU's unit": Convention(metres=0.0254 / 0.45),
    "facing +X": Convention(yaw=math.pi / 2),
    "facing -Z": Convention(yaw=math.pi),
    "left-handed": Convention(mirrored=True),
    "left-handed, Z up": Convention(mirrored=True, up="+Z"),
    "a root at the origin": Convention(root=True),
    "positions below the root": Convention(positions=True),
    "bones along any axis": Convention(frames=frames(1)),
    **{order: Convention(order=order) for order in ("XYZ", "XZY", "YXZ", "YZX", "ZYX")},
    **{family: Convention(names=names) for family, names in FAMILIES.items()},
    **{
        f"{family}, Z up, bones along any axis": Convention(
            names=names, up="+Z", frames=frames(2), metres=1.0
        )
        for family, names in FAMILIES.items()
    },
}


@pytest.mark.parametrize("convention", CONVENTIONS.values(), ids=list(CONVENTIONS))
def test_every_convention_comes_out_right(convention: Convention, tmp_path: Path) -> None:
    check_is_the_walk(canonical([read(tmp_path / "walk.bvh", convention)], CanonicalSettings()))


@settings(max_examples=40, deadline=None)
@given(
    up=st.sampled_from(list(TURNS)),
    yaw=st.floats(-math.pi, math.pi),
    mirrored=st.booleans(),
    metres=st.sampled_from([1.0, 0.01, 0.001, 0.0254]),
    seed=st.integers(0, 999),
    root=st.booleans(),
    positions=st.booleans(),
)
def test_any_mixture_of_conventions_comes_out_right(
    tmp_path_factory: pytest.TempPathFactory,
    up: str,
    yaw: float,
    mirrored: bool,
    metres: float,
    seed: int,
    root: bool,
    positions: bool,
) -> None:
    convention = Convention(
        up=up, yaw=yaw, mirrored=mirrored, metres=metres, frames=frames(seed),
        root=root, positions=positions,
    )  # fmt: skip
    path = tmp_path_factory.mktemp("mixture") / "walk.bvh"
    check_is_the_walk(canonical([read(path, convention)], CanonicalSettings()))


# -- what is stated wins ---------------------------------------------------------------------------


def test_a_stated_height_and_unit_scale_the_body(tmp_path: Path) -> None:
    capture = read(tmp_path / "walk.bvh", Convention(metres=0.005))
    (assumed,) = canonical([capture], CanonicalSettings()).notes
    assert "fits no usual unit" in assumed and "--unit or --height" in assumed
    stated = canonical([capture], CanonicalSettings(unit=0.005))
    check_is_the_walk(stated)
    half = canonical([capture], CanonicalSettings(height=0.85)).skeleton
    ratio = half.offsets.norm(dim=-1).sum() / stated.skeleton.offsets.norm(dim=-1).sum()
    assert float(ratio) == pytest.approx(0.5, abs=0.03)


def test_a_body_that_lies_down_is_refused_and_named(tmp_path: Path) -> None:
    lying = read(tmp_path / "walk.bvh").transformed(
        torch.tensor([[1.0, 0, 0], [0, 0.7071, -0.7071], [0, 0.7071, 0.7071]])
    )
    with pytest.raises(DataError, match="--up"):
        canonical([lying], CanonicalSettings())


def test_joints_that_do_not_move_with_their_bones_are_refused(tmp_path: Path) -> None:
    """A hand that flies off on position channels of its own: no skeleton can follow it."""
    capture = read(tmp_path / "walk.bvh")
    positions = capture.positions.clone()
    hand = capture.names.index("LeftHand")
    positions[:, hand, 1] += torch.linspace(0, 60, len(positions), dtype=torch.float64)
    broken = replace(capture, positions=positions)
    result = canonical([broken], CanonicalSettings())
    assert not result.clips
    assert "LeftHand is" in result.notes[-1] and "mm from where the file has it" in result.notes[-1]


@pytest.mark.parametrize("share", [0.0, 0.02])
def test_a_body_without_a_torso_is_refused(share: float, tmp_path: Path) -> None:
    skeleton = WALK.skeleton
    offsets = skeleton.offsets.clone()
    for name in ("Spine", "Head", "LeftArm", "RightArm"):
        offsets[skeleton.index(name)] *= share
    flat = replace(WALK, skeleton=replace(skeleton, offsets=offsets))
    capture = bvh.read_capture(write(tmp_path / "flat.bvh", flat, Convention()))
    with pytest.raises(DataError):
        canonical([capture], CanonicalSettings())


def test_two_bodies_are_not_squeezed_onto_one(tmp_path: Path) -> None:
    child = replace(
        WALK,
        name="child",
        positions=WALK.positions * torch.tensor([1.0, 0.7, 1.0]),
        skeleton=replace(WALK.skeleton, offsets=WALK.skeleton.offsets * 0.7),
    )
    short = bvh.read_capture(write(tmp_path / "child.bvh", child, Convention()))
    tall = [read(tmp_path / f"{name}.bvh") for name in ("one", "two")]
    result = canonical([*tall, short], CanonicalSettings())
    assert [clip.name for clip in result.clips] == ["one", "two"]
    (note,) = result.notes
    assert note.startswith("child: left out (another body")


@pytest.mark.parametrize(
    ("field", "value"),
    [("up", "Y"), ("facing", "north"), ("unit", 0.0), ("unit", math.nan), ("height", 17.5)],
)
def test_settings_out_of_range_are_refused(field: str, value: object) -> None:
    with pytest.raises(ConfigError, match="allowed"):
        CanonicalSettings(**{field: value})  # type: ignore[arg-type]


def test_files_with_other_local_frames_are_brought_together(tmp_path: Path) -> None:
    """The same body from two programs: rotations agree although the files' frames do not."""
    one = read(tmp_path / "one.bvh")
    other = read(tmp_path / "other.bvh", Convention(frames=frames(3), up="+Z"))
    result = canonical([one, other], CanonicalSettings())
    assert [clip.name for clip in result.clips] == ["one", "other"]
    first, second = (encode(PoseLayout(result.skeleton), clip) for clip in result.clips)
    torch.testing.assert_close(first, second, atol=0.02, rtol=0)
