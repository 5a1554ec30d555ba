"""The judge of naturalness: it tells what can be told, and nothing else."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path
from statistics import NormalDist

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from synthetic import (
    STRIDE_HZ,
    anywhere,
    data,
    dog,
    layout,
    on_strings,
    puppet,
    refusal,
    strict_json,
    strings_policy,
)
from torch import Tensor

from controller.core.errors import ConfigError, DataError
from controller.data import hindsight
from controller.data.dataset import ClipEntry
from controller.dynamics.character import CharacterState
from controller.evaluation.figures import acting
from controller.evaluation.judge import classifier, measures, pairs, report
from controller.evaluation.judge.bodies import Anatomy, Bodies
from controller.evaluation.judge.classifier import Verdict, folds, scores, verdict
from controller.evaluation.judge.court import Court
from controller.evaluation.judge.gaits import GAITS, gaits, pace
from controller.evaluation.judge.gap import gap
from controller.evaluation.judge.judging import Judge, check_task
from controller.evaluation.judge.measures import Moments
from controller.evaluation.judge.motion import Motion
from controller.evaluation.judge.segments import Segments, choose
from controller.evaluation.judge.settings import JudgeConfig
from controller.evaluation.judge.strides import strides
from controller.evaluation.judge.windows import (
    PARTS,
    SHORTEST,
    SKIP,
    WINDOW,
    Features,
    Windows,
    features,
    windows,
)
from controller.evaluation.results import evaluate
from controller.motion import geometry
from controller.motion.pose import FPS
from controller.tasks import TASKS
from controller.tasks.joystick import JoystickGoal, JoystickTask
from controller.tasks.simulation import Simulation

SMALL = JudgeConfig(stride=12, epochs=1, steps=4, pairs=2)
EFFORT = (1, 25)
MANY = 40
LONG = 105  # three windows that do not overlap


def segments(count: int, frames: int) -> Segments:
    """So many segments of as many takes."""
    numbers = torch.arange(count)
    lengths = torch.full((count,), frames)
    ahead = torch.full((count,), 5)
    names = tuple(f"walk{number}" for number in range(count))
    return Segments(numbers * frames, lengths, numbers, numbers < count // 4, ahead, names)


def swaying(seed: int) -> Bodies:
    """Bodies whose joints tremble by a centimetre, in MANY segments of LONG frames."""
    generator = torch.Generator().manual_seed(seed)
    stand = layout().posed_joints(data().poses[0])
    shape = MANY, LONG, len(stand), 3
    local = stand + 0.01 * torch.randn(shape, generator=generator)
    still = torch.zeros(MANY, LONG, 2)
    return Bodies(local, local, still, still[..., 0])


def seen(body: Bodies) -> tuple[Features, Windows]:
    return features(Anatomy.of(layout()), body), windows(segments(MANY, LONG).frames, 30)


# -- the verdict -----------------------------------------------------------------------------------


def test_feet_that_are_too_high_are_found_and_what_is_alike_is_not() -> None:
    world = swaying(1).world.clone()
    world[:, :, list(Anatomy.of(layout()).toes), 1] += 0.02
    generated, places = seen(replace(swaying(1), world=world))
    captured, _ = seen(swaying(2))
    alike, _ = seen(swaying(3))
    config = replace(SMALL, epochs=EFFORT[0], steps=EFFORT[1])
    court = Court(segments(MANY, LONG), places, config, seed=1)
    gait = torch.zeros(len(places.segment), dtype=torch.long)
    verdicts = court.verdicts(generated, captured, alike, gait)
    found = {name: each.auc for name, each in verdicts.items() if each is not None}
    assert found["feet"] > 0.9 and found["all"] > 0.85 and found["held out"] > 0.85
    assert found["stand"] == found["all"] and "walk" not in found
    for name in ("upper body", "captured", "encoder-led"):
        assert found[name] == pytest.approx(0.5, abs=0.15), name


def test_the_network_is_asked_about_clips_that_it_has_not_seen() -> None:
    """Each clip has its own look, once generated and once captured. Who has seen the clip knows
    which is which; nobody else can."""
    generator = torch.Generator().manual_seed(3)
    clip = torch.arange(24).repeat_interleave(8)
    looks = 3 * torch.randn(2, 24, 1, 6, generator=generator)
    noise = 0.3 * torch.randn(2, len(clip), 5, 6, generator=generator)
    generated, captured = looks[:, clip] + noise
    floors = torch.full((6,), 0.01)
    fair = scores(generated, captured, floors, folds(clip, 1), (1, 80), 1)
    unfair = scores(generated, captured, floors, torch.arange(len(clip)) % 3, (1, 80), 1)
    found = [verdict(*each, clip) for each in (fair, unfair)]
    assert all(found)
    assert found[0].auc < 0.75 and found[1].auc > 0.9  # type: ignore[union-attr]


@given(st.lists(st.integers(0, 12), min_size=20, max_size=80), st.integers(0, 5))
def test_a_clip_is_in_one_fold(numbers: list[int], seed: int) -> None:
    clip = torch.tensor(numbers)
    fold = folds(clip, seed)
    for number in clip.unique():
        assert len(fold[clip == number].unique()) == 1
    distinct = len(clip.unique())
    assert len(fold.unique()) == min(classifier.FOLDS, distinct)
    sizes = torch.bincount(fold)
    assert sizes.max() - sizes.min() <= torch.bincount(clip).max()


@given(st.integers(0, 100))
def test_the_auc_is_the_share_of_pairs_in_the_right_order(seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    generated, captured = torch.randint(-3, 4, (2, 40), generator=generator).float()
    clip = torch.randint(0, 6, (40,), generator=generator)
    found = verdict(generated, captured, clip)
    assert found is not None
    above = generated[:, None] - captured
    assert found.auc == pytest.approx(
        float((above > 0).float().mean() + (above == 0).float().mean() / 2)
    )
    right = ((generated > 0).float().mean() + (captured <= 0).float().mean()) / 2
    assert found.accuracy == pytest.approx(float(right))
    assert (found.windows, found.clips) == (40, len(clip.unique()))


def test_an_interval_covers_what_other_clips_would_say() -> None:
    """Logits differ from clip to clip as much as within one. Their true AUC is known."""
    true = NormalDist().cdf(1 / 2)  # a difference of 1, of deviation √(1 + 1 + 1 + 1)
    random = np.random.default_rng(1)
    clip = torch.arange(25).repeat_interleave(8)
    covered = []
    widths = []
    for _ in range(120):
        own = random.normal(size=(2, 25)).repeat(8, axis=1) + random.normal(size=(2, 200))
        found = verdict(torch.tensor(own[0] + 1), torch.tensor(own[1]), clip)
        assert found is not None and found.auc_low is not None and found.auc_high is not None
        covered.append(found.auc_low <= true <= found.auc_high)
        widths.append(found.auc_high - found.auc_low)
    assert 0.86 <= np.mean(covered) <= 0.99
    assert 0.1 < np.mean(widths) < 0.4


def test_few_windows_get_no_verdict_and_one_clip_no_interval() -> None:
    few = torch.zeros(classifier.FEWEST - 1)
    assert verdict(few, few, few.long()) is None
    some = torch.arange(30.0)
    found = verdict(some, some, torch.zeros(30, dtype=torch.long))
    assert found == Verdict(0.5, None, None, found.accuracy, None, None, 30, 1)  # type: ignore[union-attr]


# -- what is seen ----------------------------------------------------------------------------------


@given(st.lists(st.integers(SHORTEST, 120), min_size=1, max_size=5), st.integers(1, 20))
def test_windows_lie_in_their_segments(lengths: list[int], stride: int) -> None:
    seen = windows(torch.tensor(lengths), stride)
    assert set(seen.segment.tolist()) == set(range(len(lengths)))
    assert bool((seen.first >= SKIP).all())
    assert bool((seen.first + WINDOW <= torch.tensor(lengths)[seen.segment]).all())
    frames = torch.arange(120.0).expand(len(lengths), 120)[..., None]
    inside = seen.of(frames)[..., 0]
    assert torch.equal(inside[:, 0], seen.first.float()) and bool((inside.diff(dim=1) == 2).all())


@pytest.mark.parametrize("who", [puppet, dog])
def test_features_do_not_depend_on_the_place_in_the_world(who) -> None:  # type: ignore[no-untyped-def]
    body = who()
    anatomy = Anatomy.of(body.layout)
    pose = body.model.normalizer.normalize(body.model.normalizer.mean + 0.05 * torch.randn(
        2, 50, body.layout.size, generator=torch.Generator().manual_seed(0)
    ))  # fmt: skip
    position = torch.randn(2, 50, 2, generator=torch.Generator().manual_seed(1)).cumsum(dim=1) / 9
    yaw = torch.linspace(0, 1, 50).expand(2, 50)
    there = geometry.turn(position, torch.tensor(2.0)) + 3
    one, other = (
        features(anatomy, Bodies.of(body.layout, body.model.normalizer, Motion(pose, p, y))).values
        for p, y in ((position, yaw), (there, geometry.wrap_angle(yaw + 2)))
    )
    assert torch.allclose(one, other, atol=2e-3)


def test_legs_of_a_quadruped_are_all_that_stand() -> None:
    anatomy = Anatomy.of(dog().layout)
    names = dog().skeleton.names
    assert [names[joint] for joint in anatomy.toes] == [
        "LeftFoot", "RightFoot", "LeftHand", "RightHand",
    ]  # fmt: skip
    assert [names[joint] for joint in anatomy.ankles] == [
        "LeftLeg", "RightLeg", "LeftForeArm", "RightForeArm",
    ]  # fmt: skip
    assert "Head" in {names[joint] for joint in anatomy.others}
    assert not set(anatomy.legs) & set(anatomy.others)


# -- commands --------------------------------------------------------------------------------------


def test_a_command_is_the_clips_own_way_and_a_pull_towards_it() -> None:
    normalizer = puppet().model.normalizer
    captured = hindsight.reference(data().poses, list(data().clips), normalizer, 6.0)
    entry = data().clips[1]  # straight ahead at 1.2 m/s
    rows = torch.tensor([entry.start + 40])
    ahead = torch.tensor([6])
    beside = captured.position[rows]
    velocity, facing = hindsight.command(captured, rows, ahead, beside, 0.5, 2.0)
    assert torch.allclose(velocity, torch.tensor([[0.0, 1.2]]), atol=0.05)
    assert float(facing) == pytest.approx(0, abs=0.05)
    pulled, _ = hindsight.command(
        captured, rows, ahead, beside - torch.tensor([0.2, 0.0]), 0.5, 2.0
    )
    assert torch.allclose(pulled - velocity, torch.tensor([[0.1, 0.0]]), atol=1e-5)
    slow, _ = hindsight.command(captured, rows, ahead, beside, 0.5, 0.3)
    assert float(slow.norm()) == pytest.approx(0.3, abs=1e-4)
    # At the end of a clip the next one does not count.
    last = torch.tensor([entry.start + entry.length - 1])
    end, _ = hindsight.command(captured, last, ahead, captured.position[last], 0.5, 2.0)
    assert torch.allclose(end, captured.velocity[last])


def test_characters_stay_beside_their_clips() -> None:
    judge = Judge(puppet(), data(), SMALL, seed=1)
    policy = strings_policy(puppet())
    act = acting(Simulation(puppet(), JoystickTask(puppet())), policy)
    made = judge.follow(act)
    away = (made.position - judge.captured.position).norm(dim=-1)
    assert float(away.max()) < 0.5
    assert float(judge.captured.position.norm(dim=-1).max()) > 2


def test_pieces_of_a_take_are_one_clip_and_held_out_ones_come_first() -> None:
    entries = [
        ClipEntry(name, 200 * number, 200, held)
        for number, (name, held) in enumerate(
            [("a[0:201]", False), ("a[230:431]", False), ("b[0:201][3:9]", True)]
            + [(f"c{number}", number < 2) for number in range(8)]
        )
    ]
    chosen = choose(entries, JudgeConfig(segments=9, seconds=3), seed=0)
    takes = dict(zip(chosen.names, chosen.take.tolist(), strict=True))
    assert len(chosen) == 9 and int(chosen.held_out.sum()) == 3
    every = choose(entries, JudgeConfig(segments=99), seed=0)
    takes = dict(zip(every.names, every.take.tolist(), strict=True))
    assert takes["a[0:201]"] == takes["a[230:431]"] and len(set(takes.values())) == 10
    assert bool((every.frames <= 199).all())
    few = choose(entries[:2], JudgeConfig(), seed=0)
    assert len(few.take.unique()) == 2  # too few takes: pieces count as clips
    with pytest.raises(DataError, match=r"two clips of 1\.5 s"):
        choose(entries[:1], JudgeConfig(), seed=0)


def test_too_few_windows_are_a_sentence() -> None:
    judge = Judge(puppet(), data(), JudgeConfig(stride=100), seed=1)
    with pytest.raises(DataError, match="9 windows; 20 are needed"):
        judge.judge(lambda state, goal: torch.zeros(len(state), puppet().latent))


# -- the table -------------------------------------------------------------------------------------


@settings(max_examples=25)
@given(
    period=st.floats(0.6, 1.6), travel=st.floats(0.4, 1.8), height=st.floats(0.02, 0.2),
    phase=st.floats(0, 1), heading=st.floats(-3, 3),
)  # fmt: skip
def test_strides_have_the_known_time_length_and_height(
    period: float, travel: float, height: float, phase: float, heading: float
) -> None:
    """A foot that stands for three fifths of a stride and then swings."""
    time = np.arange(0, 9, 1 / FPS) / period + phase
    whole, part = np.divmod(time, 1)
    swing = np.clip((part - 0.6) / 0.4, 0, 1)
    along = travel * (whole + swing - np.sin(2 * np.pi * swing) / (2 * np.pi))
    up = 0.01 + height * np.sin(np.pi * swing) ** 2
    path = np.stack((along * math.sin(heading), up, along * math.cos(heading)), axis=1)
    found = strides(path, pace(0.9))
    assert len(found.time) >= 4
    assert found.time == pytest.approx(period, abs=0.01)
    assert found.travel == pytest.approx(travel, abs=0.05 * travel)
    assert found.peak == pytest.approx(0.01 + height, abs=0.15 * height)


def test_a_foot_that_stands_makes_no_stride() -> None:
    random = np.random.default_rng(0)
    still = np.array([0.1, 0.02, 0.3]) + 1e-3 * random.normal(size=(200, 3))
    assert len(strides(still, pace(0.9)).time) == 0


def test_a_walk_is_measured_as_it_was_made() -> None:
    """1.2 m/s at 0.9 strides a second; 'generated' feet are 2 cm higher."""
    judge = Judge(puppet(), data(), JudgeConfig(), seed=1)
    normalizer = puppet().model.normalizer
    captured = Bodies.of(layout(), normalizer, judge.captured)
    hips = 0.9
    labels = gaits(captured.position, captured.yaw, judge.segments.frames, hips)
    modes = dict(zip(judge.segments.names, labels.mode(dim=1).values.tolist(), strict=True))
    kinds = [GAITS[modes[data().clips[number].name]] for number in (0, 1, 4, 5, 6)]
    assert kinds == ["slow", "walk", "back", "side", "stand"]
    moments = Moments(judge.segments.frames, labels, hips, windows(judge.segments.frames, 4))
    anatomy = Anatomy.of(layout())
    higher = replace(captured, world=captured.world + torch.tensor([0.0, 0.02, 0.0]))
    one, other = (measures.measure(anatomy, body, moments) for body in (captured, higher))
    walks = one["stride time", "walk"]
    assert np.median(walks) == pytest.approx(1 / STRIDE_HZ, abs=0.02)
    speeds = one["travel in a stride", "walk"] / walks
    assert np.median(speeds) == pytest.approx(1.1, abs=0.15)  # two at 1.2 m/s, one at 1.0
    assert other["toe peak", "walk"] - one["toe peak", "walk"] == pytest.approx(2, abs=1e-3)
    assert np.median(one["feet apart", "all"]) == pytest.approx(18, abs=4)  # the hips' width
    rows = measures.compare(one, other)
    clearance = next(row for row in rows if row["measure"] == "swing clearance")
    assert np.subtract(clearance["generated"], clearance["captured"]) == pytest.approx(2, abs=1e-3)
    strict_json(json.dumps(rows, allow_nan=False))


@given(st.integers(0, 10_000), st.booleans())
def test_the_gap_of_two_segments_is_the_least_distance_of_their_points(
    seed: int, parallel: bool
) -> None:
    generator = torch.Generator().manual_seed(seed)
    a, b, c, d = torch.randn(4, 3, generator=generator, dtype=torch.float64)
    if parallel:
        d = c + 0.7 * (b - a)
    share = torch.linspace(0, 1, 201, dtype=torch.float64)[:, None]
    one = a + share * (b - a)
    other = c + share * (d - c)
    least = float(torch.cdist(one, other).min())
    assert least - 0.02 <= float(gap(a, b, c, d)) <= least + 1e-9


@pytest.mark.parametrize(
    ("speed", "aside", "turning", "gait"),
    [
        (0.0, 0.0, 0.0, "stand"), (0.5, 0.0, 0.0, "slow"), (1.2, 0.0, 0.0, "walk"),
        (1.8, 0.0, 0.0, "fast"), (3.0, 0.3, 0.0, "run"), (0.5, 3.0, 0.0, "back"),
        (0.5, -1.5, 0.0, "side"), (0.0, 0.0, 2.0, "turn"), (1.2, 0.0, -1.0, "turn"),
    ],
)  # fmt: skip
def test_gaits_of_a_person(speed: float, aside: float, turning: float, gait: str) -> None:
    time = torch.arange(60) / FPS
    yaw = geometry.wrap_angle(2 + turning * time)[None]
    step = torch.stack((torch.sin(yaw + aside), torch.cos(yaw + aside)), dim=-1) * speed / FPS
    found = gaits(step.cumsum(dim=1), yaw, torch.tensor([50]), hips=0.9)
    assert found.shape == (1, 60)
    assert {GAITS[number] for number in found[0, :50].tolist()} == {gait}


# -- the command -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("judge")
    found = {
        name: folder / name for name in ("data.npz", "mvae.safetensors", "joystick.safetensors")
    }
    data().save(found["data.npz"])
    puppet().save(found["mvae.safetensors"])
    strings_policy(puppet()).save(found["joystick.safetensors"])
    return found


def words(files: dict[str, Path]) -> list[str | Path]:
    return [
        "--data", files["data.npz"], "--mvae", files["mvae.safetensors"],
        "--policy", files["joystick.safetensors"], "--judging.stride", "10",
        "--judging.epochs", "1", "--judging.steps", "4", "--judging.pairs", "2",
    ]  # fmt: skip


def test_the_command_judges_and_says_the_same_again(
    files: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    page = tmp_path / "page.md"
    page.write_text("# Page\n<!-- judge -->\nold\n<!-- end judge -->\n")
    monkeypatch.setattr(measures, "FEWEST", 3)
    said = []
    for extra in (["--json"], ["--write", page]):
        line = ["evaluate", "--judge", *words(files), *extra]
        monkeypatch.setattr("sys.argv", [str(word) for word in line])
        evaluate.main()
        said.append(capsys.readouterr().out)
    results = strict_json(said[0])
    assert isinstance(results, dict)
    assert {"all", "held out", "encoder-led", "captured", *GAITS, *PARTS} == set(
        results["verdicts"]
    )
    assert results["verdicts"]["all"]["clips"] == 9
    measured = {row["measure"] for row in results["figures"]}
    assert measured >= {"stride time", "toe slip", "jerk", "nearest captured pose", "joint speed"}
    table = report.text(results)
    assert said[1].strip() == table.strip() and table in page.read_text()
    assert "old" not in page.read_text()


def test_pairs_show_the_captured_motion_where_the_key_says(
    files: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other one is a statue, so only the captured half of a picture changes."""
    monkeypatch.setattr(pairs, "SIZE", (48, 48))
    monkeypatch.setattr(pairs, "LONGEST_S", 1.0)
    judge = Judge(puppet(), data(), replace(SMALL, pairs=4), seed=2)
    still = torch.zeros(1, puppet().latent)

    def statue(state: CharacterState, goal: JoystickGoal) -> Tensor:
        return still.expand(len(state), -1)

    key = pairs.draw_pairs(judge, statue, tmp_path / "eyes")
    assert strict_json((tmp_path / "eyes" / pairs.KEY).read_text()) == key
    assert {pair["captured"] for pair in key["pairs"]} == {"left", "right"}
    for pair in key["pairs"]:
        with Image.open(tmp_path / "eyes" / pair["file"]) as picture:
            assert picture.size == (48 + pairs.GAP + 48, 48)
            frames = []
            for number in range(1, getattr(picture, "n_frames", 1)):
                picture.seek(number)
                frames.append(np.array(picture.convert("RGB")).astype(int))
        change = np.abs(np.diff(np.array(frames), axis=0)).sum(axis=(0, 1, 3))
        left = change[:48].sum()
        right = change[-48:].sum()
        assert (pair["captured"] == "left") == (left > right), pair
    assert [pair["held_out"] for pair in key["pairs"]] == [True, True, False, False]
    with pytest.raises(ConfigError, match="has pairs already"):
        pairs.draw_pairs(judge, statue, tmp_path / "eyes")


