"""A skinned body for every skeleton: closed, bound without collapsing, told left from right."""

from __future__ import annotations

import importlib.util
import math
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import skeletons
import synthetic
import torch

from controller.body.colours import BLUE, CORAL
from controller.body.make import make
from controller.body.mesh import Level, SkinnedBody
from controller.control import bodies
from controller.control.folder import CharacterFolder
from controller.core.errors import CheckpointError, ConfigError, DataError
from controller.motion.roles import Roles
from controller.motion.skeleton import Skeleton, to_global

KINDS = ("biped", "unreal", "quadruped")


@cache
def body(kind: str) -> SkinnedBody:
    """Woody's shipped body, or one that is made."""
    if kind == "biped":
        path = CharacterFolder.open().body
        assert path is not None
        return SkinnedBody.load(path)
    if kind == "quadruped":
        return make(skeletons.quadruped())
    return make(skeletons.make(skeletons.FAMILIES[kind]))


def merged(level: Level) -> tuple[np.ndarray, np.ndarray]:
    """Positions and triangles without the doubles of vertices that have two colours."""
    points, index = np.unique(level.positions, axis=0, return_inverse=True)
    return points, index.reshape(-1)[level.triangles]


def volume(points: np.ndarray, triangles: np.ndarray) -> float:
    """What a closed surface encloses, positive if its triangles turn outward."""
    a, b, c = (points[triangles[:, corner]].astype(float) for corner in range(3))
    return float(np.einsum("ij,ij->i", a, np.cross(b, c)).sum() / 6)


def posed(shape: SkinnedBody, rotations: np.ndarray) -> np.ndarray:
    """Where the vertices of the finest level are, computed joint by joint; the root stays."""
    skeleton = shape.skeleton
    places = [shape.positions[0].astype(float)]
    for joint, parent in enumerate(skeleton.parents[1:], start=1):
        places.append(places[parent] + rotations[parent] @ skeleton.offsets[joint].numpy())
    level = shape.levels[0]
    total = np.zeros((len(level.positions), 3))
    for joint in range(len(skeleton)):
        local = (level.positions - shape.positions[joint]) @ shape.rotations[joint]
        share = np.where(level.joints == joint, level.weights, 0).sum(axis=1) / 255
        total += share[:, None] * (local @ rotations[joint].T + places[joint])
    return total


def bent(shape: SkinnedBody, angle: float) -> np.ndarray:
    """Global rotations with knees bent back and elbows bent forward by this angle from straight, on
    a skeleton whose rest pose has straight limbs."""
    skeleton = shape.skeleton
    local = np.tile(np.eye(3), (len(skeleton), 1, 1))
    for limb in Roles.of(skeleton).limbs:
        assert limb.middle is not None
        axis = np.array((1.0, 0, 0)) if limb.region == "leg" else np.array((0, -1.0, 0))
        if limb.side == "right" and limb.region == "arm":
            axis = -axis
        x, y, z = axis
        cross = np.array(((0, -z, y), (z, 0, -x), (-y, x, 0)))
        local[limb.middle] += math.sin(angle) * cross + (1 - math.cos(angle)) * cross @ cross
    return to_global(skeleton.parents, torch.tensor(local)).numpy()


@pytest.mark.parametrize("kind", KINDS)
def test_the_surface_is_closed_and_turns_outward(kind: str) -> None:
    for level in body(kind).levels:
        points, triangles = merged(level)
        edges = np.concatenate([triangles[:, pair] for pair in ((0, 1), (1, 2), (2, 0))])
        there = {tuple(edge) for edge in edges.tolist()}
        assert len(there) == len(edges), "an edge has two triangles on one side"
        assert all((b, a) in there for a, b in there), "the surface has a hole"
        assert volume(points, triangles) > 0


@pytest.mark.parametrize("kind", KINDS)
def test_it_is_small(kind: str, tmp_path: Path) -> None:
    counts = [len(level.triangles) for level in body(kind).levels]
    assert counts[0] < 15_000 and counts[-1] < 1_000
    assert counts == sorted(counts, reverse=True)
    body(kind).save(tmp_path / "body.safetensors")
    assert (tmp_path / "body.safetensors").stat().st_size <= 300_000


@pytest.mark.parametrize("kind", KINDS)
def test_weights_sum_to_one_and_normals_point_outward(kind: str) -> None:
    for level in body(kind).levels:
        assert (level.weights.sum(axis=1, dtype=int) == 255).all()
        a, b, c = (level.positions[level.triangles[:, corner]] for corner in range(3))
        faces = np.cross(b - a, c - a)
        average = level.normals[level.triangles].mean(axis=1)
        assert (np.einsum("ij,ij->i", faces, average) > 0).mean() > 0.98


@pytest.mark.parametrize("kind", KINDS)
def test_it_encloses_the_joints_that_matter(kind: str) -> None:
    """Around each joint of a limb there is skin that follows it, and it is near."""
    shape = body(kind)
    level = shape.levels[0]
    roles = Roles.of(shape.skeleton)
    for limb in roles.limbs:
        for joint in (limb.upper, limb.middle, limb.end):
            assert joint is not None
            away = np.linalg.norm(level.positions - shape.positions[joint], axis=1)
            nearest = away.argmin()
            assert away[nearest] < 0.1
            assert joint in level.joints[nearest] or limb.base in level.joints[nearest]


def test_the_bound_pose_is_left_alone() -> None:
    shape = body("biped")
    placed = shape.place(shape.positions, shape.rotations)
    np.testing.assert_allclose(placed, np.tile(np.eye(3, 4), (20, 1, 1)), atol=1e-5)


