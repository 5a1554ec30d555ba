"""Your own GLB: it is read as the specification says, moves as the character does whatever its
names, rest pose, frames and units are, and bad files get one sentence."""

from __future__ import annotations

import json
import shutil
import struct
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import skeletons
import torch
from gltf_files import Document
from rig_files import CORNERS, RigFile, a_pose, raw

from controller.body.fitting import fit
from controller.body.own import OwnBody
from controller.body.thinning import thinned
from controller.control import worn
from controller.control.folder import CharacterFolder
from controller.core.errors import ConfigError, ControllerError, DataError, DisplayError
from controller.data.formats.gltf_mesh import read_rig
from controller.dynamics.character import Character
from controller.games.player import Player
from controller.motion.roles import Roles
from controller.motion.skeleton import Skeleton, forward_kinematics
from controller.viewer.gl import quality
from controller.viewer.scene.pose import Pose
from controller.viewer.scene.scene import Scene
from controller.viewer.screen import Screen

LIMB = ("upper", "middle", "end")


@cache
def character() -> Character:
    return Character.load(CharacterFolder.open().mvae)


@cache
def poses(count: int = 24) -> tuple[np.ndarray, np.ndarray]:
    """Captured poses of the shipped character: positions (B, J, 3) and rotations (B, J, 3, 3)."""
    state = character().reset(count, torch.Generator().manual_seed(3))
    root, rotations = character().joints(state)
    positions = forward_kinematics(character().skeleton, root, rotations)
    return positions.numpy(), rotations.numpy()


def skinned(body: OwnBody, transforms: np.ndarray) -> np.ndarray:
    """(V, 3): the vertices of the finest level by one character's transforms (D, 3, 4)."""
    level = body.levels[0]
    points = np.c_[level.positions, np.ones(len(level.positions))].astype(float)
    total = np.zeros((len(points), 3))
    for place in range(4):
        matrices = transforms[level.joints[:, place]]
        share = level.weights[:, place, None] / 255
        total += share * np.einsum("vij,vj->vi", matrices, points)
    return total


def centres(body: OwnBody, transforms: np.ndarray) -> np.ndarray:
    """(J, 3): where the joints of a :class:`RigFile` are: between the ends of their pyramids."""
    points = skinned(body, transforms).reshape(-1, len(CORNERS), 3)
    return (points[:, 0] + points[:, 1]) / 2


def body_of(rig: RigFile, tmp_path: Path, skeleton: Skeleton | None = None) -> OwnBody:
    path = rig.write(tmp_path / "rig.glb")
    return worn.load(path, skeleton or character().skeleton)


# -- reading ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["u1", "u2", "u4"])
@pytest.mark.parametrize("unit", [1.0, 0.01])
def test_the_rest_pose_is_the_bound_one(tmp_path: Path, dtype: str, unit: float) -> None:
    """In every width of numbers, interleaved, in metres or in centimetres with Z up; also if the
    nodes stand in another pose."""
    family = "lafan1" if dtype == "u1" else "unreal"
    skeleton = skeletons.make(skeletons.FAMILIES[family])
    for posed in (False, True):
        made = RigFile(skeleton, a_pose(skeleton), 7, unit, posed, dtype)
        rig = read_rig(made.write(tmp_path / "a.glb"))
        (shape,) = rig.shapes
        np.testing.assert_allclose(shape.positions, made.vertices, atol=1e-5)
        order = [skeleton.names.index(name) for name in rig.skeleton.names]
        assert sorted(order) == list(range(len(skeleton)))
        np.testing.assert_allclose(rig.root, made.places[order[0]], atol=1e-5)
        offsets = (
            made.places[order[1:]]
            - made.places[[order[parent] for parent in rig.skeleton.parents[1:]]]
        )
        np.testing.assert_allclose(rig.skeleton.offsets[1:], offsets, atol=1e-5)
        assert [order[joint] for joint in shape.joints[:, 0]] == made.followed.tolist()
        a, b, c = (shape.positions[shape.triangles[:, corner]] for corner in range(3))
        outward = np.einsum(
            "ij,ij->i", np.cross(b - a, c - a), shape.normals[shape.triangles[:, 0]]
        )
        assert (outward > 0).all()


