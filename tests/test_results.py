"""The results: intervals, what is measured of everybody at everything, and the files it is written
to."""

from __future__ import annotations

import itertools
import json
import math
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from synthetic import anywhere, character, data, puppet, refusal, strict_json
from test_trials import follow, go
from torch import Tensor

from controller.control.folder import CharacterFolder
from controller.control.monte_carlo import MonteCarloConfig
from controller.control.policy import Actor, Policy
from controller.core.errors import ConfigError, ControllerError
from controller.dynamics.character import Character, CharacterState
from controller.evaluation.figures import acting, world_joints
from controller.evaluation.results import diversity, evaluate, overview, plots, suite, tables, write
from controller.evaluation.results.bootstrap import estimate
from controller.evaluation.results.suite import Reference, SuiteConfig
from controller.evaluation.results.symmetry import (
    MirroredCharacter,
    judged_figure,
    symmetry_figures,
)
from controller.evaluation.trials import TRIALS, Metric, Trial, trial
from controller.evaluation.trials.joystick import response_figures
from controller.games import GAMES
from controller.motion import geometry, metrics
from controller.motion.pose import root_trajectory
from controller.motion.skeleton import forward_kinematics
from controller.tasks import TASKS, goals
from controller.tasks.goals import PLACE, YAW
from controller.tasks.joystick import JoystickGoal, JoystickTask
from controller.tasks.path import PathGoal, PathTask
from controller.tasks.simulation import Simulation
from controller.tasks.target import TargetConfig, TargetGoal, TargetTask

OURS = {name for name, task in TASKS.items() if task.__module__.startswith("controller.")}
"""Tasks without those that examples register."""

ROOT = Path(__file__).parents[1]

# -- intervals -------------------------------------------------------------------------------------


def test_the_interval_is_that_of_all_resamples_there_are() -> None:
    """Of six values there are 6⁶ resamples: few enough to take all of them, and none at random."""
    values = [0.3, 1.1, 1.9, 2.0, 3.7, 5.2]
    means = np.mean(list(itertools.product(values, repeat=6)), axis=1)
    result = estimate(values, level=0.9, resamples=20_000)
    assert result.mean == pytest.approx(np.mean(values))
    assert (result.low, result.high) == pytest.approx(np.quantile(means, (0.05, 0.95)), abs=0.05)


def test_an_interval_covers_as_often_as_is_said() -> None:
    """95 % intervals of ten normal values hold the true mean in 90 of 100 cases, of 40 in 94."""
    random = np.random.default_rng(5)
    for count, low, high in ((10, 0.86, 0.935), (40, 0.915, 0.965)):
        ends = [estimate(list(random.normal(3, 2, count)), resamples=500) for _ in range(600)]
        covered = np.mean([end.low <= 3 <= end.high for end in ends])  # type: ignore[operator]
        assert low < covered < high


@given(
    st.lists(st.floats(-1e3, 1e3), min_size=2, max_size=12),
    st.floats(-100, 100),
    st.floats(0.1, 10),
)
def test_an_interval_moves_and_grows_with_its_values(
    values: list[float], shift: float, scale: float
) -> None:
    one = estimate(values)
    other = estimate([scale * value + shift for value in values])
    assert one == estimate(values)
    assert min(values) - 1e-9 <= one.low <= one.high <= max(values) + 1e-9  # type: ignore[operator]
    for end in ("mean", "low", "high"):
        assert getattr(other, end) == pytest.approx(scale * getattr(one, end) + shift, abs=1e-6)


def test_what_was_not_measured_has_no_part_in_a_mean() -> None:
    assert estimate([1.0, None, math.nan, 3.0]) == estimate([1.0, 3.0])
    assert asdict(estimate([2.0, None])) == {"mean": 2.0, "low": None, "high": None, "count": 1}
    assert asdict(estimate([])) == {"mean": None, "low": None, "high": None, "count": 0}


# -- figures ---------------------------------------------------------------------------------------


def test_jerk_is_the_third_derivative() -> None:
    time = torch.arange(20, dtype=torch.float64)[:, None, None] / 30
    joints = torch.cat((2 * time**3, 5 * time**2, torch.zeros_like(time)), dim=-1)
    torch.testing.assert_close(
        metrics.jerk(joints, 30), torch.full((17, 1), 12.0, dtype=torch.float64)
    )


