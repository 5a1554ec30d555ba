"""The diagnosis: figures on models and numbers made by hand, the verdict on models made to be ill,
and the command."""

from __future__ import annotations

import copy
import dataclasses
import math
import re
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
from skeletons import quadruped
from synthetic import (
    PUPPET_LATENT,
    character,
    data,
    layout,
    model,
    puppet,
    refusal,
    strict_json,
    walk,
)
from torch import Tensor

from controller.control.folder import CharacterFolder
from controller.data import dataset
from controller.data.dataset import MotionDataset
from controller.dynamics import rollout
from controller.dynamics.character import Character
from controller.evaluation import diagnostics
from controller.evaluation.diagnosis import (
    body,
    diagnose,
    distributions,
    free_running,
    gate,
    rates,
    verdict,
)
from controller.model.mixture import MotionVAE, MotionVAEConfig
from controller.motion import geometry
from controller.motion.pose import PoseLayout, encode
from controller.motion.skeleton import Clip, Skeleton
from controller.training.config import TrainConfig
from controller.training.schedules import KlWeight, TeacherForcing

REQUIRED = {
    "verdict", "findings", "not_judged", "latent_units", "active_units", "kl_nats", "kl_per_unit",
    "posterior_mean_variance", "aggregate_mean", "aggregate_deviation", "aggregate_kl_nats",
    "one_step_mm", "eight_step_mm", "free_running_mm", "still_mm", "teacher_forced_mm",
    "exposure_ratio", "spread_m", "spread_deg", "z_sensitivity", "sane_fraction", "held_fraction",
    "free_skate_cm_per_frame", "captured_skate_cm_per_frame", "free_float_cm_p5",
    "free_float_cm_median", "free_float_cm_p95", "free_speed_m_s", "free_turn_deg_s",
    "captured_speed_m_s", "captured_turn_deg_s", "speed_coverage", "turn_coverage", "gate_share",
    "gate_entropy_nats", "gate_entropy_fraction", "gate_pose_entropy_nats", "dead_experts",
    "bone_length_error_mm", "one_step_bone_length_error_mm", "free_speed_range_m_s",
    "free_turn_range_deg_s", "captured_speed_range_m_s", "captured_turn_range_deg_s",
    "speed_coverage_mass", "turn_coverage_mass", "speed_wasserstein_m_s", "turn_wasserstein_deg_s",
    "frechet_distance", "captured_frechet_distance", "captured_forward", "stance", "body_fault",
    "reset_upright", "reset_hips_legs", "reset_crossed", "reset_forward", "free_upright",
    "free_hips_legs", "free_crossed", "free_forward", "free_floor_legs", "free_drift_legs",
}  # fmt: skip


# -- figures ---------------------------------------------------------------------------------------


class Posterior(MotionVAE):
    """Two units: one whose mean is 3 or 1 with σ = 1, one that is the prior."""

    def __init__(self) -> None:
        torch.nn.Module.__init__(self)

    def encode(self, previous: Tensor, following: Tensor) -> tuple[Tensor, Tensor]:
        mean = torch.zeros(1000, 2)
        mean[:, 0] = torch.tensor([3.0, 1.0]).repeat(500)
        return mean, torch.zeros(1000, 2)


def test_the_aggregate_posterior_is_the_mixture_of_all_steps() -> None:
    """Mean 2 and variance 1 (of the means) + 1 (of each): KL = (2² + 2 − ln 2 − 1) / 2 nats."""
    figures = diagnostics.posterior_figures(Posterior(), torch.zeros(1000, 2, 1))
    assert figures["posterior_mean_variance"] == pytest.approx([1, 0], rel=2e-3)
    assert figures["kl_per_unit"] == pytest.approx([(9 + 1) / 4, 0])
    assert figures["aggregate_mean"] == pytest.approx([2, 0])
    assert figures["aggregate_deviation"] == pytest.approx([math.sqrt(2), 1], rel=1e-3)
    assert figures["aggregate_kl_nats"] == pytest.approx((4 + 2 - math.log(2) - 1) / 2, rel=1e-3)


def test_experts_used_alike_have_an_entropy_of_ln_e_and_each_pose_may_have_its_own() -> None:
    figures = gate.blend_figures(torch.eye(4).repeat(25, 1))
    assert figures["gate_share"] == pytest.approx([0.25] * 4)
    assert figures["gate_entropy_nats"] == pytest.approx(math.log(4))
    assert figures["gate_entropy_fraction"] == pytest.approx(1)
    assert figures["gate_pose_entropy_nats"] == 0 and figures["dead_experts"] == 0


