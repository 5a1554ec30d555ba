"""What is written as .glb is what was played: read back by this project's reader, and computed from
the file's own bytes."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import synthetic
import torch

from controller.body.mesh import SkinnedBody
from controller.control.folder import CharacterFolder
from controller.core.errors import ConfigError, DataError
from controller.data import formats
from controller.data.formats import gltf_writing, npz
from controller.export.glb import Glb, recorded
from controller.games.recording import Recording
from controller.motion.skeleton import Clip, Skeleton

DTYPES = {5121: "u1", 5123: "<u2", 5125: "<u4", 5126: "<f4"}
WIDTHS = {"SCALAR": 1, "VEC3": 3, "VEC4": 4, "MAT4": 16}
LARGEST = {"u1": 255, "<u2": 65535}


@pytest.fixture(scope="module")
def body() -> SkinnedBody:
    path = CharacterFolder.open().body
    assert path is not None
    return SkinnedBody.load(path)


def drive(skeleton: Skeleton, frames: int = 40, name: str = "drive") -> Clip:
    """Joints that turn, and a root that moves along an arc and turns round more than once."""
    time = torch.arange(frames) / 30
    angles = 0.5 * torch.sin(2 * time[:, None] + torch.arange(len(skeleton)))
    yaw = 6 * time
    rotations = []
    for angle, axis in ((angles, 0), (0.4 * angles, 2)):
        a, b = ((1, 2), None, (0, 1))[axis]  # type: ignore[misc]
        turn = torch.eye(3).repeat(frames, len(skeleton), 1, 1)
        turn[..., a, a] = turn[..., b, b] = torch.cos(angle)
        turn[..., a, b] = -torch.sin(angle)
        turn[..., b, a] = torch.sin(angle)
        rotations.append(turn)
    local = rotations[0] @ rotations[1]
    round_about = torch.eye(3).repeat(frames, 1, 1)
    round_about[:, 0, 0] = round_about[:, 2, 2] = torch.cos(yaw)
    round_about[:, 0, 2] = torch.sin(yaw)
    round_about[:, 2, 0] = -torch.sin(yaw)
    local[:, 0] = round_about @ local[:, 0]
    places = torch.stack((time, 0.95 + 0.02 * torch.sin(9 * time), time**2), dim=-1)
    return Clip(name, skeleton, places, local, 30.0)


class File:
    """A .glb, parsed here."""

    def __init__(self, path: Path) -> None:
        data = path.read_bytes()
        magic, version, size = struct.unpack("<4sII", data[:12])
        assert (magic, version, size) == (b"glTF", 2, len(data)) and size % 4 == 0
        length, kind = struct.unpack("<I4s", data[12:20])
        assert kind == b"JSON" and length % 4 == 0
        self.json: dict[str, Any] = json.loads(data[20 : 20 + length])
        rest = data[20 + length :]
        length, kind = struct.unpack("<I4s", rest[:8])
        assert kind == b"BIN\0" and length == len(rest) - 8
        self.binary = rest[8:]

    def values(self, number: int) -> np.ndarray:
        """An accessor's values (N, C), shares of the largest if they are normalised."""
        accessor = self.json["accessors"][number]
        view = self.json["bufferViews"][accessor["bufferView"]]
        dtype = DTYPES[accessor["componentType"]]
        width = WIDTHS[accessor["type"]]
        assert view["byteOffset"] % 4 == 0
        data = self.binary[view["byteOffset"] :][: view["byteLength"]]
        values = np.frombuffer(data, dtype).reshape(accessor["count"], width)
        for name, least in (("min", values.min(axis=0)), ("max", values.max(axis=0))):
            if name in accessor:
                np.testing.assert_array_equal(np.float32(accessor[name]), least)
        return values / LARGEST[dtype] if accessor.get("normalized") else values

    def animation(self, number: int = 0) -> dict[tuple[str, str], np.ndarray]:
        """Node name and property → values of each frame."""
        animation = self.json["animations"][number]
        return {
            (self.json["nodes"][channel["target"]["node"]]["name"], channel["target"]["path"]):
            self.values(animation["samplers"][channel["sampler"]]["output"])
            for channel in animation["channels"]
        }  # fmt: skip

    def world(self, frame: int) -> dict[int, np.ndarray]:
        """Node → its matrix (4, 4) in the world at a frame of the first animation."""
        curves = self.animation()
        matrices: dict[int, np.ndarray] = {}

        def visit(node: int, above: np.ndarray) -> None:
            own = self.json["nodes"][node]
            turn = curves.get((own["name"], "rotation"))
            place = curves.get((own["name"], "translation"))
            x, y, z, w = own.get("rotation", (0, 0, 0, 1)) if turn is None else turn[frame]
            local = np.eye(4)
            local[:3, :3] = (
                (1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)),
                (2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)),
                (2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)),
            )
            local[:3, 3] = own.get("translation", (0, 0, 0)) if place is None else place[frame]
            matrices[node] = above @ local
            for child in own.get("children", ()):
                visit(child, matrices[node])

        for node in self.json["scenes"][self.json["scene"]]["nodes"]:
            visit(node, np.eye(4))
        return matrices


