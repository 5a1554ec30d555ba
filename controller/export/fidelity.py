"""How an exported controller moves, beside the original: the same commands, the same figures."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from controller.core import markdown
from controller.core.errors import ControllerError
from controller.dynamics.character import CharacterState
from controller.export.steered import SteeredCharacter
from controller.motion import geometry, metrics
from controller.tasks.joystick import JoystickGoal, JoystickTask
from controller.tasks.simulation import Simulation

Step = Callable[[CharacterState, JoystickGoal], CharacterState]
"""Moves characters by one step towards their goals."""

SECONDS = 60
CHARACTERS = 16
PERIOD_S = 5.0
"""A new command comes this often."""
STEADY_S = 1.0
"""The errors are averaged over this time at the end of each period: about a stride."""
COUNTS = (1, 10, 100)
"""Characters of the steps that are timed."""
TIMED_S = 2.0
TURN = 5
"""Steps in a row of one controller, before it is another one's turn."""
COLUMNS = {
    "speed_m_s": "speed error, m/s",
    "heading_deg": "heading error, °",
    "skate_cm": "foot skate, cm a frame",
    "glide_cm": "glide, cm a frame",
}


@dataclass(frozen=True)
class Figures:
    """Of one controller: means over all characters.

    speed_m_s    |mean speed − desired speed|
    heading_deg  |facing − desired facing|
    skate_cm     foot skate a frame (see ``controller.motion.metrics.foot_skate``)
    glide_cm     how far the slowest foot moves in a frame
    """

    speed_m_s: float
    heading_deg: float
    skate_cm: float
    glide_cm: float


def original(steered: SteeredCharacter) -> Step:
    """The step that the window and the evaluation take."""
    task = JoystickTask(steered.character, steered.stick)
    simulation = Simulation(steered.character, task)

    def step(state: CharacterState, goal: JoystickGoal) -> CharacterState:
        return simulation.move(state, steered.policy(simulation.observe(state, goal)))

    return step


def session(model: Any) -> Any:
    """An ONNX model, ready to run by onnxruntime on one thread. Raises ControllerError if
    onnxruntime is not installed."""
    try:
        import onnxruntime
    except ImportError as error:
        message = 'running ONNX needs onnxruntime: pip install -e ".[export]"'
        raise ControllerError(message) from error
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    providers = ["CPUExecutionProvider"]
    return onnxruntime.InferenceSession(model.SerializeToString(), options, providers)


def exported(model: Any) -> Step:
    """The step of an ONNX model, with noise of its own if its policy sways."""
    running = session(model)
    sways = any(each.name == "noise" for each in running.get_inputs())
    generator = torch.Generator().manual_seed(1)
    noise = torch.zeros(0, 0)
    wanted = ["next_pose", "next_position", "next_yaw", *(["next_noise"] if sways else [])]

    def step(state: CharacterState, goal: JoystickGoal) -> CharacterState:
        nonlocal noise
        inputs = {
            "pose": state.pose.numpy(),
            "position": state.position.numpy(),
            "yaw": state.yaw[:, None].numpy(),
            "velocity": goal.velocity.numpy(),
            "facing": goal.facing[:, None].numpy(),
        }
        if sways:
            width = running.get_inputs()[-1].shape[1]
            if len(noise) != len(state):
                noise = torch.zeros(len(state), width)
            random = torch.randn(len(state), width, generator=generator)
            inputs |= {"noise": noise.numpy(), "random": random.numpy()}
        pose, position, yaw, *rest = running.run(wanted, inputs)
        noise = torch.from_numpy(rest[0]) if sways else noise
        return CharacterState(
            torch.from_numpy(pose), torch.from_numpy(position), torch.from_numpy(yaw[:, 0])
        )

    return step


