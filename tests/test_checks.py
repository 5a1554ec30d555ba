"""What comes in from outside is refused with one sentence before compiled code trusts its shape."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from synthetic import character, layout
from torch import Tensor

import envs  # noqa: F401 - registers the environments
from controller.control.actors import Actor
from controller.control.policy import Policy
from controller.core import batch
from controller.core.errors import ActionError, CheckpointError
from controller.dynamics.character import Character, CharacterState
from controller.games.recording import Recording
from controller.tasks.joystick import JoystickTask
from controller.tasks.simulation import Simulation
from envs.character_env import VectorCharacterEnv
from envs.episodes import Episodes
from envs.sb3 import CharacterVecEnv

LATENT = character().latent
WRONG_ACTIONS: dict[str, Any] = {
    "too short": np.ones(LATENT - 1, np.float32),
    "one number": np.ones(1, np.float32),
    "too long": np.ones(LATENT + 1, np.float32),
    "far too long": np.ones(1000, np.float32),
    "no dimension": np.float32(1),
    "a batch": np.ones((1, LATENT), np.float32),
    "a NaN": np.r_[np.nan, np.ones(LATENT - 1)].astype(np.float32),
    "an infinity": np.r_[np.ones(LATENT - 1), -np.inf].astype(np.float32),
    "complex": np.ones(LATENT, np.complex64),
    "booleans": np.ones(LATENT, bool),
    "words": np.full(LATENT, "1"),
    "objects": np.full(LATENT, None),
}


@pytest.mark.parametrize("wrapped", [True, False])
@pytest.mark.parametrize("action", WRONG_ACTIONS.values(), ids=list(WRONG_ACTIONS))
def test_the_single_environment_refuses(action: Any, wrapped: bool, mvae: Path) -> None:
    """Whether or not Gymnasium's own checker stands before it, which only warns or fails an
    assertion."""
    wrapper = gymnasium.make(
        "MotionVAE/Joystick-v0", mvae=str(mvae), disable_env_checker=not wrapped
    )
    env = wrapper if wrapped else wrapper.unwrapped
    env.reset(seed=1)
    with pytest.raises(ActionError, match="action"):
        env.unwrapped.step(action)
    with pytest.raises((ActionError, AssertionError)):
        env.step(action)


@pytest.mark.parametrize("action", WRONG_ACTIONS.values(), ids=list(WRONG_ACTIONS))
@pytest.mark.parametrize("count", [1, 3])
def test_the_batches_refuse_and_nobody_moves(action: Any, count: int, mvae: Path) -> None:
    env = VectorCharacterEnv(count, mvae=str(mvae))
    for_sb3 = CharacterVecEnv(Episodes.make("joystick", count, None, str(mvae)))
    env.reset(seed=1)
    for_sb3.reset()
    wrong = np.stack([action] * count)
    for step, episodes in ((env.step, env.episodes), (for_sb3.step, for_sb3.episodes)):
        before = episodes.state
        with pytest.raises(ActionError, match="action"):
            step(wrong)
        assert episodes.state is before


def test_one_bad_row_of_a_batch_is_named(mvae: Path) -> None:
    state = character().reset(3)
    latent = torch.zeros(3, LATENT)
    latent[1, 2] = torch.nan
    with pytest.raises(ActionError, match="latent is not finite: row 1 has a NaN or an infinity"):
        character().step(state, latent)


def test_other_number_types_are_welcome(mvae: Path) -> None:
    env = gymnasium.make("MotionVAE/Joystick-v0", mvae=str(mvae)).unwrapped
    observations = []
    for dtype in (np.float32, np.float64, np.float16, np.int64):
        env.reset(seed=1)
        observations.append(env.step(np.ones(LATENT, dtype))[0])
    assert all(np.array_equal(observations[0], other) for other in observations[1:])


@pytest.mark.parametrize("rows", [1, 4])
@pytest.mark.parametrize(
    "latent",
    [
        lambda rows: torch.zeros(rows, LATENT + 1),
        lambda rows: torch.zeros(rows, LATENT - 1),
        lambda rows: torch.zeros(LATENT),
        lambda rows: torch.zeros(rows + 1, LATENT),
        lambda rows: torch.zeros(rows, LATENT, dtype=torch.float64),
        lambda rows: torch.full((rows, LATENT), torch.inf),
        lambda rows: torch.full((rows, LATENT), torch.nan),
    ],
)
def test_a_character_refuses_latents(rows: int, latent: Callable[[int], Tensor]) -> None:
    with pytest.raises(ActionError, match="latent"):
        character().step(character().reset(rows), latent(rows))


@pytest.mark.parametrize("rows", [1, 4])
def test_a_character_refuses_states_of_another(rows: int) -> None:
    narrow = CharacterState(
        torch.zeros(rows, layout().size - 60), torch.zeros(rows, 2), torch.zeros(rows)
    )
    flat = CharacterState(torch.zeros(rows, layout().size), torch.zeros(rows), torch.zeros(rows))
    for state in (narrow, flat):
        with pytest.raises(ActionError, match="state has shapes"):
            character().step(state, torch.zeros(rows, LATENT))
        with pytest.raises(ActionError, match="state has shapes"):
            character().joints(state)


def policy() -> Policy:
    simulation = Simulation(character(), JoystickTask(character()))
    actor = Actor(simulation.observation_size, LATENT, (16,), 2.0)
    return Policy.of(actor, character(), "joystick", simulation.task.settings())


@pytest.mark.parametrize("rows", [1, 4])
def test_a_policy_refuses_observations(rows: int) -> None:
    acts = policy()
    size = layout().size + JoystickTask.goal_size
    assert acts(torch.zeros(rows, size)).shape == (rows, LATENT)
    wrong = (
        torch.zeros(rows, size + 1),
        torch.zeros(rows, size - 1),
        torch.zeros(size),
        torch.zeros(rows, size, dtype=torch.float64),
        torch.full((rows, size), torch.nan),
        torch.full((rows, size), torch.inf),
    )
    for observation in wrong:
        with pytest.raises(ActionError, match="observation"):
            acts(observation)


# -- files -----------------------------------------------------------------------------------------


def rewritten(path: Path, to: Path, **changed: Tensor | None) -> Path:
    """A checkpoint with some tensors replaced, or left out where None is given."""
    with safe_open(path, framework="pt") as file:
        metadata = file.metadata()
    tensors = load_file(path) | changed
    save_file(
        {name: tensor for name, tensor in tensors.items() if tensor is not None}, to, metadata
    )
    return to


@pytest.mark.parametrize("width", [1, 129, 183, layout().size - 1, layout().size + 1, 244])
def test_reset_poses_of_another_width_are_refused(width: int, mvae: Path, tmp_path: Path) -> None:
    assert width != layout().size
    path = rewritten(mvae, tmp_path / "wrong.safetensors", reset_poses=torch.zeros(8, width))
    with pytest.raises(CheckpointError, match="reset_poses have shape"):
        Character.load(path)


def names(path: Path) -> list[str]:
    return sorted(load_file(path))


def test_every_tensor_of_a_motion_vae_is_checked(mvae: Path, tmp_path: Path) -> None:
    for name in names(mvae):
        tensor = load_file(mvae)[name]
        spoilt = {
            "not finite": torch.full_like(tensor, torch.nan),
            "dtype": tensor.double(),
            "shape": torch.zeros(*tensor.shape, 2),
        }
        for word, value in spoilt.items():
            path = rewritten(mvae, tmp_path / "wrong.safetensors", **{name: value})
            with pytest.raises(CheckpointError, match=word):
                Character.load(path)
        path = rewritten(mvae, tmp_path / "wrong.safetensors", **{name: None})
        with pytest.raises(CheckpointError, match=name):
            Character.load(path)
    path = rewritten(mvae, tmp_path / "wrong.safetensors", stranger=torch.zeros(1))
    with pytest.raises(CheckpointError, match="'stranger' does not belong"):
        Character.load(path)


def test_every_tensor_of_a_policy_is_checked(tmp_path: Path) -> None:
    good = tmp_path / "joystick.safetensors"
    policy().save(good)
    assert Policy.load(good, character(), "joystick").task == "joystick"
    for name in names(good):
        tensor = load_file(good)[name]
        for value in (
            torch.full_like(tensor, torch.inf),
            tensor.half(),
            torch.zeros(*tensor.shape, 2),
        ):
            path = rewritten(good, tmp_path / "wrong.safetensors", **{name: value})
            with pytest.raises(CheckpointError, match=name):
                Policy.load(path, character(), "joystick")


@pytest.mark.parametrize(("observation", "latent"), [(0, 16), (0, 64), (10, 0), (100, 0)])
def test_a_policy_of_other_sizes_is_refused(observation: int, latent: int, tmp_path: Path) -> None:
    size = observation or layout().size + JoystickTask.goal_size
    actor = Actor(size, latent or LATENT, (16,), 2.0)
    path = tmp_path / "other.safetensors"
    Policy.of(actor, character(), "joystick", {}).save(path)
    with pytest.raises(CheckpointError, match=f"{latent or observation} (latent )?values"):
        Policy.load(path, character(), "joystick")


# -- memory ----------------------------------------------------------------------------------------


def test_a_recording_keeps_nothing_that_no_file_wants(tmp_path: Path) -> None:
    root = torch.zeros(3)
    rotations = torch.eye(3).expand(len(character().skeleton), 3, 3)

    def kept(*files: Path) -> int:
        recording = Recording(files, character().skeleton, 30.0)
        for _ in range(100):
            recording.add(root, rotations)
        assert len(recording) == 100
        return len(recording._roots) + len(recording._rotations)

    assert kept() == kept(tmp_path / "a.gif") == 0
    assert kept(tmp_path / "a.bvh") == 200


def test_rows_alone_and_in_a_batch_agree(mvae: Path) -> None:
    """The compiled path for one character, which trusts shapes, gives what torch's gives."""
    state = character().reset(4, torch.Generator().manual_seed(1))
    latent = torch.ones(4, LATENT)
    together = character().step(state, latent)
    for row in range(4):
        alone = character().step(batch.select(state, slice(row, row + 1)), latent[row : row + 1])
        assert torch.allclose(alone.pose[0], together.pose[row], atol=1e-5)