def test_transforms_agree_with_a_computation_joint_by_joint() -> None:
    shape = body("biped")
    rotations = bent(shape, 1.0)
    places = [shape.positions[0]]
    for joint, parent in enumerate(shape.skeleton.parents[1:], start=1):
        offset = shape.skeleton.offsets[joint].numpy()
        places.append(places[parent] + rotations[parent] @ offset)
    placed = shape.place(np.stack(places), rotations)
    level = shape.levels[0]
    each = placed[level.joints]  # (V, 4, 3, 4)
    moved = np.einsum("vkij,vj->vki", each[..., :3], level.positions) + each[..., 3]
    skin = (level.weights[..., None] / 255 * moved).sum(axis=1)
    np.testing.assert_allclose(skin, posed(shape, rotations), atol=1e-4)


def test_knees_and_elbows_bend_without_collapsing() -> None:
    shape = body("biped")
    level = shape.levels[0]
    straight = posed(shape, bent(shape, 0.0))
    folded = posed(shape, bent(shape, math.radians(100)))
    ratio = volume(folded, level.triangles) / volume(straight, level.triangles)
    assert 0.96 < ratio < 1.04
    for limb in Roles.of(shape.skeleton).limbs:
        joint = limb.middle
        near = np.linalg.norm(level.positions - shape.positions[joint], axis=1) < 0.07
        rings = []
        for points, angle in ((straight, 0.0), (folded, math.radians(100))):
            rotations = bent(shape, angle)
            place = shape.positions[0].astype(float)
            chain = []
            above = joint
            while above > 0:
                chain.append(above)
                above = shape.skeleton.parents[above]
            for each in reversed(chain):
                parent = shape.skeleton.parents[each]
                place = place + rotations[parent] @ shape.skeleton.offsets[each].numpy()
            rings.append(np.linalg.norm(points[near] - place, axis=1).mean())
        assert rings[1] > 0.8 * rings[0]


@pytest.mark.parametrize("kind", KINDS)
def test_left_and_right_have_their_colours(kind: str) -> None:
    shape = body(kind)
    level = shape.levels[0]
    for limb in Roles.of(shape.skeleton).limbs:
        own = level.joints[:, 0] == limb.end
        seen = (level.colours[own, :3].astype(float) / 255) ** 2
        seen = seen[seen.max(axis=1) > 0.2]  # without dark seams
        away = [np.linalg.norm(seen - colour, axis=1) for colour in (BLUE, CORAL)]
        is_left = (away[0] < away[1]).mean()
        assert is_left > 0.9 if limb.side == "left" else is_left < 0.1


def test_soles_are_flat() -> None:
    shape = body("biped")
    level = shape.levels[0]
    for foot in Roles.of(shape.skeleton).legs:
        own = np.isin(level.joints[:, 0], (foot.end, foot.toe))
        points = level.positions[own]
        sole = points[points[:, 1] < points[:, 1].min() + 0.004]
        assert np.ptp(sole[:, 2]) > 0.18 and np.ptp(sole[:, 0]) > 0.05  # a foot's length and width


def test_the_file_keeps_everything(tmp_path: Path) -> None:
    shape = body("unreal")
    shape.save(tmp_path / "body.safetensors")
    again = SkinnedBody.load(tmp_path / "body.safetensors")
    assert again.fits(shape.skeleton) and not again.fits(synthetic.skeleton())
    for one, other in zip(shape.levels, again.levels, strict=True):
        np.testing.assert_allclose(one.positions, other.positions, atol=5e-5)
        np.testing.assert_allclose(one.normals, other.normals, atol=1e-4)
        for name in ("joints", "weights", "colours", "triangles"):
            np.testing.assert_array_equal(getattr(one, name), getattr(other, name))


def test_a_damaged_file_is_refused_in_a_sentence(tmp_path: Path) -> None:
    path = tmp_path / "body.safetensors"
    path.write_bytes(b"nonsense")
    with pytest.raises(CheckpointError, match="not a readable checkpoint"):
        SkinnedBody.load(path)
    shape = body("biped")
    level = shape.levels[0]
    wrong = Level(*(getattr(level, n) for n in ("positions", "normals")), level.joints + 20,
                  level.weights, level.colours, level.triangles)  # fmt: skip
    SkinnedBody(shape.skeleton, shape.positions, shape.rotations, (wrong,)).save(path)
    with pytest.raises(CheckpointError, match="names what is not there"):
        SkinnedBody.load(path)


def test_a_skeleton_that_does_not_stand_is_refused() -> None:
    standing = skeletons.make(skeletons.FAMILIES["lafan1"])
    lying = Skeleton(
        standing.names,
        standing.parents,
        standing.offsets[:, [0, 2, 1]] * torch.tensor((1.0, -1.0, 1.0)),
        standing.tips[:, [0, 2, 1]],
    )
    with pytest.raises(DataError):
        make(lying)


def test_without_the_packages_it_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "skimage" else find(name)
    )
    with pytest.raises(ConfigError, match="extra body"):
        make(skeletons.quadruped())
    path = tmp_path / "body.safetensors"
    path.write_bytes(b"an older one")
    assert "plays as capsules" in bodies.attempt(CharacterFolder.open().mvae, path)
    assert not path.exists()


def test_the_command_makes_it_for_a_character(
    tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    path = tmp_path / "body.safetensors"
    bodies.Make(out=path).run()
    assert "triangles" in capsys.readouterr().out
    shape = SkinnedBody.load(path)
    shipped = body("biped")
    assert shape.fits(shipped.skeleton)
    assert abs(len(shape.levels[0].triangles) - len(shipped.levels[0].triangles)) < 300
