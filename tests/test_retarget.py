"""Motion of one body on the skeleton of another, against the same walk made for that skeleton."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from rewriting import Convention, write
from skeletons import FAMILIES, make, quadruped
from torch import Tensor

from controller.core.errors import ControllerError, DataError
from controller.data import commands, sources, target, transfer
from controller.data.anatomy import find_anatomy
from controller.data.bodies import bring_onto, find_bodies
from controller.data.canonical import CanonicalSettings
from controller.data.cleaning import levelled
from controller.data.correspondence import joint_pairs
from controller.data.dataset import MotionDataset, build
from controller.data.exhibits import exhibits
from controller.data.formats import bvh
from controller.data.retarget import Retargeter, Target, require_alike
from controller.data.transfer import Transfer
from controller.motion.geometry import axis_rotation
from controller.motion.roles import Limb, Roles
from controller.motion.skeleton import Clip, Skeleton, to_local

SPEED = 1.1


def body(family: str, size: float = 1.0, shins: float = 1.0, trunk: float = 1.0) -> Skeleton:
    """The body of a family from the hips on, with all bones, the shins or the spine longer."""
    bones = FAMILIES[family]
    if bones[0].place == "root":
        bones = [bones[1]._replace(parent=""), *(b for b in bones[2:] if b.parent != bones[0].name)]
    skeleton = make(bones)
    offsets = size * skeleton.offsets
    roles = Roles.of(skeleton)
    for leg in roles.legs:
        assert leg.end is not None
        offsets[leg.end] *= shins
    for joint in roles.spine:
        offsets[joint] *= trunk
    return replace(skeleton, offsets=offsets, tips=size * skeleton.tips)


def walk_on(
    skeleton: Skeleton,
    name: str = "walk",
    turn: float = 0.3,
    size: float = 1.0,
    knees: float = 1.7,
) -> Clip:
    """Three seconds of a walk on any skeleton that stands in a T-pose: limbs swing about the
    lateral axis, arms hang, feet stay level while they are behind and the body turns left."""
    roles = Roles.of(skeleton)
    time = torch.arange(91, dtype=torch.float64) / 30
    stride = 2 * math.pi * 0.9 * time
    yaw = turn * time
    world = {roles.hips: axis_rotation("Y", yaw + 0.1 * torch.sin(stride))}
    for limb in roles.limbs:
        swing = (1 if limb.side == "left" else -1) * torch.sin(stride)
        lift = (1 if limb.side == "left" else -1) * torch.cos(stride)
        for part in ("upper", "middle", "end", "toe"):
            joint = getattr(limb, part)
            if joint is not None:
                angle, rest = _pose_of(limb, part, swing, knees - lift)
                world[joint] = axis_rotation("Y", yaw) @ axis_rotation("X", angle) @ rest
    rotations: list[Tensor] = []
    for joint, parent in enumerate(skeleton.parents):
        above = rotations[parent] if parent >= 0 else axis_rotation("Y", yaw)
        rotations.append(world.get(joint, above))
    towards = (math.cos(0.0) - torch.cos(yaw)) / turn, torch.sin(yaw) / turn
    height = torch.full_like(time, 0.9)
    root = size * torch.stack((SPEED * towards[0], height, SPEED * towards[1]), dim=-1)
    local = to_local(skeleton.parents, torch.stack(rotations, dim=1))
    return levelled(Clip(name, skeleton, root.float(), local.float(), 30.0), roles.feet)


def _pose_of(limb: Limb, part: str, swing: Tensor, bend: Tensor) -> tuple[Tensor, Tensor]:
    """How far a limb's part is turned about the lateral axis, and its rest rotation."""
    if limb.region == "leg":
        thigh = 0.4 * swing - 0.1
        angles = {"upper": thigh, "middle": thigh + 0.35 * bend}
        return angles.get(part, 0.3 * (bend - bend.min())), torch.eye(3, dtype=torch.float64)
    sign = -1.0 if limb.side == "left" else 1.0
    down = axis_rotation("Z", torch.tensor(1.4 * sign, dtype=torch.float64))
    return -0.4 * swing - (0.0 if part == "upper" else 0.5), down