def test_an_expert_below_a_twentieth_of_an_equal_share_is_dead() -> None:
    blend = torch.tensor(
        [[0.5, 0.5 - 0.011 - 0.013, 0.011, 0.013]]
    )  # a twentieth of a quarter is 0.0125
    figures = gate.blend_figures(blend.repeat(10, 1))
    assert figures["dead_experts"] == 1
    entropy = -sum(p * math.log(p) for p in blend[0].tolist())
    assert figures["gate_entropy_nats"] == pytest.approx(entropy, rel=1e-5)
    assert figures["gate_pose_entropy_nats"] == pytest.approx(entropy, rel=1e-5)
    assert figures["gate_entropy_fraction"] == pytest.approx(entropy / math.log(4), rel=1e-5)
    assert gate.blend_figures(torch.ones(3, 1))["gate_entropy_fraction"] == 1


@pytest.mark.parametrize(
    ("inner", "outer", "share"),
    [
        ([0, 5, 10], [0, 1, 10], 1), ([0, 5, 10], [-5, 0, 20], 1), ([0, 5, 10], [5, 6, 20], 0.5),
        ([0, 5, 10], [2, 3, 4], 0.2), ([0, 5, 10], [11, 12, 13], 0), ([1, 1, 1], [0, 1, 2], 1),
        ([3, 3, 3], [0, 1, 2], 0),
    ],
)  # fmt: skip
def test_coverage_is_the_share_of_one_interval_inside_the_other(
    inner: list[float], outer: list[float], share: float
) -> None:
    assert distributions.coverage(inner, outer) == pytest.approx(share)


def test_mass_is_the_share_of_values_inside_an_interval() -> None:
    values = torch.tensor([-1.0, 0.0, 1.0, 2.0, 3.0])
    assert distributions.mass_within(values, [0, 1, 2]) == pytest.approx(0.6)
    assert (
        distributions.mass_within(values, [4, 5]) == 0
        and distributions.mass_within(values, [-1, 3]) == 1
    )


@pytest.mark.parametrize(
    ("one", "other", "distance"),
    [
        ([1, 2, 4], [4, 1, 2], 0),
        ([0, 1], [0, 0, 1, 1], 0),
        ([1, 2, 4], [3.5, 4.5, 6.5], 2.5),
        ([0], [1, 3], 2),
        ([0, 0, 0, 8], [0], 2),
        ([-1, 1], [0], 1),
        ([0, 1], [1, math.nan], math.nan),
    ],
)
def test_the_wasserstein_distance_is_how_far_values_must_be_moved(
    one: list[float], other: list[float], distance: float
) -> None:
    for pair in ((one, other), (other, one)):
        measured = distributions.wasserstein(
            *(torch.tensor(values, dtype=torch.float32) for values in pair)
        )
        assert measured == pytest.approx(distance, nan_ok=True)


def test_bones_err_by_what_they_are_too_long_or_too_short() -> None:
    poses = data().poses[:50]
    bones = layout().skeleton.offsets[1:].norm(dim=-1)
    assert diagnostics.bone_length_error(layout(), poses) < 0.01
    for factor in (1.01, 0.99):
        scaled = poses.clone()
        scaled[:, layout().positions] *= factor
        assert diagnostics.bone_length_error(layout(), scaled) == pytest.approx(
            10 * float(bones.mean()), rel=1e-3
        )


def test_bones_from_the_root_count_and_where_a_rigid_body_is_does_not() -> None:
    stand = data().poses[0].clone()
    joints = layout().joint_positions(stand)  # a view
    joints += torch.tensor([0.0, 5.0, 1.0])
    assert diagnostics.bone_length_error(layout(), stand) < 0.01
    before = (joints[1:] - joints[0]).norm(dim=-1)
    joints[0, 1] += 0.1
    wrong = [
        float((joints[j] - joints[0]).norm() - before[j - 1]) for j in layout().skeleton.children(0)
    ]
    expected = 1000 * sum(map(abs, wrong)) / (layout().joints - 1)
    assert (
        diagnostics.bone_length_error(layout(), stand) == pytest.approx(expected, rel=1e-3)
        and len(wrong) == 3
    )


@torch.no_grad()
def test_one_step_goes_from_the_captured_pose_by_the_posterior_mean() -> None:
    made = model()
    windows = made.normalizer.normalize(data().poses[:40].reshape(10, 4, -1))
    apart = layout().joint_positions(
        diagnostics.one_step_poses(made, windows) - data().poses[:40].reshape(10, 4, -1)[:, 1]
    )
    first = diagnostics.reconstruction_errors(made, layout(), windows)[0]
    assert 1000 * float(apart.norm(dim=-1).mean()) == pytest.approx(first, rel=1e-4)


