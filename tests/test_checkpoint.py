"""Checkpoints: whole or not at all, what they are and nothing else."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file
from synthetic import character, model, puppet, skeleton
from torch import Tensor

from controller.control.actors import Actor
from controller.control.policy import Policy
from controller.core import checkpoint, files
from controller.core.errors import CheckpointError, ControllerError
from controller.dynamics.character import Character

TENSORS = {"a": torch.arange(6.0).reshape(2, 3), "b": torch.tensor([1, 2])}


def written(folder: Path) -> Path:
    path = folder / "one.safetensors"
    checkpoint.save(path, "thing", {"answer": 42, "list": [1, "zwei", None]}, TENSORS)
    return path


def test_a_checkpoint_comes_back(tmp_path: Path) -> None:
    header, tensors = checkpoint.load(written(tmp_path), "thing")
    assert header == {
        "kind": "thing",
        "version": checkpoint.VERSION,
        "answer": 42,
        "list": [1, "zwei", None],
    }
    assert tensors.keys() == TENSORS.keys()
    for name, value in TENSORS.items():
        assert torch.equal(tensors[name], value) and tensors[name].dtype == value.dtype
    assert checkpoint.load_header(written(tmp_path), "thing") == header


def test_views_and_weights_with_gradients_are_saved_as_they_are(tmp_path: Path) -> None:
    value = torch.randn(4, 3, requires_grad=True)
    checkpoint.save(tmp_path / "a.safetensors", "thing", {}, {"t": value.t(), "row": value[1]})
    _, tensors = checkpoint.load(tmp_path / "a.safetensors", "thing")
    assert torch.equal(tensors["t"], value.t()) and torch.equal(tensors["row"], value[1])


def with_header(header: object) -> Callable[[Path], None]:
    return lambda path: save_file(TENSORS, path, metadata={"header": json.dumps(header)})


DAMAGE: dict[str, tuple[Callable[[Path], object], str]] = {
    "missing": (lambda path: path.unlink(), "no such checkpoint"),
    "a folder": (lambda path: (path.unlink(), path.mkdir()), "no such checkpoint"),
    "empty": (lambda path: path.write_bytes(b""), "not a readable checkpoint"),
    "garbage": (lambda path: path.write_bytes(bytes(range(256)) * 20), "not a readable checkpoint"),
    "truncated": (
        lambda path: path.write_bytes(path.read_bytes()[:-10]),
        "not a readable checkpoint",
    ),
    "truncated header": (
        lambda path: path.write_bytes(path.read_bytes()[:30]),
        "not a readable checkpoint",
    ),
    "a pickle": (
        lambda path: path.write_bytes(pickle.dumps({"a": 1})),
        "not a readable checkpoint",
    ),
    "a pickled model": (lambda path: torch.save(TENSORS, path), "not a readable checkpoint"),
    "foreign weights": (
        lambda path: save_file(TENSORS, path),
        "weights without this project's header",
    ),
    "no json": (
        lambda path: save_file(TENSORS, path, metadata={"header": "{"}),
        "not a readable checkpoint",
    ),
    "a header that is a list": (with_header([1]), "weights without this project's header"),
    "another kind": (
        with_header({"kind": "policy", "version": 1}),
        "a policy checkpoint found; a thing checkpoint is",
    ),
    "a later version": (
        with_header({"kind": "thing", "version": 99}),
        "version 99 found; version 1 is expected",
    ),
    "no version": (with_header({"kind": "thing"}), "version None found"),
}


@pytest.mark.parametrize("name", DAMAGE)
def test_a_bad_file_is_refused_in_a_sentence(tmp_path: Path, name: str) -> None:
    path = written(tmp_path)
    damage, words = DAMAGE[name]
    damage(path)
    for load in (checkpoint.load, checkpoint.load_header):
        with pytest.raises(CheckpointError) as caught:
            load(path, "thing")
        message = str(caught.value)
        assert message.startswith(f"{path}: ") and words in message and "\n" not in message


def test_an_interrupted_write_leaves_the_old_file_and_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = written(tmp_path)
    before = path.read_bytes()

    def dies(tensors: dict[str, Tensor], temporary: Path, metadata: dict[str, str]) -> None:
        temporary.write_bytes(b"half a checkpoint")
        raise OSError("disk full")

    monkeypatch.setattr(checkpoint, "save_file", dies)
    with pytest.raises(OSError, match="disk full"):
        checkpoint.save(path, "thing", {}, {"a": torch.ones(5)})
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    with files.atomic(path) as temporary:
        assert temporary.parent == tmp_path and temporary.suffix == ".txt"
        temporary.write_text("first")
        assert not path.exists()
    assert path.read_text() == "first"
    with pytest.raises(KeyboardInterrupt), files.atomic(path) as temporary:
        temporary.write_text("second, half")
        raise KeyboardInterrupt
    assert path.read_text() == "first" and list(tmp_path.iterdir()) == [path]
    with files.atomic(str(path)) as temporary:
        temporary.write_text("third")
    assert path.read_text() == "third" and path.stat().st_mode & 0o777 == 0o644


def test_a_folder_that_is_not_there_is_one_sentence(tmp_path: Path) -> None:
    path = tmp_path / "nowhere" / "a.txt"
    with pytest.raises(ControllerError) as caught, files.atomic(path):
        raise AssertionError("the block must not run")
    assert str(caught.value) == f"{path}: cannot be written (No such file or directory)"


# -- characters ------------------------------------------------------------------------------------


def test_a_character_comes_back_with_everything_it_needs(tmp_path: Path) -> None:
    path = tmp_path / "mvae.safetensors"
    character().save(path, figures={"active_units": 3}, data={"source": "synthetic"})
    back = Character.load(path)
    assert back.skeleton.to_dict() == skeleton().to_dict()
    assert back.model.config == character().model.config and back.latent == 6
    assert back.header["figures"] == {"active_units": 3} and back.header["fps"] == 30.0
    assert torch.equal(back.reset_poses, character().reset_poses)
    for name, value in character().model.state_dict().items():
        assert torch.equal(back.model.state_dict()[name], value), name
    assert not any(weight.requires_grad for weight in back.model.parameters())
    assert torch.equal(back.low, character().low) and torch.equal(back.high, character().high)
    with safe_open(path, framework="pt") as file:
        assert json.loads(file.metadata()["header"])["kind"] == "motion-vae"


def altered(path: Path, change: Callable[[dict, dict], None]) -> None:
    header, tensors = checkpoint.load(path, "motion-vae")
    change(header, tensors)
    checkpoint.save(path, "motion-vae", header, tensors)


@pytest.mark.parametrize(
    "change",
    [
        lambda header, tensors: header.pop("skeleton"),
        lambda header, tensors: header["skeleton"].pop("tips"),
        lambda header, tensors: header.pop("config"),
        lambda header, tensors: header["config"].update(colour="red"),
        lambda header, tensors: tensors.pop("reset_poses"),
        lambda header, tensors: header["config"].update(hidden=25),
        lambda header, tensors: tensors.pop("decoder.gate.0.bias"),
        lambda header, tensors: tensors.update({"decoder.gate.0.bias": torch.zeros(2)}),
    ],
)
def test_a_character_with_something_missing_is_refused(
    tmp_path: Path, mvae: Path, change: Callable[[dict, dict], None]
) -> None:
    path = tmp_path / "a.safetensors"
    path.write_bytes(mvae.read_bytes())
    altered(path, change)
    with pytest.raises(
        CheckpointError, match=r"a\.safetensors: not a complete motion-vae checkpoint"
    ) as caught:
        Character.load(path)
    assert "\n" not in str(caught.value)


# -- policies --------------------------------------------------------------------------------------


def policy() -> Policy:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        actor = Actor(character().layout.size + 4, 6, (16, 8), 2.0)
    return Policy.of(actor, character(), "joystick", {"stand": 0.5}, frames=123)


def test_a_policy_comes_back_and_acts_alike(tmp_path: Path) -> None:
    path = tmp_path / "policy.safetensors"
    policy().save(path)
    back = Policy.load(path, character(), "joystick")
    observation = 10 * torch.randn(
        50, character().layout.size + 4, generator=torch.Generator().manual_seed(0)
    )
    assert torch.equal(back(observation), policy()(observation))
    assert float(back(observation).abs().max()) <= 2.0 and float(back(observation).std()) > 0.1
    assert (
        back.task == "joystick"
        and back.header["settings"] == {"stand": 0.5}
        and back.header["frames"] == 123
    )


def test_an_actor_is_a_relu_network_under_a_tanh() -> None:
    actor = policy().actor
    observation = torch.randn(
        5, character().layout.size + 4, generator=torch.Generator().manual_seed(1)
    )
    hidden = observation
    for layer in (actor.body[0], actor.body[2]):
        hidden = (hidden @ layer.weight.T + layer.bias).clamp(min=0)
    expected = 2 * torch.tanh(hidden @ actor.head.weight.T + actor.head.bias)
    torch.testing.assert_close(actor(observation), expected)


def test_a_policy_for_another_task_or_another_model_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "policy.safetensors"
    policy().save(path)
    with pytest.raises(
        CheckpointError, match="for the task 'joystick' found; 'random' is expected"
    ):
        Policy.load(path, character(), "random")
    for other in (puppet(), Character(model(seed=1), character().layout, character().reset_poses)):
        with pytest.raises(CheckpointError, match="trained on another motion VAE"):
            Policy.load(path, other, "joystick")


def test_a_model_and_a_policy_are_not_taken_for_each_other(tmp_path: Path, mvae: Path) -> None:
    path = tmp_path / "policy.safetensors"
    policy().save(path)
    with pytest.raises(
        CheckpointError, match="a policy checkpoint found; a motion-vae checkpoint is expected"
    ):
        Character.load(path)
    with pytest.raises(
        CheckpointError, match="a motion-vae checkpoint found; a policy checkpoint is expected"
    ):
        Policy.load(mvae, character(), "joystick")


@pytest.mark.parametrize(
    "missing",
    ["actor", "weights", "model", "task"],
)
def test_a_policy_with_something_missing_is_refused(tmp_path: Path, missing: str) -> None:
    path = tmp_path / "policy.safetensors"
    whole = policy()
    header = {name: value for name, value in whole.header.items() if name != missing}
    checkpoint.save(
        path, "policy", header, {} if missing == "weights" else dict(whole.actor.state_dict())
    )
    with pytest.raises(
        CheckpointError, match=r"policy\.safetensors: not a complete policy checkpoint"
    ):
        Policy.load(path, character(), "joystick")
