"""Files from strangers, and states that went wrong: refused in a sentence, or kept to one
character. What `python -m tests.fuzz` once found is here by name."""

from __future__ import annotations

import io
import json
import math
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from synthetic import character, data, layout, puppet, strings_policy
from torch import Tensor, nn

from controller.body.mesh import Level, SkinnedBody
from controller.control.navigator import Navigator
from controller.control.policy import Policy
from controller.core import batch, checkpoint
from controller.core.errors import CheckpointError, ConfigError, ControllerError, DataError
from controller.core.optimizer_state import load_optimizer, optimizer_tensors
from controller.data.dataset import MotionDataset
from controller.dynamics.character import Character, CharacterState
from controller.evaluation.extractor import Extractor, ExtractorConfig
from controller.ground import field_files
from controller.model.fast.solo import SoloActor, SoloCharacter
from controller.motion.overrides import load_overrides
from controller.tasks import TASKS
from controller.tasks.simulation import Simulation
from envs.episodes import Episodes


def refused(
    error: type[ControllerError], use: Callable[[], object], words: str, path: Path
) -> None:
    with pytest.raises(error, match=words) as caught:
        use()
    said = str(caught.value)
    assert said.startswith(f"{path}: ") and len(said.splitlines()) == 1 and len(said) < 1000


# -- policies --------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["latent", "observation"])
@pytest.mark.parametrize("size", [1, 10, 64, 100, True, 2.0, "5", None, [5], 10**9, -1])
def test_a_policy_of_other_sizes_is_refused(tmp_path: Path, name: str, size: Any) -> None:
    """Whether or not its weights have the sizes that its header says."""
    path = tmp_path / "joystick.safetensors"
    made = strings_policy(puppet())
    made.header["actor"] = made.actor.sizes | {name: size}
    made.save(path)
    refused(CheckpointError, lambda: Policy.load(path, puppet(), "joystick"), None, path)
    if type(size) is int and 0 < size < 1000:
        sizes = made.actor.sizes | {name: size}
        whole = Policy(type(made.actor)(**sizes), made.header | {"actor": sizes})
        whole.save(path)
        words = f"of {size} values" if name == "observation" else f"gives {size} latent"
        refused(CheckpointError, lambda: Policy.load(path, puppet(), "joystick"), words, path)


def test_a_navigator_whose_pilot_is_for_another_body_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "maze.safetensors"
    pilot = {"observation": 10, "latent": character().latent, "hidden": [4], "limit": 2.0}
    made = Navigator(layout().size + TASKS["maze"].goal_size, (4,), pilot, {})
    Policy.of(made, character(), "maze", {}).save(path)
    words = "for observations of 10 values found"
    refused(CheckpointError, lambda: Policy.load(path, character(), "maze"), words, path)


@pytest.mark.parametrize(
    "change",
    [
        {"limit": math.nan}, {"limit": 0}, {"limit": 1e9}, {"limit": "2"}, {"hidden": [6] * 1000},
        {"hidden": 6}, {"hidden": [10**9]}, {"hidden": ["6"]}, {"codes": 3}, {"pilot": {}},
    ],
)  # fmt: skip
def test_an_actor_that_cannot_be_is_refused(tmp_path: Path, change: dict[str, Any]) -> None:
    path = tmp_path / "joystick.safetensors"
    made = strings_policy(puppet())
    made.header["actor"] = made.actor.sizes | change
    made.save(path)
    refused(CheckpointError, lambda: Policy.load(path, puppet(), "joystick"), "actor|tensor", path)


@pytest.mark.parametrize(
    "settings", [{"stand": "x"}, {"stand": math.nan}, {"stand": 7}, {"x": 1}, 3]
)
def test_a_policy_with_settings_that_cannot_be_is_refused(tmp_path: Path, settings: Any) -> None:
    path = tmp_path / "joystick.safetensors"
    made = strings_policy(puppet())
    made.header["settings"] = settings
    made.save(path)
    load = Policy.load_at_task
    refused(CheckpointError, lambda: load(path, puppet(), TASKS["joystick"]), None, path)


# -- weights ---------------------------------------------------------------------------------------

Parts = tuple[dict[str, Any], dict[str, Tensor]]


def deep() -> Any:
    value: Any = []
    for _ in range(500):
        value = [value]
    return value