def retargeter(source: Clip, other: Clip) -> Retargeter:
    first = find_anatomy(source.skeleton, [source], Roles.of(source.skeleton))
    return Retargeter(first, Target.of("target", other.skeleton, [other]).anatomy)


def parts_apart(one: Clip, other: Clip) -> float:
    """m: how far any part of a limb is from the same part of another body, at most."""
    pairs = joint_pairs(Roles.of(one.skeleton), Roles.of(other.skeleton))
    first, second = ([pair[side] for pair in pairs] for side in (0, 1))
    apart = one.joint_positions()[:, first] - other.joint_positions()[:, second]
    return float(apart.norm(dim=-1).max())


# -- the same body under other names ---------------------------------------------------------------


@pytest.mark.parametrize("family", ["mixamo", "unreal", "smpl", "bandai", "cmu", "rigify", "xsens"])
def test_the_same_body_of_another_program_walks_the_same_walk(family: str) -> None:
    source = walk_on(body("lafan1"))
    truth = walk_on(body(family))
    made = retargeter(source, truth)(source)
    assert made.skeleton is truth.skeleton
    assert parts_apart(made, truth) < 0.012


@pytest.mark.parametrize(("source", "other"), [("knees", "lafan1"), ("lafan1", "knees")])
def test_toes_and_clavicles_may_be_missing(source: str, other: str) -> None:
    walk = walk_on(body(source))
    truth = walk_on(body(other))
    made = retargeter(walk, truth)(walk)
    assert parts_apart(made, truth) < 0.03


def test_arms_that_hang_in_the_rest_pose_are_those_of_a_t_pose() -> None:
    """Only the rest pose differs: rotations must be other ones for the joints to be the same."""
    source = walk_on(body("lafan1"))
    hanging = body("lafan1")
    roles = Roles.of(hanging)
    world = torch.eye(3).repeat(len(source), len(hanging), 1, 1)
    for arm in roles.arms or ():
        turn = axis_rotation("Z", torch.tensor(-1.5 if arm.side == "left" else 1.5))
        for joint in arm.joints[2:]:
            hanging.offsets[joint] = turn @ hanging.offsets[joint]
        for joint in arm.joints[1:]:
            world[:, joint] = turn.T
    rotations = to_local(hanging.parents, source.global_rotations() @ world)
    truth = replace(source, skeleton=hanging, rotations=rotations)
    assert float((truth.joint_positions() - source.joint_positions()).abs().max()) < 1e-4
    made = retargeter(source, truth)(source)
    assert float((made.joint_positions() - truth.joint_positions()).norm(dim=-1).max()) < 2e-3
    cosine = (made.global_rotations().mT @ truth.global_rotations()).diagonal(dim1=-2, dim2=-1)
    assert float(cosine.sum(-1).min()) > 1 + 2 * math.cos(math.radians(2))


# -- other bodies ----------------------------------------------------------------------------------

BODIES = [{"size": 0.7}, {"size": 1.2}, {"shins": 1.15}, {"shins": 0.85}, {"trunk": 1.3}]


@pytest.mark.parametrize("change", BODIES)
def test_there_and_back_is_the_same_clip(change: dict[str, float]) -> None:
    source = walk_on(body("lafan1"))
    other = walk_on(body("mixamo", **change), size=change.get("size", 1.0))
    there = retargeter(source, other)
    back = retargeter(other, source)
    again = back(there(source))
    apart = (again.joint_positions() - source.joint_positions()).norm(dim=-1)
    assert float(apart.mean()) < 4e-3
    assert float(apart.quantile(0.99)) < 0.02
    turned = transfer.compare(retargeter(source, source), source, again)
    assert turned.bones_deg < 1.0


