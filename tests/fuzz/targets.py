"""What is fuzzed: a good file of each format, how it is damaged, and how commands use it."""

from __future__ import annotations

import io
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import torch

from . import mutations


@dataclass(frozen=True)
class Target:
    """One kind of input.

    suffix  of its files
    good    makes the bytes of a good one in a folder
    damage  damages them
    reader  makes, in a folder, the function that uses a file as commands do
    """

    suffix: str
    good: Callable[[Path], bytes]
    damage: Callable[[bytes, Random], bytes]
    reader: Callable[[Path], Callable[[Path], object]]


def _saved(suffix: str, save: Callable[[Path], object]) -> Callable[[Path], bytes]:
    """The bytes of a file that ``save`` writes."""

    def good(folder: Path) -> bytes:
        path = folder / f"good{suffix}"
        save(path)
        return path.read_bytes()

    return good


def _using(use: Callable[[Path], object]) -> Callable[[Path], Callable[[Path], object]]:
    return lambda folder: use


# -- weights ---------------------------------------------------------------------------------------


def _play(path: Path) -> None:
    from controller.dynamics.character import Character

    who = Character.load(path)
    for count in (1, 3):
        generator = torch.Generator().manual_seed(0)
        state = who.reset(count, generator)
        for _ in range(2):
            state = who.step(state, who.draw_latents(count, generator))
        who.joints(state)
        who.alive(state)


def _policy(kind: str) -> Any:
    from synthetic import character, puppet, strings_policy

    from controller.control.actors import Actor
    from controller.control.navigator import Navigator
    from controller.control.policy import Policy

    if kind == "joystick":
        return strings_policy(puppet())
    size = character().layout.size
    pilot = Actor(size + 4, character().latent, (8,), 2.0).sizes
    stick = {"forward_speed": 1.5, "stand": 0.2}
    navigator = Navigator(size + 27, (8,), pilot, stick)
    return Policy.of(navigator, character(), "maze", {"rows": 4, "speed": 1.0})


def _act(kind: str) -> Callable[[Path], None]:
    def use(path: Path) -> None:
        from synthetic import character, puppet

        from controller.control.policy import Policy
        from controller.tasks import TASKS

        who = puppet() if kind == "joystick" else character()
        policy, simulation = Policy.load_at_task(path, who, TASKS[kind])
        for count in (1, 3):
            generator = torch.Generator().manual_seed(0)
            state, goal = simulation.reset(count, generator)
            simulation.move(state, policy(simulation.observe(state, goal)))

    return use


def _extractor() -> Any:
    from synthetic import layout

    from controller.evaluation.extractor import Extractor, ExtractorConfig

    return Extractor(layout(), ExtractorConfig(window=16, channels=4, embedding=3))


def _extractor_saved(path: Path) -> None:
    from synthetic import data

    from controller.training import train_extractor

    made = _extractor()
    made.normalizer = train_extractor.statistics(made, *data().split(held_out=False))
    made.save(path)


def _embed(path: Path) -> None:
    from synthetic import data

    from controller.evaluation.extractor import Extractor

    made = Extractor.load(path)
    poses = data().poses[: made.config.window][None]
    if poses.shape[1:] == (made.config.window, made.layout.size):
        made(poses)


def _body_saved(path: Path) -> None:
    from synthetic import skeleton

    from controller.body.mesh import Level, SkinnedBody

    def level() -> Level:
        points = np.eye(3, dtype=np.float32)
        four = np.array([[255, 0, 0, 0]] * 3, np.uint8)
        return Level(
            points, points, four // 255, four, four.copy(), np.array([[0, 1, 2]], np.int32)
        )

    count = len(skeleton())
    rotations = np.repeat(np.eye(3, dtype=np.float32)[None], count, axis=0)
    SkinnedBody(skeleton(), np.zeros((count, 3), np.float32), rotations, (level(), level())).save(
        path
    )


def _body(path: Path) -> None:
    from controller.body.mesh import SkinnedBody

    body = SkinnedBody.load(path)
    body.place(body.positions, body.rotations)


def _mvae_saved(path: Path) -> None:
    from synthetic import character

    character().save(path, limits={"forward_speed": 1.5}, figures={"active_units": 3})


# -- training states -------------------------------------------------------------------------------


@cache
def _trainer() -> Any:
    from synthetic import data

    from controller.model.mixture import MotionVAEConfig
    from controller.training.config import TrainConfig
    from controller.training.trainer import Trainer

    model = MotionVAEConfig(latent=4, hidden=8, experts=2, gate_hidden=8)
    config = TrainConfig.of(model=model, rollouts_per_epoch=2, rollout=2, batch=4,
                            free_batch=4, free_pool=8)  # fmt: skip
    return Trainer(data(), config)


def _training_good(folder: Path) -> bytes:
    from controller.training.run_folder import RunFolder

    run = RunFolder(folder / "run")
    run.path.mkdir(exist_ok=True)
    _trainer().run_epoch()
    run.save(_trainer())
    return run.state_path.read_bytes()