def test_eight_influences_become_the_four_strongest(tmp_path: Path) -> None:
    """Influences on fingers count as the hand's, with which they move."""
    skeleton = skeletons.make(skeletons.FAMILIES["unreal"])
    made = RigFile(skeleton, dtype="u4")
    count = len(made.vertices)
    names = ["hand_l", "index_01_l", "lowerarm_l", "upperarm_l", "clavicle_l", "spine_03", "head"]
    numbers = [skeleton.index(name) for name in names]
    made.joints = np.tile([*numbers, 0], (count, 1))
    made.weights = np.tile([0.1, 0.2, 0.25, 0.2, 0.15, 0.06, 0.04, 0.0], (count, 1))
    body = body_of(made, tmp_path)
    level = body.levels[0]
    assert (level.weights.astype(int).sum(axis=1) == 255).all()
    expected = np.array((0.3, 0.25, 0.2, 0.15)) / 0.9 * 255
    assert np.abs(level.weights[0] - expected).max() <= 1.5


def test_strips_fans_and_shared_vertices(tmp_path: Path) -> None:
    made = RigFile(skeletons.make(skeletons.FAMILIES["lafan1"])).document()
    attributes = made.content["meshes"][0]["primitives"][0]["attributes"]
    corners = np.arange(5)[:, None]
    made.content["meshes"][0]["primitives"] = [
        {"attributes": attributes, "mode": mode, "indices": raw(made, corners, "u2")}
        for mode in (4, 5, 6, 1)
    ]
    rig = read_rig(made.glb(tmp_path / "a.glb"))
    assert [shape.triangles.tolist() for shape in rig.shapes] == [
        [[0, 1, 2]], [[0, 1, 2], [2, 1, 3], [2, 3, 4]], [[0, 1, 2], [0, 2, 3], [0, 3, 4]],
    ]  # fmt: skip


def test_what_has_no_skin_rides_on_its_joint(tmp_path: Path) -> None:
    skeleton = skeletons.make(skeletons.FAMILIES["lafan1"])
    made = RigFile(skeleton, frames=5)
    document = made.document()
    attributes = {"POSITION": raw(document, CORNERS + np.array((0.0, 0.2, 0.0)), "f4")}
    document.content["meshes"].append({"primitives": [{"attributes": attributes, "mode": 5}]})
    head = skeleton.index("Head")
    nodes = document.content["nodes"]
    nodes[head]["children"] = [document.node("Hat", mesh=1)]
    document.node("Room", mesh=1)
    rig = read_rig(document.glb(tmp_path / "a.glb"))
    assert len(rig.shapes) == 2
    hat = rig.shapes[1]
    assert {rig.skeleton.names[joint] for joint in hat.joints.ravel()} == {"Head"}
    away = np.linalg.norm(hat.positions.mean(axis=0) - made.places[head])
    assert away == pytest.approx(0.2, abs=1e-4)


# -- moving ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("hanging", [0.0, 50.0])
@pytest.mark.parametrize("unit", [1.0, 0.01])
def test_a_rig_of_the_characters_own_bones_moves_as_it_does(
    tmp_path: Path, hanging: float, unit: float
) -> None:
    """Whatever its rest pose, its frames and its units are."""
    skeleton = character().skeleton
    made = RigFile(skeleton, a_pose(skeleton, hanging), 3, unit, posed=unit != 1.0)
    body = body_of(made, tmp_path)
    assert float(np.ptp(body.levels[0].positions[:, 1])) == pytest.approx(
        float(np.ptp(made.vertices[:, 1])), rel=1e-3
    )
    positions, rotations = poses()
    knees = [leg.middle for leg in Roles.of(skeleton).legs]
    transforms = body.place(positions, rotations)
    assert transforms.dtype == np.float32
    for row in range(len(positions)):
        away = np.abs(centres(body, transforms[row]) - positions[row])
        assert away[knees].max() < 4e-3  # the plane of a straight leg is the hinge's
        assert np.delete(away, knees, axis=0).max() < 5e-4
        one = body.place(positions[row], rotations[row])
        np.testing.assert_allclose(one, transforms[row], atol=1e-5)
        rigid = np.einsum("dij,dik->djk", one[..., :3], one[..., :3])
        np.testing.assert_allclose(rigid, np.tile(np.eye(3), (len(rigid), 1, 1)), atol=1e-4)


VROID = [
    *(f"J_Bip_C_{part}" for part in ("Root", "Hips", "Spine", "Chest", "UpperChest", "Neck")),
    "J_Bip_C_Head",
    *(
        f"J_Bip_{side}_{part}"
        for side in "LR"
        for limb in ("UpperLeg LowerLeg Foot ToeBase", "Shoulder UpperArm LowerArm Hand")
        for part in limb.split()
    ),
]
"""The names of VRoid's VRM files, in the order of the family that has the same joints."""


