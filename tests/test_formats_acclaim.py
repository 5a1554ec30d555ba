"""Acclaim files (.asf and .amc): bones turn as the format's definition says, and the known walk
comes back."""

from __future__ import annotations

import shutil
from pathlib import Path

import acclaim_files
import numpy as np
import pytest
import torch
from acclaim_files import ROLES, Acclaim
from hypothesis import given, settings
from hypothesis import strategies as st
from synthetic import walk
from test_canonical import WALK, check_is_the_walk

from controller.core.errors import ControllerError, FormatError
from controller.data import sources
from controller.data.bodies import canonical
from controller.data.canonical import CanonicalSettings
from controller.data.formats import acclaim, read_captures

SKELETON = """:version 1.10
:units
  mass 1.0
  length 0.5
  angle deg
:root
  order TX TY TZ RX RY RZ
  axis XYZ
  position 0 0 0
  orientation 0 0 0
:bonedata
  begin
    id 1
    name arm
    direction 1 0 0
    length 2
    axis 0 0 90 XYZ
    dof rx
    limits (-180 180)
  end
  begin
    id 2
    name hand
    direction 0 1 0
    length 1
    axis 0 0 0 XYZ
    dof rx rz
  end
:hierarchy
  begin
    root arm
    arm hand
  end
"""
MOTION = """#!OML:ASF
:FULLY-SPECIFIED
:DEGREES
1
root 1 2 3 0 0 0
arm 90
hand 0 0
2
root 1 2 3 0 0 90
arm 0
hand 90 90
"""


def files(folder: Path, motion: str | bytes = MOTION, skeleton: str | bytes = SKELETON) -> Path:
    path = folder / "01_01.amc"
    path.write_bytes(motion if isinstance(motion, bytes) else motion.encode())
    text = skeleton if isinstance(skeleton, bytes) else skeleton.encode()
    (folder / "01.asf").write_bytes(text)
    return path


def test_an_arm_by_hand(tmp_path: Path) -> None:
    """The arm's own X is the world's Y. In frame 1 it turns by 90° about it: from +X to −Z. In
    frame 2 the root turns by 90° about Z; the hand, first about X and then about Z, from +Y by way
    of +Z to +Z. Lengths are over 0.5, the skeleton's unit."""
    (capture,), remarks = read_captures(files(tmp_path))
    assert capture.names == ("root", "arm", "hand") and capture.parents == (-1, 0, 1)
    start = np.array([1.0, 2, 3])
    expected = [
        [start, start, start + np.array([0, 0, -2])],
        [start, start, start + np.array([0, 2, 0])],
    ]
    np.testing.assert_allclose(capture.positions, np.array(expected) / 0.5, atol=1e-12)
    tips = (capture.rotations @ capture.tips[..., None])[:, 2, :, 0]
    np.testing.assert_allclose(tips, np.array([[0, 1, 0], [0, 0, 1]]) / 0.5, atol=1e-12)
    assert capture.fps == 120 and "120 frames/s" in remarks[0] and "--fps" in remarks[0]
    (stated,), remarks = read_captures(files(tmp_path), 30.0)
    assert stated.fps == 30 and not remarks


def test_axis_orders_and_radians(tmp_path: Path) -> None:
    """X by 90°, then Z by 90° is the arm's own frame under XZY: its own Y is then the world's Z.
    A turn of 90° about it takes +X to +Y. Under ZXY its own Y is the world's −X: +X stays."""
    for order, expected in (("XZY", [0, 2, 0]), ("ZXY", [2, 0, 0])):
        skeleton = SKELETON.replace("axis 0 0 90 XYZ", f"axis 90 0 90 {order}")
        skeleton = skeleton.replace("dof rx\n", "dof ry\n")
        (capture,), _ = read_captures(files(tmp_path, skeleton=skeleton))
        arm = (capture.positions[0, 2] - capture.positions[0, 1]) * 0.5
        np.testing.assert_allclose(arm, expected, atol=1e-12, err_msg=order)

    degrees = read_captures(files(tmp_path)).captures[0]
    skeleton = SKELETON.replace("angle deg", "angle rad").replace(
        "0 0 90 XYZ", "0 0 1.5707963268 XYZ"
    )
    motion = MOTION.replace(":DEGREES\n", "").replace("90", "1.5707963268")
    radians = read_captures(files(tmp_path, motion, skeleton)).captures[0]
    torch.testing.assert_close(radians.positions, degrees.positions, atol=1e-8, rtol=0)