DAMAGE: dict[str, tuple[Callable[[dict[str, Any], dict[str, Tensor]], object], str]] = {
    "a ragged skeleton": (
        lambda header, _: header["skeleton"]["offsets"][3].pop(), r"skeleton.offsets\[3\] is"),
    "a name that is a number": (
        lambda header, _: header["skeleton"]["names"].__setitem__(1, 7), r"names\[1\] is 7"),
    "a name of two lines": (
        lambda header, _: header["skeleton"]["names"].__setitem__(1, "a\nb"), r"names\[1\]"),
    "a name that is no text": (
        lambda header, _: header["skeleton"]["names"].__setitem__(1, "\ud800"), r"names\[1\]"),
    "a parent after its child": (
        lambda header, _: header["skeleton"]["parents"].__setitem__(2, 5), r"parents\[2\] is 5"),
    "a bone that is not finite": (
        lambda header, _: header["skeleton"]["tips"][1].__setitem__(0, math.nan), r"tips\[1\]"),
    "deep JSON": (lambda header, _: header.update(config=deep()), "config is"),
    "more experts than memory": (
        lambda header, _: header["config"].update(experts=4096, hidden=4096), "has shape"),
    "a size that is true": (
        lambda header, _: header["config"].update(latent=True), "config.latent is True"),
    "a size that is a fraction": (
        lambda header, _: header["config"].update(latent=6.0), "config.latent is 6.0"),
    "another rate": (lambda header, _: header.update(fps=60), "fps is 60"),
    "limits of hundreds of digits": (
        lambda header, _: header.update(limits={"forward_speed": "9"}), "limits.forward_speed"),
    "weights that are not finite": (
        lambda _, tensors: tensors["decoder.first.bias"][0].fill_(math.nan), "not finite"),
    "a deviation of 0": (
        lambda _, tensors: tensors["normalizer.std"][4].fill_(0), "not above 0"),
    "an empty range": (
        lambda _, tensors: tensors["normalizer.low"][4].fill_(1e6), "range of captured poses"),
    "double precision": (
        lambda _, tensors: tensors.update(reset_poses=tensors["reset_poses"].double()), "float64"),
}  # fmt: skip


@pytest.mark.parametrize("name", DAMAGE)
def test_a_motion_vae_that_cannot_be_is_refused(tmp_path: Path, mvae: Path, name: str) -> None:
    change, words = DAMAGE[name]
    header, tensors = checkpoint.load(mvae, "motion-vae")
    header = json.loads(json.dumps(header))
    tensors = {key: value.clone() for key, value in tensors.items()}
    change(header, tensors)
    path = tmp_path / "mvae.safetensors"
    checkpoint.save(path, "motion-vae", header, tensors)
    refused(CheckpointError, lambda: Character.load(path), words, path)


def test_a_loaded_character_keeps_its_own_weights(tmp_path: Path, mvae: Path) -> None:
    """They are no window of the file, which may change or go."""
    path = tmp_path / "mvae.safetensors"
    path.write_bytes(mvae.read_bytes())
    who = Character.load(path)
    before = {name: value.clone() for name, value in who.model.state_dict().items()}
    with path.open("r+b") as file:
        file.seek(-4000, 2)
        file.write(b"\xff" * 4000)
    after = who.model.state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert all(value.data_ptr() % 16 == 0 for value in after.values())


def test_an_extractor_comes_back_and_a_damaged_one_does_not(tmp_path: Path) -> None:
    path = tmp_path / "extractor.safetensors"
    made = Extractor(layout(), ExtractorConfig(window=16, channels=4, embedding=3))
    made.normalizer = (
        data()
        .normalizer()
        .__class__(*(torch.full((made.values,), value) for value in (0.0, 1.0, -1.0, 1.0)))
    )
    made.save(path)
    poses = data().poses[:16][None]
    torch.testing.assert_close(Extractor.load(path)(poses), made(poses))
    header, tensors = checkpoint.load(path, "motion-extractor")
    header["config"]["window"] = 2**40
    checkpoint.save(path, "motion-extractor", header, tensors)
    refused(CheckpointError, lambda: Extractor.load(path), None, path)


def test_a_body_whose_numbers_have_another_type_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "body.safetensors"
    points = np.eye(3, dtype=np.float32)
    four = np.array([[255, 0, 0, 0]] * 3, np.uint8)
    triangles = np.array([[0, 1, 2]], np.int32)
    bones = layout().skeleton
    turns = np.repeat(points[None], len(bones), axis=0)

    def save(joints: np.ndarray) -> None:
        level = Level(points, points, joints, four, four.copy(), triangles)
        SkinnedBody(bones, np.zeros((len(bones), 3), np.float32), turns, (level,)).save(path)

    save(np.zeros((3, 4), np.uint8))
    assert SkinnedBody.load(path).levels[0].joints.shape == (3, 4)
    save(np.full((3, 4), -1, np.int64))
    refused(CheckpointError, lambda: SkinnedBody.load(path), "0.joints has the dtype int64", path)


