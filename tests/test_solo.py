"""One character alone takes a compiled path: it must be the same character."""

from __future__ import annotations

from functools import cache

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from synthetic import anywhere, character, data, latents, layout, model
from torch import Tensor

from controller.control.actors import Actor
from controller.control.policy import Policy
from controller.core import batch
from controller.dynamics.character import Character, CharacterState
from controller.model.fast import solo
from controller.motion import geometry
from controller.tasks.joystick import JoystickTask
from controller.tasks.simulation import Simulation

SIZES = (
    {},
    {"latent": 3, "hidden": 13, "experts": 1, "gate_hidden": 5},
    {"hidden": 40, "experts": 7},
)


@cache
def sized(number: int) -> Character:
    vae = model(number, **SIZES[number])
    return Character(vae, layout(), vae.normalizer.normalize(data().poses[:40]))


@cache
def policy(hidden: tuple[int, ...]) -> Policy:
    torch.manual_seed(len(hidden))
    actor = Actor(layout().size + 4, 6, hidden, 2.0)
    with torch.no_grad():
        actor.head.weight.mul_(20)  # a young policy hardly acts
    return Policy(actor, {})


def alone(state: CharacterState, row: int) -> CharacterState:
    return batch.select(state, slice(row, row + 1))


def close(one: CharacterState, other: CharacterState) -> None:
    torch.testing.assert_close(one.pose, other.pose, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(one.position, other.position, atol=1e-5, rtol=0)
    assert float(geometry.wrap_angle(one.yaw - other.yaw).abs().max()) < 1e-5


@settings(max_examples=30, deadline=None)
@given(
    st.integers(0, 2**31), st.sampled_from(range(len(SIZES))), st.integers(2, 130), st.booleans()
)
def test_a_character_alone_steps_as_in_a_crowd(
    seed: int, number: int, count: int, inference: bool
) -> None:
    who = sized(number)
    with torch.inference_mode() if inference else torch.no_grad():
        state = anywhere(seed, count, who)
        latent = latents(seed, count, who.latent)
        after = who.step(state, latent)
        row = seed % count
        assert solo.fits(alone(state, row).pose, latent[row : row + 1])
        close(who.step(alone(state, row), latent[row : row + 1]), alone(after, row))
        for mine, theirs in zip(who.joints(alone(after, row)), who.joints(after), strict=True):
            torch.testing.assert_close(mine[0], theirs[row], atol=1e-5, rtol=1e-5)


@given(st.integers(0, 2**31))
def test_a_wish_is_seen_by_one_as_by_many(seed: int) -> None:
    simulation = Simulation(character(), JoystickTask(character()))
    state = anywhere(seed, 9)
    goal = simulation.task.draw_goal(state, torch.Generator().manual_seed(seed))
    observation = simulation.observe(state, goal)
    for row in range(9):
        one = simulation.observe(alone(state, row), batch.select(goal, slice(row, row + 1)))
        torch.testing.assert_close(one[0], observation[row], atol=1e-5, rtol=0)


@pytest.mark.parametrize("hidden", [(), (7,), (32, 5, 64)])
def test_a_policy_acts_on_one_as_on_many(hidden: tuple[int, ...]) -> None:
    observation = 3 * latents(1, 20, layout().size + 4)
    acts = policy(hidden)(observation)
    assert float(acts.std()) > 0.1
    for row in range(20):
        torch.testing.assert_close(
            policy(hidden)(observation[row : row + 1])[0], acts[row], atol=1e-5, rtol=1e-5
        )


def test_two_seconds_alone_and_in_company_stay_together() -> None:
    state = anywhere(3, 2)
    latent = latents(3, 60, 2, character().latent)
    lone = alone(state, 0)
    with torch.no_grad():
        for frame in range(60):
            state = character().step(state, latent[frame])
            lone = character().step(lone, latent[frame, :1])
    assert float((state.pose[0] - lone.pose[0]).abs().max()) < 1e-3
    assert float((state.position[0] - lone.position[0]).abs().max()) < 1e-3


def test_a_gradient_that_is_wanted_is_had() -> None:
    latent = latents(0, 1, character().latent).requires_grad_()
    after = character().step(anywhere(0, 1), latent)
    assert after.pose.requires_grad
    moving = CharacterState(
        after.pose.detach().requires_grad_(), after.position.detach(), after.yaw.detach()
    )
    assert character().step(moving, latent.detach()).position.requires_grad
    assert character().joints(moving)[1].requires_grad
    observation = torch.zeros(1, layout().size + 4, requires_grad=True)
    assert policy((7,))(observation).requires_grad


@pytest.mark.parametrize(
    "other",
    [
        torch.zeros(2, 4),
        torch.zeros(1, 4, dtype=torch.float64),
        torch.zeros(1, 4, requires_grad=True),
    ],
)
def test_what_does_not_fit(other: Tensor) -> None:
    assert not solo.fits(torch.zeros(1, 4), other)
    assert solo.fits(torch.zeros(1, 4))


def test_nonsense_stays_nonsense() -> None:
    """Compiled arithmetic must not make a number of what is none: the fall would go unnoticed."""
    latent = torch.zeros(1, character().latent)
    for wrong in (torch.nan, torch.inf):
        state = CharacterState(
            torch.full((1, layout().size), wrong), torch.zeros(1, 2), torch.zeros(1)
        )
        with torch.no_grad():
            assert not bool(character().alive(character().step(state, latent)))


def test_numbers_that_lie_apart() -> None:
    wide = latents(5, 1, 2 * character().latent)
    state = anywhere(5, 1)
    with torch.no_grad():
        close(character().step(state, wide[:, ::2]), character().step(state, wide[:, ::2].clone()))


def test_a_weight_that_is_changed_in_place_counts_at_once() -> None:
    who = Character(model(9), layout(), data().poses[:1])
    state = anywhere(1, 1)
    latent = latents(1, 1, 6)
    with torch.no_grad():
        before = who.step(state, latent)
        who.model.decoder.output.bias.add_(0.25)
        after = who.step(state, latent)
    torch.testing.assert_close(
        after.pose, (before.pose + 0.25).clamp(who.low, who.high), atol=1e-5, rtol=0
    )
