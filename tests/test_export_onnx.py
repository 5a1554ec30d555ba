"""The controller as an ONNX graph, run by onnxruntime with no line of ours."""

from __future__ import annotations

import contextlib
import io
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from exported import (
    Motion,
    matrices,
    on_four_legs,
    ours,
    swaying,
    untrained,
    wishes,
    woody,
    woody_for_1000_steps,
)
from synthetic import ROOT, refusal

from controller.control.sway import Sway, SwayConfig
from controller.export import commands, engine, fidelity, onnx_builder, onnx_graph
from controller.export.steered import SteeredCharacter

onnx = pytest.importorskip("onnx", reason="the extra `export` is not installed")
onnxruntime = pytest.importorskip("onnxruntime", reason="the extra `export` is not installed")


def run(session: Any, start: np.ndarray, velocity: np.ndarray, facing: np.ndarray) -> list[Motion]:
    """Characters from reset poses (B, D) that all follow velocities (T, 2) and facings (T,)."""
    count = len(start)
    state = [start, np.zeros((count, 2), np.float32), np.zeros((count, 1), np.float32)]
    frames = []
    for towards, yaw in zip(velocity.astype(np.float32), facing.astype(np.float32), strict=True):
        inputs = dict(zip(("pose", "position", "yaw"), state, strict=True))
        inputs["velocity"] = np.tile(towards, (count, 1))
        inputs["facing"] = np.full((count, 1), yaw)
        outputs = session.run(None, inputs)
        state = outputs[:3]
        frames.append(outputs)
    pose, position, yaw, root, rotations, joints = (
        np.stack(part) for part in zip(*frames, strict=True)
    )
    return [
        Motion(
            pose[:, i], position[:, i], yaw[:, i, 0],
            root[:, i], matrices(rotations[:, i]), joints[:, i],
        )
        for i in range(count)
    ]  # fmt: skip


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The shipped character's file, as the command writes it."""
    path = tmp_path_factory.mktemp("onnx") / "woody.onnx"
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        engine.Onnx(path).run()
    assert "Apache-2.0" in said.getvalue() and "Seoul National University" in said.getvalue()
    return path


def load(path: Path) -> Any:
    return onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])


def test_it_moves_as_the_window_does_for_1000_steps(written: Path) -> None:
    velocity, facing = wishes(0, 1000)
    (theirs,) = run(load(written), woody().reset_poses[:1], velocity, facing)
    original = woody_for_1000_steps()
    apart = original.farthest(theirs)
    assert np.abs(np.diff(original.position, axis=0)).sum() > 10  # it went somewhere
    for name in ("position", "yaw", "root", "rotations", "joints"):
        assert apart[name] <= 1e-4, (name, apart)
    # In deviations, some of which are millimetres a second. The paths of this project for one and
    # for many characters come as far apart.
    assert apart["pose"] < 5e-3


@pytest.mark.parametrize("steered", [untrained(), on_four_legs()], ids=["untrained", "dog"])
def test_any_skeleton_any_rotation_and_styles(steered: SteeredCharacter) -> None:
    session = fidelity.session(onnx_graph.build(steered))
    velocity, facing = wishes(1, 60)
    theirs = run(session, steered.reset_poses, velocity, facing)
    for start, motion in zip(steered.reset_poses, theirs, strict=True):
        apart = ours(steered, start, velocity, facing).farthest(motion)
        assert max(apart.values()) < 2e-4, apart
        norm = np.linalg.norm(motion.joints - motion.joints[:, :1], axis=-1)
        assert norm.max() < 10


