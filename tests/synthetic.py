"""Made-up people, walks, data sets and models, small enough to be made anew in every test process.

What is costly is made once in a process (``functools.cache``) and must be left as it is.
"""

from __future__ import annotations

import json
import math
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import torch
from skeletons import quadruped
from torch import Tensor

from controller.control.actors import Actor
from controller.control.folder import DEFAULT, CharacterFolder, CharacterInfo
from controller.control.policy import Policy
from controller.core import errors
from controller.data import dataset
from controller.data.dataset import MotionDataset, is_held_out
from controller.dynamics.character import Character, CharacterState
from controller.evaluation.diagnosis import free_running
from controller.model.mixture import MotionVAE, MotionVAEConfig
from controller.model.normalizer import Normalizer
from controller.motion import geometry
from controller.motion.limits import Limits
from controller.motion.pose import FPS, PoseLayout, encode
from controller.motion.skeleton import Clip, Skeleton, forward_kinematics
from controller.tasks import TASKS
from controller.tasks.simulation import Simulation
from controller.training import publish, watch

ROOT = Path(__file__).parents[1]


BONES = (
    ("Hips", "", (0.0, 0.0, 0.0), (0.0, 0.0, 0.0)),
    ("LeftUpLeg", "Hips", (0.09, -0.05, 0.0), (0.0, 0.0, 0.0)),
    ("LeftLeg", "LeftUpLeg", (0.0, -0.42, 0.0), (0.0, 0.0, 0.0)),
    ("LeftFoot", "LeftLeg", (0.0, -0.40, 0.0), (0.0, 0.0, 0.0)),
    ("LeftToe", "LeftFoot", (0.0, -0.06, 0.13), (0.0, 0.0, 0.06)),
    ("RightUpLeg", "Hips", (-0.09, -0.05, 0.0), (0.0, 0.0, 0.0)),
    ("RightLeg", "RightUpLeg", (0.0, -0.42, 0.0), (0.0, 0.0, 0.0)),
    ("RightFoot", "RightLeg", (0.0, -0.40, 0.0), (0.0, 0.0, 0.0)),
    ("RightToe", "RightFoot", (0.0, -0.06, 0.13), (0.0, 0.0, 0.06)),
    ("Spine", "Hips", (0.0, 0.12, 0.0), (0.0, 0.0, 0.0)),
    ("Head", "Spine", (0.0, 0.45, 0.02), (0.0, 0.2, 0.0)),
    ("LeftArm", "Spine", (0.18, 0.36, 0.0), (0.0, 0.0, 0.0)),
    ("LeftForeArm", "LeftArm", (0.0, -0.28, 0.0), (0.0, 0.0, 0.0)),
    ("LeftHand", "LeftForeArm", (0.0, -0.25, 0.0), (0.0, -0.1, 0.0)),
    ("RightArm", "Spine", (-0.18, 0.36, 0.0), (0.0, 0.0, 0.0)),
    ("RightForeArm", "RightArm", (0.0, -0.28, 0.0), (0.0, 0.0, 0.0)),
    ("RightHand", "RightForeArm", (0.0, -0.25, 0.0), (0.0, -0.1, 0.0)),
)
HIPS_HEIGHT = 0.93
"""m: over the toes when the legs are straight."""
STRIDE_HZ = 0.9


@cache
def skeleton() -> Skeleton:
    """A person of 1.7 m with hanging arms, left and right exactly alike."""
    names = tuple(bone[0] for bone in BONES)
    parents = tuple(names.index(bone[1]) if bone[1] else -1 for bone in BONES)
    return Skeleton(
        names, parents, torch.tensor([b[2] for b in BONES]), torch.tensor([b[3] for b in BONES])
    )


@cache
def layout() -> PoseLayout:
    return PoseLayout(skeleton())


def walk(
    name: str = "walk", *, seconds: float = 3.0, speed: float = 1.2, turn: float = 0.0,
    yaw: float = 0.0, aside: float = 0.0, fps: float = 30.0, floor: float = 0.0,
    start: tuple[float, float] = (0.0, 0.0), sway: float = 0.15, phase: float = 0.0,
) -> Clip:  # fmt: skip
    """A sinusoidal gait: the root at exactly ``speed`` m/s in the direction ``aside`` rad left of
    the facing, which starts at ``yaw`` and turns by ``turn`` rad/s; the hips swing by ``sway`` rad
    about it with every stride."""
    time = torch.arange(round(seconds * fps) + 1, dtype=torch.float64) / fps
    facing = yaw + turn * time
    towards = facing + aside
    begin = yaw + aside
    if turn:
        x = (math.cos(begin) - torch.cos(towards)) * speed / turn
        z = (torch.sin(towards) - math.sin(begin)) * speed / turn
    else:
        x = speed * time * math.sin(begin)
        z = speed * time * math.cos(begin)
    stride = 2 * math.pi * STRIDE_HZ * time + phase
    effort = 0.35 * min(1.0, abs(speed))
    height = floor + HIPS_HEIGHT - 0.02 + 0.01 * torch.cos(2 * stride)
    bones = skeleton()
    local = torch.eye(3, dtype=torch.float64).repeat(len(time), len(bones), 1, 1)

    def bend(joint: str, axis: str, angle: Tensor) -> None:
        local[:, bones.index(joint)] = local[:, bones.index(joint)] @ geometry.axis_rotation(
            axis, angle
        )

    bend("Hips", "Y", facing + sway * torch.sin(stride))
    bend(
        "Spine", "Y", -1.4 * sway * torch.sin(stride)
    )  # the chest swings against the hips, not quite as far
    for side, sign in (("Left", 1.0), ("Right", -1.0)):
        swing = sign * torch.sin(stride)
        bend(f"{side}UpLeg", "X", effort * swing)
        bend(f"{side}Leg", "X", effort * (1 - sign * torch.cos(stride)))
        bend(f"{side}Arm", "Z", torch.full_like(stride, sign * 0.15))
        bend(f"{side}Arm", "X", -effort * swing)
        bend(f"{side}ForeArm", "X", torch.full_like(stride, -0.3))
    root = torch.stack((start[0] + x, height, start[1] + z), dim=-1)
    return Clip(name, bones, root.float(), local.float(), fps)