def test_tasks_with_other_goals_are_not_judged(
    files: dict[str, Path], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    check_task(JoystickTask)
    for name, kind in TASKS.items():
        if name != "joystick" and kind.__module__.startswith("controller."):
            with pytest.raises(ConfigError, match=f"'{name}' is not judged"):
                check_task(kind)
    eyes = files["data.npz"].parent / "eyes"
    eyes.mkdir(exist_ok=True)
    (eyes / pairs.KEY).write_text("{}")
    for line, expected in (
        (["--judge", "--pairs", eyes, "--data", "none.npz"], "has pairs already"),
        (["--judge", "--write", eyes / "no.md", "--data", "none.npz"], "no.md: cannot be read"),
        (["--judge", "--task", "path", "--data", "none.npz"], "the task 'path' is not judged"),
        (["--judge"], "--judge needs --data"),
        (["--pairs", "eyes"], "--pairs needs --data"),
        (["--judge", "--data", files["data.npz"], "--control", "monte_carlo"], "and a policy"),
        (["--judge", "--judging.stride", "0"], "judging.stride is 0"),
    ):
        assert expected in refusal(evaluate.main, line, monkeypatch, capsys)


def test_a_dog_is_judged_too() -> None:
    """It stands, and four feet are seen."""
    bones = dog().layout
    made = on_strings(bones, dog().model.normalizer.mean.clone())
    normalizer = made.model.normalizer
    state = anywhere(0, 3, made)
    motion = Motion(
        state.pose[:, None].expand(3, 60, -1),
        state.position[:, None].expand(3, 60, 2),
        state.yaw[:, None].expand(3, 60),
    )
    bodies = Bodies.of(bones, normalizer, motion)
    frames = torch.full((3,), 60)
    labels = gaits(bodies.position, bodies.yaw, frames, hips=0.4)
    moments = Moments(frames, labels, 0.4, windows(frames, 2))
    values = measures.measure(Anatomy.of(bones), bodies, moments)
    assert values["joint speed", "stand"] == pytest.approx(0, abs=1e-2)
    feet = bones.posed_joints(normalizer.denormalize(state.pose[:1]))[0]
    limbs = [
        bones.skeleton.index(f"{side}{name}")
        for name in ("Foot", "Hand")
        for side in ("Left", "Right")
    ]
    hind, front = ((feet[limbs[i]] - feet[limbs[i + 1]]).norm() for i in (0, 2))
    assert values["feet apart", "all"] == pytest.approx(100 * float(min(hind, front)), abs=0.5)