def sensitivity(column: int) -> float:
    """Of the puppet, to one of its strings, in cm."""
    direction = torch.zeros(7, PUPPET_LATENT)
    direction[:, column] = 3.0  # its length is no matter
    still = torch.zeros(7, PUPPET_LATENT)
    return diagnostics.latent_sensitivity(puppet(), still, torch.zeros(7, layout().size), direction)


def test_sensitivity_is_how_far_joints_move_over_the_ground_for_one_deviation() -> None:
    assert sensitivity(0) == pytest.approx(
        100 / 30, rel=1e-3
    )  # 1 m/s forward: every joint, by a thirtieth of a metre
    assert sensitivity(1) == pytest.approx(100 / 30, rel=1e-3)
    assert sensitivity(3) == pytest.approx(
        100 / layout().joints, rel=1e-3
    )  # the hips alone, by a metre
    assert sensitivity(4) == 0


def test_the_hold_on_the_pose_is_seen_and_can_be_taken_away() -> None:
    who = character()
    pose = torch.zeros(4, layout().size)
    pose[0, 3], pose[1, 5] = who.low[3], who.high[5]
    assert diagnostics.clamped_fraction(who, pose) == 0.5
    free = diagnostics.unclamped(puppet())
    state = puppet().reset(2)
    rise = 1000 * torch.eye(PUPPET_LATENT)[[3, 3]]
    column = layout().hip_height
    assert float(puppet().step(state, rise).pose[0, column]) == float(puppet().high[column]) == 51
    assert float(free.step(state, rise).pose[0, column]) == pytest.approx(1000)


@torch.no_grad()
def test_the_teacher_forced_error_is_that_of_every_step_by_itself() -> None:
    made = model()
    windows = made.normalizer.normalize(data().poses[:40].reshape(10, 4, -1))
    alone = [
        diagnostics.reconstruction_errors(made, layout(), windows[:, i : i + 2])[0]
        for i in range(3)
    ]
    forced = diagnostics.teacher_forced_error(made, layout(), windows)
    assert forced == pytest.approx(sum(alone) / 3, rel=1e-5)


def test_repeating_the_last_pose_errs_by_what_the_joints_move() -> None:
    windows = data().poses[:2].repeat(3, 1, 1)
    moved = (
        (layout().joint_positions(windows[0, 1]) - layout().joint_positions(windows[0, 0]))
        .norm(dim=-1)
        .mean()
    )
    made = model()
    still = diagnostics.still_error(made, layout(), made.normalizer.normalize(windows))
    assert still == pytest.approx(1000 * float(moved), rel=1e-3) and still > 5


# -- verdicts on figures ---------------------------------------------------------------------------

WELL: dict[str, Any] = {
    "latent_units": 32, "active_units": 23, "kl_nats": 3.4, "spread_m": 0.48, "spread_deg": 27.0,
    "sane_fraction": 1.0, "one_step_mm": 3.2, "still_mm": 10.5, "teacher_forced_mm": 3.4,
    "exposure_ratio": 2.3, "stance": "biped", "body_fault": "", "reset_upright": 1.0,
    "reset_hips_legs": 1.12, "reset_crossed": 0.02, "reset_forward": 0.95, "free_upright": 1.0,
    "free_hips_legs": 1.12, "free_crossed": 0.02, "free_forward": 0.95, "captured_forward": 0.96,
    "free_floor_legs": 0.003, "free_drift_legs": 0.002,
}  # fmt: skip


def names(**figures: Any) -> list[str]:
    """Of the findings on a healthy model that differs in ``figures``."""
    return [finding.name for finding in verdict.findings(WELL | figures)]


def test_nothing_is_wrong_with_a_healthy_model() -> None:
    assert names() == [] and verdict.not_judged(WELL) == []