@torch.inference_mode()
def figures(
    steered: SteeredCharacter,
    step: Step,
    seconds: float,
    characters: int,
    seed: int = 0,
) -> Figures:
    """Give each character a new command at random every 5 s, and measure how it follows."""
    generator = torch.Generator().manual_seed(seed)
    character = steered.character
    task = JoystickTask(character, steered.stick)
    period = round(PERIOD_S * character.fps)
    last = round(STEADY_S * character.fps)
    state = character.with_drawn_styles(character.reset(characters, generator), generator)
    speeds, headings, feet = [], [], []
    for _ in range(max(1, round(seconds / PERIOD_S))):
        goal = task.draw_goal(state, generator)
        states = []
        for _ in range(period):
            state = step(state, goal)
            states.append(state)
        feet += [_feet(steered, each) for each in states]
        velocity = torch.stack([character.world_velocity(each) for each in states[-last:]])
        speeds.append((velocity.mean(dim=0).norm(dim=-1) - goal.velocity.norm(dim=-1)).abs())
        turned = torch.stack([each.yaw - goal.facing for each in states[-last:]])
        headings.append(geometry.wrap_angle(turned).abs().mean(dim=0))
    moved = torch.stack(feet)
    return Figures(
        float(torch.stack(speeds).mean()),
        float(torch.rad2deg(torch.stack(headings)).mean()),
        float(metrics.foot_skate(moved).mean()),
        float(metrics.glide(moved).mean()),
    )


def _feet(steered: SteeredCharacter, state: CharacterState) -> Tensor:
    """World positions (B, F, 3) of the feet."""
    layout = steered.character.layout
    pose = steered.character.model.normalizer.denormalize(state.pose)
    local = layout.posed_joints(pose)[:, list(layout.feet)]
    ground = geometry.turn(local[..., [0, 2]], state.yaw[:, None]) + state.position[:, None]
    return torch.stack((ground[..., 0], local[..., 1], ground[..., 1]), dim=-1)


def comparison(steered: SteeredCharacter, name: str, step: Step) -> str:
    """:func:`table` of the original and of an exported controller called ``name``."""
    steps = {"original": original(steered), name: step}
    rows = {name: figures(steered, step, SECONDS, CHARACTERS) for name, step in steps.items()}
    return table(rows)


def times(steered: SteeredCharacter, name: str, step: Callable[[int], Step]) -> str:
    """Lines that say how long a step of the original, joints included, and of an exported
    controller take. ``step(count)`` returns the latter's step for so many characters."""
    ours = original(steered)

    def with_joints(state: CharacterState, goal: JoystickGoal) -> CharacterState:
        after = ours(state, goal)
        steered.character.joints(after)
        return after

    lines = []
    for count in COUNTS:
        theirs, own = microseconds(steered, (step(count), with_joints), count)
        lines.append(f"a step of {count} by {name}: {theirs:,.0f} µs, the original {own:,.0f} µs")
    return "\n".join(lines)


@torch.inference_mode()
def microseconds(steered: SteeredCharacter, steps: Sequence[Step], characters: int) -> list[float]:
    """The median time of each step for so many characters, measured for two seconds. They take
    turns, so that a disturbance affects all."""
    generator = torch.Generator().manual_seed(0)
    task = JoystickTask(steered.character, steered.stick)
    state = steered.character.reset(characters, generator)
    goal = task.draw_goal(state, generator)
    states = [state for _ in steps]
    taken: list[list[float]] = [[] for _ in steps]
    end = time.perf_counter() + TIMED_S
    while time.perf_counter() < end or len(taken[0]) < 2 * TURN:
        for index, step in enumerate(steps):
            for _ in range(TURN):
                begin = time.perf_counter()
                states[index] = step(states[index], goal)
                taken[index].append(time.perf_counter() - begin)
    return [1e6 * float(np.median(each[TURN:])) for each in taken]


def table(rows: dict[str, Figures]) -> str:
    """A table in Markdown, a controller a line."""
    names = list(COLUMNS)
    lines = [[name, *(f"{getattr(row, key):.3f}" for key in names)] for name, row in rows.items()]
    return markdown.table(["", *COLUMNS.values()], lines)
