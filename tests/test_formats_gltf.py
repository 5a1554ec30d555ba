"""glTF animations (.glb, .gltf): curves as the specification says, the known walk comes back, and
what is broken is refused at once."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gltf_files
import numpy as np
import pytest
import torch
from gltf_files import Document, skinned
from hypothesis import given, settings
from hypothesis import strategies as st
from synthetic import walk
from test_canonical import WALK, check_is_the_walk

from controller.core.errors import ControllerError
from controller.data import sources
from controller.data.bodies import canonical
from controller.data.canonical import CanonicalSettings
from controller.data.formats import NoMotion, read_captures
from controller.motion.capture import Capture

HALF = 0.5**0.5


def two_joints(
    rotations: Any = ((0, 0, 0, 1), (0, 0, HALF, HALF)), kind: str = "LINEAR", **options: Any
) -> Document:
    """A bone along +X that turns from there by 90° about Z within one second."""
    document = Document()
    document.node("root", translation=[1, 2, 3], children=[1])
    document.node("tip", translation=[2, 0, 0])
    animation = document.animation("turn")
    times = document.accessor([0.0, 1.0])
    document.channel(animation, 0, "rotation", times, document.accessor(rotations, **options), kind)
    document.channel(animation, 1, "translation", times, document.accessor([[2, 0, 0]] * 2))
    return document


def tip(path: Path, fps: float | None = None) -> np.ndarray:
    """(T, 2): where the bone points, in its length."""
    (capture,), _ = read_captures(path, fps)
    return (capture.positions[:, 1] - capture.positions[:, 0]).numpy()[:, :2] / 2


def circle(share: np.ndarray) -> np.ndarray:
    return np.stack((np.cos(share * math.pi / 2), np.sin(share * math.pi / 2)), axis=1)


def test_linear_rotations_go_at_one_speed_on_the_shorter_arc(tmp_path: Path) -> None:
    expected = circle(np.arange(61) / 60)
    for sign in (1, -1):  # −q is the same rotation
        document = two_joints([(0, 0, 0, 1), (0, 0, sign * HALF, sign * HALF)])
        np.testing.assert_allclose(tip(document.glb(tmp_path / "a.glb")), expected, atol=1e-6)
    capture = read_captures(tmp_path / "a.glb").captures[0]
    assert (capture.name, capture.fps, capture.names) == ("a:turn", 60, ("root", "tip"))
    np.testing.assert_allclose(tip(tmp_path / "a.glb", 30.0), expected[::2], atol=1e-6)


def test_steps_hold(tmp_path: Path) -> None:
    path = two_joints(kind="STEP").glb(tmp_path / "a.glb")
    expected = circle(np.array([0.0] * 60 + [1.0]))
    np.testing.assert_allclose(tip(path), expected, atol=1e-6)


def test_cubic_splines_are_hermites(tmp_path: Path) -> None:
    """One coordinate from 1 to 3 over 2 s, leaving at 0.5 a second and arriving at −1: the cubic
    with those values and slopes is 1 + t/2 + 7t²/4 − 9t³/8 · …, solved from its four conditions."""
    document = two_joints()
    animation = document.animation("spline")
    times = document.accessor([0.0, 2.0])
    keys = [[9, 9, 9], [1, 0, 0], [0.5, 0, 0], [-1, 0, 0], [3, 0, 0], [9, 9, 9]]
    document.channel(animation, 1, "translation", times, document.accessor(keys), "CUBICSPLINE")
    capture = read_captures(document.glb(tmp_path / "a.glb")).captures[1]
    got = (capture.positions[:, 1, 0] - capture.positions[:, 0, 0]).numpy()
    conditions = [[1, 0, 0, 0], [0, 1, 0, 0], [1, 2, 4, 8], [0, 1, 4, 12]]
    cubic = np.linalg.solve(conditions, [1, 0.5, 3, -1])
    seconds = np.arange(121) / 60
    np.testing.assert_allclose(got, np.polyval(cubic[::-1], seconds), atol=1e-6)


@pytest.mark.parametrize("dtype", ["i1", "i2", "u1", "u2"])
def test_integers_are_shares(tmp_path: Path, dtype: str) -> None:
    error = {"1": 0.01, "2": 1e-4}[dtype[1]]
    path = two_joints(dtype=dtype).glb(tmp_path / "a.glb")
    np.testing.assert_allclose(tip(path), circle(np.arange(61) / 60), atol=error)


def test_all_containers_hold_the_same(tmp_path: Path) -> None:
    expected = tip(two_joints().glb(tmp_path / "a.glb"))
    (tmp_path / "bin").mkdir()
    for path in (
        two_joints().gltf(tmp_path / "b.gltf"),
        two_joints().gltf(tmp_path / "c.gltf", "bin/of c.bin"),
        two_joints(gap=12).glb(tmp_path / "INTERLEAVED.GLB"),
    ):
        np.testing.assert_array_equal(tip(path), expected, err_msg=path.name)
    text = (tmp_path / "c.gltf").read_text().replace("of c", "of%20c")
    (tmp_path / "c.gltf").write_text(text)
    np.testing.assert_array_equal(tip(tmp_path / "c.gltf"), expected)


def test_nodes_above_and_matrices_count(tmp_path: Path) -> None:
    """The root's place is in a parent that mirrors X, doubles, and lies elsewhere."""
    document = two_joints()
    matrix = np.diag([-2.0, 2, 2, 1])
    matrix[:3, 3] = 10, 20, 30
    document.node("above", matrix=matrix.T.ravel().tolist(), children=[0])
    (capture,), _ = read_captures(document.glb(tmp_path / "a.glb"))
    np.testing.assert_allclose(capture.positions[0, 0], [8, 24, 36], atol=1e-6)
    np.testing.assert_allclose(capture.positions[-1, 1], [8, 28, 36], atol=1e-6)
    product = capture.rotations @ capture.rotations.transpose(-1, -2)
    torch.testing.assert_close(product, torch.eye(3, dtype=torch.float64).expand_as(product))
    assert bool((torch.linalg.det(capture.rotations) > 0).all())


