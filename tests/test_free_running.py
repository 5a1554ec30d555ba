"""The poses to which a model in training comes by itself, and how their distribution is compared
with the captured."""

from __future__ import annotations

import pytest
import torch
from synthetic import data, layout, model
from torch import Tensor

from controller.data.windows import Windows
from controller.dynamics.style_axes import axes_apart
from controller.motion.feet import Feet
from controller.training.free_running import FreeRunning
from controller.training.sliced_wasserstein import NEAR, SlicedWasserstein

POOL = 40
BATCH = 12
STEPS = 5


def free_running(renewal: float = 0.0) -> FreeRunning:
    windows = Windows(*data().split(held_out=False), 5)
    generator = torch.Generator().manual_seed(3)
    return FreeRunning(windows, data().normalizer(), Feet(layout()), POOL, renewal, generator)


# -- the distance ----------------------------------------------------------------------------------


def cloud(count: int = 400, seed: int = 0) -> Tensor:
    return torch.randn(count, 3, generator=torch.Generator().manual_seed(seed)) * torch.tensor(
        [1.0, 2.0, 4.0]
    )


def distance() -> SlicedWasserstein:
    return SlicedWasserstein(cloud(4000), lambda poses: poses[:, 2:])


def test_a_set_is_no_way_from_itself_in_any_order() -> None:
    measure = distance()
    slices = distance().slices(16, torch.Generator().manual_seed(1))
    assert float(measure(cloud(), cloud().flip(0), slices)) == 0
    assert float(measure(cloud(), cloud(seed=1), slices)) > 0


def test_a_shift_costs_its_length_in_deviations() -> None:
    """Along the third axis, whose deviation is 4, by 8: 2 deviations of what is watched; 2·|cos| on
    each slice."""
    measure = distance()
    slices = measure.slices(2000, torch.Generator().manual_seed(1))
    shift = torch.tensor([0.0, 0.0, 8.0])
    watched = 8 / float(measure.deviation) - NEAR / 2  # Huber's loss is linear there
    along = (shift @ slices).abs()
    expected = torch.where(along < NEAR, along.square() / (2 * NEAR), along - NEAR / 2).mean()
    assert float(measure(cloud() + shift, cloud(), slices)) == pytest.approx(
        watched + float(expected), rel=1e-4
    )
    assert float(along.mean()) == pytest.approx(
        2 * 0.5, rel=0.1
    )  # |cos| of a direction in space is 1/2 on average


def test_slices_are_whitened_directions() -> None:
    measure = distance()
    projected = cloud(4000) @ measure.slices(500, torch.Generator().manual_seed(1))
    assert projected.std(dim=0).min() > 0.95 and projected.std(dim=0).max() < 1.05


def test_following_its_gradient_brings_a_set_to_the_other() -> None:
    measure = distance()
    generator = torch.Generator().manual_seed(2)
    ours = (0.3 * cloud(seed=5) + 3).requires_grad_()
    optimizer = torch.optim.Adam([ours], lr=0.1)
    first = last = 0.0
    for step in range(150):
        loss = measure(ours, cloud(), measure.slices(16, generator))
        first, last = (float(loss.detach()), last) if step == 0 else (first, float(loss.detach()))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert last < first / 20
    torch.testing.assert_close(ours.detach().std(dim=0), cloud().std(dim=0), rtol=0.15, atol=0)


def test_axes_apart_are_those_by_which_kinds_differ() -> None:
    """Three kinds that differ along the first two of four axes, the second of which is wide."""
    generator = torch.Generator().manual_seed(0)
    centres = torch.tensor([[-4.0, 0, 0, 0], [4.0, 0, 0, 0], [0.0, 6, 0, 0]])
    deviations = torch.tensor([1.0, 2.0, 3.0, 0.5])
    kinds = [c + deviations * torch.randn(4000, 4, generator=generator) for c in centres]
    axes = axes_apart(kinds)
    assert axes.shape == (4, 2)
    torch.testing.assert_close((kinds[0] @ axes).std(dim=0), torch.ones(2), atol=0.05, rtol=0)
    assert abs(float(axes[0, 0])) == pytest.approx(1.0, abs=0.05)
    assert abs(float(axes[1, 1])) == pytest.approx(0.5, abs=0.05)
    assert float(axes[2:].abs().max()) < 0.05

    measure = SlicedWasserstein(cloud(4000), lambda poses: poses[:, 2:], torch.eye(3)[:, :1])
    slices = measure.slices(16, torch.Generator().manual_seed(1))
    shift = torch.tensor([2.0, 0.0, 0.0])
    plain = distance()(cloud() + shift, cloud(), slices)
    both = measure(cloud() + shift, cloud(), slices)
    assert float(both - plain) == pytest.approx(2 - NEAR / 2, abs=1e-4)


# -- the pool --------------------------------------------------------------------------------------


def test_what_is_watched_is_where_a_pose_goes_and_how_high_its_feet_are() -> None:
    pool = free_running()
    raw = data().poses[:7]
    feet = layout().posed_joints(raw)[:, list(layout().feet), 1]
    expected = torch.cat((raw[:, :3], feet, feet.min(dim=1, keepdim=True).values), dim=1)
    torch.testing.assert_close(
        pool.watched(pool.normalizer.normalize(raw)), expected, atol=1e-5, rtol=1e-4
    )


def test_poses_drawn_go_on_and_the_rest_stay() -> None:
    pool = free_running()
    before = pool.poses.clone()
    free = pool.draw(BATCH, STEPS, model())
    assert free.scores.shape == (BATCH, layout().size) and free.latents.shape == (
        STEPS,
        BATCH,
        model().config.latent,
    )
    assert free.captured.shape[1] == free.rest.shape[1] + 2 * BATCH == POOL + BATCH
    assert len(free.captured) == len(free.rest) == 1  # a single group, without styles
    pool.put_back(free.scores + 0.125, STEPS)
    moved = (pool.poses != before).any(dim=1)
    assert int(moved.sum()) == BATCH and set(moved.nonzero().flatten().tolist()) == set(
        pool.rows.tolist()
    )
    clamped = (before[pool.rows] + 0.125).clamp(pool.low, pool.high)
    assert torch.equal(pool.poses[pool.rows], clamped)


def test_a_pose_outside_the_captured_range_is_clamped_and_one_that_is_not_finite_is_replaced() -> (
    None
):
    pool = free_running()
    free = pool.draw(BATCH, STEPS, model())
    wild = free.scores.clone()
    wild[0], wild[1, 5] = 1e6, torch.nan
    pool.put_back(wild, STEPS)
    assert torch.equal(pool.poses[pool.rows[0]], pool.high)
    assert bool(torch.isfinite(pool.poses).all())


@pytest.mark.parametrize(("renewal", "renewed"), [(0.0, 0), (0.2, BATCH)])
def test_poses_begin_anew_as_often_as_is_asked(renewal: float, renewed: int) -> None:
    """0.2 a step is certain after five."""
    pool = free_running(renewal)
    free = pool.draw(BATCH, STEPS, model())
    pool.put_back(torch.zeros_like(free.scores), STEPS)
    assert int((pool.poses[pool.rows] != 0).any(dim=1).sum()) == renewed


def test_the_same_seed_draws_the_same() -> None:
    one, other = (free_running().draw(BATCH, STEPS, model()) for _ in range(2))
    assert all(torch.equal(a, b) for a, b in zip(one, other, strict=True))