def test_joints_in_the_world_are_the_drawn_ones() -> None:
    state = anywhere(3, 4)
    poses = character().model.normalizer.denormalize(state.pose)
    expected = forward_kinematics(character().skeleton, *character().joints(state))
    torch.testing.assert_close(
        world_joints(character().layout, poses, state.position, state.yaw),
        expected,
        atol=1e-5,
        rtol=0,
    )


def test_futures_are_apart_and_from_the_captured_one_by_hand() -> None:
    """One joint, two frames, one pose, three futures that go 0, 3 and 4 m along x, y and z."""
    ends = torch.tensor([[0.0, 0.0, 0.0], [3.0, 0.0, 0.0], [0.0, 4.0, 0.0]])
    futures = torch.stack((torch.zeros(3, 3), ends))[:, None, :, None]  # (T, N, S, J, 3)
    assert diversity.pairwise_distance(futures) == pytest.approx(100 * (3 + 4 + 5) / 3 / 2)
    captured = torch.tensor([[0.0, 0.0, 1.0], [2.0, 0.0, 0.0]])[:, None, None]
    ade, fde = diversity.displacement_errors(futures, captured)
    assert (ade, fde) == pytest.approx((100 * (1 + 1) / 2, 100 * 1))


def test_a_model_that_knows_one_future_has_no_diversity(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        diversity, "drawn_latents", lambda *_: lambda state, goal: torch.zeros(len(state), 6)
    )
    figures = diversity.diversity_figures(character(), data(), 1)
    assert figures["apd_cm"] == pytest.approx(0, abs=1e-3) and figures["ade_cm"] > 1
    assert set(diversity.diversity_figures(character(), None, 1)) == {"apd_cm"}


def test_the_captured_motions_jerk_is_that_of_its_joints() -> None:
    clip = data().clips[1]
    poses = data().poses[clip.rows]
    joints = world_joints(data().layout, poses, *root_trajectory(poses))
    moved = (joints[1:, 0] - joints[:-1, 0])[:, [0, 2]].norm(dim=-1) * 30
    torch.testing.assert_close(
        moved, torch.full_like(moved, 1.2), atol=0.02, rtol=0
    )  # it walks at 1.2 m/s


# -- left and right --------------------------------------------------------------------------------


def test_the_mirror_image_of_a_mirror_image_is_the_thing_itself() -> None:
    for task in OURS:
        simulation = Simulation(puppet(), TASKS[task](puppet()))
        _, goal = simulation.reset(3, torch.Generator().manual_seed(0))
        once = simulation.task.mirror_goal(goal)
        twice = simulation.task.mirror_goal(once)
        assert all(
            torch.allclose(value, asdict(goal)[name]) for name, value in asdict(twice).items()
        )
        assert task == "random" or any(
            not torch.equal(value, asdict(goal)[name]) for name, value in asdict(once).items()
        )

    stick = JoystickGoal(torch.tensor([[1.0, 2.0], [0.0, -1.0]]), torch.tensor([0.5, -3.0]))
    once = JoystickTask(puppet()).mirror_goal(stick)
    assert once.velocity.tolist() == [[-1, 2], [0, -1]]
    assert once.facing.tolist() == pytest.approx([-0.5, 3.0])

    path = PathGoal(torch.randn(2, 5, 2), torch.tensor([4, 3]), torch.tensor([0.1, 0.2]))
    other = PathTask(puppet()).mirror_goal(path)
    assert torch.equal(other.points[..., 0], -path.points[..., 0])
    assert torch.equal(other.points[..., 1], path.points[..., 1])
    assert torch.equal(other.last, path.last)


def test_only_declared_fields_are_mirrored_whatever_their_name_and_shape() -> None:
    @dataclass(frozen=True)
    class Pairs:
        yaw: Tensor
        pairs: Tensor
        beacon: Tensor = field(metadata=PLACE)
        bearing: Tensor = field(metadata=YAW)

    goal = Pairs(torch.ones(3), torch.ones(3, 2), torch.ones(3, 2), torch.ones(3))
    once = goals.mirrored(goal)
    assert torch.equal(once.yaw, goal.yaw) and torch.equal(once.pairs, goal.pairs)
    assert once.beacon.tolist() == [[-1, 1]] * 3 and once.bearing.tolist() == [-1] * 3


def test_a_character_in_a_mirror_does_everything_to_the_other_side() -> None:
    mirror = MirroredCharacter(puppet())
    state = mirror.reset(2)
    steps = torch.tensor([[1.0, 0.5, 0.4, 0.0, 0.0], [0.2, -1.0, -1.0, 0.0, 0.0]])
    image = mirror.mirrored(state)
    real = state
    for _ in range(20):
        real = mirror.step(real, steps)
        image = puppet().step(image, steps)
    torch.testing.assert_close(real.position, image.position * torch.tensor([-1.0, 1.0]))
    torch.testing.assert_close(real.yaw, -image.yaw)