def test_compiled_code_is_given_no_weights_that_do_not_fit() -> None:
    who = character()
    model = who.model
    right = model.decoder.second.bias
    model.decoder.second.bias = nn.Parameter(right[:, :-1].clone(), requires_grad=False)
    try:
        with pytest.raises(CheckpointError, match="a layer has weights of shape"):
            SoloCharacter(model, who.layout, who.low, who.high, 1 / 30)
    finally:
        model.decoder.second.bias = right
    wrong = nn.Sequential(nn.Linear(7, 5), nn.Linear(6, 2)).requires_grad_(False)
    with pytest.raises(CheckpointError, match="a layer has weights of shape"):
        SoloActor(wrong, 2.0)


# -- training states -------------------------------------------------------------------------------


def stepped() -> tuple[torch.optim.Adam, dict[str, Tensor]]:
    weight = nn.Parameter(torch.ones(2, 3))
    optimizer = torch.optim.Adam([weight])
    weight.sum().backward()
    optimizer.step()
    return optimizer, optimizer_tensors("adam", optimizer)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("adam.0.exp_avg", torch.ones(3, 2)),
        ("adam.0.exp_avg_sq", -torch.ones(2, 3)),
        ("adam.0.step", torch.tensor(math.inf)),
        ("adam.0.step", torch.tensor(1)),
        ("adam.0.x", torch.ones(2, 3)),
        ("adam.0.a.b", torch.ones(2, 3)),
        ("adam.1.step", torch.tensor(1.0)),
        ("adam.x.step", torch.tensor(1.0)),
        ("adam.²", torch.tensor(1.0)),
    ],
)
def test_the_state_of_another_optimizer_is_refused(name: str, value: Tensor) -> None:
    optimizer, state = stepped()
    load_optimizer("adam", optimizer, state)
    with pytest.raises(CheckpointError, match="adam"):
        load_optimizer("adam", optimizer, state | {name: value})


# -- data sets -------------------------------------------------------------------------------------


def altered(path: Path, change: Callable[[dict[str, Any]], object], poses: np.ndarray) -> None:
    with np.load(path) as archive:
        header = json.loads(str(archive["header"]))
    change(header)
    np.savez_compressed(path, header=np.array(json.dumps(header)), poses=poses)


ROWS = "clips"
Poses = Callable[[np.ndarray], np.ndarray]
POSES: dict[str, tuple[Callable[[dict[str, Any]], object], Poses, str]] = {
    "float64": (lambda _: None, lambda poses: poses.astype(np.float64), "float64"),
    "uint8": (lambda _: None, lambda poses: poses.astype(np.uint8), "uint8"),
    "NaN": (lambda _: None, lambda poses: poses * np.nan, "not finite"),
    "a gap": (lambda h: h[ROWS][1].__setitem__(1, 3), lambda poses: poses, r"clips\[1\]"),
    "a negative length": (lambda h: h[ROWS][0].__setitem__(2, -5), lambda p: p, r"clips\[0\]"),
    "a length that is true": (lambda h: h[ROWS][0].__setitem__(2, True), lambda p: p, "clips"),
    "half a clip": (lambda h: h[ROWS][0].pop(), lambda poses: poses, r"clips\[0\]"),
    "no clips": (lambda h: h[ROWS].clear(), lambda poses: poses[:0], "clips is"),
    "a word for held out": (lambda h: h[ROWS][0].__setitem__(3, "no"), lambda p: p, "held out"),
    "more rows than there are": (
        lambda h: h[ROWS][-1].__setitem__(2, 10**9), lambda poses: poses, "poses of shape"),
}  # fmt: skip


@pytest.mark.parametrize("name", POSES)
def test_a_data_set_that_cannot_be_is_refused(tmp_path: Path, data_file: Path, name: str) -> None:
    change, poses, words = POSES[name]
    path = tmp_path / "walks.npz"
    path.write_bytes(data_file.read_bytes())
    altered(path, change, poses(data().poses.numpy()))
    refused(DataError, lambda: MotionDataset.load(path), words, path)