@pytest.mark.parametrize(
    ("figures", "expected"),
    [
        ({"active_units": 0}, ["collapsed"]),
        ({"active_units": 1}, ["collapsed"]),
        ({"kl_nats": 0.01}, ["collapsed"]),
        ({"spread_m": 0.0, "spread_deg": 0.0}, ["collapsed"]),
        ({"active_units": 3}, ["nearly collapsed"]),
        ({"active_units": 1, "latent_units": 8}, []),
        ({"active_units": 4}, []),
        ({"kl_nats": 0.3}, ["nearly collapsed"]),
        ({"kl_nats": 0.3, "exposure_ratio": 20.0}, ["nearly collapsed"]),
        ({"spread_m": 0.05, "spread_deg": 2.0}, ["nearly collapsed"]),
        ({"spread_m": 0.05}, []),  # turns on the spot
        ({"spread_deg": 2.0}, []),  # walks in parallel lines
        ({"sane_fraction": 63 / 64}, []),
        ({"sane_fraction": 62 / 64}, ["diverges when free-running"]),
        ({"one_step_mm": 9.0}, ["under-trained"]),
        ({"one_step_mm": 9.0, "still_mm": 20.0}, []),
        ({"one_step_mm": 9.0, "still_mm": None}, ["under-trained"]),
        ({"exposure_ratio": 5.0}, ["exposure bias"]),
        ({"reset_upright": 0.8}, ["broken body"]),
        ({"free_upright": 0.8}, ["broken body"]),
        ({"free_upright": 0.8, "one_step_mm": 9.0}, ["under-trained"]),
        ({"free_upright": 0.8, "sane_fraction": 0.5}, ["diverges when free-running"]),
        ({"reset_upright": 0.8, "one_step_mm": 9.0}, ["broken body", "under-trained"]),
        ({"free_forward": None, "captured_forward": None, "reset_forward": None}, []),
        ({"stance": "quadruped", "free_hips_legs": 1.7}, []),
        (
            {"exposure_ratio": 5.0, "sane_fraction": 0.0},
            ["diverges when free-running", "exposure bias"],
        ),
    ],
)
def test_each_illness_has_its_name(figures: dict[str, Any], expected: list[str]) -> None:
    assert names(**figures) == expected


def test_a_finding_has_its_figure_and_advice() -> None:
    silent, forced = (
        verdict.findings(WELL | ill)[0]
        for ill in ({"active_units": 0, "kl_nats": 0.012}, {"exposure_ratio": 7.25})
    )
    assert (
        silent.reason
        == "Of 32 latent units 0 say anything (are active); the KL is 0.012 nats, under 0.05."
    )
    assert silent.advice.startswith("Train again with a lower --beta")
    assert (
        forced.reason
        == "On its own it errs 7.25 times as much as from captured poses (3.4 mm), above 4."
    )


def test_advice_names_settings_that_there_are() -> None:
    ill = (
        {"active_units": 0},
        {"kl_nats": 0.3},
        {"sane_fraction": 0},
        {"one_step_mm": 80.0},
        {"exposure_ratio": 9.0},
        {"free_upright": 0.5},
    )
    advice = " ".join(verdict.findings(WELL | figures)[0].advice for figures in ill)
    flags = {flag.replace("-", "_") for flag in re.findall(r"--([\w.-]*\w)", advice)}
    known = set(TrainConfig().flat())
    for group, settings in (
        ("model", MotionVAEConfig),
        ("teacher", TeacherForcing),
        ("kl", KlWeight),
    ):
        known |= {f"{group}.{field.name}" for field in dataclasses.fields(settings)}
    assert flags and flags <= known


def test_what_was_not_measured_is_not_judged() -> None:
    assert verdict.findings({}) == [] and set(verdict.not_judged({})) == set(verdict.CHECKS)
    unknown = verdict.not_judged(WELL | {"one_step_mm": None, "exposure_ratio": None})
    assert unknown == ["under-trained", "exposure bias"]
    part = {
        "spread_m": 0.0,
        "spread_deg": 0.0,
        "sane_fraction": 1.0,
        "one_step_mm": 1.0,
        "exposure_ratio": 1.0,
    }
    assert [f.name for f in verdict.findings(part)] == ["collapsed"]  # by its streams alone
    assert verdict.not_judged(part) == ["broken body", "nearly collapsed"]


@pytest.mark.parametrize(
    ("figures", "reason"),
    [
        ({"body_fault": "it has no trunk"}, "No body has such a skeleton: it has no trunk."),
        (
            {"reset_upright": 0.5},
            "The head is above the hips, and these above the feet, in 50 % of the captured poses "
            "that it starts from, under 90 %.",
        ),
        (
            {"stance": "quadruped", "free_upright": 0.1},
            "Hips and shoulders are above the feet in 10 % of free rollouts, under 90 %.",
        ),
        (
            {"free_hips_legs": 2.0},
            "The hips are 2.00 leg lengths high in free rollouts; 0.7 to 1.45 is a body's.",
        ),
        (
            {"reset_crossed": 0.9},
            "A left foot is to the right of the right one in 90 % of the captured poses that it "
            "starts from, above 30 %.",
        ),
        ({"captured_forward": 0.1}, "90 % of the way in the captured motion goes backward."),
        (
            {"captured_forward": None, "reset_forward": 0.2},
            "80 % of the way in the captured motion goes backward.",
        ),
        ({"free_forward": 0.3}, "70 % of the way in free rollouts goes backward."),
        (
            {"free_floor_legs": -0.3},
            "The lowest foot stays 0.30 leg lengths below the ground in free rollouts.",
        ),
        (
            {"free_drift_legs": 0.4},
            "The floor under free rollouts moves by 0.40 leg lengths in 20 s, above 0.12.",
        ),
    ],
)
def test_each_broken_body_is_named_in_one_sentence(figures: dict[str, Any], reason: str) -> None:
    (finding,) = verdict.findings(WELL | figures)
    assert finding.name == "broken body" and finding.reason == reason
    assert ("data show" in finding.advice) == (not any(name[:4] == "free" for name in figures))