def rig_skeleton(family: str) -> Skeleton:
    if family == "vrm":
        return skeletons.named(skeletons.make(skeletons.FAMILIES["bandai"]), VROID)
    return skeletons.make(skeletons.FAMILIES[family])


@pytest.mark.parametrize("family", ["mixamo", "unreal", "vrm", "rigify", "biped"])
def test_other_bodies_keep_their_bones_and_stand_where_the_character_does(
    tmp_path: Path, family: str
) -> None:
    """Longer thighs than shins, half as large: bones keep their lengths, arms point where the
    character's do, knees bend as its knees, and flat soles are where its soles are."""
    skeleton = rig_skeleton(family)
    roles = Roles.of(skeleton)
    offsets = 0.5 * skeleton.offsets
    for leg in roles.legs:
        assert leg.middle is not None and leg.end is not None
        offsets[leg.middle] *= 1.25
        offsets[leg.end] *= 0.85
    skeleton = Skeleton(skeleton.names, skeleton.parents, offsets, 0.5 * skeleton.tips)
    made = RigFile(skeleton, a_pose(skeleton), 11, 0.01)
    body = body_of(made, tmp_path)
    source = Roles.of(character().skeleton)
    scale = np.ptp(body.levels[0].positions[:, 1]) / np.ptp(made.vertices[:, 1])
    soles = 0
    for positions, rotations in zip(*poses(), strict=True):
        transforms = body.place(positions, rotations)
        joints = centres(body, transforms)
        points = skinned(body, transforms)
        for joint, parent in enumerate(skeleton.parents[1:], start=1):
            length = float(skeleton.offsets[joint].norm()) * scale
            assert np.linalg.norm(joints[joint] - joints[parent]) == pytest.approx(length, abs=2e-3)
        for limb in roles.limbs:
            other = source.limb(limb.region, limb.side)
            mine = np.diff(joints[[getattr(limb, part) for part in LIMB]], axis=0)
            their = np.diff(positions[[getattr(other, part) for part in LIMB]], axis=0)
            if limb.region == "arm":
                cosine = (mine * their).sum(axis=1)
                cosine /= np.linalg.norm(mine, axis=1) * np.linalg.norm(their, axis=1)
                assert cosine.min() > 0.999
                continue
            bend = np.cross(*their)
            if np.linalg.norm(bend) > 0.02:
                assert np.cross(*mine) @ bend > 0
            up = rotations[other.end] @ (0, 1, 0)
            if up[1] > 0.999 and (rotations[other.toe] @ (0, 1, 0))[1] > 0.999:
                soles += 1
                ground = positions[other.toe, 1] - 0.011
                lowest = points[made.followed == limb.contact, 1].min()
                assert lowest == pytest.approx(ground, abs=0.006)
                level = positions[other.end, [0, 2]] - joints[limb.end, [0, 2]]
                assert np.linalg.norm(level) < 0.006
    assert soles > 5


def test_stated_roles_win(tmp_path: Path) -> None:
    skeleton = skeletons.make(skeletons.FAMILIES["lafan1"])
    path = RigFile(skeleton).write(tmp_path / "a.glb")
    roles = tmp_path / "roles.toml"
    roles.write_text('[roles]\nHead = "none"\nNeck = "head"\n')
    assert worn.load(path, character().skeleton).bones == len(skeleton)
    assert worn.load(path, character().skeleton, roles).bones == len(skeleton) - 1
    roles.write_text('[roles]\nnobody = "head"\n')
    with pytest.raises(ConfigError, match=f"{roles}: roles.nobody is not a joint"):
        worn.load(path, character().skeleton, roles)


def test_a_quadruped_follows_a_quadruped(tmp_path: Path) -> None:
    skeleton = skeletons.quadruped()
    made = RigFile(skeleton, frames=2)
    body = body_of(made, tmp_path, skeleton)
    rotations = np.tile(np.eye(3, dtype=np.float32), (len(skeleton), 1, 1))
    joints = forward_kinematics(
        skeleton, torch.tensor((0.0, 0.5, 0.0)), torch.from_numpy(rotations)
    )
    placed = centres(body, body.place(joints.numpy(), rotations))
    feet = list(Roles.of(skeleton).feet)
    np.testing.assert_allclose(placed[feet], joints[feet], atol=0.02)