def _training_reader(folder: Path) -> Callable[[Path], object]:
    from controller.training.run_folder import RunFolder

    def use(path: Path) -> None:
        run = RunFolder(folder / "resumed")
        run.path.mkdir(exist_ok=True)
        path.replace(run.state_path)
        run.resume(_trainer())
        _trainer().schedule(0)

    return use


@cache
def _policy_training(folder: Path) -> Any:
    from synthetic import character

    from envs.shac import ShacConfig
    from envs.train_policy import PolicyConfig, PolicyTraining

    mvae = folder / "mvae.safetensors"
    character().save(mvae)
    config = PolicyConfig(mvae=mvae, out=folder / "policy", steps=64, algorithm="shac",
                          characters=4, hidden=(8,), episode_frames=20,
                          shac=ShacConfig(horizon=4, critic_steps=1))  # fmt: skip
    return PolicyTraining(config)


def _policy_training_good(folder: Path) -> bytes:
    training = _policy_training(folder)
    training.iterate()
    training.header["verdict"] = "good"
    training.save()
    return training.state_path.read_bytes()


def _policy_training_reader(folder: Path) -> Callable[[Path], object]:
    training = _policy_training(folder)

    def use(path: Path) -> None:
        path.replace(training.state_path)
        training.resume()
        training.policy()

    return use


# -- data, motion and text -------------------------------------------------------------------------


def _data_saved(path: Path) -> None:
    from synthetic import data

    data().save(path)


def _data(path: Path) -> None:
    from controller.core.errors import ControllerError
    from controller.data.dataset import MotionDataset

    data = MotionDataset.load(path)
    try:
        data.normalizer()
    except ControllerError:
        return  # it has no training clips
    data.fingerprint()


def _ground_saved(path: Path) -> None:
    np.savez(path, heights=np.random.default_rng(0).random((6, 5)), size=np.array([6.0, 5.0]))


def _ground(path: Path) -> None:
    from controller.ground import field_files

    field_files.load(path).height(0.5, 0.5)


def _motion_saved(path: Path) -> None:
    from synthetic import walk

    from controller.data import formats

    formats.write(path, walk(seconds=0.4))


def _motion(path: Path) -> None:
    from controller.data import formats

    formats.FORMATS[path.suffix].captures(path)  # type: ignore[misc]


def _info(path: Path) -> None:
    from controller.control.folder import CharacterInfo

    print(CharacterInfo.load(path).notice)


def _roles(path: Path) -> None:
    from controller.motion.overrides import load_overrides

    load_overrides(path)


def _history(path: Path) -> None:
    from controller.studies import runs

    runs.read_epochs(path)


INFO = b"""name = "Tester"
title = "Made up"
licence = "CC0-1.0"
non_commercial = false
sources = ["a"]
"""
ROLES = b'kind = "biped"\n[roles]\nHips = "hips"\nHead = "head"\n"x y" = "none"\n'
ROLES_JSON = b'{"kind": "biped", "roles": {"Hips": "hips", "Head": "head"}}'

TARGETS: dict[str, Target] = {
    "motion-vae": Target(".safetensors", _saved(".safetensors", _mvae_saved), mutations.checkpoint,
                         _using(_play)),
    "policy": Target(".safetensors",
                     _saved(".safetensors", lambda path: _policy("joystick").save(path)),
                     mutations.checkpoint, _using(_act("joystick"))),
    "navigator": Target(".safetensors",
                        _saved(".safetensors", lambda path: _policy("maze").save(path)),
                        mutations.checkpoint, _using(_act("maze"))),
    "extractor": Target(".safetensors", _saved(".safetensors", _extractor_saved),
                        mutations.checkpoint, _using(_embed)),
    "body": Target(".safetensors", _saved(".safetensors", _body_saved), mutations.checkpoint,
                   _using(_body)),
    "training": Target(".safetensors", _training_good, mutations.checkpoint, _training_reader),
    "policy-training": Target(".safetensors", _policy_training_good, mutations.checkpoint,
                              _policy_training_reader),
    "data": Target(".npz", _saved(".npz", _data_saved), mutations.archive, _using(_data)),
    "ground": Target(".npz", _saved(".npz", _ground_saved), mutations.archive, _using(_ground)),
    "bvh": Target(".bvh", _saved(".bvh", _motion_saved), mutations.text, _using(_motion)),
    "glb": Target(".glb", _saved(".glb", _motion_saved), mutations.raw, _using(_motion)),
    "motion-npz": Target(".npz", _saved(".npz", _motion_saved), mutations.archive, _using(_motion)),
    "character-info": Target(".toml", lambda _: INFO, mutations.text, _using(_info)),
    "roles-toml": Target(".toml", lambda _: ROLES, mutations.text, _using(_roles)),
    "roles-json": Target(".json", lambda _: ROLES_JSON, mutations.document, _using(_roles)),
}  # fmt: skip


def quiet(use: Callable[[], object]) -> None:
    """Use an input without what it prints."""
    with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
        use()
