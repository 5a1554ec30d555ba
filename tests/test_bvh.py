"""BVH files: what is written comes back, what others write is understood, what is broken is
refused."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from controller.core.errors import ConfigError, ControllerError, DataError, FormatError
from controller.data.formats import bvh
from controller.motion import geometry
from controller.motion.skeleton import Clip, Skeleton

LIMB = """HIERARCHY
ROOT Hips
{
  OFFSET 7 8 9
  CHANNELS 6 Xposition Yposition Zposition Zrotation Xrotation Yrotation
  JOINT Knee
  {
    OFFSET 0 -40 0
    CHANNELS 3 Zrotation Xrotation Yrotation
    End Site
    {
      OFFSET 0 -10 2
    }
  }
}
MOTION
Frames: 2
Frame Time: 0.0333333
1 90 3 0 0 0 0 90 0
2 91 4 90 0 0 0 0 90
"""


def parsed(folder: Path, text: str | bytes, **options: float) -> Clip:
    path = folder / "motion.bvh"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return bvh.read(path, **options)


def single(channels: str, values: str, offset: str = "0 0 0") -> str:
    """One root and one frame."""
    count = len(channels.split())
    return (
        f"HIERARCHY\nROOT A\n{{\nOFFSET {offset}\nCHANNELS {count} {channels}\n"
        f"End Site\n{{\nOFFSET 0 1 0\n}}\n}}\nMOTION\nFrames: 1\nFrame Time: 0.04\n{values}\n"
    )


def random_clip(generator: torch.Generator, joints: int, frames: int, fps: float = 30.0) -> Clip:
    """A random tree, its joints depth first as a file nests them."""
    parents = [-1]
    branch = [0]
    for joint in range(1, joints):
        depth = int(torch.randint(len(branch), (1,), generator=generator))
        branch = [*branch[: depth + 1], joint]
        parents.append(branch[-2])
    offsets = torch.randn(joints, 3, generator=generator)
    offsets[0] = 0
    tips = torch.randn(joints, 3, generator=generator)
    tips[[parent for parent in parents if parent >= 0]] = 0
    rotations = geometry.matrix_from_6d(torch.randn(frames, joints, 6, generator=generator))
    skeleton = Skeleton(tuple(f"joint {i}" for i in range(joints)), tuple(parents), offsets, tips)
    return Clip(
        "random", skeleton, torch.randn(frames, 3, generator=generator) * 10, rotations, fps
    )


@settings(max_examples=30, deadline=None)
@given(
    seed=st.integers(0, 2**31),
    joints=st.integers(1, 12),
    frames=st.integers(1, 5),
    order=st.sampled_from(["XYZ", "XZY", "YXZ", "YZX", "ZXY", "ZYX"]),
    unit=st.sampled_from([0.01, 0.0254, 1.0]),
    fps=st.sampled_from([0.5, 12.5, 24.0, 30.0, 120.0]),
)
def test_round_trip(
    tmp_path_factory: pytest.TempPathFactory,
    seed: int,
    joints: int,
    frames: int,
    order: str,
    unit: float,
    fps: float,
) -> None:
    clip = random_clip(torch.Generator().manual_seed(seed), joints, frames, fps)
    path = tmp_path_factory.mktemp("round") / "random.bvh"
    bvh.write(path, clip, unit=unit, order=order)
    back = bvh.read(path, unit=unit)
    assert (back.name, back.skeleton.names, back.skeleton.parents) == (
        "random",
        clip.skeleton.names,
        clip.skeleton.parents,
    )
    assert back.fps == pytest.approx(fps, rel=1e-7)
    torch.testing.assert_close(back.skeleton.offsets, clip.skeleton.offsets, atol=1e-6, rtol=1e-6)
    torch.testing.assert_close(back.skeleton.tips, clip.skeleton.tips, atol=1e-6, rtol=1e-6)
    torch.testing.assert_close(back.positions, clip.positions, atol=1e-6, rtol=1e-6)
    # float32 matrices hold an angle near gimbal lock to 4e-4 rad only
    torch.testing.assert_close(back.rotations, clip.rotations, atol=1e-3, rtol=0)
    assert (back.rotations - clip.rotations).abs().mean() < 1e-5
    assert (
        back.positions.dtype == back.rotations.dtype == back.skeleton.offsets.dtype == torch.float32
    )
    assert list(path.parent.iterdir()) == [path]


def test_write_leaves_the_old_file_when_it_refuses(tmp_path: Path) -> None:
    clip = random_clip(torch.Generator().manual_seed(0), 3, 2)
    path = tmp_path / "a.bvh"
    bvh.write(path, clip)
    before = path.read_bytes()
    clip.positions[1, 1] = torch.nan
    with pytest.raises(DataError, match="not finite"):
        bvh.write(path, clip)
    with pytest.raises(ConfigError, match="order"):
        bvh.write(path, clip, order="ZXX")
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_a_limb_by_hand(tmp_path: Path) -> None:
    clip = parsed(tmp_path, LIMB)
    assert clip.fps == 30.0 and len(clip) == 2
    assert clip.name == "motion"
    torch.testing.assert_close(
        clip.positions, torch.tensor([[0.01, 0.9, 0.03], [0.02, 0.91, 0.04]])
    )
    torch.testing.assert_close(clip.skeleton.offsets, torch.tensor([[0.0, 0, 0], [0, -0.4, 0]]))
    torch.testing.assert_close(clip.skeleton.tips, torch.tensor([[0.0, 0, 0], [0, -0.1, 0.02]]))
    knee = clip.joint_positions()[:, 1]
    torch.testing.assert_close(knee, torch.tensor([[0.01, 0.5, 0.03], [0.42, 0.91, 0.04]]))


def test_unit(tmp_path: Path) -> None:
    clip = parsed(tmp_path, LIMB, unit=0.0254)
    assert clip.skeleton.offsets[1, 1] == pytest.approx(-1.016)
    assert clip.positions[0, 1] == pytest.approx(2.286)


TURN_X = [[1, 0, 0], [0, 0, -1], [0, 1, 0]]  # 90° each
TURN_Y = [[0, 0, 1], [0, 1, 0], [-1, 0, 0]]
TURN_Z = [[0, -1, 0], [1, 0, 0], [0, 0, 1]]


@pytest.mark.parametrize(
    ("channels", "values", "expected"),
    [
        ("Zrotation Xrotation Yrotation", "90 90 0", np.array(TURN_Z) @ TURN_X),
        ("Xrotation Zrotation Yrotation", "90 90 0", np.array(TURN_X) @ TURN_Z),
        ("Yrotation Zrotation Xrotation", "90 90 90", np.array(TURN_Y) @ TURN_Z @ TURN_X),
        ("Yrotation", "90", np.array(TURN_Y)),
        ("zrotation YROTATION", "90 90", np.array(TURN_Z) @ TURN_Y),
        ("Xposition Xrotation Yposition Yrotation", "1 90 2 90", np.array(TURN_X) @ TURN_Y),
        ("Xrotation Yrotation Xrotation", "90 90 90", np.array(TURN_X) @ TURN_Y @ TURN_X),
    ],
)
def test_channel_order(tmp_path: Path, channels: str, values: str, expected: np.ndarray) -> None:
    clip = parsed(tmp_path, single(channels, values))
    torch.testing.assert_close(
        clip.rotations[0, 0], torch.tensor(expected).float(), atol=1e-6, rtol=0
    )
    assert clip.fps == 25.0


def test_root_position_comes_from_channels_in_their_order(tmp_path: Path) -> None:
    both = parsed(tmp_path, single("Zposition Xposition", "5 6", offset="1 2 3"))
    torch.testing.assert_close(
        both.positions[0], torch.tensor([0.06, 0.02, 0.05])
    )  # no Y channel: OFFSET's
    none = parsed(tmp_path, single("Xrotation", "5", offset="1 2 3"))
    torch.testing.assert_close(none.positions[0], torch.tensor([0.01, 0.02, 0.03]))
    assert not none.skeleton.offsets.any()


def test_inner_position_channels_give_the_median_bone(tmp_path: Path) -> None:
    text = LIMB.replace("OFFSET 0 -40 0", "OFFSET 1 1 1")
    text = text.replace("CHANNELS 3", "CHANNELS 6 Yposition Xposition Zposition")
    rows = [
        "0 0 0 0 0 0 -40 1 2 90 0 0",
        "0 0 0 0 0 0 -41 1 2 90 0 0",
        "0 0 0 0 0 0 -70 1 2 90 0 0",
    ]
    text = text.split("Frames")[0] + "Frames: 3\nFrame Time: 0.01\n" + "\n".join(rows)
    clip = parsed(tmp_path, text)
    torch.testing.assert_close(clip.skeleton.offsets[1], torch.tensor([0.01, -0.41, 0.02]))
    torch.testing.assert_close(
        clip.rotations[2, 1], torch.tensor(TURN_Z).float(), atol=1e-6, rtol=0
    )
    assert clip.fps == 100.0


TREE = """HIERARCHY
ROOT Hips
{{
  OFFSET 0 0 0
  CHANNELS 6 Xposition Yposition Zposition Zrotation Xrotation Yrotation
  JOINT Dummy
  {{
    OFFSET 0 0 0
    CHANNELS 3 Zrotation Xrotation Yrotation
    JOINT DummyDummy
    {{
      OFFSET 0 0 0
      CHANNELS 3 Zrotation Xrotation Yrotation
      JOINT Leg
      {{
        OFFSET 3 -40 1
        CHANNELS 3 Zrotation Xrotation Yrotation
        JOINT LeafDummy {{
          OFFSET 0 0 0
          CHANNELS 3 Zrotation Xrotation Yrotation
          End Site {{ OFFSET 5 5 5 }}
        }}
      }}
      JOINT Spine
      {{
        OFFSET 0 30 2
        CHANNELS 3 Zrotation Xrotation Yrotation
        End Site
        {{
          OFFSET 0 9 0
        }}
      }}
    }}
  }}
}}
MOTION
Frames: 2
Frame Time: 0.0333333
0 0 0 10 20 30 {first} 5 6 7 40 50 60 1 2 3 15 25 35
9 8 7 11 21 31 {second} 5 6 7 41 51 61 7 8 9 16 26 36
"""


def euler(*degrees: float) -> torch.Tensor:
    return geometry.euler_to_matrix(
        torch.deg2rad(torch.tensor(degrees, dtype=torch.float64)), "ZXY"
    ).float()


def test_still_helpers_are_folded_into_their_children(tmp_path: Path) -> None:
    clip = parsed(tmp_path, TREE.format(first="12 13 14", second="12 13 14"))
    assert clip.skeleton.names == ("Hips", "Leg", "Spine")
    assert clip.skeleton.parents == (-1, 0, 0)
    torch.testing.assert_close(clip.skeleton.tips[2], torch.tensor([0.0, 0.09, 0.0]))
    assert not clip.skeleton.tips[:2].any()
    helper = euler(11, 21, 31) @ euler(12, 13, 14) @ euler(5, 6, 7)
    spine = torch.tensor([0.09, 0.08, 0.07]) + helper @ torch.tensor([0, 0.3, 0.02])
    torch.testing.assert_close(clip.joint_positions()[1, 2], spine, atol=1e-6, rtol=0)
    torch.testing.assert_close(
        clip.global_rotations()[1, 1], helper @ euler(41, 51, 61), atol=1e-6, rtol=0
    )


def test_a_helper_that_turns_under_bones_stays(tmp_path: Path) -> None:
    clip = parsed(tmp_path, TREE.format(first="12 13 14", second="22 33 44"))
    assert clip.skeleton.names == ("Hips", "Dummy", "Leg", "Spine")  # the still one below it goes
    helper = euler(11, 21, 31) @ euler(22, 33, 44) @ euler(5, 6, 7)
    leg = torch.tensor([0.09, 0.08, 0.07]) + helper @ torch.tensor([0.03, -0.4, 0.01])
    torch.testing.assert_close(clip.joint_positions()[1, 2], leg, atol=1e-6, rtol=0)


def test_several_end_sites_and_other_layouts(tmp_path: Path) -> None:
    plain = parsed(tmp_path, LIMB)
    more = LIMB.replace(
        "OFFSET 0 -10 2\n    }", "OFFSET 0 -10 2\n    }\n    End Site\n {\nOFFSET 3 3 3\n}"
    )
    variants = {
        "crlf": LIMB.replace("\n", "\r\n"),
        "cr": LIMB.replace("\n", "\r"),
        "tabs": LIMB.replace("  ", "\t").replace(": ", ":\t").replace("90", "\t90\t"),
        "blank lines": "\n" + LIMB.replace("\n", "\n\n"),
        "lower case": LIMB.lower().replace("hips", "Hips").replace("knee", "Knee"),
        "braces in the line": LIMB.replace("\n{", "{").replace("\n  {", "{"),
        "byte order mark": "\ufeff" + LIMB,
        "no last line end": LIMB.rstrip(),
        "two ends": more,
    }
    for name, text in variants.items():
        clip = parsed(tmp_path, text)
        assert clip.skeleton.to_dict() == plain.skeleton.to_dict(), name
        assert torch.equal(clip.rotations, plain.rotations) and torch.equal(
            clip.positions, plain.positions
        ), name


@pytest.mark.parametrize(
    ("seconds", "fps"),
    [
        ("0.033333", 30.0),
        ("0.0416667", 24.0),
        ("0.00833333", 120.0),
        ("0.0334", 1 / 0.0334),
        ("2.5", 0.4),
    ],
)
def test_frame_rate(tmp_path: Path, seconds: str, fps: float) -> None:
    assert parsed(tmp_path, LIMB.replace("0.0333333", seconds)).fps == pytest.approx(fps, rel=1e-9)


BAD = {
    "empty": ("", 1, "the file ends; expected HIERARCHY"),
    "no hierarchy": (LIMB.replace("HIERARCHY\n", ""), 1, "'ROOT'; expected HIERARCHY"),
    "no root": (LIMB.replace("ROOT", "JOINT"), 2, "'JOINT'; expected ROOT"),
    "no motion": (LIMB.split("MOTION")[0], 15, "the file ends; expected MOTION"),
    "nothing after motion": (LIMB.split("Frames")[0], 16, "the file ends; expected 'Frames:'"),
    "no frame time": (LIMB.replace("Frame Time: 0.0333333\n", ""), 18, "expected 'Frame Time:'"),
    "missing rows": (LIMB.replace("Frames: 2", "Frames: 3"), 20, "after 2 frames; expected 3"),
    "rows cut off": (LIMB[:-22], 19, "after 1 frames; expected 2"),
    "row cut off": (LIMB[:-8], 20, "6 values; expected 9"),
    "a row too many": (LIMB.replace("Frames: 2", "Frames: 1"), 20, "another row; expected the end"),
    "row too long": (LIMB.replace("0 90 0\n", "0 90 0 5\n"), 19, "10 values; expected 9"),
    "nan": (LIMB.replace("1 90 3", "1 nan 3"), 19, "'nan'; expected a finite number"),
    "inf": (LIMB.replace("2 91 4", "2 -inf 4"), 20, "'-inf'; expected a finite number"),
    "huge": (LIMB.replace("2 91 4", "2 1e300 4"), 20, "'1e300'; expected a finite number"),
    "word": (LIMB.replace("2 91 4", "2 91,5 4"), 20, "'91,5'; expected a finite number"),
    "no frames": (LIMB.replace("Frames: 2", "Frames: 0"), 17, "expected 'Frames:'"),
    "negative frames": (LIMB.replace("Frames: 2", "Frames: -2"), 17, "expected 'Frames:'"),
    "endless frames": (
        LIMB.replace("Frames: 2", "Frames: " + "9" * 5000),
        17,
        "expected 'Frames:'",
    ),
    "zero time": (LIMB.replace("0.0333333", "0"), 18, "expected 'Frame Time:'"),
    "negative time": (LIMB.replace("0.0333333", "-0.03"), 18, "expected 'Frame Time:'"),
    "no time": (LIMB.replace("0.0333333", "soon"), 18, "expected 'Frame Time:'"),
    "brace missing": (LIMB.replace("}\nMOTION", "MOTION"), 15, "'MOTION'; expected"),
    "brace too many": (LIMB.replace("}\nMOTION", "}\n}\nMOTION"), 16, "'}'; expected MOTION"),
    "no opening brace": (LIMB.replace("Knee\n  {", "Knee"), 7, "'OFFSET'; expected {"),
    "two roots": (LIMB.replace("MOTION", "ROOT Other"), 16, "'ROOT'; expected MOTION"),
    "name twice": (LIMB.replace("Knee", "Hips"), 7, "a second joint named 'Hips'"),
    "no offset": (LIMB.replace("OFFSET 0 -40 0\n", "\n"), 14, "joint Knee has no OFFSET"),
    "short offset": (
        LIMB.replace("OFFSET 0 -40 0", "OFFSET 0 -40"),
        9,
        "'CHANNELS'; expected three finite",
    ),
    "infinite offset": (
        LIMB.replace("-40 0", "1e999 0"),
        8,
        "'1e999'; expected three finite numbers",
    ),
    "odd channel": (LIMB.replace("Xposition", "Wposition"), 5, "'Wposition'; expected 6 channels"),
    "same position": (LIMB.replace("Yposition", "Xposition"), 5, "the same position channel twice"),
    "channel count": (LIMB.replace("CHANNELS 3", "CHANNELS 4"), 10, "'End'; expected 4 channels"),
    "no channel count": (
        LIMB.replace("CHANNELS 3", "CHANNELS"),
        9,
        "'Zrotation'; expected the number",
    ),
    "not utf-8": (LIMB.replace("Knee", "Kn\u00e9").encode("latin-1"), 6, "byte 0xe9 is not text"),
    "binary": (bytes(range(256)) * 8, 2, "byte 0x80 is not text"),
    "zeros": (bytes(100), 1, "expected HIERARCHY"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_files_are_refused_with_their_line(tmp_path: Path, name: str) -> None:
    text, line, words = BAD[name]
    with pytest.raises(FormatError) as caught:
        parsed(tmp_path, text)
    message = str(caught.value)
    assert message.startswith(f"{tmp_path / 'motion.bvh'}, line {line}: "), message
    assert words in message
    assert len(message) < len(str(tmp_path)) + 200 and "\n" not in message


def test_a_missing_file_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"nowhere\.bvh: cannot be read"):
        bvh.read(tmp_path / "nowhere.bvh")
    with pytest.raises(DataError, match="cannot be read"):
        bvh.read(tmp_path)


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_damage_never_escapes_as_another_error(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    text = LIMB.encode()
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, min(len(text), start + 30)))
    damaged = text[:start] + data.draw(st.binary(max_size=6)) + text[end:]
    try:
        clip = parsed(tmp_path_factory.mktemp("damage"), damaged)
    except ControllerError:
        return
    assert len(clip) == 2 and clip.rotations.isfinite().all()


def test_a_long_file_is_read_quickly(tmp_path: Path) -> None:
    clip = random_clip(torch.Generator().manual_seed(1), 26, 2500)
    bvh.write(tmp_path / "long.bvh", clip)
    start = time.perf_counter()
    bvh.read(tmp_path / "long.bvh")
    assert time.perf_counter() - start < 2.0  # 0.05 s on an idle machine


def test_agrees_with_pymotion(tmp_path: Path) -> None:
    """Joint positions by another reader's parsing and its own quaternion kinematics."""
    reader = pytest.importorskip("pymotion.io.bvh")
    skeletons = pytest.importorskip("pymotion.ops.skeleton")
    quaternions = pytest.importorskip("pymotion.rotations.quat")
    path = tmp_path / "random.bvh"
    for seed, order in enumerate(("ZXY", "ZYX", "XYZ")):
        clip = random_clip(torch.Generator().manual_seed(seed), 9, 4)
        bvh.write(path, clip, order=order)
        other = reader.BVH()
        other.load(str(path))
        data = other.data
        local = quaternions.from_euler(
            np.radians(data["rotations"]), order=np.tile(data["rot_order"], (4, 1, 1))
        )
        offsets = data["offsets"].copy()
        offsets[0] = 0
        positions, _ = skeletons.fk(local, data["positions"][:, 0], offsets, data["parents"])
        ours = bvh.read(path).joint_positions().numpy()
        assert np.abs(positions / 100 - ours).max() < 1e-4
        assert np.abs(ours - clip.joint_positions().numpy()).max() < 1e-4