@pytest.mark.parametrize("change", BODIES)
def test_feet_stand_where_the_scaled_feet_stood(change: dict[str, float]) -> None:
    source = walk_on(body("lafan1"))
    other = walk_on(body("mixamo", **change), size=change.get("size", 1.0))
    there = retargeter(source, other)
    made = there(source)
    feet = [limb.contact for limb in Roles.of(made.skeleton).legs]
    before = [limb.contact for limb in Roles.of(source.skeleton).legs]
    ours = made.joint_positions()[:, feet]
    theirs = there.scale * source.joint_positions()[:, before]
    apart = (ours - theirs).norm(dim=-1)
    assert float((apart - apart.mean()).abs().max()) < 2e-3, "a foot moves by what it moved"
    assert float(ours[..., 1].min()) > -0.005
    how = transfer.compare(there, source, made)
    assert how.complaint == ""
    larger = max(1.0, there.scale)
    assert how.skate_after <= 1.2 * larger * max(how.skate_before, 0.01)


@pytest.mark.parametrize("size", [0.7, 1.3])
def test_travel_is_as_much_longer_as_the_legs(size: float) -> None:
    source = walk_on(body("lafan1"))
    there = retargeter(source, walk_on(body("smpl", size=size), size=size))
    assert there.scale == pytest.approx(size, abs=0.01)
    path = there(source).positions.diff(dim=0)[:, [0, 2]].norm(dim=-1).sum()
    own = source.positions.diff(dim=0)[:, [0, 2]].norm(dim=-1).sum()
    assert float(path / own) == pytest.approx(size, abs=0.02)


def knee_angles(clip: Clip) -> Tensor:
    joints = clip.joint_positions()
    angles = []
    for leg in Roles.of(clip.skeleton).legs:
        hip, knee, ankle = (joints[:, joint] for joint in (leg.upper, leg.middle, leg.end))
        cosine = torch.nn.functional.cosine_similarity(knee - hip, ankle - knee, dim=-1)
        angles.append(torch.rad2deg(torch.acos(cosine.clamp(-1, 1))))
    return torch.stack(angles, dim=-1)


def test_where_legs_do_not_reach_the_hips_sink_smoothly() -> None:
    """Straight legs from a pelvis three times as wide do not reach the same feet."""
    source = walk_on(body("lafan1"), knees=1.02)
    wide = body("mixamo")
    for leg in Roles.of(wide).legs:
        wide.offsets[leg.start, 0] *= 3
    there = retargeter(source, walk_on(wide, knees=1.02))
    made = there(source)
    hips = (made.positions - source.positions)[:, 1]
    assert float(hips.max()) < -0.005
    assert float(hips.diff(n=2).abs().max()) < 0.002
    assert float(there.feet_apart(source, made).max()) < 1e-4
    pops = knee_angles(made).diff(dim=0).abs().max() / knee_angles(source).diff(dim=0).abs().max()
    assert float(pops) < 1.5


def test_straight_knees_bend_forward_where_they_must() -> None:
    walk = walk_on(body("lafan1"))
    there = retargeter(walk, walk_on(body("mixamo", shins=0.7)))
    stand = Clip("stand", walk.skeleton, walk.positions[:60], torch.eye(3).repeat(60, 22, 1, 1), 30)
    lower = stand.positions - torch.tensor([0.0, 0.1, 0.0])
    rotations = stand.rotations.clone()
    for leg in Roles.of(walk.skeleton).legs:
        rotations[30:, leg.upper] = axis_rotation("X", torch.tensor(-0.3))
        rotations[30:, leg.middle] = axis_rotation("X", torch.tensor(0.6))
        rotations[30:, leg.end] = axis_rotation("X", torch.tensor(-0.3))
    made = there(replace(stand, positions=lower, rotations=rotations))
    joints = made.joint_positions()
    for leg in Roles.of(made.skeleton).legs:
        hip, knee, ankle = (joints[:, joint] for joint in (leg.upper, leg.middle, leg.end))
        ahead = knee[:, 2] - torch.maximum(hip[:, 2], ankle[:, 2])
        assert float(ahead[40:].min()) > 0.01
        assert float((knee - (hip + ankle) / 2)[:, 2].min()) > -0.02