def test_hinges_as_cmu_has_them(tmp_path: Path) -> None:
    """A right shin points down and a little to the right; its own X is the knee's axis, and a turn
    of 90° about it takes the shin back. A wrist's own Y is its bone, so it does not move the
    hand."""
    skeleton = SKELETON.replace("direction 1 0 0", "direction -0.342020 -0.939693 0")
    skeleton = skeleton.replace("axis 0 0 90 XYZ", "axis -180 -180 160 XYZ")
    (capture,), _ = read_captures(files(tmp_path, skeleton=skeleton))
    shin = (capture.positions[0, 2] - capture.positions[0, 1]) * 0.5
    np.testing.assert_allclose(shin, [0, 0, -2], atol=1e-5)

    skeleton = SKELETON.replace("direction 1 0 0", "direction -1 0 0").replace(
        "dof rx\n", "dof ry\n"
    )
    skeleton = skeleton.replace("axis 0 0 90 XYZ", "axis 0 -90 -90 XYZ")
    (capture,), _ = read_captures(files(tmp_path, skeleton=skeleton))
    wrist = (capture.positions[0, 2] - capture.positions[0, 1]) * 0.5
    np.testing.assert_allclose(wrist, [-2, 0, 0], atol=1e-9)


@pytest.mark.parametrize(
    "how",
    [
        Acclaim(),
        Acclaim(axes=False, length=1.0, metres=0.01),
        Acclaim(order="ZYX", angle="rad"),
        Acclaim(order="YXZ"),
    ],
    ids=str,
)
def test_the_known_walk_comes_back(tmp_path: Path, how: Acclaim) -> None:
    (capture,), _ = read_captures(acclaim_files.write(tmp_path, WALK, how), WALK.fps)
    order = [capture.names.index(ROLES[name]) for name in WALK.skeleton.names]
    scale = 1 / how.metres
    expected = WALK.joint_positions().double() * scale
    torch.testing.assert_close(capture.positions[:, order], expected, atol=1e-5 * scale, rtol=0)
    check_is_the_walk(canonical([capture], CanonicalSettings()))


def test_knees_have_one_channel_without_axes_of_their_own(tmp_path: Path) -> None:
    acclaim_files.write(tmp_path, WALK, Acclaim(axes=False))
    text = (tmp_path / "16.asf").read_text()
    assert "dof rx\n" in text and "dof rx ry rz\n" not in text


def test_a_folder_as_cmu_has_them_and_its_zip(tmp_path: Path) -> None:
    folder = tmp_path / "subjects" / "16"
    folder.mkdir(parents=True)
    path = acclaim_files.write(folder, walk(seconds=1.5, fps=120.0))
    path.rename(folder / "16_02.AMC")
    shutil.copy(folder / "16_02.AMC", folder / "16_03.amc")
    motion = sources.read(tmp_path / "subjects")
    assert [clip.name for clip in motion.clips] == ["16_02", "16_03"]
    assert all(clip.fps == 120 for clip in motion.clips)
    assert max(trip.mean for trip in motion.trips) < 5
    assert next(note for note in motion.notes if "frame rate" in note).startswith("2 files: .amc")
    archive = Path(shutil.make_archive(str(tmp_path / "a"), "zip", tmp_path / "subjects"))
    assert [clip.name for clip in sources.read(archive).clips] == ["16_02", "16_03"]


def test_the_skeleton_is_found_by_name_or_alone(tmp_path: Path) -> None:
    path = files(tmp_path)
    (tmp_path / "01.asf").rename(tmp_path / "anything.ASF")
    assert acclaim.skeleton_file(path).name == "anything.ASF"
    for name in ("0.asf", "01.asf", "01_01.asf", "02.asf"):
        (tmp_path / name).write_text(SKELETON)
    assert acclaim.skeleton_file(path).name == "01_01.asf"
    (tmp_path / "01_01.asf").unlink()
    assert acclaim.skeleton_file(path).name == "01.asf"
    (tmp_path / "01.asf").unlink()
    with pytest.raises(FormatError, match=r"skeleton is missing.*01\.asf; there is 3, none of"):
        acclaim.skeleton_file(path)
    for other in tmp_path.glob("*.[aA][sS][fF]"):
        other.unlink()
    with pytest.raises(FormatError, match=r"beside it there must be a single \.asf.*is none"):
        read_captures(path)