def bomb(path: Path, size: int, shape: tuple[int, ...]) -> None:
    """A data set whose poses are zeros, packed a thousandfold."""
    with zipfile.ZipFile(path) as archive:
        header = archive.read("header.npy")
    stated = np.broadcast_to(np.float32(0), shape)
    member = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        member, np.lib.format.header_data_from_array_1_0(stated) | {"fortran_order": False}
    )
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        archive.writestr("header.npy", header)
        with archive.open("poses.npy", "w", force_zip64=True) as stream:
            stream.write(member.getvalue())
            for _ in range(size // 2**20):
                stream.write(bytes(2**20))


@pytest.mark.parametrize(
    ("size", "words"), [(100 * 2**20, "packed in"), (2**20, "bytes in the file")]
)
def test_a_bomb_is_refused_before_it_is_unpacked(
    tmp_path: Path, data_file: Path, size: int, words: str
) -> None:
    """By the archive's directory, or since the array's header asks for more than there is."""
    path = tmp_path / "bomb.npz"
    path.write_bytes(data_file.read_bytes())
    bomb(path, size, (2**30, layout().size))
    refused(DataError, lambda: MotionDataset.load(path), words, path)


@pytest.mark.parametrize("shape", [(0, 5), (5, 0), (1, 1), (3,), (2, 2, 2), (5000, 2)])
def test_a_height_field_of_no_shape_is_refused(tmp_path: Path, shape: tuple[int, ...]) -> None:
    path = tmp_path / "hills.npz"
    np.savez(path, heights=np.zeros(shape), size=np.ones(2))
    refused(DataError, lambda: field_files.load(path), "heights have shape", path)


# -- roles -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text", ['{"roles": {"a\\nb": "hips"}}', '{"\\n": 1}', '{"roles": {"a": "%s"}}']
)
def test_roles_with_odd_names_are_refused_in_a_line(tmp_path: Path, text: str) -> None:
    path = tmp_path / "roles.json"
    path.write_text(text.replace("%s", 5000 * "x"))
    refused(ConfigError, lambda: load_overrides(path), None, path)


# -- states ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", [math.nan, math.inf, 3e38, -1e7])
def test_a_character_that_is_nowhere_is_not_alive(value: float) -> None:
    state = character().reset(4)
    assert bool(character().alive(state).all())
    position = state.position.clone()
    position[1, 1] = value
    lost = CharacterState(state.pose, position, state.yaw)
    assert character().alive(lost).tolist() == [True, False, True, True]
    yaw = state.yaw.clone()
    yaw[2] = math.nan
    lost = CharacterState(state.pose, state.position, yaw)
    assert character().alive(lost).tolist() == [True, True, False, True]


@pytest.mark.parametrize("task", list(TASKS))
@pytest.mark.parametrize("value", [math.nan, 3e38])
def test_what_happens_to_one_character_stays_with_it(task: str, value: float) -> None:
    """In every task the others go on; the one that is nowhere begins anew."""
    simulation = Simulation(puppet(), TASKS[task](puppet()))
    episodes = Episodes(simulation, 5, None)
    episodes.reset(seed=3)
    position = episodes.state.position.clone()
    position[2] = value
    episodes.state = CharacterState(episodes.state.pose, position, episodes.state.yaw)
    action = torch.zeros(5, puppet().latent)
    result = episodes.step(action)
    assert result.terminated.tolist() == [False, False, True, False, False]
    for _ in range(3):
        result = episodes.step(action)
        assert bool(torch.isfinite(result.observation).all())
        assert bool(torch.isfinite(result.reward).all())
    assert bool(torch.isfinite(episodes.state.position).all())


@pytest.mark.parametrize("task", ["joystick", "target", "path"])
def test_the_end_of_one_character_changes_no_other(task: str) -> None:
    """Neither where the others are nor what they are asked for afterwards."""

    def run(falls: bool) -> Episodes[Any]:
        simulation = Simulation(puppet(), TASKS[task](puppet()))
        episodes = Episodes(simulation, 4, None)
        episodes.reset(seed=5)
        for frame in range(300):
            action = torch.zeros(4, puppet().latent)
            action[:, 0] = 0.3
            if falls and frame in (10, 11, 50):
                action[1, 3] = -1.0  # the hips go down
            episodes.step(action)
        return episodes

    others = torch.tensor([0, 2, 3])
    one = run(False)
    two = run(True)
    assert not torch.equal(one.state.position[1], two.state.position[1])
    for part in ("state", "goal"):
        kept = batch.select(getattr(one, part), others)
        same = batch.select(getattr(two, part), others)
        for name in kept.__dataclass_fields__:
            assert torch.equal(getattr(kept, name), getattr(same, name)), name