# -- verdicts on models ----------------------------------------------------------------------------


@cache
def shipped() -> Character:
    return Character.load(CharacterFolder.open().mvae)


def edited(
    who: Character, change: Callable[[MotionVAE], None], header: dict[str, Any] | None = None
) -> Character:
    """The same character with other weights."""
    made = copy.deepcopy(who.model)
    with torch.no_grad():
        change(made)
    return Character(made, who.layout, who.reset_poses, header)


def latent_columns(factor: float) -> Callable[[MotionVAE], None]:
    """Weaken what the decoder sees of z, everywhere it enters."""

    def change(made: MotionVAE) -> None:
        units = made.config.latent
        decoder = made.decoder
        decoder.gate[0].weight[:, :units] *= factor
        for layer in (decoder.first, decoder.second, decoder.output):
            layer.weight[:, :units] *= factor

    return change


def mute(made: MotionVAE) -> None:
    """An encoder that answers with the prior."""
    for layer in (made.encoder.mean, made.encoder.log_variance):
        layer.weight.zero_()
        layer.bias.zero_()


def louder(made: MotionVAE) -> None:
    """Every step goes too far by half."""
    made.decoder.output.weight *= 1.5
    made.decoder.output.bias *= 1.5


def test_the_shipped_model_is_healthy() -> None:
    report = diagnose.diagnose(shipped())
    assert report["verdict"] == "healthy" and report["findings"] == []
    assert report["body_fault"] == "" and report["free_upright"] == 1
    assert report["not_judged"] == ["exposure bias"]  # which takes data
    stated = shipped().header["figures"]
    assert (
        report["active_units"] == stated["active_units"] and report["kl_nats"] == stated["kl_nats"]
    )
    assert report["eight_step_mm"] == stated["rollout_mm"] and report["free_running_mm"] is None
    assert (
        report["captured_skate_cm_per_frame"]
        == shipped().header["captured"]["foot_skate_cm_per_frame"]
    )
    assert report["spread_m"] == pytest.approx(stated["spread_m"], rel=0.1)
    assert report["free_skate_cm_per_frame"] == pytest.approx(
        stated["free_foot_skate_cm_per_frame"], rel=0.1
    )
    assert report["sane_fraction"] == 1 and report["held_fraction"] < 0.05
    assert report["bone_length_error_mm"] < 10 and report["frechet_distance"] is None
    assert report["dead_experts"] == 0 and sum(report["gate_share"]) == pytest.approx(1, abs=1e-4)
    assert 0.01 < report["z_sensitivity"] < 1


@pytest.mark.usefixtures("short_rollouts")
def test_a_decoder_that_ignores_z_has_collapsed_whatever_its_header_says() -> None:
    report = diagnose.diagnose(edited(shipped(), latent_columns(0), shipped().header))
    assert report["verdict"] == "collapsed" and report["z_sensitivity"] < 1e-6
    assert report["findings"][0]["reason"].startswith("Latent streams from one pose are ")


@pytest.mark.usefixtures("short_rollouts")
def test_an_encoder_that_says_nothing_has_collapsed() -> None:
    report = diagnose.diagnose(edited(character(), mute), data())
    assert report["verdict"] == "collapsed"
    assert (
        report["active_units"] == 0 and report["kl_nats"] == 0 and report["aggregate_kl_nats"] == 0
    )
    assert report["kl_per_unit"] == [0] * 6 and report["aggregate_deviation"] == [1] * 6


@pytest.mark.usefixtures("short_rollouts")
def test_a_decoder_that_hardly_hears_z_has_nearly_collapsed() -> None:
    report = diagnose.diagnose(edited(shipped(), latent_columns(0.1)))
    assert report["verdict"] == "nearly collapsed" and report["active_units"] is None


