"""Rollouts of a batch of characters, recorded frame by frame."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from controller.dynamics.character import Character, CharacterState
from controller.motion import geometry
from controller.motion.feet import Feet

RANGE_DEVIATIONS = 3.0
"""Standard deviations by which a joint of a sane character may leave its captured range."""

Act = Callable[[CharacterState, Any], Tensor]
"""Returns latents ``(B, latent)`` for the states and the goals of B characters."""


@dataclass(frozen=True)
class Rollout:
    """T frames of B characters.

    feet      (T, B, 2, 3) world positions of the toes
    position  (T, B, 2) of the root on the ground;  yaw (T, B)
    velocity  (T, B, 2) of the root over the ground, m/s, in the world
    pose      (T, B, D) z-scored
    alive     (B,) booleans: sane in every frame, that is, alive and :func:`in_range`
    """

    feet: Tensor
    position: Tensor
    yaw: Tensor
    velocity: Tensor
    pose: Tensor
    alive: Tensor


@torch.inference_mode()
def record(
    character: Character,
    act: Act,
    state: CharacterState,
    goals: Callable[[int, CharacterState], Any],
    frames: int,
) -> Rollout:
    """Run ``frames`` steps and record them; ``goals(frame, state)`` returns the goals and
    ``act(state, goal)`` the latents."""
    feet = Feet(character.layout, state.pose.device)
    states = []
    alive = torch.ones(len(state), dtype=torch.bool)
    for frame in range(frames):
        state = character.step(state, act(state, goals(frame, state)))
        alive &= character.alive(state).cpu() & in_range(character, state.pose).cpu()
        states.append(state)

    pose = torch.stack([state.pose for state in states])
    position = torch.stack([state.position for state in states])
    yaw = torch.stack([state.yaw for state in states])
    velocity = torch.stack([character.world_velocity(state) for state in states])

    local = feet.positions(character.model.normalizer.denormalize(pose))
    ground = geometry.turn(local[..., [0, 2]], yaw[..., None]) + position[..., None, :]
    world = torch.stack((ground[..., 0], local[..., 1], ground[..., 1]), dim=-1)
    return Rollout(world.cpu(), position.cpu(), yaw.cpu(), velocity.cpu(), pose.cpu(), alive)


@torch.inference_mode()
def wander(character: Character, act: Act, state: CharacterState, frames: int) -> CharacterState:
    """The state after ``frames`` steps without a goal."""
    for _ in range(frames):
        state = character.step(state, act(state, None))
    return state


@torch.inference_mode()
def sane_fraction(character: Character, count: int, frames: int, seed: int) -> float:
    """Share of ``count`` characters that stay sane (see :class:`Rollout`) in each of ``frames``
    frames with latents drawn at random. It keeps no motion, so the rollout may be long."""
    generator = torch.Generator().manual_seed(seed)
    state = character.reset(count, generator)
    act = drawn_latents(character, generator)
    sane = torch.ones(count, dtype=torch.bool, device=state.pose.device)
    for _ in range(frames):
        state = character.step(state, act(state, None))
        sane &= character.alive(state) & in_range(character, state.pose)
    return float(sane.float().mean())


def in_range(character: Character, pose: Tensor) -> Tensor:
    """(B,) booleans: every joint position is within 3σ of its captured range."""
    part = character.layout.positions
    normalizer = character.model.normalizer
    low = normalizer.normalize(normalizer.low)[part]
    high = normalizer.normalize(normalizer.high)[part]
    joints = pose[..., part]
    return ((joints > low - RANGE_DEVIATIONS) & (joints < high + RANGE_DEVIATIONS)).all(dim=-1)


def drawn_latents(character: Character, generator: torch.Generator) -> Act:
    """Act at random whatever the goal: latents from N(0, I), or codes."""

    def act(state: CharacterState, goal: Any) -> Tensor:
        return character.draw_latents(len(state), generator)

    return act