def test_quaternions_are_of_unit_length_whichever_part_is_the_largest() -> None:
    steered = untrained()
    session = fidelity.session(onnx_graph.build(steered))
    generator = np.random.default_rng(0)
    count = 20
    inputs = {
        "pose": generator.normal(size=(count, steered.character.layout.size)),
        "position": np.zeros((count, 2)),
        "yaw": generator.uniform(-3, 3, (count, 1)),
        "velocity": np.zeros((count, 2)),
        "facing": np.zeros((count, 1)),
    }
    inputs = {name: values.astype(np.float32) for name, values in inputs.items()}
    (rotations,) = session.run(["rotations"], inputs)
    assert np.abs(np.linalg.norm(rotations, axis=-1) - 1).max() < 1e-6
    assert (rotations[..., 3] >= 0).all()
    largest = np.abs(rotations).argmax(axis=-1)
    assert set(largest.flat) == {0, 1, 2, 3}  # Shepperd's four cases


def test_a_policy_that_sways_takes_its_noise_from_outside() -> None:
    """With the numbers that the policy draws itself, it moves as the policy does."""
    steered = swaying()
    session = fidelity.session(onnx_graph.build(steered))
    velocity, facing = wishes(2, 10)  # an untrained model is chaotic
    velocity = velocity * (np.arange(10) % 3 == 0)[:, None]  # stands in two frames of three
    start = steered.reset_poses[:1]
    sway = Sway(SwayConfig(deviation=0.4, frames=8.0))
    drawn = torch.Generator().manual_seed(0)
    state = {"pose": start, "position": np.zeros((1, 2)), "yaw": np.zeros((1, 1))}
    state["noise"] = np.zeros((1, 6))
    poses = []
    for towards, yaw in zip(velocity, facing, strict=True):
        random = torch.randn(1, 6, generator=drawn).numpy()
        inputs = state | {"random": random, "velocity": towards[None], "facing": [[yaw]]}
        inputs = {name: np.asarray(values, np.float32) for name, values in inputs.items()}
        names = ("pose", "position", "yaw", "noise")
        values = session.run([f"next_{name}" for name in names], inputs)
        state = dict(zip(names, values, strict=True))
        poses.append(state["pose"])
    steered.policy.sway = sway
    theirs = ours(steered, start[0], velocity, facing)
    assert np.abs(np.concatenate(poses) - theirs.pose).max() < 2e-4
    quiet = ours(untrained(), start[0], velocity, facing)
    assert np.abs(quiet.pose - theirs.pose).max() > 0.1
    assert {"noise", "random"} <= set(steered.metadata()["quantities"])


def test_wishes_beyond_the_limit_change_nothing() -> None:
    """A velocity and one twice as fast, both faster than the policy was trained for."""
    steered = woody()
    session = fidelity.session(onnx_graph.build(steered))
    start = steered.reset_poses[:1]
    fast = np.tile([0.0, 4.0], (5, 1))
    (once,) = run(session, start, fast, np.zeros(5))
    (twice,) = run(session, start, 2 * fast, np.zeros(5))
    (slow,) = run(session, start, fast / 4, np.zeros(5))
    assert once.farthest(twice)["pose"] < 1e-4
    assert once.farthest(slow)["pose"] > 0.1


def test_its_metadata_say_what_a_reader_must_know(written: Path) -> None:
    model = onnx.load(written)
    onnx.checker.check_model(model, full_check=True)
    texts = {entry.key: entry.value for entry in model.metadata_props}
    beside = json.loads(written.with_suffix(".json").read_text())
    steered = woody()
    skeleton = steered.character.skeleton
    for name, value in beside.items():
        assert texts[name] == (value if isinstance(value, str) else json.dumps(value))
    assert beside["joints"] == list(skeleton.names)
    assert beside["parents"] == list(skeleton.parents)
    assert np.allclose(beside["offsets"][1:], skeleton.offsets[1:], atol=1e-7)
    assert beside["rate"] == 30 and "metres" in beside["units"] and "+Y up" in beside["axes"]
    assert beside["licence"] == "Apache-2.0" and "Seoul" in beside["attribution"]
    assert beside["fastest"] == {"forward": 2.0, "sideways": 0.6, "backward": 0.75}
    size = steered.character.layout.size
    poses = np.array(beside["reset_poses"])
    assert poses.shape == (16, size) and np.abs(poses[0] - steered.reset_poses[0]).max() < 1e-5
    shapes = {
        value.name: [d.dim_param or d.dim_value for d in value.type.tensor_type.shape.dim]
        for value in (*model.graph.input, *model.graph.output)
    }
    assert shapes["pose"] == shapes["next_pose"] == ["batch", size]
    assert shapes["rotations"] == ["batch", len(skeleton), 4]
    assert shapes["joints"] == ["batch", len(skeleton), 3]
    assert set(beside["quantities"]) <= set(shapes)
    assert model.opset_import[0].version == onnx_builder.OPSET