BAD_SKELETONS = {
    "no bones": (SKELETON.partition(":bonedata")[0], "a section :bonedata"),
    "no hierarchy": (SKELETON.partition(":hierarchy")[0], "a section :hierarchy"),
    "length": (SKELETON.replace("length 2", "length long"), "1 finite numbers"),
    "infinite": (SKELETON.replace("direction 1 0 0", "direction inf 0 0"), "3 finite numbers"),
    "unit": (SKELETON.replace("length 0.5", "length 0"), "a length above 0"),
    "unit without a value": (SKELETON.replace("length 0.5", "length"), "1 finite numbers"),
    "angle": (SKELETON.replace("angle deg", "angle turns"), "'angle deg' or 'angle rad'"),
    "axis": (SKELETON.replace("0 0 90 XYZ", "0 0 90 XYX"), "three angles and an order"),
    "dof": (SKELETON.replace("dof rx rz", "dof rx l"), "found 'dof rx l'"),
    "order": (SKELETON.replace("  order TX TY TZ RX RY RZ\n", ""), "the root has no order"),
    "orientation": (SKELETON.replace("orientation 0 0 0", "orientation 0 90 0"), "orientation 0"),
    "unknown bone": (SKELETON.replace("arm hand\n", "arm foot\n"), "'foot' is not in :bonedata"),
    "ring": (SKELETON.replace("arm hand\n", "arm root\n"), "'root' has two parents"),
    "loose bone": (SKELETON.replace("    arm hand\n", ""), "hand does not hang from the root"),
    "twice": (SKELETON.replace("name hand", "name ARM"), "a second bone named 'ARM'"),
    "no direction": (SKELETON.replace("direction 0 1 0", "direction 0 0 0"), "has no direction"),
    "cut off": (SKELETON[: SKELETON.index("dof rx rz")], "the file ends; expected end"),
}
BAD_MOTIONS = {
    "empty": ("", "the number of a frame"),
    "bone first": (MOTION.replace("1\nroot", "root", 1), "the number of a frame"),
    "unknown": (MOTION.replace("hand 0 0", "foot 0 0"), "found 'foot'; expected a bone"),
    "twice": (MOTION.replace("hand 0 0", "arm 0"), "'arm' twice in a frame"),
    "missing": (MOTION.replace("hand 0 0\n", ""), "the frame ends without hand"),
    "last frame": (MOTION.replace("hand 90 90\n", ""), "the frame ends without hand"),
    "too few": (MOTION.replace("hand 0 0", "hand 0"), "1 values; expected 2"),
    "word": (MOTION.replace("hand 0 0", "hand 0 x"), "finite numbers"),
    "NaN": (MOTION.replace("root 1 2 3", "root 1 nan 3"), "finite numbers"),
    "skips": (MOTION.replace("2\nroot", "3\nroot"), "frame 3 after 1"),
    "bytes": (b"\xff\xfe" + MOTION.encode(), "is not text"),
}


@pytest.mark.parametrize("name", BAD_SKELETONS)
def test_bad_skeletons_are_one_sentence_with_a_line(tmp_path: Path, name: str) -> None:
    text, words = BAD_SKELETONS[name]
    with pytest.raises(FormatError, match=r"01\.asf, line \d+: ") as caught:
        read_captures(files(tmp_path, skeleton=text))
    assert words in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize("name", BAD_MOTIONS)
def test_bad_motions_are_one_sentence_with_a_line(tmp_path: Path, name: str) -> None:
    text, words = BAD_MOTIONS[name]
    with pytest.raises(FormatError, match=r"01_01\.amc, line \d+: ") as caught:
        read_captures(files(tmp_path, text))
    assert words in str(caught.value) and "\n" not in str(caught.value)


@settings(max_examples=50)
@given(data=st.data())
def test_damage_never_escapes_as_another_error(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    texts = [MOTION.encode(), SKELETON.encode()]
    which = data.draw(st.integers(0, 1))
    text = texts[which]
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, min(len(text), start + 30)))
    texts[which] = text[:start] + data.draw(st.binary(max_size=6)) + text[end:]
    try:
        (capture,), _ = read_captures(files(tmp_path_factory.mktemp("damage"), *texts))
    except ControllerError as error:
        assert "\n" not in str(error)
        return
    assert bool(capture.positions.isfinite().all() and capture.rotations.isfinite().all())
