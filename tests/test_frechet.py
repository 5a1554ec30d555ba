"""The Fréchet distance of motions: on Gaussians by hand, and on embedded walks; the extractor and
its training."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest
import torch
from synthetic import data, latents, layout, moved, refusal, strict_json, walk
from torch import Tensor

from controller.control.folder import CharacterFolder
from controller.core import checkpoint
from controller.core.errors import CheckpointError, ConfigError, DataError
from controller.dynamics.character import Character
from controller.evaluation import frechet
from controller.evaluation.diagnosis import free_running
from controller.evaluation.extractor import KIND, LIMIT, Extractor, ExtractorConfig
from controller.evaluation.frechet import Gaussian
from controller.motion import metrics
from controller.motion.pose import encode
from controller.training import train_extractor
from controller.training.train_extractor import ExtractorTrainConfig

SMALL = ExtractorTrainConfig(
    ExtractorConfig(window=32, channels=16, embedding=6), steps=200, batch=16, learning_rate=1e-2
)


@cache
def shipped() -> Extractor:
    """The extractor of the default character."""
    extractor = Extractor.of()
    assert extractor is not None
    return extractor


@cache
def trained() -> tuple[Extractor, torch.nn.Module]:
    """A small extractor of the synthetic walks, with the decoder that it was trained with."""
    return train_extractor.train(data(), SMALL)


def extractor() -> Extractor:
    return trained()[0]


def rollouts(change: Callable[[Tensor], Tensor] = lambda poses: poses) -> Tensor:
    """The training clips and their mirror images as if they were rollouts ``(90, B, D)``,
    changed."""
    poses, entries = data().split(held_out=False)
    return change(torch.stack([poses[entry.rows] for entry in entries], dim=1))


def from_captured(poses: Tensor) -> float:
    """Of rollouts, to the captured training clips."""
    captured = frechet.captured_gaussian(extractor(), data())
    return frechet.distance(captured, frechet.rollouts_gaussian(extractor(), layout(), poses))


# -- Gaussians -------------------------------------------------------------------------------------


def gaussian(mean: list[float], covariance: list[list[float]]) -> Gaussian:
    return Gaussian(torch.tensor(mean).double(), torch.tensor(covariance).double())


def random_gaussian(seed: int, rank: int = 5) -> Gaussian:
    """In five dimensions."""
    shape = latents(seed, 5, rank).double()
    mean = latents(seed + 100, 5).double()
    return Gaussian(mean, shape @ shape.T)


def test_along_the_axes_it_is_that_of_means_and_deviations() -> None:
    one = gaussian([0, 0], [[1, 0], [0, 4]])
    other = gaussian([3, 4], [[9, 0], [0, 25]])
    assert frechet.distance(one, other) == pytest.approx(3**2 + 4**2 + (3 - 1) ** 2 + (5 - 2) ** 2)


def test_askew_it_is_the_closed_form_of_two_dimensions() -> None:
    """tr (C₁·C₂)½ = √(tr C₁·C₂ + 2·√(det C₁·det C₂)) for 2 × 2."""
    one = gaussian([0, 0], [[2, 1], [1, 3]])
    other = gaussian([1, 0], [[4, -1], [-1, 1]])
    product = one.covariance @ other.covariance
    shared = math.sqrt(float(product.trace()) + 2 * math.sqrt(float(product.det())))
    assert frechet.distance(one, other) == pytest.approx(1 + 5 + 5 - 2 * shared)


@pytest.mark.parametrize("rank", [1, 3, 5])
def test_it_is_zero_for_itself_and_the_same_both_ways(rank: int) -> None:
    one = random_gaussian(1, rank)
    other = random_gaussian(2)
    assert frechet.distance(one, one) == pytest.approx(0, abs=1e-10)
    assert frechet.distance(one, other) == pytest.approx(frechet.distance(other, one))
    assert frechet.distance(one, other) > 1


def test_the_distance_to_poses_that_are_not_finite_is_nan() -> None:
    assert math.isnan(
        frechet.distance(random_gaussian(1), Gaussian.fit(torch.full((9, 5), math.nan)))
    )


def test_a_fit_has_the_mean_and_covariance_of_its_rows_in_any_order() -> None:
    rows = latents(0, 50, 3)
    fitted = Gaussian.fit(rows)
    shuffled = Gaussian.fit(rows[torch.randperm(50)])
    centred = rows.double() - rows.double().mean(dim=0)
    torch.testing.assert_close(fitted.covariance, centred.T @ centred / 49)
    torch.testing.assert_close(fitted.mean, shuffled.mean)
    assert frechet.distance(fitted, shuffled) == pytest.approx(0, abs=1e-12)
    assert Gaussian.fit(rows[:, :1]).covariance.shape == (1, 1)


# -- motions ---------------------------------------------------------------------------------------


def test_captured_motion_has_mean_zero_and_covariance_one() -> None:
    captured = frechet.captured_gaussian(extractor(), data())
    torch.testing.assert_close(captured.mean, torch.zeros(6).double(), atol=1e-4, rtol=0)
    torch.testing.assert_close(captured.covariance, torch.eye(6).double(), atol=1e-3, rtol=0)


def test_motion_is_nearest_to_itself_in_any_order() -> None:
    same = from_captured(rollouts(lambda poses: poses[:, torch.randperm(poses.shape[1])]))
    assert same < 0.01 < frechet.floor(extractor(), data())
    assert frechet.halves(extractor(), data()) > 0


def test_where_and_which_way_one_walks_in_the_world_is_no_matter() -> None:
    """No two-fold turn, and far from the origin: positions in the world are good to 1e-5 m, speeds
    to 1e-3 m/s."""
    path = walk(turn=0.5)
    here, there = (encode(layout(), clip)[None] for clip in (path, moved(path, 2.0, -30.0, 70.0)))
    embedded = extractor()(torch.cat((here[:, :32], there[:, :32])))
    torch.testing.assert_close(embedded[0], embedded[1], atol=0.02, rtol=0)
    assert (
        float((embedded[0] - extractor()(here[:, 8:40])[0]).norm()) > 0.2
    )  # another moment matters


def test_the_more_noise_the_further() -> None:
    def noisy(deviation: float) -> float:
        return from_captured(rollouts(lambda poses: poses + deviation * latents(3, *poses.shape)))

    assert from_captured(rollouts()) < noisy(0.1) < noisy(0.3) < noisy(1.0)


def test_motion_that_stands_still_or_is_of_one_kind_is_far() -> None:
    still = from_captured(rollouts(lambda poses: poses[:1].repeat(90, 1, 1)))
    one_kind, half = (from_captured(rollouts(lambda poses, n=n: poses[:, :n])) for n in (1, 7))  # type: ignore[misc]
    assert still > 1 and one_kind > 2 * half > 0


def test_motion_that_explodes_is_very_far_and_without_numbers_has_no_distance() -> None:
    exploded = from_captured(rollouts(lambda poses: poses * 1e30))
    assert math.isfinite(exploded) and exploded > from_captured(rollouts(lambda poses: poses * 1.2))
    assert float(extractor().scores(1e30 * rollouts()[:32].transpose(0, 1)).abs().max()) == LIMIT
    assert math.isnan(from_captured(rollouts(lambda poses: poses * math.nan)))


def test_orientations_are_seen_in_the_feet_alone() -> None:
    def turned(joints: list[int]) -> float:
        def change(poses: Tensor) -> Tensor:
            changed = poses.clone()
            changed[..., layout().orientations].unflatten(-1, (-1, 6))[..., joints, :] += 0.3
            return changed

        return from_captured(rollouts(change))

    legs = ancestors(layout().feet)
    others = [joint for joint in range(len(layout().skeleton.parents)) if joint not in legs]
    assert turned(others) == turned([]) < turned(legs)


def ancestors(joints: tuple[int, ...]) -> list[int]:
    """All joints from the root down to these, without them: those that move them."""
    result = set[int]()
    for joint in joints:
        while (joint := layout().skeleton.parents[joint]) >= 0:
            result.add(joint)
    return sorted(result)


def test_feet_are_seen_as_the_measures_of_ground_contact_have_them() -> None:
    """Heights, and the skate of feet in the world: of a walk on a curve, and of one that slides
    along with it."""
    clip = walk(turn=0.5)
    for slide in (0.0, 0.02):  # m a frame
        aside = slide * torch.arange(len(clip))[:, None] * torch.tensor([1.0, 0.0, 0.0])
        path = replace(clip, positions=clip.positions + aside)
        feet = path.joint_positions()[:, list(layout().feet)]
        inputs = extractor().inputs(encode(layout(), path)[None])[0]
        columns = extractor().channels
        torch.testing.assert_close(
            inputs[:, columns["foot heights"]], feet[1:, :, 1], atol=1e-4, rtol=0
        )
        skate = metrics.foot_skate(feet)[1:]
        torch.testing.assert_close(inputs[1:, columns["foot slip"]], skate, atol=0.02, rtol=0)
        assert torch.equal(inputs[0, columns["foot slip"]], inputs[1, columns["foot slip"]])
    assert float(skate.mean()) > 0.5


def test_the_diagnosis_has_both_distances_or_none() -> None:
    figures = free_running.frechet_figures(extractor(), data(), rollouts)
    assert figures["frechet_distance"] == pytest.approx(from_captured(rollouts()))
    assert figures["captured_frechet_distance"] == pytest.approx(frechet.floor(extractor(), data()))
    nothing = dict.fromkeys(figures)
    assert free_running.frechet_figures(None, data(), rollouts) == nothing
    assert (
        free_running.frechet_figures(shipped(), data(), rollouts) == nothing
    )  # of another skeleton
    long = Extractor(layout(), ExtractorConfig(window=128))
    assert free_running.frechet_figures(long, data(), rollouts) == nothing


def test_another_skeleton_is_one_sentence() -> None:
    for figure in (frechet.floor, frechet.halves, frechet.captured_gaussian):
        with pytest.raises(
            DataError, match="the data synthetic are of another skeleton than the extractor"
        ):
            figure(shipped(), data())
    with pytest.raises(DataError, match="the rollouts are of another skeleton than the extractor"):
        frechet.rollouts_gaussian(shipped(), layout(), rollouts())


# -- the extractor ---------------------------------------------------------------------------------


def test_training_lowers_the_error_on_walks_it_has_not_seen() -> None:
    untrained = train_extractor.train(data(), replace(SMALL, steps=1))
    before, after = (
        train_extractor.held_out_error(*pair, data()) for pair in (untrained, trained())
    )
    assert after < 0.7 * before


def test_the_same_seed_gives_the_same_extractor_whatever_was_drawn_before() -> None:
    def weights(seed: int) -> dict[str, Tensor]:
        torch.rand(seed + 1)
        return train_extractor.train(data(), replace(SMALL, steps=3, seed=seed))[0].state_dict()

    one = weights(1)
    same = weights(1)
    other = weights(2)
    assert all(torch.equal(one[name], same[name]) for name in one)
    assert not torch.equal(one["encoder.0.weight"], other["encoder.0.weight"])


def test_a_file_of_it_embeds_the_same(tmp_path: Path) -> None:
    path = tmp_path / "extractor.safetensors"
    extractor().save(path, figures={"held_out_error": 1.0})
    read = Extractor.load(path)
    poses, entries = data().split(held_out=True)
    assert torch.equal(read.embed(poses, entries, 50), extractor().embed(poses, entries, 50))
    assert read.header["figures"] == {"held_out_error": 1.0} and not read.training
    checkpoint.save(
        path,
        KIND,
        {"config": {}, "skeleton": layout().skeleton.to_dict()},
        {"centre": torch.zeros(2)},
    )
    with pytest.raises(CheckpointError, match="not a complete motion-extractor checkpoint"):
        Extractor.load(path)
    with pytest.raises(
        CheckpointError, match="a motion-vae checkpoint found; a motion-extractor checkpoint"
    ):
        Extractor.load(CharacterFolder.open().mvae)


def test_windows_are_spread_over_all_clips_and_never_straddle_two() -> None:
    poses, entries = data().split(held_out=True)
    numbered = poses.clone()
    numbered[:] = torch.arange(len(poses))[:, None]
    windows: list[Tensor] = []
    spy = Extractor(layout(), SMALL.extractor)
    spy.register_forward_pre_hook(lambda _, inputs: windows.append(inputs[0][..., 0]))
    assert spy.embed(numbered, entries, 1000).shape == (1000, 6)
    rows = torch.cat(windows).long()
    assert torch.equal(rows.diff(dim=1), torch.ones(1000, 31).long())
    first = rows[:, 0]
    last = rows[:, -1]
    inside = [(first >= entry.start) & (last < entry.start + entry.length) for entry in entries]
    assert torch.stack(inside).any(dim=0).all()
    shares = torch.stack(inside).double().mean(dim=1)
    torch.testing.assert_close(shares, torch.full((4,), 0.25).double(), atol=0.01, rtol=0)
    with pytest.raises(
        DataError, match="no clip is long enough: the longest has 90 poses, a window needs 128"
    ):
        Extractor(layout(), ExtractorConfig(window=128)).embed(poses, entries, 10)


def test_sizes_that_cannot_be_are_one_sentence() -> None:
    with pytest.raises(ConfigError, match="window is 40; allowed: a multiple of 16"):
        ExtractorConfig(window=40)
    with pytest.raises(ConfigError, match="channels is 0"):
        ExtractorConfig(channels=0)
    with pytest.raises(ConfigError, match="steps is 0"):
        ExtractorTrainConfig(steps=0)


# -- the command -----------------------------------------------------------------------------------


def test_the_command_writes_the_same_file_each_time(
    tmp_path: Path,
    data_file: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    paths = [tmp_path / "one" / "extractor.safetensors", tmp_path / "other.safetensors"]
    small = [
        "--window",
        "32",
        "--channels",
        "8",
        "--embedding",
        "4",
        "--steps",
        "3",
        "--batch",
        "8",
    ]
    for path in paths:
        words = ["train_extractor", "--data", str(data_file), "--out", str(path), *small]
        monkeypatch.setattr("sys.argv", words)
        train_extractor.main()
        said, _, last = capsys.readouterr().out.strip().rpartition("\n")
        assert last == str(path)
    figures = strict_json(said)
    assert figures == Extractor.load(paths[0]).header["figures"]
    assert isinstance(figures, dict) and figures["captured_frechet_distance"] > 0
    assert paths[0].read_bytes() == paths[1].read_bytes()
    header = checkpoint.load_header(paths[0], KIND)
    assert (
        header["data"]["fingerprint"] == data().fingerprint() and header["training"]["steps"] == 3
    )
    assert "/tmp" not in json.dumps(header)


def test_bad_requests_are_one_sentence(
    tmp_path: Path,
    data_file: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    out = tmp_path / "extractor.safetensors"
    words: list[str | Path]
    for words, expected in (
        (["--data", tmp_path / "none.npz", "--out", out], "no such data file; make one with"),
        (["--data", data_file, "--out", tmp_path / "x.pt"], "a name that ends in .safetensors"),
        (
            ["--data", data_file, "--out", out, "--window", "128"],
            "no clip is long enough: the longest has 90 poses",
        ),
    ):
        assert expected in refusal(train_extractor.main, words, monkeypatch, capsys)


# -- the shipped one -------------------------------------------------------------------------------


def test_the_shipped_extractor_is_small_and_knows_the_shipped_model() -> None:
    extractor = shipped()
    character = Character.load(CharacterFolder.open().mvae)
    path = CharacterFolder.open().extractor
    assert path is not None and path.stat().st_size < 1_000_000
    assert extractor.layout.skeleton.to_dict() == character.skeleton.to_dict()
    assert extractor.header["data"]["fingerprint"] == character.header["data"]["fingerprint"]
    assert extractor.header["figures"]["captured_frechet_distance"] > 0
    assert "Apache License 2.0" in path.with_suffix(".md").read_text(encoding="utf-8")
    state = character.reset(16, torch.Generator().manual_seed(0))
    poses = character.model.normalizer.denormalize(state.pose).repeat(64, 1, 1)
    assert torch.isfinite(extractor(poses.transpose(0, 1))).all()