@pytest.mark.usefixtures("short_rollouts")
def test_a_decoder_that_goes_too_far_diverges_though_the_hold_hides_it() -> None:
    report = diagnose.diagnose(edited(shipped(), louder))
    assert report["verdict"] == "diverges when free-running"
    assert report["sane_fraction"] == 0 and report["held_fraction"] > 0.5


@pytest.mark.usefixtures("short_rollouts")
def test_weights_that_are_no_numbers_diverge_and_are_still_json() -> None:
    def spoil(made: MotionVAE) -> None:
        made.decoder.output.bias.fill_(math.nan)

    report = diagnose.diagnose(edited(character(), spoil), data())
    assert report["verdict"] == "diverges when free-running" and report["sane_fraction"] == 0
    assert report["free_skate_cm_per_frame"] is None and report["one_step_mm"] is None


@pytest.mark.usefixtures("short_rollouts")
def test_an_untrained_model_is_under_trained() -> None:
    report = diagnose.diagnose(character(), data())
    assert report["verdict"] == "under-trained"
    assert report["one_step_mm"] > 5 * report["still_mm"]
    assert report["free_running_mm"]["1"] == report["one_step_mm"]
    assert report["free_running_mm"]["8"] == report["eight_step_mm"] != report["one_step_mm"]
    assert (
        report["free_running_mm"]["60"] > 0 and report["free_running_mm"]["630"] is None
    )  # clips of 90 poses
    assert report["exposure_ratio"] == pytest.approx(
        report["free_running_mm"]["60"] / report["teacher_forced_mm"]
    )
    low, middle, high = report["captured_turn_deg_s"]
    assert low == pytest.approx(-high) and abs(middle) < 1  # with its mirror image
    assert 0 <= report["speed_coverage"] <= 1 and 0 <= report["turn_coverage"] <= 1
    assert 0 <= report["speed_coverage_mass"] <= 1 and 0 <= report["turn_coverage_mass"] <= 1
    assert report["speed_wasserstein_m_s"] > 0 and report["turn_wasserstein_deg_s"] > 0
    assert report["bone_length_error_mm"] > 5 < report["one_step_bone_length_error_mm"]
    assert (
        report["frechet_distance"] is None and report["captured_frechet_distance"] is None
    )  # no extractor given
    (least, most), (low, _, high) = (
        report["captured_turn_range_deg_s"],
        report["captured_turn_deg_s"],
    )
    assert least < low and most > high and least == pytest.approx(-most)


def test_captured_rates_agree_with_themselves() -> None:
    captured = rates.captured_rates(data())
    figures = rates.agreement(captured, captured)
    assert figures["speed_coverage"] == figures["turn_coverage"] == 1
    assert figures["speed_wasserstein_m_s"] == figures["turn_wasserstein_deg_s"] == 0
    assert figures["speed_coverage_mass"] == pytest.approx(0.98, abs=0.01)
    faster = rates.agreement(captured, captured | {"speed": captured["speed"] + 0.3})
    assert (
        faster["speed_wasserstein_m_s"] == pytest.approx(0.3, rel=1e-4)
        and faster["speed_coverage_mass"] < 0.9
    )


# -- broken bodies ---------------------------------------------------------------------------------


def bent(clip: Clip, **angles: tuple[str, float]) -> Clip:
    """The clip with joints turned further, by radians about an axis of their own frame."""
    rotations = clip.rotations.clone()
    for name, (axis, angle) in angles.items():
        joint = clip.skeleton.index(name)
        turn = geometry.axis_rotation(axis, torch.tensor(angle))
        rotations[:, joint] = rotations[:, joint] @ turn
    return replace(clip, rotations=rotations)


def without(clip: Clip, *gone: str) -> Clip:
    """The clip without joints that carry none of those that stay."""
    bones = clip.skeleton
    kept = [joint for joint, name in enumerate(bones.names) if name not in gone]
    skeleton = Skeleton(
        tuple(bones.names[joint] for joint in kept),
        tuple(kept.index(p) if (p := bones.parents[joint]) >= 0 else -1 for joint in kept),
        bones.offsets[kept],
        bones.tips[kept],
    )
    return replace(clip, skeleton=skeleton, rotations=clip.rotations[:, kept])


def stretched(clip: Clip, *names: str, factor: float) -> Clip:
    """The clip with longer or shorter bones to these joints."""
    offsets = clip.skeleton.offsets.clone()
    for name in names:
        offsets[clip.skeleton.index(name)] *= factor
    return replace(clip, skeleton=replace(clip.skeleton, offsets=offsets))