def lopsided(left: float, right: float) -> Callable[[CharacterState, Any], Tensor]:
    """Goes as wished; turns to the left and to the right at so many rad/s."""

    def act(state: CharacterState, goal: JoystickGoal) -> Tensor:
        pull = torch.zeros(len(state), puppet().latent)
        pull[:, :2] = geometry.turn(goal.velocity, -state.yaw)[:, [1, 0]]
        pull[:, 2] = (30 * geometry.wrap_angle(goal.facing - state.yaw)).clamp(-right, left)
        return pull

    return act


@pytest.mark.parametrize(("left", "right"), [(1.5, 1.5), (3.0, 1.5), (1.0, 2.0)])
def test_who_turns_faster_to_one_side_is_found_out(
    left: float, right: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The angle less 5° takes as much longer as the turning is slower; both sides are asked for the
    same angles."""
    simulation = Simulation(puppet(), TASKS["joystick"](puppet()))
    turning = Trial(
        "joystick",
        lambda who, *others: response_figures(who.character, *others),
        symmetry="response_left_s",
    )
    monkeypatch.setitem(TRIALS._entries, "joystick", turning)
    ratio = symmetry_figures(simulation, lopsided(left, right), 6, 15.0, 1)["left_right_ratio"]
    assert ratio == pytest.approx(right / left, rel=0.03)


def test_who_walks_slower_to_targets_on_the_left_is_found_out() -> None:
    def act(state: CharacterState, goal: TargetGoal) -> Tensor:
        offset = goal.position - state.position
        return go(state, offset, torch.where(geometry.turn(offset, -state.yaw)[:, 0] > 0, 0.7, 1.4))

    simulation = Simulation(puppet(), TASKS["target"](puppet()))
    assert symmetry_figures(simulation, act, 12, 1.0, 1)["left_right_ratio"] == pytest.approx(
        2.0, rel=0.03
    )


@pytest.mark.parametrize("task", ["timed_target", "path"])
def test_a_puppet_has_no_better_side(task: str) -> None:
    def straight(state: CharacterState, goal: Any) -> Tensor:
        offset = goal.position - state.position
        return go(
            state,
            offset,
            (offset.norm(dim=-1) - 0.38).clamp(min=0) / goal.seconds.clamp(min=1 / 30),
        )

    simulation = Simulation(puppet(), TASKS[task](puppet()))
    ratio = symmetry_figures(simulation, follow if task == "path" else straight, 8, 1.0, 1)[
        "left_right_ratio"
    ]
    assert ratio == pytest.approx(1.0, abs=1e-3)


# -- a policy's own settings -----------------------------------------------------------------------


def policy(task: str, **settings: Any) -> Policy:
    """An untrained one for the tiny character."""
    size = character().layout.size + TASKS[task].goal_size
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        actor = Actor(size, character().latent, [8], 2.0)
    return Policy.of(
        actor, character(), task, asdict(replace(TASKS[task].config_type(), **settings))
    )


def test_a_policy_acts_in_the_task_as_it_was_trained_for_it(tmp_path: Path) -> None:
    for task, speed in (("target", 0.9), ("joystick", 1.4)):
        path = tmp_path / f"{task}.safetensors"
        policy(task, **({"speed": 0.9} if task == "target" else {})).save(path)
        result, simulation = Policy.load_at_task(path, character(), TargetTask)
        config = simulation.task.config
        assert result.task == task and isinstance(config, TargetConfig) and config.speed == speed
        state, goal = simulation.reset(3, torch.Generator().manual_seed(0))
        assert acting(simulation, result)(state, goal).shape == (3, character().latent)


def test_settings_that_are_none_of_the_tasks_are_one_sentence(
    tmp_path: Path, mvae: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    untrained = policy("target")
    untrained.header["settings"] = {"velocity": 3}
    untrained.save(tmp_path / "target.safetensors")
    words: list[str | Path] = [
        "--task",
        "target",
        "--mvae",
        mvae,
        "--policy",
        tmp_path / "target.safetensors",
    ]
    assert "target.safetensors: not a complete policy checkpoint" in refusal(
        evaluate.main, words, monkeypatch, capsys
    )


# -- everything ------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def policies(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an untrained joystick policy, and one for the target beside a second."""
    folder = tmp_path_factory.mktemp("policies")
    for name, task in (("joystick", "joystick"), ("target", "target"), ("target_ppo", "target")):
        policy(task).save(folder / f"{name}.safetensors")
    return folder


def short_tasks(monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
    monkeypatch.setattr(suite, "TASKS", {name: TASKS[name] for name in names})


def test_everything_is_measured_and_written(
    tmp_path: Path, mvae: Path, data_file: Path, policies: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    short_tasks(monkeypatch, "path", "random")
    monkeypatch.setattr("controller.evaluation.trials.path.SLOWEST", 4.0)  # short rounds
    out = tmp_path / "results"
    words = [
        "--all",
        "--quick",
        "--mvae",
        mvae,
        "--data",
        data_file,
        "--suite.policies",
        policies,
        "--out",
        out,
    ]
    monkeypatch.setattr("sys.argv", ["evaluate", *map(str, words), "--json"])
    evaluate.main()
    printed = capsys.readouterr().out
    assert printed.count("\n") == 1
    results = strict_json((out / "results.json").read_text())
    assert isinstance(results, dict) and results == strict_json(printed)
    assert sorted(path.name for path in out.iterdir()) == [
        "motion.svg",
        "results.json",
        "results.md",
        "tasks.svg",
    ]
    everybody = [(row["task"], row["who"]) for row in results["rows"]]
    assert everybody == [("path", "joystick"), ("path", "monte_carlo"), ("random", "random")]
    for row in results["rows"]:
        known = {name for name, value in row["figures"].items() if value["mean"] is not None}
        assert known >= {
            "foot_skate_cm_per_frame",
            "jerk_m_s3",
            "bone_length_error_mm",
            "nearest_pose_cm_median",
            "speed_coverage",
            "turn_coverage",
            "alive_fraction",
        }
    assert {"apd_cm", "ade_cm", "fde_cm"} <= set(results["rows"][2]["figures"])
    assert {"cross_track_error_m", "left_right_ratio"} <= set(results["rows"][0]["figures"])
    assert results["captured"]["jerk_m_s3"] > 0 and results["data"]["clips"] == len(data().clips)
    assert "/tmp" not in printed
    text = (out / "results.md").read_text()
    assert "Monte Carlo control" in text and "not trained for it" in text and "17 minutes" in text


def test_a_task_without_a_policy_is_left_out_and_said_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    short_tasks(monkeypatch, "target", "random")
    left_out: list[dict[str, str]] = []
    config = SuiteConfig(policies=tmp_path, tries_tasks=())
    result = list(suite.entries(character(), config, MonteCarloConfig(), left_out))
    assert [entry.who for entry in result] == ["random"]
    assert left_out == [{"task": "target", "who": "policy", "why": "there is none for it"}]


def test_a_task_of_ones_own_joins_by_its_registration(policies: Path) -> None:
    result = list(
        suite.entries(character(), SuiteConfig(policies=policies), MonteCarloConfig(), [])
    )
    assert {entry.task for entry in result} == OURS
    assert [entry.who for entry in result if entry.task == "target"] == [
        "target",
        "target_ppo",
        "monte_carlo",
    ]
    assert [entry.who for entry in result if entry.task == "timed_target"] == ["joystick"]


def test_options_that_do_not_go_together_are_one_sentence(
    tmp_path: Path,
    mvae: Path,
    data_file: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    out: list[str | Path] = ["--all", "--out", tmp_path / "results", "--mvae", mvae]
    words: list[str | Path]
    for words, message in (
        (["--all"], "--all needs --out"),
        (["--out", tmp_path], "--out needs --all"),
        (["--quick"], "--quick needs --all"),
        (
            [*out, "--write", tmp_path / "page.md"],
            "--write needs --data, for the figures of captured motion",
        ),
        ([*out, "--control", "monte_carlo"], "--all measures all policies"),
        ([*out, "--data", tmp_path / "none.npz"], "no such data file"),
        ([*out[:3], "--mvae", tmp_path / "none.safetensors"], "no such checkpoint"),
        (
            [*out, "--quick", "--suite.policies", CharacterFolder.open().path],
            "this policy was trained on another motion VAE",
        ),
        (["--task", "dance", "--mvae", mvae], "task is 'dance'; allowed: joystick, target, "),
    ):
        assert message in refusal(evaluate.main, words, monkeypatch, capsys)
    with pytest.raises(ConfigError, match=r"suite\.seeds is 0; allowed: 1 to 1000"):
        SuiteConfig(seeds=0)


# -- tables ----------------------------------------------------------------------------------------


def results() -> dict[str, Any]:
    """Results that were never measured."""
    value = {"mean": 0.5, "low": 0.4, "high": 0.7, "count": 3}

    def row(task: str, who: str) -> dict[str, Any]:
        keys = [metric.key for metric in (*tables.MOTION, *tables.declared(task))]
        figures = dict.fromkeys(keys, value) | (
            {"left_right_ratio": value} if judged_figure(task) else {}
        )
        trained = None if who in tables.WHO else "joystick"
        trainer = None if who in tables.WHO else "shac"
        return {
            "task": task,
            "who": who,
            "trained_for": trained,
            "trainer": trainer,
            "figures": figures,
        }

    rows = [
        row(task, "random" if task == "random" else "joystick") for task in TASKS if task in OURS
    ]
    tries = asdict(MonteCarloConfig())
    settings = {name: value for name, value in asdict(SuiteConfig()).items() if name != "policies"}
    return {
        "settings": settings | {"crowd_seeds": 5, "level": 0.95, "monte_carlo": tries},
        "data": {"source": "somewhere", "minutes": 38.0, "clips": 3},
        "captured": {column.key: 0.25 for column in tables.MOTION},
        "rows": [*rows, row("target", "monte_carlo")],
        "left_out": [{"task": "maze", "who": "policy", "why": "there is none for it"}],
        "seconds_taken": 300.0,
    }


def test_a_figure_is_written_with_half_its_interval() -> None:
    column = Metric("x", "", "%", 1, 100)
    assert tables.figure({"mean": 0.5, "low": 0.4, "high": 0.7}, column) == "50.0 ± 20.0"
    assert tables.figure({"mean": 0.5, "low": None, "high": None}, column) == "50.0"
    assert tables.figure(0.25, column) == "25.0"
    assert (
        tables.figure({"mean": None, "low": None, "high": None}, column)
        == tables.figure(None, column)
        == "–"
    )


def test_the_papers_figures_stand_beside_ours_and_the_data_are_told_apart() -> None:
    page = tables.page(results())
    assert "| foot skate, target, cm/frame | 0.270 | 0.500 ± 0.200 |" in page
    assert "| response, s | 1.62 | 0.50 ± 0.20 |" in page
    assert (
        "17 minutes" in page
        and "38 minutes of somewhere" in page
        and "Not measured: maze, policy" in page
    )


def test_without_data_there_is_what_the_model_tells_of_its_own() -> None:
    header = {"captured": {"skating_ratio": 0.1}}
    who = Character(character().model, character().layout, character().reset_poses, header)
    report = suite.captured_row(who, Reference.of(None, who))
    assert report == header["captured"]
    page = tables.page(results() | {"data": None, "captured": report})
    assert (
        "| foot skate, captured, cm/frame | 0.100 | – |" in page
        and "the motion this model was trained on" in page
    )


def test_a_task_of_ones_own_is_shown_by_the_keys_of_its_trial() -> None:
    own = {"task": "dance", "figures": {"foot_skate_cm_per_frame": {}, "grace": {}, "apd_cm": {}}}
    assert [metric.title for metric in tables.metrics_of("dance", [own])] == ["`grace`"]


def test_a_trial_declares_what_its_table_and_the_overview_show(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(TRIALS, "_entries", {})

    @trial(
        TargetTask,
        metrics=(Metric("grace", "grace", "%", 1, 100, "higher"), Metric("falls", "falls")),
        summary="graceful in {grace} %",
    )
    def grace_figures(*_: Any) -> dict[str, float]:
        return {"grace": 0.5, "falls": 2.0}

    row = {"task": "target", "who": "target", "trainer": "", "trained_for": "target"}
    row["figures"] = {"grace": {"mean": 0.5, "low": 0.4, "high": 0.6}, "falls": 2.0}  # type: ignore[assignment]
    first, _, last = tables.task_table("target", [row]).splitlines()
    assert first == "|  | grace, % ↑ | falls |"
    assert last == "| `target` | 50.0 ± 10.0 | 2.00 |"
    line = next(
        line
        for line in overview.table({"rows": [row], "left_out": []}).splitlines()
        if "`target`" in line
    )
    assert "graceful in 50.0 %" in line
    assert judged_figure("target") is None and judged_figure("dance") is None


def test_a_task_of_ones_own_that_measures_nothing_has_no_place_in_the_picture() -> None:
    report = results()
    own = report["rows"][0] | {
        "task": "stroll",
        "figures": {column.key: 0.5 for column in tables.MOTION},
    }
    assert plots.tasks(report | {"rows": [*report["rows"], own]}) == plots.tasks(report)


def heads(markdown: str) -> dict[str, list[str]]:
    """The headings of a page and the column titles of the table under each."""
    parts = markdown.split("### ")[1:]
    return {
        part.splitlines()[0]: [
            cell.strip() for cell in part.split("\n\n")[1].splitlines()[0].strip("|").split("|")
        ]
        for part in parts
    }


def test_the_page_in_the_documentation_is_as_the_command_writes_it() -> None:
    page = (ROOT / "docs" / "results.md").read_text(encoding="utf-8")
    block = page.partition("<!-- results -->")[2].partition("<!-- end results -->")[0]
    written = heads(block)
    generated = heads(tables.page(results()))
    assert written and written == {
        name: head for name, head in generated.items() if name in written
    }
    assert set(generated) - set(written) <= {"Maze"}
    for name in write.PICTURES:
        assert (
            f"](results-{name}.svg)" in page and (ROOT / "docs" / f"results-{name}.svg").is_file()
        )


def test_the_page_on_playing_has_a_line_for_each_task_as_the_command_writes_it() -> None:
    page = (ROOT / "docs" / "playing.md").read_text(encoding="utf-8")
    block = page.partition("<!-- tasks -->")[2].partition("<!-- end tasks -->")[0]
    fixed = (0, 1, 2, 4)  # not the figures

    def cells(table: str) -> list[list[str]]:
        lines = [line.strip("|").split("|") for line in table.strip().splitlines()]
        return [[line[column].strip() for column in fixed] for line in lines]

    assert cells(block) == cells(overview.table(results()))
    assert [row[1] for row in cells(block)[2:]] == [
        f"`{name}`" for name in GAMES if name in OURS | {"monte_carlo"}
    ]


def test_pages_are_filled_between_their_marks(tmp_path: Path) -> None:
    page = tmp_path / "results.md"
    readme = tmp_path / "README.md"
    page.write_text("before\n<!-- results -->\nold\n<!-- end results -->\nafter\n")
    readme.write_text("<!-- tasks --><!-- end tasks -->")
    write.fill_page(results(), page)
    write.fill_readme(results(), readme)
    text = page.read_text()
    assert (
        text.startswith("before\n")
        and text.endswith("after\n")
        and "old" not in text
        and "0.270" in text
    )
    assert (tmp_path / "results-motion.svg").read_text().startswith("<?xml")
    assert "50.0 % within 0.3 m, in 0.50 s (ideal: 0.50 s)" in readme.read_text()


def test_files_are_the_same_every_time(tmp_path: Path) -> None:
    one, other = (write.write(results(), tmp_path / name) for name in ("one", "other"))
    assert [path.read_bytes() for path in one] == [path.read_bytes() for path in other]
    assert json.loads(one[0].read_text())["captured"]["skating_ratio"] == 0.25


# -- what would fail at the end --------------------------------------------------------------------


def refused_first(
    words: list[str | Path], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> str:
    """What `evaluate --all` says before it measures anything."""
    monkeypatch.setattr(suite, "measure_all", lambda *_, **__: pytest.fail("it was measured"))
    return refusal(evaluate.main, ["--all", *words], monkeypatch, capsys)


def test_what_cannot_be_written_is_found_before_anything_is_measured(
    mvae: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "file").touch()
    words: list[str | Path] = ["--mvae", mvae, "--out"]
    said = refused_first([*words, tmp_path / "file"], monkeypatch, capsys)
    assert "file: the folder cannot be made" in said
    (tmp_path / "old").mkdir()
    (tmp_path / "old" / "results.json").touch(mode=0o444)
    said = refused_first([*words, tmp_path / "old"], monkeypatch, capsys)
    assert "results.json: cannot be written (it is write-protected)" in said
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    said = refused_first([*words, tmp_path / "new"], monkeypatch, capsys)
    assert said == 'drawing needs matplotlib: pip install -e ".[plots]"'
    assert not (tmp_path / "new").exists()


def test_figures_are_kept_when_drawing_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(ControllerError, match="matplotlib"):
        write.write(results(), tmp_path)
    assert json.loads((tmp_path / "results.json").read_text())["captured"]
    assert (tmp_path / "results.md").stat().st_size > 0