def test_chains_of_other_lengths_share_the_bend_of_the_spine() -> None:
    """Four spine joints that each bend by 0.1 rad are three that together bend as much: each by
    what is bent up to the middle of its own bone."""
    source = walk_on(body("xsens"))
    chain = [source.skeleton.index(name) for name in ("L5", "L3", "T12", "T8")]
    rotations = source.rotations.clone()
    rotations[45:, chain] = rotations[45:, chain] @ axis_rotation("X", torch.tensor(0.1))
    there = retargeter(source, walk_on(body("lafan1")))
    straight = there(source).global_rotations()
    bent = there(replace(source, rotations=rotations)).global_rotations()
    cosine = ((straight.mT @ bent).diagonal(dim1=-2, dim2=-1).sum(-1) - 1) / 2
    angle = torch.acos(cosine.clamp(-1, 1))[60]
    names = there.target.skeleton.names
    middles = {"Spine": (1.04 + 1.15) / 2, "Spine1": (1.15 + 1.27) / 2}
    known = [0.0, *((y - 0.93) / 0.40 for y in (1.095, 1.21, 1.30)), 1.0]
    for name, middle in middles.items():
        place = (middle - 0.93) / 0.34
        expected = float(np.interp(place, known, [0.0, 0.1, 0.2, 0.3, 0.4]))
        assert float(angle[names.index(name)]) == pytest.approx(expected, abs=0.01)
    assert float(angle[names.index("Spine2")]) == pytest.approx(0.4, abs=0.01)


def test_a_joint_that_is_missing_is_as_when_the_body_stands() -> None:
    """The clavicles' frames of this skeleton are not the world's while it stands."""
    source = walk_on(body("knees"))
    plain = walk_on(body("lafan1"))
    skeleton = body("lafan1")
    world = torch.eye(3).repeat(len(skeleton), 1, 1)
    for arm in Roles.of(skeleton).arms or ():
        turn = axis_rotation("Y", torch.tensor(0.7))
        world[arm.base] = turn.T
        skeleton.offsets[arm.start] = turn @ skeleton.offsets[arm.start]
    local = to_local(skeleton.parents, plain.global_rotations() @ world)
    truth = replace(plain, skeleton=skeleton, rotations=local)
    assert float((truth.joint_positions() - plain.joint_positions()).abs().max()) < 1e-5
    made = retargeter(source, truth)(source)
    assert parts_apart(made, truth) < 0.03


def test_the_targets_own_body_stays_as_it_is_whatever_its_rest_pose(tmp_path: Path) -> None:
    """The target rests in a T-pose, the rest pose that is found stands with hanging arms."""
    clip = walk_on(body("lafan1"))
    path = write(tmp_path / "walk.bvh", clip, Convention(frames=None))
    capture = replace(bvh.read_capture(path), name="walk")
    onto = Target.of("own", clip.skeleton, [clip])
    result = bring_onto([capture], CanonicalSettings(), onto)
    assert not result.transfers
    (again,) = result.clips
    apart = (again.joint_positions() - clip.joint_positions())[1:]
    assert float((apart - apart.mean(dim=(0, 1))).norm(dim=-1).max()) < 2e-3
    turned = again.global_rotations().mT @ clip.global_rotations()
    assert float(turned.diagonal(dim1=-2, dim2=-1).sum(-1).min()) > 1 + 2 * math.cos(0.1)


# -- refusals --------------------------------------------------------------------------------------


def test_four_legs_are_not_brought_onto_two() -> None:
    with pytest.raises(DataError, match="a quadruped cannot be brought onto the skeleton of a bip"):
        require_alike(Roles.of(quadruped()), Roles.of(body("lafan1")))