UPPER = ("Spine", "Head", *(s + j for s in ("Left", "Right") for j in ("Arm", "ForeArm", "Hand")))
BROKEN: dict[str, tuple[Callable[[Clip], Clip], str]] = {
    "no trunk": (lambda clip: without(clip, *UPPER), "it has no trunk"),
    "head down": (lambda clip: bent(clip, Spine=("X", math.pi)), "The head is above the hips"),
    "on its head": (
        lambda clip: bent(clip, LeftUpLeg=("X", math.pi), RightUpLeg=("X", math.pi)),
        "these above the feet, in 0 %",
    ),
    "on its knees": (
        lambda clip: bent(clip, LeftLeg=("X", 2.2), RightLeg=("X", 2.2)),
        "leg lengths high in the captured poses",
    ),
    "crossed legs": (
        lambda clip: bent(clip, LeftUpLeg=("Z", -0.4), RightUpLeg=("Z", 0.4)),
        "A left foot is to the right of the right one in 100 % of the captured poses",
    ),
    "short shins": (
        lambda clip: stretched(clip, "LeftFoot", "RightFoot", factor=0.02),
        "the bone to LeftFoot has 0.0",
    ),
    "long neck": (
        lambda clip: stretched(clip, "Head", factor=6.0),
        "of its height; 0.",
    ),
}


def walker(change: Callable[[Clip], Clip], **kind: float) -> tuple[Character, MotionDataset]:
    """An untrained model of walks that were changed, and their data."""
    clips = [change(walk(f"walk{phase}", phase=phase, **kind)) for phase in range(3)]
    made = dataset.build(clips, "broken").trainable()
    size = made.layout.size
    config = MotionVAEConfig(latent=6, hidden=24, experts=3, gate_hidden=8)
    vae = MotionVAE(size, config, made.normalizer())
    start = vae.normalizer.normalize(made.split(held_out=True)[0])
    return Character(vae, made.layout, start), made


def body_findings(who: Character) -> list[verdict.Finding]:
    """What is wrong with a character's body, by short rollouts."""
    generator = torch.Generator().manual_seed(0)
    act = rollout.drawn_latents(who, generator)
    run = rollout.record(who, act, who.reset(8, generator), lambda *_: None, 40)
    return verdict.findings(body.body_figures(who, run) | {"sane_fraction": 0.0})


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_body_is_found_whatever_the_training(name: str) -> None:
    change, words = BROKEN[name]
    finding = body_findings(walker(change)[0])[0]
    assert finding.name == "broken body" and words in finding.reason, finding.reason
    assert finding.reason.count(".") == len(re.findall(r"\d\.\d", finding.reason)) + 1


def test_a_whole_body_is_not_called_broken() -> None:
    assert [finding.name for finding in body_findings(walker(lambda clip: clip)[0])] == [
        "diverges when free-running"
    ]


@pytest.mark.usefixtures("short_rollouts")
def test_motion_that_goes_backward_is_found_and_the_command_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    who, made = walker(lambda clip: clip, aside=math.pi)
    who.save(tmp_path / "back.safetensors")
    made.save(tmp_path / "back.npz")
    words: list[str | Path] = [tmp_path / "back.safetensors", "--data", tmp_path / "back.npz"]
    lines = run(words, monkeypatch, capsys).splitlines()  # the exit status is 1
    assert lines[0] == "verdict: broken body"
    assert lines[1].startswith(
        "broken body: 100 % of the way in the captured motion goes backward. Look at the data with"
    )


@pytest.mark.usefixtures("short_rollouts")
def test_a_model_that_floats_or_walks_backward_on_its_own_is_found() -> None:
    """Its captured poses are right: the puppet hangs 0.25 m too high, and its strings pull back."""

    def spoil(made: MotionVAE) -> None:
        made.decoder.output.weight[:, :, layout().hip_height] = 0
        made.decoder.output.bias[:, layout().hip_height] = 0.25
        made.decoder.output.bias[:, 0] = -1.5

    report = diagnose.diagnose(edited(puppet(), spoil))
    assert report["verdict"] == "broken body" and report["sane_fraction"] == 1
    (reason,) = [f["reason"] for f in report["findings"] if f["name"] == "broken body"]
    assert "of the way in free rollouts goes backward" in reason
    assert "leg lengths above the ground in free rollouts" in reason
    assert "captured" not in reason


