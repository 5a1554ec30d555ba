"""The figures: metrics on feet moved by hand, and characters that do exactly what a script says."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import forked
import pytest
import torch
from synthetic import (
    PUPPET_LATENT,
    anywhere,
    character,
    clips,
    data,
    latents,
    layout,
    puppet,
    refusal,
    strict_json,
)
from torch import Tensor

from controller.core.errors import ControllerError
from controller.data.cleaning import levelled
from controller.data.dataset import ClipEntry, MotionDataset, build
from controller.dynamics.character import Character, CharacterState
from controller.dynamics.rollout import in_range, record
from controller.evaluation.figures import (
    captured_figures,
    evaluate,
    ground_figures,
    nearest_pose_cm,
)
from controller.evaluation.results import evaluate as evaluate_command
from controller.evaluation.trials.joystick import response_figures, stop_figures, strafe_figures
from controller.motion import geometry, metrics
from controller.motion.skeleton import forward_kinematics
from controller.tasks.joystick import JoystickGoal, JoystickTask
from controller.tasks.random_walk import RandomWalkTask
from controller.tasks.simulation import Simulation

FPS = 30.0


def sliding(
    height: float, step: float = 0.01, frames: int = 11, way: tuple[float, float] = (0.6, 0.8)
) -> Tensor:
    """Both feet at a height, moving by ``step`` metres a frame: (T, 1, 2, 3)."""
    path = torch.arange(frames)[:, None] * step * torch.tensor([way[0], 0.0, way[1]])
    path = path + torch.tensor([0.0, height, 0.0])
    return path[:, None, None].expand(frames, 1, 2, 3).clone()


# -- metrics ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("height", "skate"),
    [(0.0, 1.0), (0.033 / 2, 2 - math.sqrt(2)), (0.033, 0.0), (0.5, 0.0), (-0.02, 1.0)],
)
def test_a_foot_sliding_by_a_centimetre_a_frame(height: float, skate: float) -> None:
    values = metrics.foot_skate(sliding(height))
    assert values.shape == (10, 1, 2)
    torch.testing.assert_close(values, torch.full_like(values, skate), atol=1e-4, rtol=0)


def test_a_foot_that_stands_or_only_rises_does_not_skate() -> None:
    assert float(metrics.foot_skate(sliding(0.0, step=0.0)).max()) == 0
    rising = sliding(0.0, step=0.0)
    rising[:, 0, :, 1] = torch.arange(11)[:, None] * 0.001
    assert float(metrics.foot_skate(rising).max()) == 0


def test_gliding_is_how_far_the_slower_foot_moves_at_whatever_height() -> None:
    for height in (0.0, 0.5):
        feet = sliding(height, frames=3)
        torch.testing.assert_close(metrics.glide(feet), torch.ones(2, 1), atol=1e-4, rtol=0)
        feet[..., 0, :] = feet[:1, ..., 0, :]  # now the left foot stands
        assert float(metrics.glide(feet).max()) == 0


def test_the_higher_of_two_frames_decides() -> None:
    feet = sliding(0.0, frames=3)
    feet[1, :, 0, 1] = 1.0  # the left foot is lifted for one frame
    assert metrics.foot_skate(feet)[:, 0].tolist() == [[0, pytest.approx(1, abs=1e-5)]] * 2


def test_the_skating_ratio_counts_steps_in_which_a_low_foot_is_fast() -> None:
    fast = 0.51 / FPS
    slow = 0.49 / FPS
    assert metrics.skating(sliding(0.04, fast), FPS).all()
    assert not metrics.skating(sliding(0.04, slow), FPS).any()
    assert not metrics.skating(sliding(0.06, fast), FPS).any()
    one = sliding(0.04, fast)
    one[:, :, 0, [0, 2]] = 0  # only the right foot slides
    assert metrics.skating(one, FPS).all() and metrics.skating(one, FPS).shape == (10, 1)


def test_the_lower_foot_in_centimetres() -> None:
    feet = torch.tensor(
        [[[0.0, 0.03, 0.0], [0.0, -0.02, 0.0]], [[0.0, 0.05, 0.0], [0.0, 0.2, 0.0]]]
    )
    torch.testing.assert_close(metrics.lower_foot(feet), torch.tensor([-2.0, 5.0]))
    figures = ground_figures([feet], FPS)
    assert figures["sink_fraction"] == 0.5
    assert figures["float_cm_p95"] == pytest.approx(5.0) and figures[
        "float_cm_p5"
    ] == pytest.approx(-2.0)


def test_quantiles_are_those_of_all_values() -> None:
    shuffled = (
        torch.randperm(1001, generator=torch.Generator().manual_seed(0)).float().reshape(7, 143)
    )
    assert metrics.quantiles(shuffled, (0.0, 0.05, 0.5, 1.0)) == [0, 50, 500, 1000]


def test_the_spread_of_streams_is_the_mean_over_pairs() -> None:
    places = torch.tensor([[0.0, 0.0], [3.0, 4.0], [0.0, 8.0]])
    yaws = torch.tensor([3.0, -3.0, 3.0])
    metres, degrees = metrics.latent_spread(places, yaws)
    assert metres == pytest.approx((5 + 8 + 5) / 3)
    seam = math.degrees(2 * math.pi - 6)  # the short way over ±π
    assert degrees == pytest.approx(2 * seam / 3, abs=1e-3)


# -- captured motion -------------------------------------------------------------------------------


def gait(slide: float, frames: int = 40) -> MotionDataset:
    """Feet that take turns: ten frames on the ground, sliding at ``slide`` m/s, ten at 1 m/s in the
    air."""
    part = layout()
    poses = torch.zeros(frames, part.size)
    for number, foot in enumerate(part.feet):
        down = (torch.arange(frames) // 10) % 2 == number
        height = part.positions.start + 3 * foot + 1
        speed = part.velocities.start + 3 * foot
        poses[:, height] = torch.where(down, 0.0, 0.1)
        poses[:, speed + 2] = torch.where(down, slide, 1.0)
    return MotionDataset(part, poses, (ClipEntry("gait", 0, frames, False),), "made up")


def test_planted_feet_do_not_skate() -> None:
    figures = captured_figures(gait(0.0))
    assert figures["foot_skate_cm_per_frame"] == pytest.approx(0, abs=1e-5)
    assert (
        figures["skating_ratio"] == 0
        and figures["float_cm_median"] == 0
        and figures["sink_fraction"] == 0
    )


def test_feet_that_slide_while_they_stand_skate() -> None:
    """In 36 of 39 steps one foot slides, by 2 cm, the other being in the air; in 3 they change
    over."""
    figures = captured_figures(gait(0.6))
    assert figures["foot_skate_cm_per_frame"] == pytest.approx(2.0 * 36 / 39 / 2, rel=1e-4)
    assert figures["skating_ratio"] == pytest.approx(36 / 39)


def test_captured_figures_are_those_of_the_clips_own_feet() -> None:
    """From the stored velocities, as from the world positions of the clips as they came."""
    feet = layout().feet
    worlds = [levelled(clip, feet).joint_positions()[1:, list(feet)] for clip in clips()]
    skate = torch.cat([metrics.foot_skate(world) for world in worlds]).mean()
    figures = captured_figures(data())
    assert figures["foot_skate_cm_per_frame"] == pytest.approx(float(skate), rel=1e-3)
    assert float(skate) > 0.5  # the walk of these tests does slide
    low = torch.cat([metrics.lower_foot(world) for world in worlds])
    assert figures["float_cm_median"] == pytest.approx(float(low.median()), abs=0.02)
    assert figures["skating_ratio"] == pytest.approx(
        float(torch.cat([metrics.skating(world, FPS) for world in worlds]).float().mean()), abs=0.01
    )


def test_a_captured_pose_is_near_itself() -> None:
    normalizer = data().normalizer()
    captured, _ = data().split(held_out=False)
    assert nearest_pose_cm(data(), normalizer, normalizer.normalize(captured)) == pytest.approx(
        0, abs=0.05
    )


def test_the_nearest_pose_is_the_nearest_of_all() -> None:
    normalizer = data().normalizer()
    captured = layout().joint_positions(data().split(held_out=False)[0])
    strange = data().split(held_out=True)[0][:60].clone()
    strange += 0.02 * torch.randn(strange.shape, generator=torch.Generator().manual_seed(0))
    ours = layout().joint_positions(strange)
    distance = torch.stack([(pose - captured).norm(dim=-1).mean(dim=-1).min() for pose in ours])
    result = nearest_pose_cm(data(), normalizer, normalizer.normalize(strange))
    assert result == pytest.approx(100 * float(distance.median()), rel=1e-4) and result > 1


# -- recordings ------------------------------------------------------------------------------------


@torch.no_grad()
@pytest.mark.parametrize(
    ("who", "size", "near"), [(puppet, PUPPET_LATENT, 1e-5), (character, 6, 3e-3)]
)
def test_a_recording_holds_the_drawn_characters_feet_and_path(
    who: Callable[[], Character], size: int, near: float
) -> None:
    """Feet hang from the predicted hips, which a model puts a millimetre off the root from which
    they are drawn."""
    start = anywhere(0, 5, who())
    moves = 0.1 * latents(0, 6, 5, size)
    frames = iter(moves)
    run = record(who(), lambda state, goal: next(frames), start, lambda frame, state: None, 6)
    state = start
    for frame, latent in enumerate(moves):
        state = who().step(state, latent)
        joints = forward_kinematics(who().skeleton, *who().joints(state))
        torch.testing.assert_close(
            run.feet[frame], joints[:, list(layout().feet)], atol=near, rtol=0
        )
        assert torch.equal(run.position[frame], state.position) and torch.equal(
            run.yaw[frame], state.yaw
        )
        assert torch.equal(run.pose[frame], state.pose)
    moved = (run.position[1:] - run.position[:-1]) * FPS
    torch.testing.assert_close(run.velocity[1:], moved, atol=2e-3, rtol=0)
    assert run.alive.all()


def test_one_bad_frame_is_remembered() -> None:
    def act(state: CharacterState, goal: Any) -> Tensor:
        pull = torch.zeros(3, PUPPET_LATENT)
        if float(state.position[2, 1]) < 0.05:
            pull[2, 0] = 1.0
        elif float(state.position[2, 1]) < 0.15:
            pull[2] = torch.tensor([1.5, 0, 0, -0.5, 0])  # stoops for a moment
        return pull

    run = record(puppet(), act, puppet().reset(3), lambda frame, state: None, 10)
    assert run.alive.tolist() == [True, True, False]
    assert bool(puppet().alive(CharacterState(run.pose[-1], run.position[-1], run.yaw[-1])).all())


def test_poses_far_from_what_was_captured_are_out_of_range() -> None:
    pose = character().reset_poses[:4].clone()
    normalizer = character().model.normalizer
    column = layout().positions.start + 8
    high = float(normalizer.normalize(normalizer.high)[column])
    pose[1, column], pose[2, column], pose[3, column] = high + 2.9, high + 3.1, -50.0
    assert in_range(character(), pose).tolist() == [True, True, False, False]


# -- scripts in the place of a policy --------------------------------------------------------------


def obedient(rate: float = 2.0) -> Callable[[CharacterState, JoystickGoal], Tensor]:
    """Goes exactly as wished, at once, and turns to the wished facing at ``rate`` rad/s."""

    def act(state: CharacterState, goal: JoystickGoal) -> Tensor:
        pull = torch.zeros(len(state), PUPPET_LATENT)
        pull[:, :2] = geometry.turn(goal.velocity, -state.yaw)[:, [1, 0]]
        pull[:, 2] = (geometry.wrap_angle(goal.facing - state.yaw) * FPS).clamp(-rate, rate)
        return pull

    return act


def watched(act: Callable, goals: list[JoystickGoal]) -> Callable:
    """The same, keeping the goals it was given."""

    def watch(state: CharacterState, goal: JoystickGoal) -> Tensor:
        goals.append(goal)
        return act(state, goal)

    return watch


@pytest.mark.parametrize("rate", [2.0, 0.7])
def test_the_response_is_the_time_until_the_facing_is_within_five_degrees(rate: float) -> None:
    """Turning at a constant rate takes (angle − 5°) / rate, rounded up to a frame."""
    goals: list[JoystickGoal] = []
    figures = response_figures(
        puppet(), watched(obedient(rate), goals), characters=8, seconds=20, seed=3
    )
    headings = torch.stack([goal.facing for goal in goals])[::150]  # (4, 8): every five seconds
    assert headings.shape == (4, 8) and len(goals) == 600
    assert (
        torch.stack([goal.facing for goal in goals]).unflatten(0, (4, 150)) == headings[:, None]
    ).all()
    times: dict[str, list[float]] = {"left": [], "right": []}
    for row in range(8):
        at = 0.0
        for period, heading in enumerate(headings[:, row].tolist()):
            angle = math.remainder(heading - at, 2 * math.pi)
            needed = max(abs(angle) - math.radians(5), 0) / rate * FPS
            if period and abs(angle) > math.radians(5):
                times["left" if angle > 0 else "right"].append(min(math.ceil(needed), 150) / FPS)
            at += math.copysign(min(abs(angle), 5 * rate), angle)
    both = times["left"] + times["right"]
    assert figures["response_s"] == pytest.approx(sum(both) / len(both), abs=0.01)
    assert figures["response_left_s"] == pytest.approx(
        sum(times["left"]) / len(times["left"]), abs=0.01
    )
    assert figures["response_right_s"] == pytest.approx(
        sum(times["right"]) / len(times["right"]), abs=0.01
    )
    assert figures["speed_error_m_s"] == pytest.approx(0, abs=1e-4)
    assert figures["travel_error_deg"] == pytest.approx(0, abs=0.1)
    if rate == 2.0:  # half a turn takes 1.6 s: at the end of a period all have arrived
        assert figures["heading_error_deg"] == pytest.approx(0, abs=0.05)


def test_who_never_turns_takes_the_whole_period() -> None:
    figures = response_figures(puppet(), obedient(rate=0.0), characters=8, seconds=10, seed=3)
    assert figures["response_s"] == figures["response_left_s"] == figures["response_right_s"] == 5.0
    assert 45 < figures["heading_error_deg"] < 135
    assert figures["speed_error_m_s"] == pytest.approx(0, abs=1e-4)


def test_errors_of_speed_and_direction_are_measured() -> None:
    """A character that walks at 80 % of the wish, 10° to its left."""

    def act(state: CharacterState, goal: JoystickGoal) -> Tensor:
        pull = obedient()(state, goal)
        pull[:, :2] = (
            0.8 * geometry.turn(pull[:, [1, 0]], torch.tensor(math.radians(10)))[:, [1, 0]]
        )
        return pull

    goals: list[JoystickGoal] = []
    figures = response_figures(puppet(), watched(act, goals), characters=8, seconds=10, seed=3)
    speed = goals[-1].velocity.norm(dim=-1)
    assert (speed >= 0.6).all() and (speed <= 1.6).all()
    assert figures["speed_error_m_s"] == pytest.approx(0.2 * float(speed.mean()), abs=1e-3)
    assert figures["travel_error_deg"] == pytest.approx(10, abs=0.1)


def test_walking_backward_and_sideways_is_measured_apart() -> None:
    figures = strafe_figures(puppet(), obedient(), characters=6, seed=0)
    # The puppet is rigid: it does as it is told, gliding with both feet.
    assert figures.pop("backward_glide_cm_per_frame") == pytest.approx(50 / 30, abs=0.02)
    assert figures.pop("sideways_glide_cm_per_frame") == pytest.approx(40 / 30, abs=0.02)
    assert all(value == pytest.approx(0, abs=0.1) for value in figures.values())

    def looks_where_it_goes(state: CharacterState, goal: JoystickGoal) -> Tensor:
        ahead = torch.atan2(goal.velocity[:, 0], goal.velocity[:, 1])
        return obedient()(state, JoystickGoal(goal.velocity / 2, ahead))

    figures = strafe_figures(puppet(), looks_where_it_goes, characters=6, seed=0)
    assert figures["backward_facing_error_deg"] == pytest.approx(180, abs=0.5)
    assert figures["sideways_facing_error_deg"] == pytest.approx(90, abs=0.5)
    assert figures["backward_travel_error_deg"] == pytest.approx(0, abs=0.1)
    assert figures["strafe_speed_error_m_s"] == pytest.approx((0.25 * 2 + 0.2 * 4) / 6, abs=1e-3)


def slowing(after: list[float]) -> Callable[[CharacterState, JoystickGoal], Tensor]:
    """Goes as wished; once the stick is released it goes ahead at the speeds listed, frame by
    frame, and then at the last of them for ever."""
    released = [0]

    def act(state: CharacterState, goal: JoystickGoal) -> Tensor:
        pull = obedient()(state, goal)
        if not goal.velocity.any():
            pull[:, 0] = after[min(released[0], len(after) - 1)]
            released[0] += 1
        return pull

    return act


@pytest.mark.parametrize(
    ("after", "stop_s", "drift"),
    [
        ([0.0], 0.0, 0.0),
        ([1.0] * 12 + [0.0], 12 / 30, 0.0),
        (
            [0.5] * 6 + [0.05] * 5 + [0.5] + [0.02],
            12 / 30,
            1.2,
        ),  # stumbles on after a sixth of a second
        ([0.11], 12.0, 6.6),  # never quite stands
    ],
)
def test_stopping_and_drifting_by_hand(after: list[float], stop_s: float, drift: float) -> None:
    figures = stop_figures(puppet(), slowing(after), characters=3, seed=0)
    assert figures["stop_s"] == pytest.approx(stop_s, abs=1e-4)
    assert figures["idle_drift_m_per_min"] == pytest.approx(drift, rel=0.006, abs=1e-3)


# -- all of them -----------------------------------------------------------------------------------

PROMISED = {
    "foot_skate_cm_per_frame", "skating_ratio", "response_s", "response_left_s", "response_right_s",
    "speed_error_m_s", "heading_error_deg", "stop_s", "idle_drift_m_per_min", "alive_fraction",
    "float_cm_median", "sink_fraction", "nearest_pose_cm_median", "captured",
}  # fmt: skip


def still(observation: Tensor) -> Tensor:
    return torch.zeros(len(observation), character().latent)


def tiny(seed: int = 1, **options: Any) -> dict[str, Any]:
    simulation = Simulation(character(), JoystickTask(character()))
    return evaluate(simulation, still, characters=4, seconds=1.0, seed=seed, **options)


def test_the_joysticks_figures_are_all_there_and_are_json() -> None:
    figures = tiny()
    assert set(figures) >= PROMISED
    assert figures["nearest_pose_cm_median"] is None and figures["captured"] is None
    assert 0 <= figures["alive_fraction"] <= 1 and 0 <= figures["response_s"] <= 5
    assert (figures["task"], figures["characters"], figures["seed"]) == ("joystick", 4, 1)


def test_with_data_the_figures_tell_how_near_it_is() -> None:
    figures = tiny(data=data())
    assert figures["captured"] == captured_figures(data())
    assert figures["nearest_pose_cm_median"] > 0


def test_a_seed_decides_the_figures() -> None:
    one = tiny(1)
    again = tiny(1)
    other = tiny(2)
    assert one == again
    assert one["foot_skate_cm_per_frame"] != other["foot_skate_cm_per_frame"]
    assert one["heading_error_deg"] != other["heading_error_deg"]


def test_without_a_policy_the_model_walks_at_random() -> None:
    simulation = Simulation(character(), RandomWalkTask(character()))
    one, again = (evaluate(simulation, None, characters=5, seconds=1.0, seed=3) for _ in range(2))
    assert one == again
    assert one["speed_m_s_p5"] <= one["speed_m_s_p50"] <= one["speed_m_s_p95"]
    assert "response_s" not in one and one["alive_fraction"] == 1.0


def test_a_single_characters_figures_are_json_too() -> None:
    simulation = Simulation(character(), JoystickTask(character()))
    strict_json(json.dumps(evaluate(simulation, still, characters=1, seconds=1.0)))


def test_data_of_another_skeleton_are_refused_in_a_sentence() -> None:
    armless = [name for name in layout().skeleton.names if "Hand" not in name]
    bones = layout().skeleton
    keep = [bones.index(name) for name in armless]
    smaller = replace(
        bones,
        names=tuple(armless),
        parents=tuple(-1 if bones.parents[j] < 0 else keep.index(bones.parents[j]) for j in keep),
        offsets=bones.offsets[keep],
        tips=bones.tips[keep],
    )
    other = build(clips(), "handless", smaller)
    with pytest.raises(ControllerError):
        tiny(data=other)


def test_the_command_prints_one_json_object(mvae: Path) -> None:
    done = forked.command(
        "evaluate",
        "--task",
        "random",
        "--mvae",
        mvae,
        "--json",
        "--characters",
        "2",
        "--seconds",
        "1",
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("\n") == 1
    figures = strict_json(done.stdout)
    assert isinstance(figures, dict) and figures["task"] == "random" and figures["characters"] == 2
    steering = ("response", "speed_error", "heading_error", "stop", "idle_drift")
    assert PROMISED - set(figures) == {name for name in PROMISED if name.startswith(steering)}


def test_a_table_names_every_figure() -> None:
    figures = {
        "task": "random",
        "alive_fraction": 0.5,
        "captured": {"skating_ratio": 0.25},
        "nearest": None,
    }
    lines = evaluate_command.table(figures).splitlines()
    assert [line.split() for line in lines] == [
        ["task", "random"], ["alive_fraction", "0.5"], ["captured.skating_ratio", "0.25"],
        ["nearest", "None"],
    ]  # fmt: skip


def test_bad_requests_are_one_sentence(
    mvae: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for words, expected in (
        (["--task", "dance", "--mvae", mvae], "task is 'dance'; allowed: joystick, target, "),
        (["--mvae", tmp_path / "none.safetensors"], "no such checkpoint"),
        (
            ["--mvae", mvae, "--policy", mvae],
            "a motion-vae checkpoint found; a policy checkpoint is expected",
        ),
        (
            ["--mvae", mvae, "--task", "random", "--data", tmp_path / "none.npz"],
            "no such data file",
        ),
    ):
        assert expected in refusal(evaluate_command.main, words, monkeypatch, capsys)


@pytest.mark.parametrize("words", [["--characters", "0"], ["--seconds", "0.5"], ["--threads", "0"]])
def test_bad_settings_are_one_sentence(
    words: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert f"{words[0][2:]} is " in refusal(evaluate_command.main, list(words), monkeypatch, capsys)