# -- what is refused -------------------------------------------------------------------------------

SMALL = RigFile(skeletons.make(skeletons.FAMILIES["lafan1"]), dtype="u2")


def content(change: Callable[[Document], None]) -> Callable[[Path], None]:
    def make(path: Path) -> None:
        document = SMALL.document()
        change(document)
        document.glb(path)

    return make


def key(address: str, value: Any) -> Callable[[Path], None]:
    """The document with another value at an address such as nodes.0.children."""

    def change(document: Document) -> None:
        owner: Any = document.content
        *parts, last = address.split(".")
        for part in parts:
            owner = owner[int(part) if part.isdigit() else part]
        owner[int(last) if last.isdigit() else last] = value

    return content(change)


def damage(accessor: str, value: bytes) -> Callable[[Path], None]:
    """The document with other bytes at the beginning of an attribute."""

    def change(document: Document) -> None:
        shape = document.content["meshes"][0]["primitives"][0]
        number = shape["indices"] if accessor == "indices" else shape["attributes"][accessor]
        view = document.content["bufferViews"][number]
        start = view["byteOffset"]
        document.data[start : start + len(value)] = value

    return content(change)


def many(document: Document) -> None:
    document.content["nodes"] += [{}] * 1_000_000


def crowd(document: Document) -> None:
    start = len(document.content["nodes"])
    document.content["nodes"][0]["children"] += list(range(start, start + 600))
    document.content["nodes"] += [{}] * 600
    document.content["skins"][0]["joints"] += list(range(start, start + 600))
    del document.content["skins"][0]["inverseBindMatrices"]


def outside(path: Path) -> None:
    (path.parent.parent / "data.bin").write_bytes(b"0")
    SMALL.document().gltf(path)
    parsed = json.loads(path.read_text())
    parsed["buffers"][0]["uri"] = "../data.bin"
    path.write_text(json.dumps(parsed))


def bad_picture(document: Document) -> None:
    made = RigFile(SMALL.skeleton, picture=np.zeros((2, 2, 3), np.uint8)).document()
    document.content = made.content
    document.data = made.data
    document.data[made.content["bufferViews"][-1]["byteOffset"]] = 0


def lying(document: Document) -> None:
    document.content["nodes"][-1]["matrix"] = [1, 0, 0, 0, 0, 0, 1, 0, 0, -1, 0, 0, 0, 0, 0, 1]