def moved(clip: Clip, yaw: float, x: float, z: float) -> Clip:
    """The same motion elsewhere in the world: turned about the origin, then shifted."""
    rotation = geometry.yaw_matrix(torch.tensor(yaw, dtype=torch.float64))
    positions = clip.positions.double() @ rotation.T + torch.tensor(
        [x, 0.0, z], dtype=torch.float64
    )
    rotations = clip.rotations.clone()
    rotations[:, 0] = rotation.float() @ rotations[:, 0]
    return replace(clip, positions=positions.float(), rotations=rotations)


def names(held_out: bool) -> Iterator[str]:
    """Clip names that fall on that side of the split."""
    return (
        name for name in (f"walk{number}" for number in count()) if is_held_out(name) == held_out
    )


def clips() -> list[Clip]:
    """Straight, turning, backward and sideways walks for training, two for testing; 27 s in all."""
    training = names(held_out=False)
    held_out = names(held_out=True)
    kinds = (
        {"speed": 0.6}, {"speed": 1.2}, {"speed": 1.2, "turn": 0.8}, {"speed": 1.2, "turn": -0.8},
        {"speed": 0.5, "aside": math.pi}, {"speed": 0.4, "aside": math.pi / 2}, {"speed": 0.0},
    )  # fmt: skip
    return [
        *(walk(next(training), phase=number, **kind) for number, kind in enumerate(kinds)),
        walk(next(held_out), speed=1.0, phase=0.5),
        walk(next(held_out), speed=0.8, turn=0.4, phase=2.0),
    ]


@cache
def data() -> MotionDataset:
    return dataset.build(clips(), "synthetic")


def model(seed: int = 0, **sizes: int) -> MotionVAE:
    """An untrained motion VAE for :func:`data`."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        config = MotionVAEConfig(
            **{"latent": 6, "hidden": 24, "experts": 3, "gate_hidden": 8} | sizes
        )
        return MotionVAE(layout().size, config, data().normalizer())


@cache
def character() -> Character:
    """An untrained model's character: it moves at random, but never falls. Starts from captured
    poses."""
    made = model()
    return Character(made, layout(), made.normalizer.normalize(data().split(held_out=True)[0]))


PUPPET_LATENT = 5


@cache
def puppet() -> Character:
    """A rigid figure on strings: z is (forward m/s, left m/s, turn rad/s, hips' height over 0.9 m,
    nothing)."""
    stand = data().poses[0].clone()
    stand[layout().hip_height] = 0.9
    return on_strings(layout(), stand)


DOG_LIMITS = Limits(2.5, 0.4, 0.5, lowest_hips=0.1, highest_hips=1.0)
DOG_SPEEDS = ((0.0, 0.0), (1.5, 0.0), (0.7, 0.0), (-0.5, 0.0), (0.0, 0.4))
"""m/s ahead and to the left: the root velocities of the dog's reset poses."""


@cache
def dog() -> Character:
    """A four-legged figure on the same strings, which starts at one of :data:`DOG_SPEEDS`."""
    bones = quadruped()
    still = torch.eye(3).expand(len(bones), 3, 3)
    height = -float(forward_kinematics(bones, torch.zeros(3), still)[:, 1].min()) + 0.03
    place = torch.tensor([0.0, height, 0.0]).repeat(3, 1)
    stand = encode(PoseLayout(bones), Clip("stand", bones, place, still.repeat(3, 1, 1, 1), FPS))
    made = on_strings(PoseLayout(bones), stand[0], {"limits": DOG_LIMITS.to_dict()})
    made.reset_poses = torch.zeros(len(DOG_SPEEDS), made.layout.size)
    made.reset_poses[:, :2] = torch.tensor(DOG_SPEEDS)
    return made