@pytest.mark.parametrize("options", [{}, {"dtype": "i2"}, {"gap": 4}, {"kind": "STEP"}], ids=str)
def test_the_known_walk_comes_back(tmp_path: Path, options: dict[str, Any]) -> None:
    path = skinned(WALK, **options).glb(tmp_path / "walk.glb")
    (capture,), remarks = read_captures(path, WALK.fps)
    assert capture.name == "walk:walking" and len(capture) == len(WALK) and not remarks
    order = [capture.names.index(name) for name in WALK.skeleton.names]
    expected = WALK.joint_positions().double()
    error = 1e-3 if "dtype" in options else 1e-5
    torch.testing.assert_close(capture.positions[:, order], expected, atol=error, rtol=0)
    tips = capture.tips.norm(dim=-1)[order]
    torch.testing.assert_close(tips, WALK.skeleton.tips.norm(dim=-1).double(), atol=1e-5, rtol=0)
    check_is_the_walk(canonical([capture], CanonicalSettings()))


def test_every_animation_of_a_file_becomes_a_clip(tmp_path: Path) -> None:
    document = skinned(walk(seconds=1.5))
    (first,) = document.content["animations"]
    document.content["animations"] += [
        {**first, "name": "walking"}, {key: first[key] for key in ("samplers", "channels")},
        {**first, "name": " with \n blanks "}, {**first, "name": "walking (5)"},
        {**first, "name": "walking"},
    ]  # fmt: skip
    camera = document.node("camera")
    animation = document.animation("flight")
    times = document.accessor([0.0, 1.0])
    document.channel(animation, camera, "translation", times, document.accessor([[0, 0, 0]] * 2))
    motion = sources.read(document.glb(tmp_path / "all.glb"))
    assert [clip.name for clip in motion.clips] == [
        "all:walking", "all:walking (1)", "all:2", "all:with blanks",
        "all:walking (5)", "all:walking (5) (5)",
    ]  # fmt: skip
    assert "1 file: animation all:flight moves no joint and was left out" in motion.notes


def test_joints_are_those_of_the_moving_skin_and_what_lies_between(tmp_path: Path) -> None:
    """a ─ b ─ c and a ─ d, of which c and d are in the skin; another skin stands still."""
    document = Document()
    document.node("a", children=[1, 3])
    document.node("b", children=[2])
    document.node("c", children=[4])
    document.node("d")
    document.node("sword", mesh=0)
    document.node("other", children=[6])
    document.node("still")
    document.content["meshes"] = [{}]
    document.content["skins"] = [{"joints": [5, 6]}, {"joints": [2, 3]}, {"joints": [3]}]
    animation = document.animation()
    times = document.accessor([0.0, 1.0])
    document.channel(animation, 2, "translation", times, document.accessor([[0, 0, 1]] * 2))
    (capture,), remarks = read_captures(document.glb(tmp_path / "a.glb"))
    assert capture.names == ("a", "b", "c", "d") and capture.parents == (-1, 0, 1, 0)
    assert not capture.tips.any() and not remarks
    for node in (5, 6):
        document.channel(animation, node, "translation", times, document.accessor([[0, 0, 1]] * 2))
    (capture,), remarks = read_captures(document.glb(tmp_path / "a.glb"))
    assert capture.names == ("other", "still") and "several skeletons" in remarks[0]