BAD: dict[str, tuple[Callable[[Path], Any], str]] = {
    "text": (lambda path: path.write_text("solid cube"), "not a glTF file"),
    "no skin": (
        content(lambda document: document.content["nodes"][-2].pop("skin")), "no mesh with a skin",
    ),
    "a ring": (key("nodes.3.children", [1]), "nodes[1]: a second parent"),
    "no such joint": (key("skins.0.joints.3", 99), "skins[0].joints"),
    "no such mesh": (key("nodes.22.mesh", 5), "nodes[22].mesh: found 5"),
    "no such vertex": (damage("indices", struct.pack("<H", 60000)), "indices: found 60000"),
    "a joint outside": (damage("JOINTS_0", struct.pack("<H", 500)), "JOINTS_0: found 500"),
    "NaN": (damage("POSITION", struct.pack("<f", np.nan)), "values that are not finite"),
    "a million nodes": (content(many), "expected at most 10000"),
    "600 joints": (content(crowd), "more than 500 joints"),
    "a huge accessor": (key("accessors.1.count", 10**12), "accessors[1].count: found 10000"),
    "more than the buffer": (key("accessors.1.count", 10**4), "accessors[1].count: found 10000"),
    "a view outside": (key("bufferViews.1.byteLength", 10**9), "bufferViews[1].byteLength"),
    "a folder above": (outside, "expected a file in the folder of this one"),
    "few matrices": (key("accessors.0.count", 3), "3 inverse bind matrices; expected 22"),
    "no weights": (key("meshes.0.primitives.0.attributes.JOINTS_0", 1), "found 'VEC3'"),
    "draco": (
        key("meshes.0.primitives.0.extensions", {"KHR_draco_mesh_compression": {}}), "compressed",
    ),
    "a picture": (content(bad_picture), "images[0]: a picture that cannot be read"),
    "lying": (content(lying), "does not stand upright"),
    "a dog": (lambda path: RigFile(skeletons.quadruped()).write(path), "a quadruped; the motion"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_bad_files_are_one_sentence(tmp_path: Path, name: str) -> None:
    make, words = BAD[name]
    (tmp_path / "inner").mkdir()
    path = tmp_path / "inner" / "a.glb"
    make(path)
    with pytest.raises(ControllerError) as caught:
        worn.load(path, character().skeleton)
    message = str(caught.value)
    assert message.startswith(str(path)) and words in message, message
    assert "\n" not in message and len(message) < 2 * len(str(path)) + 250


def test_it_must_be_gltf_and_have_legs(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"--body is '.*body\.fbx'; allowed: \.glb or \.gltf"):
        worn.load(tmp_path / "body.fbx", character().skeleton)
    skeleton = Skeleton(
        ("a", "b"), (-1, 0), torch.tensor([[0.0, 0, 0], [0, 1, 0]]), torch.zeros(2, 3)
    )
    rig = read_rig(SMALL.write(tmp_path / "a.glb"))
    legless = type(rig)(rig.name, skeleton, rig.root, rig.shapes, rig.pictures)
    with pytest.raises(DataError, match=r"a\.glb: no left and right leg among a, b"):
        fit(legless, character().skeleton)


# -- drawing ---------------------------------------------------------------------------------------


def test_thinning_keeps_what_it_is_told_to() -> None:
    u, v = (part.ravel() for part in np.meshgrid(np.arange(60), np.arange(60), indexing="ij"))
    points = np.column_stack((np.cos(u / 10), v / 20, np.sin(u / 10)))
    first = np.arange(59 * 60).reshape(59, 60)[:, :59].ravel()
    triangles = np.stack((first, first + 1, first + 60), axis=1)
    parts = (v >= 30).astype(int)
    kept, thin, origins = thinned(points, parts, triangles, 400)
    assert 200 < len(thin) <= 400 and len(origins) == len(thin)
    assert (np.diff(origins) > 0).all() and thin.max() == len(kept) - 1
    moved = np.linalg.norm(points[kept[thin]] - points[triangles[origins]], axis=-1)
    assert moved.max() < 0.5
    assert (parts[kept[thin]] == parts[triangles[origins]]).all()


@pytest.mark.parametrize("level", [quality.LOW, quality.HIGH])
def test_its_texture_is_drawn(tmp_path: Path, level: quality.Quality) -> None:
    """Green where the texture is opaque, nothing where its alpha is below the cutoff."""
    skeleton = character().skeleton
    try:
        screen = Screen(skeleton, (320, 180), headless=True, quality=level)
    except DisplayError as error:
        pytest.skip(str(error))
    screen.camera.jump(np.zeros(3))
    root = torch.tensor((0.0, 0.97, 0.0))
    pose = Pose.from_matrices(root, torch.eye(3).expand(len(skeleton), 3, 3))
    beside = Pose(root + torch.tensor([[1.0, 0, 0]]), pose.quaternions[None])
    counts = []
    for alpha in (255, 100):
        picture = np.tile(np.array((0, 255, 0, alpha), np.uint8), (4, 4, 1))
        made = RigFile(skeleton, picture=picture, material={"alphaMode": "MASK"})
        screen.renderer.use_skeleton(skeleton, body_of(made, tmp_path))
        for scene in (Scene(pose), Scene(pose, others=beside)):
            screen.renderer.draw(scene, screen.camera)
            red, green, blue = screen.picture().astype(int).transpose(2, 0, 1)
            counts.append(int(((green > 1.5 * red) & (green > 1.5 * blue)).sum()))
    screen.close()
    assert 40 < counts[0] < 0.8 * counts[1]  # edges are smoothed, so they are less green
    assert counts[2:] == [0, 0]


def test_a_folder_may_have_one(tmp_path: Path) -> None:
    """It comes before the body that was made, which exports keep; body.toml states roles."""
    own = CharacterFolder.open()
    folder = tmp_path / "mine"
    shutil.copytree(own.path, folder)
    skeleton = skeletons.make(skeletons.FAMILIES["lafan1"])
    RigFile(skeleton).write(folder / "body.glb")
    (folder / "body.toml").write_text('[roles]\nHead = "none"\nNeck = "head"\n')
    found = CharacterFolder.open(folder)
    player = Player(character(), folder=found)
    assert isinstance(player.skin, OwnBody) and player.skin.bones == len(skeleton) - 1
    assert player.made_skin is not None
    (folder / "body.glb").write_bytes(b"glTF")
    del player.skin
    with pytest.raises(ControllerError, match="the file ends after 4 bytes"):
        _ = player.skin