def on_strings(part: PoseLayout, stand: Tensor, header: dict[str, Any] | None = None) -> Character:
    """A whole motion VAE whose decoder's last layer sees z alone, so that every pose is known
    beforehand: ``stand`` (D,), moved by the strings."""
    stand[part.root_velocity] = 0
    wide = torch.full((part.size,), 50.0)
    made = MotionVAE(
        part.size,
        MotionVAEConfig(latent=PUPPET_LATENT, hidden=8, experts=2, gate_hidden=4),
        Normalizer(stand, torch.ones(part.size), stand - wide, stand + wide),
    )
    with torch.no_grad():
        made.decoder.output.weight.zero_()
        made.decoder.output.bias.zero_()
        for row, column in enumerate((0, 1, 2, part.hip_height)):
            made.decoder.output.weight[:, row, column] = 1.0
    return Character(made, part, torch.zeros(1, part.size), header)


def strings_policy(who: Character, task: str = "joystick") -> Policy:
    """A policy that pulls a puppet's or a dog's strings as the goal says, for the joystick or a
    task that extends it."""
    simulation = Simulation(who, TASKS[task](who))
    actor = Actor(simulation.observation_size, PUPPET_LATENT, (6,), 20.0)
    with torch.no_grad():
        for parameter in actor.parameters():
            parameter.zero_()
        for string, (column, pull) in enumerate(((0, 1.0), (1, 1.0), (3, 4.0))):
            for sign in (1.0, -1.0):  # x = relu(x) - relu(-x)
                unit = 2 * string + (sign < 0)
                actor.body[0].weight[unit, who.layout.size + column] = sign
                actor.head.weight[string, unit] = sign * pull / actor.limit
    return Policy.of(actor, who, task, simulation.task.settings())


# -- states ----------------------------------------------------------------------------------------


def anywhere(seed: int, count: int, who: Character | None = None) -> CharacterState:
    """Characters strewn over the ground, facing anywhere."""
    generator = torch.Generator().manual_seed(seed)
    state = (who or character()).reset(count, generator)
    place = 10 * torch.randn(count, 2, generator=generator)
    return CharacterState(
        state.pose, place, math.pi * (2 * torch.rand(count, generator=generator) - 1)
    )


def latents(seed: int, *shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def turned(state: CharacterState, yaw: float, x: float, z: float) -> CharacterState:
    """The same state in a world that was turned about the origin and then shifted."""
    place = geometry.turn(state.position, torch.tensor(yaw)) + torch.tensor([x, z])
    return CharacterState(state.pose, place, geometry.wrap_angle(state.yaw + yaw))


def shorten_rollouts(patch: pytest.MonkeyPatch) -> None:
    """Measure fewer and shorter free rollouts, where a test depends on no figure of them: when a
    model is diagnosed, in training or after it, and when it is exported."""
    for module in (free_running, publish, watch):
        patch.setattr(module, "CHARACTERS", 16)
        patch.setattr(module, "FRAMES", 90)


# -- commands --------------------------------------------------------------------------------------


def command(*words: str | Path, timeout: float = 120) -> subprocess.CompletedProcess[str]:
    """Run ``python -m WORDS`` as a person would, and wait for it."""
    return subprocess.run(
        [sys.executable, "-m", *map(str, words)],
        cwd=ROOT, capture_output=True, text=True, timeout=timeout, check=False,
    )  # fmt: skip


def refusal(
    main: Callable[[], int | None],
    words: list[str | Path],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> str:
    """Run a command in this process; it must leave with status 2 and one sentence, which is
    returned."""
    monkeypatch.setattr(sys, "argv", ["command", *map(str, words)])
    with pytest.raises(SystemExit) as left:
        errors.run_command(main)
    said = capsys.readouterr().err
    assert left.value.code == 2, said
    return sentence(said)


def sentence(said: str) -> str:
    """What follows "error: " on standard error, which must hold that one line and nothing else."""
    assert said.startswith("error: ") and said.count("\n") == 1 and said.endswith("\n"), said
    return said[len("error: ") : -1]


def strict_json(text: str) -> object:
    """One JSON value, and no NaN or Infinity, which JSON does not know."""

    def refuse(word: str) -> object:
        raise ValueError(f"{word} is not JSON")

    return json.loads(text, parse_constant=refuse)


def folder_of(
    who: Character, path: Path, tasks: tuple[str, ...] = (), **info: Any
) -> CharacterFolder:
    """A folder of a character as a user could have it. ``tasks`` get policies, which suit only
    figures on strings."""
    known = {"name": path.name.capitalize(), "title": "Made up for a test", "licence": "CC0-1.0"}
    CharacterFolder.write_info(path, CharacterInfo(**known | info))
    who.save(path / "mvae.safetensors", **who.header)
    for task in tasks:
        strings_policy(who, task).save(path / f"{task}.safetensors")
    return CharacterFolder.open(path)


def in_place_of_woody(who: Character, path: Path, patch: pytest.MonkeyPatch) -> CharacterFolder:
    """A folder below ``path`` that is the default character until the test ends."""
    patch.setattr("controller.control.folder.SHIPPED", path)
    return folder_of(who, path / DEFAULT)