def changed(change: Callable[[Document], object]) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        document = two_joints()
        change(document)
        return document.glb(folder / "a.glb")

    return make


def key(path: str, value: object) -> Callable[[Path], Path]:
    """A file in which one value of the document is another: ``nodes.0.scale``."""

    def change(document: Document) -> None:
        owner: Any = document.content
        *parts, last = (int(part) if part.isdigit() else part for part in path.split("."))
        for part in parts:
            owner = owner[part]
        owner[last] = value

    return changed(change)


def content(data: bytes) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        (folder / "a.glb").write_bytes(data)
        return folder / "a.glb"

    return make


def text(**values: object) -> Callable[[Path], Path]:
    return content(json.dumps({"asset": {"version": "2.0"}, **values}).encode())


def million_joints(folder: Path) -> Path:
    channels = [{"target": {"node": 0, "path": "rotation"}}]
    return text(nodes=[{}] * 1_000_000, animations=[{"channels": channels}])(folder)


def elsewhere(uri: str) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        inner = folder / "inner"
        inner.mkdir()
        two_joints().gltf(folder / "b.gltf", "data.bin")
        (inner / "link.bin").symlink_to(folder / "data.bin")
        os.mkfifo(inner / "pipe.bin")
        path = two_joints().gltf(inner / "a.gltf")
        parsed = json.loads(path.read_text())
        parsed["buffers"][0]["uri"] = uri
        path.write_text(json.dumps(parsed))
        return path

    return make


def infinite(document: Document) -> None:
    document.data[-4:] = b"\x00\x00\xc0\x7f"


def chain(document: Document) -> None:
    nodes = document.content["nodes"]
    nodes[1]["children"] = [2]
    nodes += [{"children": [number + 1]} for number in range(2, 5000)] + [{}]


