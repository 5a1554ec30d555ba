"""The dynamics: where a step takes a character, and what it does not depend on."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from synthetic import (
    PUPPET_LATENT,
    anywhere,
    character,
    data,
    latents,
    layout,
    model,
    puppet,
    turned,
)
from torch import Tensor

from controller.core import batch
from controller.dynamics.character import RANGE_MARGIN
from controller.motion import geometry
from controller.motion.skeleton import forward_kinematics


def angle_between(one: Tensor, other: Tensor) -> float:
    return float(geometry.wrap_angle(one - other).abs().max())


def test_the_puppet_of_these_tests_moves_as_its_strings_are_pulled() -> None:
    state = puppet().reset(2)
    pulled = torch.zeros(2, PUPPET_LATENT)
    pulled[0] = torch.tensor([1.5, -0.5, 0.9, 0.1, 7.0])
    state = puppet().step(state, pulled)
    torch.testing.assert_close(state.position, torch.tensor([[-0.5 / 30, 1.5 / 30], [0, 0]]))
    torch.testing.assert_close(state.yaw, torch.tensor([0.03, 0.0]))
    torch.testing.assert_close(puppet().joints(state)[0][:, 1], torch.tensor([1.0, 0.9]))


def test_a_reset_character_stands_at_the_origin_in_a_captured_pose() -> None:
    state = character().reset(300, torch.Generator().manual_seed(0))
    assert not state.position.any() and not state.yaw.any() and len(state) == 300
    known = {tuple(row.tolist()) for row in character().reset_poses}
    poses = {tuple(row.tolist()) for row in state.pose}
    assert poses <= known and len(poses) > 100
    again = character().reset(300, torch.Generator().manual_seed(0))
    assert torch.equal(again.pose, state.pose)


@torch.no_grad()
def test_a_step_is_the_decoders_pose_and_its_root_velocity_integrated() -> None:
    state = anywhere(0, 20)
    latent = latents(0, 20, 6)
    after = character().step(state, latent)
    again = model()  # the same weights, built once more
    expected = again.decode(latent, state.pose)
    torch.testing.assert_close(after.pose, expected.clamp(character().low, character().high))
    velocity = data().normalizer().denormalize(after.pose)[:, :3].double().numpy()
    torch.testing.assert_close(
        character().root_velocity(after.pose).double().numpy(), velocity, atol=1e-5, rtol=0
    )
    # complex numbers z + ix turn by exp(i·yaw)
    place = state.position[:, 1].double().numpy() + 1j * state.position[:, 0].double().numpy()
    place = (
        place
        + np.exp(1j * state.yaw.double().numpy()) * (velocity[:, 0] + 1j * velocity[:, 1]) / 30
    )
    np.testing.assert_allclose(after.position[:, 0].numpy(), place.imag, atol=1e-5)
    np.testing.assert_allclose(after.position[:, 1].numpy(), place.real, atol=1e-5)
    assert angle_between(after.yaw, state.yaw + torch.from_numpy(velocity[:, 2]) / 30) < 1e-5
    assert float((after.position - state.position).abs().min()) > 0


@torch.no_grad()
def test_the_velocity_over_the_ground_is_the_way_that_was_made() -> None:
    state = anywhere(1, 20)
    after = character().step(state, latents(1, 20, 6))
    torch.testing.assert_close(
        character().world_velocity(after), (after.position - state.position) * 30, atol=2e-3, rtol=0
    )


@torch.no_grad()
@settings(max_examples=20)
@given(
    seed=st.integers(0, 1000),
    yaw=st.floats(-math.pi, math.pi),
    x=st.floats(-100, 100),
    z=st.floats(-100, 100),
)
def test_moving_and_turning_the_world_changes_nothing_else(
    seed: int, yaw: float, x: float, z: float
) -> None:
    here = anywhere(seed, 4)
    there = turned(here, yaw, x, z)
    for latent in latents(seed, 5, 4, 6):
        here = character().step(here, latent)
        there = character().step(there, latent)
        assert torch.equal(here.pose, there.pose)
    expected = turned(here, yaw, x, z)
    torch.testing.assert_close(there.position, expected.position, atol=1e-4, rtol=0)
    assert angle_between(there.yaw, expected.yaw) < 1e-5
    root, rotations = character().joints(here)
    turned_rotations = geometry.yaw_matrix(torch.tensor(yaw)) @ rotations
    torch.testing.assert_close(character().joints(there)[1], turned_rotations, atol=1e-5, rtol=0)
    torch.testing.assert_close(character().joints(there)[0][:, 1], root[:, 1])


@torch.no_grad()
def test_poses_are_held_near_what_was_captured() -> None:
    state = anywhere(2, 50)
    wild = character().step(state, 1000 * latents(2, 50, 6))
    poses = character().model.normalizer.denormalize(wild.pose)
    captured, _ = data().split(held_out=False)
    margin = RANGE_MARGIN * data().normalizer().std
    assert (poses >= captured.amin(0) - margin - 1e-4).all() and (
        poses <= captured.amax(0) + margin + 1e-4
    ).all()
    assert (wild.pose == character().high).any() and (wild.pose == character().low).any()


@torch.no_grad()
@pytest.mark.parametrize("count", [2, 15, 16, 33, 128])
def test_a_character_does_not_feel_its_neighbours(count: int) -> None:
    state = anywhere(3, count)
    latent = latents(3, count, 6)
    together = character().step(state, latent)
    for row in (0, count // 2, count - 1):
        alone = character().step(batch.select(state, slice(row, row + 1)), latent[row : row + 1])
        torch.testing.assert_close(alone.pose[0], together.pose[row], atol=1e-5, rtol=0)
        torch.testing.assert_close(alone.position[0], together.position[row], atol=1e-5, rtol=0)
        assert angle_between(alone.yaw[0], together.yaw[row]) < 1e-5


@torch.no_grad()
def test_joints_are_the_pose_turned_and_set_down_where_the_character_is() -> None:
    state = anywhere(4, 5)
    root, rotations = character().joints(state)
    ours = forward_kinematics(character().skeleton, root, rotations)
    local = layout().posed_joints(character().model.normalizer.denormalize(state.pose))
    expected = (geometry.yaw_matrix(state.yaw)[:, None] @ local[..., None])[..., 0]
    expected = (
        expected
        + torch.stack((state.position[:, 0], torch.zeros(5), state.position[:, 1]), dim=-1)[:, None]
    )
    torch.testing.assert_close(ours, expected, atol=1e-5, rtol=0)


def test_a_characters_model_does_not_learn_but_lets_gradients_through() -> None:
    latent = latents(5, 3, 6).requires_grad_()
    after = character().step(anywhere(5, 3), latent)
    after.position.sum().backward()
    assert latent.grad is not None and latent.grad.abs().max() > 0
    assert all(weight.grad is None for weight in character().model.parameters())


def test_rows_of_a_batch_are_chosen_and_replaced_bit_by_bit() -> None:
    one = anywhere(6, 4)
    other = anywhere(7, 4)
    mask = torch.tensor([True, False, True, False])
    mixed = batch.where(mask, one, other)
    for name in ("pose", "position", "yaw"):
        for row in range(4):
            assert torch.equal(
                getattr(mixed, name)[row], getattr(one if mask[row] else other, name)[row]
            )
    some = batch.select(one, torch.tensor([2, 0, 0]))
    assert torch.equal(some.yaw, one.yaw[[2, 0, 0]]) and len(some) == 3
