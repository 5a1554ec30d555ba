"""Feet that stand still, on figures whose motion is known."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
import synthetic
import torch
from test_ik import random_leg
from torch import Tensor

from controller.core.errors import ConfigError
from controller.motion import geometry, ik
from controller.motion.contacts import Thresholds, bend, contacts, legs_of
from controller.motion.foot_lock import FootLock, FootLockConfig
from controller.motion.pose import PoseLayout
from controller.motion.skeleton import forward_kinematics

Frames = list[tuple[Tensor, Tensor]]


def lock_of(layout: PoseLayout, poses: Tensor, config: FootLockConfig | None = None) -> FootLock:
    return FootLock(layout, poses, config)


@cache
def walk() -> tuple[Tensor, Tensor]:
    """A walk whose feet slide, root (T, 3) and rotations (T, J, 3, 3) in the world."""
    clip = synthetic.walk(seconds=4.0).resampled(30.0)
    drift = torch.linspace(0, 0.4, len(clip))[:, None] * torch.tensor([0.3, 0.0, 1.0])
    return clip.positions + drift, clip.global_rotations()


def walker(config: FootLockConfig | None = None) -> FootLock:
    return lock_of(synthetic.layout(), synthetic.data().poses, config)


def run(lock: FootLock, root: Tensor, rotations: Tensor, **how: object) -> tuple[Tensor, Tensor]:
    """Play (T, B, …), or (T, …) of one character."""
    alone = root.dim() == 2
    if alone:
        root, rotations = root[:, None], rotations[:, None]
    frames = [lock(a, b, **how) for a, b in zip(root, rotations, strict=True)]  # type: ignore[arg-type]
    moved, turned = (torch.stack(parts) for parts in zip(*frames, strict=True))
    return (moved[:, 0], turned[:, 0]) if alone else (moved, turned)


def joints(layout: PoseLayout, root: Tensor, rotations: Tensor) -> Tensor:
    return forward_kinematics(layout.skeleton, root, rotations)


# -- contacts --------------------------------------------------------------------------------------


def test_contacts_begin_low_and_slow_and_end_later() -> None:
    down = Thresholds(low=0.03, lifted=0.05, slow=0.2, quick=0.4)
    height = torch.tensor([0.06, 0.04, 0.02, 0.04, 0.04, 0.06, 0.04, 0.02, 0.02, 0.02])
    speed = torch.tensor([0.0, 0.0, 0.1, 0.1, 0.3, 0.1, 0.1, 0.3, 0.1, 0.5])
    expected = [0, 0, 1, 1, 1, 0, 0, 0, 1, 0]
    assert contacts(height, speed, down).int().tolist() == expected


def test_thresholds_grow_with_the_leg() -> None:
    small, large = Thresholds.of(0.2), Thresholds.of(0.8)
    assert large.low == pytest.approx(4 * small.low)
    assert large.slow == pytest.approx(2 * small.slow)


def test_legs_are_those_that_stand_on_the_ground() -> None:
    biped = legs_of(synthetic.layout(), synthetic.data().poses)
    assert tuple(leg.joints[3] for leg in biped) == synthetic.layout().feet
    dog = synthetic.dog()
    quadruped = legs_of(dog.layout, dog.model.normalizer.denormalize(dog.reset_poses))
    assert {leg.joints[3] for leg in quadruped} == set(dog.layout.feet) and len(quadruped) == 4


# -- the compiled leg ------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(20))
def test_the_compiled_leg_is_that_of_ik(seed: int) -> None:
    from controller.motion import leg_kernels

    start, rotations, bones, hinge = random_leg(seed)
    knee = start + rotations[0] @ bones[0]
    ankle = knee + rotations[1] @ bones[1]
    generator = torch.Generator().manual_seed(seed)
    target = ankle + 0.1 * torch.randn(3, generator=generator, dtype=torch.float64)
    out = np.empty((3, 3, 3))
    points = (tuple(point.tolist()) for point in (start, knee, ankle, hinge, target))
    angle, distance = leg_kernels.two_bone(*points, 0.0, np.pi, out)
    expected = ik.two_bone(start, rotations, bones, hinge, target)
    for turn, before, after in zip(out, rotations, expected, strict=False):
        torch.testing.assert_close(torch.from_numpy(turn) @ before, after, atol=1e-6, rtol=0)
    there = start + expected[0] @ bones[0] + expected[1] @ bones[1]
    assert distance == pytest.approx(float((there - start).norm()))
    thigh, shin = expected[0] @ bones[0], expected[1] @ bones[1]
    cosine = float(thigh @ shin / (thigh.norm() * shin.norm()))
    assert angle == pytest.approx(np.arccos(np.clip(cosine, -1, 1)), abs=1e-4)


# -- feet ------------------------------------------------------------------------------------------


def test_rotations_stay_rotations_and_the_rest_of_the_body_stays() -> None:
    root, rotations = walk()
    moved, turned = run(walker(), root, rotations)
    product = turned @ turned.transpose(-1, -2)
    torch.testing.assert_close(product, torch.eye(3).expand_as(product), atol=1e-5, rtol=0)
    legs = {joint for limb in synthetic.layout().roles.legs for joint in limb.joints}
    others = [joint for joint in range(len(synthetic.skeleton())) if joint not in legs]
    assert torch.equal(turned[:, others], rotations[:, others])
    assert torch.equal(moved[:, [0, 2]], root[:, [0, 2]])
    assert bool((moved[:, 1] <= root[:, 1] + 1e-6).all())  # hips only sink


def test_no_knee_is_faster_than_those_that_were_seen() -> None:
    root, rotations = walk()
    lock = walker()
    places = joints(synthetic.layout(), *run(lock, root, rotations))
    for leg in lock.legs:
        angle = bend(*(places[:, joint] for joint in leg.joints[:3]))
        assert float(angle.diff().abs().max()) * 30 < leg.fastest + 1e-3


def test_nothing_goes_through_the_ground() -> None:
    root, rotations = walk()
    layout = synthetic.layout()
    sunk = root - torch.tensor([0.0, 0.04, 0.0])
    feet = list(layout.feet)
    assert float(joints(layout, sunk, rotations)[:, feet, 1].min()) < -0.01
    moved, turned = run(walker(), sunk, rotations)
    places = joints(layout, moved, turned)[:, feet]
    tips = places + (turned[:, feet] @ layout.skeleton.tips[feet][..., None]).squeeze(-1)
    assert float(places[1:, :, 1].min()) > -0.003 and float(tips[1:, :, 1].min()) > -0.003


def test_feet_that_are_not_held_are_where_they_were() -> None:
    root, rotations = walk()
    root = root + torch.tensor([0.0, 0.05, 0.0])  # no foot is below the ground
    moved, turned = run(walker(), root, rotations, on=False)
    there = joints(synthetic.layout(), root, rotations)
    here = joints(synthetic.layout(), moved, turned)
    torch.testing.assert_close(here, there, atol=2e-3, rtol=0)
    assert torch.equal(moved, root)


def test_each_of_a_crowd_is_as_alone() -> None:
    root, rotations = walk()
    later = torch.stack((root, root.roll(7, 0), root.roll(23, 0)), dim=1)
    turns = torch.stack((rotations, rotations.roll(7, 0), rotations.roll(23, 0)), dim=1)
    crowd = run(walker(), later, turns)
    for row in range(3):
        for one, other in zip(crowd, run(walker(), later[:, row], turns[:, row]), strict=True):
            assert torch.equal(one[:, row], other)


def test_one_of_many_goes_on_as_it_was() -> None:
    root, rotations = walk()
    two = torch.stack((root.roll(11, 0), root), dim=1)
    turns = torch.stack((rotations.roll(11, 0), rotations), dim=1)
    lock = walker()
    alone = run(walker(), root, rotations)
    run(lock, two[:40], turns[:40])
    lock.keep(1, 1, 0)
    moved, turned = run(lock, root[40:], rotations[40:])
    assert torch.equal(moved, alone[0][40:]) and torch.equal(turned, alone[1][40:])


def slide(layout: PoseLayout, pose: Tensor, speed: float, frames: int) -> tuple[Tensor, Tensor]:
    """A stiff figure that slides ahead at ``speed`` m/s."""
    height = pose[layout.hip_height]
    way = torch.arange(frames) * speed / 30
    root = torch.stack((torch.zeros(frames), height.expand(frames), way), dim=-1)
    return root, layout.joint_rotations(pose).expand(frames, -1, -1, -1)


def test_four_feet_stand_still_while_a_dog_leans_ahead() -> None:
    dog = synthetic.dog()
    poses = dog.model.normalizer.denormalize(dog.reset_poses)
    root, rotations = slide(dog.layout, poses[0], 0.03, 20)
    lock = lock_of(dog.layout, poses)
    places = joints(dog.layout, *run(lock, root, rotations))[:, list(dog.layout.feet)]
    assert lock.held.all() and lock.held.shape == (1, 4)
    assert float((places - places[3]).norm(dim=-1)[3:].max()) < 0.003
    assert float(root[-1, 2] - root[3, 2]) > 0.015


def test_hips_sink_where_legs_would_not_reach() -> None:
    layout = synthetic.layout()
    root, rotations = slide(layout, synthetic.data().poses[0], 0.15, 16)
    lock = walker(FootLockConfig(radius=0.2))
    moved, turned = run(lock, root, rotations)
    places = joints(layout, moved, turned)[:, list(layout.feet)]
    assert lock.held.all()
    assert float((places - places[2]).norm(dim=-1)[2:].max()) < 0.01
    assert float((root - moved)[-1, 1]) > 0.001


def test_a_foot_is_let_go_when_the_input_is_too_far_away_and_held_again() -> None:
    layout = synthetic.layout()
    root, rotations = slide(layout, synthetic.data().poses[0], 0.15, 90)
    lock = walker()
    run(lock, root[:10], rotations[:10])
    assert lock.held.all()
    held = []
    far = []
    for a, b in zip(root[10:, None], rotations[10:, None], strict=True):
        places = joints(layout, *lock(a, b))[0, list(layout.feet)]
        far.append(float((places - joints(layout, a, b)[0, list(layout.feet)]).norm(dim=-1).max()))
        held.append(bool(lock.held.any()))
    assert max(far) < 0.11 and False in held and True in held[held.index(False) :]


def test_ground_lifts_the_whole_body() -> None:
    root, rotations = walk()
    plain = run(walker(), root, rotations)
    ground = torch.full((1, 2), 0.25)
    raised = run(walker(), root, rotations, ground=ground)
    lift = (raised[0] - plain[0])[30:]
    torch.testing.assert_close(
        lift, torch.tensor([0.0, 0.25, 0.0]).expand_as(lift), atol=1e-4, rtol=0
    )
    torch.testing.assert_close(raised[1][30:], plain[1][30:], atol=1e-3, rtol=0)


def test_one_foot_on_a_step_is_higher() -> None:
    layout = synthetic.layout()
    root, rotations = slide(layout, synthetic.data().poses[0], 0.0, 40)
    lock = walker()
    left = [leg.joints[3] for leg in lock.legs].index(layout.feet[0])
    ground = torch.zeros(1, 2)
    ground[0, left] = 0.1
    places = joints(layout, *run(lock, root, rotations, ground=ground))
    there = joints(layout, root, rotations)
    risen = (places - there)[-1, list(layout.feet), 1].tolist()
    assert risen == pytest.approx([0.1, 0.0], abs=2e-3)


def test_a_jump_elsewhere_begins_anew() -> None:
    root, rotations = walk()
    lock = walker()
    run(lock, root[:30], rotations[:30])
    again = run(lock, root[:5] + torch.tensor([9.0, 0.0, 4.0]), rotations[:5])
    fresh = run(walker(), root[:5] + torch.tensor([9.0, 0.0, 4.0]), rotations[:5])
    torch.testing.assert_close(again[1], fresh[1], atol=0.05, rtol=0)


def test_turning_feet_keep_their_yaw_while_flat() -> None:
    layout = synthetic.layout()
    root, rotations = slide(layout, synthetic.data().poses[0], 0.0, 30)
    yaw = torch.linspace(0, 0.3, 30)
    turned = geometry.yaw_matrix(yaw)[:, None] @ rotations
    ankles = [limb.end for limb in layout.roles.legs]
    lock = walker()
    feet = run(lock, root, turned)[1][:, ankles]
    angles = geometry.yaw_of((feet @ feet[0].transpose(-1, -2))[..., 2]).abs().amax(dim=0)
    heights = joints(layout, root[:1], turned[:1])[0, ankles, 1]
    flat = [float(y) - leg.standing[1] < 0.02 for y, leg in zip(heights, lock.legs, strict=True)]
    assert lock.held.any() and any(flat)
    for down, angle in zip(flat, angles.tolist(), strict=True):
        assert angle < 0.03 if down else angle == pytest.approx(0.3, abs=1e-4)


@pytest.mark.parametrize("wrong", [{"radius": 0.0}, {"soft": 0.99, "hard": 0.98}, {"hard": 1.1}])
def test_settings_that_make_no_sense_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match="foot lock"):
        FootLockConfig(**wrong)