def test_a_leg_without_a_knee_is_refused() -> None:
    skeleton = body("lafan1")
    roles = Roles.of(skeleton)
    stiff = replace(roles, limbs=tuple(replace(limb, middle=None) for limb in roles.limbs))
    with pytest.raises(DataError, match=r"the left leg has no hip, knee or ankle joint .*--roles"):
        require_alike(stiff, roles)


GOOD = Transfer("run", 100, 0.9, 0.1, 0.11, 50.0, 1.0, 2.0, 6.0, "LeftLeg")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({}, ""),
        ({"skate_after": 0.25}, "foot skate rises from 0.10 to 0.25 cm a frame"),
        ({"feet_mm": 80.0}, "a foot is 80 mm from where the source's is"),
        ({"worst_deg": 50.0}, "the bone to LeftLeg is 50° off the source's"),
    ],
)
def test_a_clip_that_came_over_badly_says_why(change: dict[str, float], words: str) -> None:
    assert replace(GOOD, **change).complaint == words  # type: ignore[arg-type]


def test_what_is_compared_is_the_clip() -> None:
    """A clip of another moment is no copy of this one."""
    source = walk_on(body("lafan1"))
    there = retargeter(source, walk_on(body("mixamo", shins=1.1)))
    made = there(source)
    rolled = replace(made, rotations=made.rotations.roll(8, dims=0))
    assert transfer.compare(there, source, made).complaint == ""
    assert transfer.compare(there, source, rolled).complaint != ""


# -- the command -----------------------------------------------------------------------------------


def write_walks(
    folder: Path, skeleton: Skeleton, names: tuple[str, ...], size: float = 1.0
) -> None:
    folder.mkdir()
    for number, name in enumerate(names):
        clip = walk_on(skeleton, name, turn=0.2 + 0.2 * number, size=size)
        write(folder / f"{name}.bvh", clip, Convention())