def assert_same_motion(path: Path, clip: Clip, first: int = 0) -> None:
    """The project's own reader finds the clip's joints where the clip has them."""
    capture = formats.read_captures(path, 30.0).captures[0]
    assert len(capture) == len(clip)
    order = [capture.names.index(name) for name in clip.skeleton.names]
    places = capture.positions[:, order]
    torch.testing.assert_close(places.float(), clip.joint_positions(), atol=2e-5, rtol=0)
    for joint, parent in enumerate(clip.skeleton.parents[1:], start=1):
        assert capture.parents[order[joint]] == order[parent]
    rotations = capture.rotations[:, order].float()
    torch.testing.assert_close(rotations, clip.global_rotations(), atol=1e-4, rtol=0)
    tips = capture.tips[order].float()
    torch.testing.assert_close(tips, clip.skeleton.tips, atol=1e-4, rtol=0)


def test_a_clip_comes_back(tmp_path: Path) -> None:
    clip = synthetic.walk(seconds=1.0)
    formats.write(tmp_path / "walk.glb", clip)
    assert_same_motion(tmp_path / "walk.glb", clip)


@pytest.mark.parametrize("root_bone", [False, True])
def test_a_body_moves_as_the_viewer_moves_it(
    tmp_path: Path, body: SkinnedBody, root_bone: bool
) -> None:
    clip = drive(body.skeleton)
    path = tmp_path / "drive.glb"
    gltf_writing.write(path, [clip], body, root_bone=root_bone)
    assert_same_motion(path, clip)
    file = File(path)
    skin = file.json["skins"][0]
    shape = file.json["meshes"][0]["primitives"][0]["attributes"]
    inverse = file.values(skin["inverseBindMatrices"]).reshape(-1, 4, 4).transpose(0, 2, 1)
    joints = file.values(shape["JOINTS_0"])
    weights = file.values(shape["WEIGHTS_0"])
    points = np.c_[file.values(shape["POSITION"]), np.ones(len(joints))]
    level = body.levels[0]
    for frame in (0, 17, 39):
        world = file.world(frame)
        moves = np.stack([world[node] for node in skin["joints"]]) @ inverse
        skinned = np.einsum("vk,vkij,vj->vi", weights, moves[joints], points)[:, :3]
        rows = body.place(
            clip.joint_positions()[frame].numpy(), clip.global_rotations()[frame].numpy()
        )
        each = rows[level.joints]
        drawn = np.einsum(
            "vk,vkij,vj->vi", level.weights / 255, each, np.c_[level.positions, points[:, 3]]
        )
        np.testing.assert_allclose(skinned, drawn, atol=1e-4)


def test_a_root_bone_stays_on_the_ground_under_the_hips(tmp_path: Path, body: SkinnedBody) -> None:
    clip = drive(body.skeleton)
    gltf_writing.write(tmp_path / "a.glb", [clip], body, root_bone=True)
    curves = File(tmp_path / "a.glb").animation()
    ground = curves["root", "translation"]
    np.testing.assert_allclose(ground[:, [0, 2]], clip.positions[:, [0, 2]], atol=1e-5)
    assert (ground[:, 1] == 0).all()
    turn = curves["root", "rotation"]
    assert (turn[:, [0, 2]] == 0).all() and np.ptp(turn[:, 1]) > 0.5  # about the vertical alone
    hips = curves[body.skeleton.names[0], "translation"]
    np.testing.assert_allclose(hips[:, [0, 2]], 0, atol=1e-5)
    np.testing.assert_allclose(hips[:, 1], clip.positions[:, 1], atol=1e-5)