BAD = {
    "text": (content(b"HIERARCHY"), "not a glTF file"),
    "empty": (content(b""), "not a glTF file"),
    "a list": (content(b"[]"), "no JSON object"),
    "deep": (content(b"[" * 100_000), "not a glTF file"),
    "NaN in JSON": (content(b'{"asset": NaN}'), "NaN is not JSON"),
    "version 1": (text(asset={"version": "1.0"}), "asset.version: found '1.0'; expected 2.0"),
    "cut off": (content(gltf_files.glb(b"{}", b"")[:18]), "the file ends after 18 bytes"),
    "cut chunk": (content(gltf_files.glb(b"{}", b"1234")[:-2]), "JSON first"),
    "no animation": (key("animations", []), "no animation in it"),
    "no joint": (key("animations.0.channels", []), "no animation of joints in it"),
    "a ring": (key("nodes.1.children", [0]), "a ring of children; expected a tree"),
    "two parents": (key("nodes.0.children", [1, 1]), "different whole numbers from 0 to 1"),
    "no such node": (key("nodes.0.children", [7]), "found [7]; expected different whole numbers"),
    "no such target": (key("animations.0.channels.0.target.node", 2), "found 2; expected a whole"),
    "no such sampler": (key("animations.0.channels.0.sampler", -1), "whole number from 0 to 1"),
    "no such accessor": (key("animations.0.samplers.0.input", 9), "input: found 9; expected"),
    "no such view": (key("accessors.0.bufferView", True), "found True; expected a whole number"),
    "no such buffer": (key("bufferViews.0.buffer", 1), "whole number from 0 to 0"),
    "nodes are text": (key("nodes", "many"), "nodes: found 'many'; expected a list"),
    "a node is text": (key("nodes.1", "tip"), "nodes[1]: found 'tip'; expected an object"),
    "a huge accessor": (key("accessors.0.count", 10**12), "accessors[0].count: found 10000"),
    "a long accessor": (key("accessors.1.count", 40), "accessors[1].count"),
    "a long view": (key("bufferViews.0.byteLength", 10**9), "bufferViews[0].byteLength"),
    "component": (key("accessors.0.componentType", 5124), "componentType: found 5124"),
    "sparse": (key("accessors.0.sparse", {}), "a sparse accessor"),
    "compressed": (key("extensionsRequired", ["EXT_meshopt_compression"]), "not compressed"),
    "type": (key("accessors.0.type", "VEC3"), "type: found 'VEC3'; expected SCALAR"),
    "interpolation": (key("animations.0.samplers.0.interpolation", "CUBIC"), "found 'CUBIC'"),
    "spline": (key("animations.0.samplers.0.interpolation", "CUBICSPLINE"), "expected 6 values"),
    "again": (key("animations.0.channels.1.target", {"node": 0, "path": "rotation"}), "again"),
    "scale of 0": (key("nodes.0.scale", [0, 0, 0]), "node root has a scale of 0"),
    "shear": (key("nodes.1.matrix", [1, 1, *[0] * 3, 1, *[0] * 4, 1, *[0] * 4, 1]), "shear"),
    "no rotation": (key("nodes.0.rotation", [0, 0, 0, 0]), "a unit quaternion"),
    "huge place": (key("nodes.0.translation", [1e31, 0, 0]), "3 finite numbers"),
    "NaN": (changed(infinite), "accessors[2]: values that are not finite"),
    "a million joints": (million_joints, "nodes: 1000000 of them; expected at most"),
    "a chain": (changed(chain), "nodes deep; expected at most"),
    "a day": (
        changed(lambda d: d.data.__setitem__(slice(4, 8), np.float32(86400).tobytes())),
        "24 h long; allowed: 4 h",
    ),
    "a folder above": (elsewhere("../data.bin"), "expected a file in the folder of this one"),
    "hidden": (elsewhere("%2e%2e/data.bin"), "expected a file in the folder of this one"),
    "a link out": (elsewhere("link.bin"), "expected a file in the folder of this one"),
    "absolute": (elsewhere("/etc/passwd"), "expected a file in the folder of this one"),
    "an address": (elsewhere("http://localhost/a.bin"), "a file in the folder of this one"),
    "a pipe": (elsewhere("pipe.bin"), "not a regular file"),
    "missing": (elsewhere("none.bin"), "cannot be read (No such file"),
    "no base64": (elsewhere("data:;base64,???"), "a data URI in base64"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_bad_files_are_one_sentence(tmp_path: Path, name: str) -> None:
    make, words = BAD[name]
    path = make(tmp_path)
    with pytest.raises(ControllerError) as caught:
        read_captures(path)
    message = str(caught.value)
    assert message.startswith(str(path)) and words in message, message
    assert "\n" not in message and len(message) < len(str(path)) + len(str(tmp_path)) + 250


def test_a_character_at_rest_is_left_out_without_distrust(tmp_path: Path) -> None:
    skinned(walk(seconds=1.5)).glb(tmp_path / "walk.glb")
    for name in ("one", "two"):
        document = two_joints()
        document.content["animations"] = []
        document.glb(tmp_path / f"{name}.glb")
    with pytest.raises(NoMotion):
        read_captures(tmp_path / "one.glb")
    motion = sources.read(tmp_path)
    assert len(motion.clips) == 1 and motion.refused == 0
    assert any(note.startswith("two.glb: left out (") for note in motion.notes)


@settings(max_examples=50)
@given(data=st.data())
def test_damage_never_escapes_as_another_error(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    path = two_joints().glb(tmp_path_factory.mktemp("damage") / "a.glb")
    whole = path.read_bytes()
    start = data.draw(st.integers(0, len(whole)))
    end = data.draw(st.integers(start, min(len(whole), start + 8)))
    path.write_bytes(whole[:start] + data.draw(st.binary(max_size=8)) + whole[end:])
    check_is_fine_or_refused(path)


VALUES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)


@settings(max_examples=50)
@given(data=st.data())
def test_any_value_in_any_place_is_fine_or_refused(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    document = two_joints()
    owner: Any = document.content
    while True:
        keys = sorted(owner) if isinstance(owner, dict) else list(range(len(owner)))
        place = data.draw(st.sampled_from(keys))
        if (
            not owner[place]
            or not isinstance(owner[place], dict | list)
            or data.draw(st.booleans())
        ):
            break
        owner = owner[place]
    owner[place] = data.draw(
        VALUES | st.lists(VALUES, max_size=4) | st.dictionaries(st.just("node"), VALUES)
    )
    path = tmp_path_factory.mktemp("value") / "a.glb"
    if not isinstance(document.content.get("buffers"), list) or not document.content["buffers"]:
        return
    check_is_fine_or_refused(document.glb(path))


def check_is_fine_or_refused(path: Path) -> None:
    try:
        captures = read_captures(path).captures
    except ControllerError as error:
        assert "\n" not in str(error) and len(str(error)) < len(str(path)) + 250
        return
    assert captures
    for capture in captures:
        assert isinstance(capture, Capture)
        assert bool(capture.positions.isfinite().all() and capture.rotations.isfinite().all())