def test_several_bodies_become_one_data_set(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_walks(tmp_path / "tall", body("lafan1"), ("one", "two"))
    write_walks(tmp_path / "small", body("bandai", size=0.7), ("child", "infant"), size=0.7)
    own = tmp_path / "own.npz"
    both = tmp_path / "both.npz"
    commands.Build((tmp_path / "tall",), own).run()
    capsys.readouterr()
    sources_of_both = (tmp_path / "tall", tmp_path / "small")
    commands.Build(sources_of_both, both, skeleton=own, unit=0.01).run()
    output = capsys.readouterr().out
    assert "child and 1 more: retargeted onto own.npz; travel and speeds times 1.4" in output
    assert "retargeted: 2 clips; foot skate" in output

    data = MotionDataset.load(both)
    assert data.layout.skeleton.to_dict() == MotionDataset.load(own).layout.skeleton.to_dict()
    assert {clip.name.partition("[")[0] for clip in data.clips} == {"one", "two", "child", "infant"}
    assert set(data.retargeting["clips"]) == {"child", "infant"}
    assert data.retargeting["bones_deg"] < 3 and data.retargeting["feet_mm"] < 1
    assert set(data.round_trip["clips"]) == {"one", "two", "child", "infant"}
    before = MotionDataset.load(own)
    first = {clip.name.partition("[")[0]: clip for clip in reversed(data.clips)}
    for entry in before.clips[:1]:
        rows = data.poses[first[entry.name].rows][: entry.length]
        torch.testing.assert_close(rows, before.poses[entry.rows][: len(rows)], atol=0.02, rtol=0)
    speed = data.poses[first["child"].rows, 0].mean()
    assert float(speed) == pytest.approx(SPEED, rel=0.03), "0.7 of it, brought back"


def test_without_a_skeleton_the_smaller_body_is_left_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_walks(tmp_path / "tall", body("lafan1"), ("one", "two", "three"))
    write_walks(tmp_path / "small", body("lafan1", size=0.7), ("child",), size=0.7)
    both = (tmp_path / "tall", tmp_path / "small")
    commands.Build(both, tmp_path / "both.npz", unit=0.01).run()
    assert "child: left out (another body" in capsys.readouterr().out
    assert MotionDataset.load(tmp_path / "both.npz").retargeting == {}


def test_a_motion_file_names_the_skeleton_too(tmp_path: Path) -> None:
    write_walks(tmp_path / "tall", body("lafan1"), ("one",))
    write_walks(tmp_path / "small", body("bandai", size=0.7), ("child",), size=0.7)
    metres = CanonicalSettings(unit=0.01)
    onto = target.load(tmp_path / "small" / "child.bvh", metres)
    motion = sources.read(tmp_path / "tall", settings=metres, target=onto)
    (clip,) = motion.clips
    assert clip.skeleton.names == onto.skeleton.names
    assert "UpperLeg_L" in clip.skeleton.names
    (how,) = motion.transfers
    assert how.scale == pytest.approx(0.7, abs=0.01)


def test_no_skeleton_and_no_source_are_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such file or folder"):
        target.load(tmp_path / "nowhere.bvh")
    other = tmp_path / "other.npz"
    other.write_bytes(b"nothing")
    with pytest.raises(ControllerError, match=r"other\.npz"):
        target.load(other)
    with pytest.raises(ControllerError, match="source is"):
        commands.Build((), tmp_path / "out.npz").run()


def test_a_dog_as_the_only_source_is_one_sentence(tmp_path: Path) -> None:
    write_walks(tmp_path / "tall", body("lafan1"), ("one",))
    onto = target.load(tmp_path / "tall")
    dog = quadruped()
    time = torch.arange(60) / 30
    root = torch.stack((0 * time, 0 * time + 0.45, 0.5 * time), dim=-1)
    stand = torch.eye(3).repeat(60, len(dog), 1, 1)
    (tmp_path / "dog").mkdir()
    write(tmp_path / "dog" / "dog.bvh", Clip("dog", dog, root, stand, 30.0), Convention())
    with pytest.raises(DataError, match="a quadruped cannot be brought onto") as caught:
        sources.read(tmp_path / "dog", target=onto)
    assert "\n" not in str(caught.value)


def test_clips_of_a_data_set_are_its_clips() -> None:
    clip = walk_on(body("lafan1"))
    data = build([clip], "walk")
    (again,) = target.clips_of(data)
    speed = again.joint_positions().diff(dim=0).norm(dim=-1)
    expected = clip.joint_positions()[1:].diff(dim=0).norm(dim=-1)
    torch.testing.assert_close(speed, expected, atol=2e-4, rtol=0)


def test_hips_that_move_under_a_root_do_not_make_another_kind_of_file(tmp_path: Path) -> None:
    """The direction from a standing root to the hips is where the walk went, not a bone."""
    captures = []
    for name, turn in (("left", 0.9), ("right", -0.9)):
        clip = walk_on(body("lafan1"), name, turn)
        path = write(tmp_path / f"{name}.bvh", clip, Convention(root=True))
        captures.append(replace(bvh.read_capture(path), name=name))
    bodies, _ = find_bodies(captures, CanonicalSettings())
    assert len(bodies) == 1


def test_motion_is_shown_on_another_skeleton_before_it_is_built(tmp_path: Path) -> None:
    write_walks(tmp_path / "tall", body("lafan1"), ("one",))
    write_walks(tmp_path / "small", body("bandai", size=0.7), ("child",), size=0.7)
    onto = target.load(tmp_path / "tall")
    settings = CanonicalSettings(unit=0.01)
    with exhibits(tmp_path / "small", None, settings, target=onto) as found:
        (shown,) = found
        assert shown.data is not None and shown.source is not None
        assert shown.data.layout.skeleton.names == onto.skeleton.names
        assert any("retargeted onto tall" in note for note in shown.data.notes + shown.notes)