def test_the_floor_is_where_the_lowest_foot_is_each_second() -> None:
    """Feet at 0 and 20 cm by turns, over a floor that sinks by 1 cm a second from 5 cm."""
    frames = torch.arange(600)
    swing = 0.2 * ((frames // 10) % 2)
    sinking = 0.05 - 0.01 * (frames // 30)
    heights = torch.stack((sinking + swing, sinking + 0.2 - swing), dim=-1)[:, None].repeat(1, 4, 1)
    floor, drift = body.floor_figures(heights)
    assert floor == pytest.approx(0.05 - 0.095, abs=0.0051)
    assert drift == pytest.approx(0.15, abs=1e-5)  # from the middle of 0..4 s to that of 15..19 s
    assert body.floor_figures(heights[:31])[1] == pytest.approx(0.0, abs=1e-6)
    assert math.isnan(body.floor_figures(heights[:20])[0])


def test_the_share_of_the_way_ahead() -> None:
    assert body.forward_share(torch.tensor([3.0, -1.0])) == pytest.approx(0.75)
    assert body.forward_share(torch.tensor([0.01, -0.02])) is None


@pytest.mark.parametrize(("turned", "expected"), [(0.0, 1.0), (math.pi, 0.0)])
def test_four_legs_stand_if_hips_and_shoulders_are_above_the_feet(
    turned: float, expected: float
) -> None:
    bones = quadruped()
    local = torch.eye(3).repeat(4, len(bones), 1, 1)
    root = torch.tensor([0.0, 0.6, 0.0]).repeat(4, 1)
    part = PoseLayout(bones)
    assert part.roles.kind == "quadruped"
    poses = encode(part, Clip("dog", bones, root, local, 30.0))
    turn = geometry.axis_rotation("Z", torch.tensor(turned))
    rotations = turn @ part.joint_rotations(poses)
    poses[:, part.orientations] = geometry.matrix_to_6d(rotations).flatten(1)
    figures = body.pose_figures("reset", part, poses)
    assert figures["reset_upright"] == expected
    assert figures["reset_forward"] is None
    assert (figures["reset_crossed"] == 1) == bool(turned)


# -- the command -----------------------------------------------------------------------------------


def run(
    words: list[str | Path], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> str:
    """What the command prints."""
    monkeypatch.setattr("sys.argv", ["diagnose", *map(str, words)])
    assert diagnose.main() == 1  # not healthy
    return capsys.readouterr().out


@pytest.mark.usefixtures("short_rollouts")
def test_the_command_prints_one_json_object_with_the_same_names_with_and_without_data(
    mvae: Path, data_file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    report = strict_json(run([mvae, "--data", data_file, "--json"], monkeypatch, capsys))
    assert (
        isinstance(report, dict)
        and report["verdict"] == "under-trained"
        and set(report) == REQUIRED
    )
    assert {"name", "reason", "advice"} == set(report["findings"][0])
    without = strict_json(run([mvae, "--json"], monkeypatch, capsys))
    assert isinstance(without, dict) and set(without) == REQUIRED
    assert (
        without["active_units"] is None and without["kl_per_unit"] is None
    )  # its header tells nothing
    assert "under-trained" in without["not_judged"]


@pytest.mark.usefixtures("short_rollouts")
def test_the_command_prints_a_table_that_begins_with_the_verdict(
    mvae: Path, data_file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = run([mvae, "--data", data_file], monkeypatch, capsys).splitlines()
    assert lines[0] == "verdict: under-trained"
    assert (
        lines[1].startswith("under-trained: One step errs by ")
        and "--rollouts-per-epoch" in lines[1]
    )
    assert any(
        re.fullmatch(r"free_running_mm +1: \S+  8: \S+  60: \S+  630: –", line) for line in lines
    )


def test_bad_requests_are_one_sentence(
    tmp_path: Path,
    mvae: Path,
    data_file: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    training = tmp_path / "training.npz"
    replace(data(), clips=tuple(replace(clip, held_out=False) for clip in data().clips)).save(
        training
    )
    words: list[str | Path]
    for words, expected in (
        ([tmp_path / "none.safetensors"], "none.safetensors: no such checkpoint"),
        (
            [CharacterFolder.open().policy("joystick")],
            "a policy checkpoint found; a motion-vae checkpoint is expected",
        ),
        (["--data", tmp_path / "none.npz"], "no such data file; make one with"),
        (["--data", data_file], "the data synthetic are of another skeleton than the motion VAE"),
        ([mvae, "--data", training], "has no held-out clips"),
    ):
        assert expected in refusal(diagnose.main, words, monkeypatch, capsys)


@pytest.mark.usefixtures("short_rollouts")
def test_the_same_model_gets_the_same_figures() -> None:
    one, other = (free_running.rollout_figures(character())[0] for _ in range(2))
    assert one == other