def test_neighbouring_rotations_are_on_the_same_side(tmp_path: Path, body: SkinnedBody) -> None:
    gltf_writing.write(tmp_path / "a.glb", [drive(body.skeleton)], body)
    for (_, path), values in File(tmp_path / "a.glb").animation().items():
        if path == "rotation":
            np.testing.assert_allclose(np.linalg.norm(values, axis=1), 1, atol=1e-6)
            assert (np.einsum("ti,ti->t", values[1:], values[:-1]) > 0).all()


def test_it_stands_on_the_ground_before_it_moves(tmp_path: Path, body: SkinnedBody) -> None:
    gltf_writing.write(tmp_path / "a.glb", [drive(body.skeleton)], body)
    file = File(tmp_path / "a.glb")
    shape = file.json["meshes"][0]["primitives"][0]["attributes"]
    assert file.values(shape["POSITION"])[:, 1].min() == pytest.approx(0, abs=1e-6)
    hips = file.json["nodes"][file.json["skins"][0]["skeleton"]]
    inverse = file.values(file.json["skins"][0]["inverseBindMatrices"])[0].reshape(4, 4).T
    np.testing.assert_allclose(np.linalg.inv(inverse)[:3, 3], hips["translation"], atol=1e-5)


def test_several_takes(tmp_path: Path, body: SkinnedBody) -> None:
    skeleton = body.skeleton
    clips = [drive(skeleton, 20, "go"), drive(skeleton, 30, "go"), drive(skeleton, 1, "stand")]
    gltf_writing.write(tmp_path / "a.glb", clips, body, copyright="somebody")
    file = File(tmp_path / "a.glb")
    names = [animation["name"] for animation in file.json["animations"]]
    assert names[0] == "go" and names[2] == "stand" and len(set(names)) == 3
    assert [len(file.animation(i)["Hips", "rotation"]) for i in range(3)] == [20, 30, 1]
    assert file.json["asset"]["copyright"] == "somebody"


def test_what_cannot_be_written_is_refused(tmp_path: Path, body: SkinnedBody) -> None:
    path = tmp_path / "a.glb"
    clip = drive(body.skeleton)
    bad = Clip("bad", clip.skeleton, clip.positions * float("nan"), clip.rotations, 30.0)
    for clips, words in (
        ([], "no motion"),
        ([bad], "not finite"),
        ([clip, synthetic.walk(seconds=0.5)], "another skeleton"),
        ([synthetic.walk(seconds=0.5)], "another skeleton"),
    ):
        with pytest.raises(DataError, match=words):
            gltf_writing.write(path, clips, body)
    assert not path.exists()


def test_play_records_it(tmp_path: Path, body: SkinnedBody) -> None:
    clip = drive(body.skeleton)
    path = tmp_path / "play.glb"
    with Recording([path], body.skeleton, 30.0, body, "somebody's") as record:
        for root, rotations in zip(clip.positions, clip.global_rotations(), strict=True):
            record.add(root, rotations)
    assert_same_motion(path, clip)
    assert File(path).json["asset"]["copyright"] == "somebody's"
    assert len(File(path).json["meshes"]) == 1


def test_the_command_walks_ahead(tmp_path: Path) -> None:
    Glb(tmp_path / "walk.glb", seconds=2.0).run()
    capture = formats.read_captures(tmp_path / "walk.glb", 30.0).captures[0]
    assert len(capture) == 60
    way = capture.positions[-1, 0] - capture.positions[0, 0]
    assert float(way.norm()) > 0.5
    assert "Apache-2.0" in File(tmp_path / "walk.glb").json["asset"]["copyright"]


def test_the_command_takes_recordings(tmp_path: Path, body: SkinnedBody) -> None:
    clip = drive(body.skeleton)
    for name in ("one", "two"):
        npz.write(tmp_path / f"{name}.npz", clip)
    takes = (tmp_path / "one.npz", tmp_path / "two.npz")
    Glb(tmp_path / "a.glb", motion=takes, root="bone").run()
    names = [animation["name"] for animation in File(tmp_path / "a.glb").json["animations"]]
    assert names == ["one", "two"]
    assert_same_motion(tmp_path / "a.glb", clip)
    npz.write(tmp_path / "other.npz", synthetic.walk(seconds=0.5))
    with pytest.raises(DataError, match="another skeleton"):
        recorded(tmp_path / "other.npz", body.skeleton)
    with pytest.raises(ConfigError, match="a name ending in"):
        Glb(tmp_path / "a.gltf").run()