@pytest.mark.parametrize(("precision", "share"), [("float16", 0.53), ("int8", 0.3)])
def test_smaller_weights_move_as_well(precision: onnx_builder.Precision, share: float) -> None:
    steered = woody()
    full = onnx_graph.build(steered).ByteSize()
    model = onnx_graph.build(steered, precision)
    assert model.ByteSize() < share * full
    original = fidelity.figures(steered, fidelity.original(steered), 5, 4)
    smaller = fidelity.figures(steered, fidelity.exported(model), 5, 4)
    assert original.speed_m_s < 0.1 and original.heading_deg < 5
    assert smaller.speed_m_s < original.speed_m_s + 0.02
    assert smaller.heading_deg < original.heading_deg + 1
    assert smaller.skate_cm < 1.3 * original.skate_cm + 0.01
    assert smaller != original  # it is another file


def test_measure_prints_the_original_beside_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    quick = {"SECONDS": 5, "CHARACTERS": 2, "TIMED_S": 0.01, "COUNTS": (1, 3)}
    for name, value in quick.items():
        monkeypatch.setattr(fidelity, name, value)
    engine.Onnx(tmp_path / "small.onnx", precision="int8", measure=True).run()
    said = capsys.readouterr().out
    assert "| original |" in said and "| int8 |" in said and "foot skate" in said
    assert len(re.findall(r"a step of \d+ by int8: [\d,]+ µs, the original [\d,]+ µs", said)) == 2


def test_what_cannot_be_exported_is_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def said(*words: str | Path) -> str:
        return refusal(commands.main, list(words), monkeypatch, capsys)

    assert "a name that ends in .onnx" in said("onnx", "--out", tmp_path / "woody.txt")
    out = tmp_path / "woody.onnx"
    assert "no such character" in said("onnx", "--out", out, "--character", "nobody")
    monkeypatch.setitem(sys.modules, "onnx", None)
    assert said("onnx", "--out", out) == ('writing ONNX needs onnx: pip install -e ".[export]"')
    assert not list(tmp_path.iterdir())


def test_the_javascript_of_the_guide_runs(written: Path, tmp_path: Path) -> None:
    node = shutil.which("node")
    if node is None:
        pytest.skip("node is not installed")
    program = tmp_path / "example.js"
    guide = (ROOT / "docs" / "engine.md").read_text()
    program.write_text(guide.split("```js\n")[1].split("```")[0])
    find = [node, "-e", "require.resolve('onnxruntime-node')"]
    if subprocess.run(find, cwd=tmp_path, capture_output=True, check=False).returncode:
        pytest.skip("node finds no onnxruntime-node (npm install, NODE_PATH)")
    words = [node, program, written]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    first, second = done.stdout.splitlines()
    assert first == "20 joints, the first is Hips. Apache-2.0"

    angle = 0.6 * np.arange(300) / 30
    velocity = 1.2 * np.stack((np.sin(angle), np.cos(angle)), axis=-1)
    root = ours(woody(), woody().reset_poses[0], velocity, angle).root[-1]
    assert np.abs(np.array(second.split()[1:], float) - root).max() < 3e-4
