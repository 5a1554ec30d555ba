"""Pose to video: figures, films, networks, training."""

from __future__ import annotations

import json
import math
import sys
from dataclasses import replace
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
import torch
import video_films
from PIL import Image
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from controller.core import checkpoint
from controller.core.errors import CheckpointError, ConfigError, ControllerError, DataError
from controller.model.kl import kl_per_unit
from controller.studies import video as study
from controller.training import schedules
from controller.video import blocks, commands, config, film, free_rollout, real_pictures, verdicts
from controller.video.config import NetworkConfig
from controller.video.network import Painter, build
from controller.video.picture_quality import psnr, ssim
from controller.video.train_command import TrainCommand, VideoRunFolder, train
from controller.video.trainer import VideoTrainer
from controller.video.view import View, parse_size
from controller.video.windows import Windows, mean_picture

# -- figures ---------------------------------------------------------------------------------------


def test_psnr_and_ssim_are_those_of_scikit_image() -> None:
    random = np.random.default_rng(1)
    real = random.random((3, 3, 24, 32))
    noise = np.array((0.02, 0.1, 0.3))[:, None, None, None]
    painted = np.clip(real + random.normal(0, noise, real.shape), 0, 1)
    ours = psnr(torch.from_numpy(painted), torch.from_numpy(real)).tolist()
    alike = ssim(torch.from_numpy(painted), torch.from_numpy(real)).tolist()
    for index in range(3):
        first, second = painted[index], real[index]
        assert ours[index] == pytest.approx(
            peak_signal_noise_ratio(second, first, data_range=1.0), abs=1e-6
        )
        expected = structural_similarity(first, second, channel_axis=0, data_range=1.0)
        assert alike[index] == pytest.approx(expected, abs=1e-4)


def test_psnr_by_hand() -> None:
    real = torch.zeros(3, 8, 8)
    assert float(psnr(real + 0.1, real)) == pytest.approx(20.0, abs=1e-4)  # −10·log₁₀ 0.01
    assert float(psnr(real, real)) == 100.0


def test_kl_between_gaussians() -> None:
    torch.manual_seed(0)
    mean, log, other, other_log = torch.randn(4, 5, 6, 3)
    first = torch.distributions.Normal(mean, (0.5 * log).exp())
    second = torch.distributions.Normal(other, (0.5 * other_log).exp())
    expected = torch.distributions.kl_divergence(first, second).mean(dim=(0, 1))
    torch.testing.assert_close(blocks.gaussian_kl(mean, log, (other, other_log)), expected)
    standard = blocks.gaussian_kl(mean, log, (torch.zeros(5, 6, 3), torch.zeros(5, 6, 3)))
    torch.testing.assert_close(standard, kl_per_unit(mean.flatten(0, 1), log.flatten(0, 1)))


def test_verdicts_have_the_names_of_the_diagnosis() -> None:
    good = {
        "latent_units": 8, "active_units": 6, "kl_nats": 3.0, "psnr_mean_db": 35.0,
        "psnr_forced_db": 36.0, "drift_db": 0.1, "baseline_copy_psnr_db": 28.0,
    }  # fmt: skip
    assert not verdicts.findings(good) and not verdicts.unfit([])
    for change, name in (
        ({"kl_nats": 0.01}, "collapsed"),
        ({"psnr_forced_db": 42.0}, "exposure bias"),
        ({"drift_db": 2.0}, "diverges when free-running"),
        ({"psnr_mean_db": 27.0, "psnr_forced_db": 28.0}, "under-trained"),
    ):
        found = verdicts.findings(good | change)
        assert [each.name for each in found] == [name]
        assert verdicts.unfit(found) == (name != "collapsed")


# -- the view and labels ---------------------------------------------------------------------------


def test_projection() -> None:
    view = View(64, 32, distance=4.0, elevation=0.0, aim=1.0)
    root = np.array((3.0, 0.9, -2.0))
    points = np.array(((3.0, 1.0, -2.0), (2.5, 1.0, -2.0), (3.0, 1.5, -2.0)))
    right, down, depth = view.project(points, root).T
    focal = 1 / math.tan(math.radians(18))  # half of 36°, over half the height
    np.testing.assert_allclose(right, (32, 32 + 0.5 / 4 * focal * 16, 32), atol=1e-6)
    np.testing.assert_allclose(down, (16, 16, 16 - 0.5 / 4 * focal * 16), atol=1e-6)
    np.testing.assert_allclose(depth, 4.0)
    assert view.pixels_per_metre(4.0) == pytest.approx(focal * 16 / 4)


def test_a_fixed_camera_lets_the_character_walk() -> None:
    still = View(camera="fixed")
    here, there = np.zeros(3), np.array((1.0, 0.9, 0.0))
    point = np.array((1.0, 0.9, 0.0))
    np.testing.assert_allclose(still.project(point, here), still.project(point, there))
    follows = View()
    assert follows.project(point, there)[0] == pytest.approx(32)


@pytest.mark.parametrize("text", ["64", "64x", "60x64", "8x8", "512x64", "64x64x3"])
def test_sizes_that_no_network_can_halve(text: str) -> None:
    with pytest.raises(ConfigError, match="multiple of 8 from 16 to 256"):
        parse_size(text)


# -- films -----------------------------------------------------------------------------------------


def test_a_film_is_read_as_it_was_written(tmp_path: Path) -> None:
    opened = video_films.film(tmp_path)
    assert opened.size == (16, 16) and opened.frames_of("train") == 48
    second = opened.of("train")[1]
    expected = video_films.clip(24, 1)
    for name in film.FIELDS:
        read = getattr(opened.episode(second), name)
        assert torch.equal(read, getattr(expected, name))
    windows = Windows(opened, "train", 5)
    assert len(windows) == 2 * 20
    assert torch.equal(windows.read(20).frames, expected.frames[:5])  # never across a cut
    mean = opened.read(0, 48).frames.float().mean(dim=0) / 255
    assert (mean_picture(windows) - mean).abs().max() < 0.25
    with pytest.raises(DataError, match="no validation episode has 25 pictures or more"):
        Windows(opened, "validation", 25)


def bad_film(path: Path, **changes: torch.Tensor) -> Path:
    clip = video_films.clip(6)
    tensors = {name: getattr(clip, name) for name in film.FIELDS} | changes
    header = {
        "labels": vars(video_films.KIND), "fps": 30.0, "fingerprint": "",
        "episodes": [{"name": "a", "split": "train", "start": 0, "length": 6}],
    }  # fmt: skip
    checkpoint.save(path, film.KIND, header, tensors)
    return path


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"labels": torch.zeros(5, 3, 16, 16, dtype=torch.uint8)}, "6 frames but 5 labels"),
        ({"vectors": torch.full((6, 2), math.nan)}, "some of its vectors are not finite"),
        ({"labels": torch.zeros(6, 3, 8, 16, dtype=torch.uint8)}, "labels of 16x8 pixels"),
        ({name: torch.zeros(0, 3, 16, 16, dtype=torch.uint8) for name in ("frames", "labels")}
         | {"vectors": torch.zeros(0, 2), "conditions": torch.zeros(0, 7)}, "no pictures"),
    ],
)  # fmt: skip
def test_films_that_do_not_fit_together(
    tmp_path: Path, changes: dict[str, torch.Tensor], sentence: str
) -> None:
    with pytest.raises(DataError, match=sentence):
        film.Film(bad_film(tmp_path / "bad.safetensors", **changes))


def folder_of_pictures(root: Path) -> Path:
    for split in film.SPLITS:
        for part in ("frames", "labels"):
            place = root / split / "one" / part
            place.mkdir(parents=True)
            for index in range(3):
                Image.new("RGB", (32, 16), (index * 10, 0, 0)).save(place / f"{index:05d}.png")
        (root / split / "one" / "conditions.csv").write_text("1,2\n3,4\n5,6\n")
    return root


def test_a_folder_of_pictures_becomes_a_film(tmp_path: Path) -> None:
    source = folder_of_pictures(tmp_path / "mine")
    real_pictures.write_film(source, tmp_path / "film.safetensors")
    opened = film.Film(tmp_path / "film.safetensors")
    assert opened.size == (32, 16) and opened.labels == film.LabelKind("folder", 0, 2)
    clip = opened.episode(opened.of("test")[0])
    assert clip.frames[:, 0, 0, 0].tolist() == [0, 10, 20]
    assert clip.conditions.tolist() == [[1, 2], [3, 4], [5, 6]]


def test_folders_that_do_not_fit_together(tmp_path: Path) -> None:
    source = folder_of_pictures(tmp_path / "mine")
    episode = source / "train" / "one"
    (episode / "labels" / "00002.png").unlink()
    with pytest.raises(DataError, match="3 frames but 2 labels"):
        real_pictures.write_film(source, tmp_path / "f.safetensors")
    Image.new("RGB", (16, 16)).save(episode / "labels" / "00002.png")
    with pytest.raises(DataError, match="16x16 pixels, but the first picture has 32x16"):
        real_pictures.write_film(source, tmp_path / "f.safetensors")
    Image.new("RGB", (32, 16)).save(episode / "labels" / "00002.png")
    (episode / "conditions.csv").write_text("1,2\nnan,4\n5,6\n")
    with pytest.raises(DataError, match="row 2 is not finite"):
        real_pictures.write_film(source, tmp_path / "f.safetensors")
    (episode / "conditions.csv").write_text("1,2\n")
    with pytest.raises(DataError, match="3 frames but 1 rows"):
        real_pictures.write_film(source, tmp_path / "f.safetensors")
    with pytest.raises(DataError, match="no episodes"):
        real_pictures.write_film(tmp_path / "none", tmp_path / "f.safetensors")
    assert not (tmp_path / "f.safetensors").exists()


# -- networks --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "network",
    [
        NetworkConfig(latent=4, widths=(8, 8, 8)),
        NetworkConfig(latent=0, widths=(8, 8, 8), label="vector"),
        NetworkConfig("action", latent=4, widths=(8, 8, 8), memory=16),
        NetworkConfig("action", latent=4, widths=(8, 8, 8), memory=16, prior="learned"),
    ],
)
def test_a_rollout_from_real_pictures_is_that_of_free_painting(network: NetworkConfig) -> None:
    """Training's loop with no forced picture and z's noise paints what free painting paints."""
    torch.manual_seed(0)
    model = build(network, video_films.KIND, torch.full((3, 16, 16), 0.5))
    clip = film.Clip.stack([video_films.clip(6, seed) for seed in (1, 2)])
    forced = torch.zeros(5, 2, dtype=torch.bool)
    forced[0] = True
    unrolled = model(clip, forced, torch.zeros(5, 2, network.latent))
    assert unrolled.pictures.shape == (2, 5, 3, 16, 16)
    assert unrolled.mean.shape == unrolled.log_variance.shape == (2, 5, network.latent)
    assert (unrolled.prior is None) == (network.prior == "fixed")

    state = model.start(clip.part(0, 1))
    for step in range(1, 6):
        z = unrolled.mean[:, step - 1]
        if network.prior == "learned":  # its noise would be scaled and shifted
            break
        picture, state = model.paint(state, clip.at(step), z)
        expected = unrolled.pictures[:, step - 1].clamp(0, 1)
        torch.testing.assert_close(picture, expected, atol=2e-3, rtol=0)
    painted = free_rollout.paint(model, clip, 1, seed=0)
    assert painted.shape == (2, 5, 3, 16, 16) and bool(torch.isfinite(painted).all())


def test_a_network_needs_its_labels() -> None:
    mean = torch.zeros(3, 16, 16)
    bare = film.LabelKind("", 0, 0)
    for network in (
        NetworkConfig(label="picture"), NetworkConfig(label="vector"), NetworkConfig("action")
    ):  # fmt: skip
        with pytest.raises(DataError, match="the film has none"):
            build(network, bare, mean)


def test_a_painter_is_saved_and_refuses_other_labels(tmp_path: Path) -> None:
    opened = video_films.film(tmp_path)
    trainer = VideoTrainer(opened, video_films.config())
    path = tmp_path / "net.safetensors"
    trainer.painter({"note": "x"}).save(path)
    painter = Painter.load(path)
    assert painter.size == (16, 16) and painter.past == 1 and painter.header["note"] == "x"
    for name, value in painter.network.state_dict().items():
        assert torch.equal(value, trainer.network.state_dict()[name].half().float())
    painter.require_film(opened)
    with pytest.raises(DataError, match="the network was trained on skeleton pictures"):
        painter.require_labels(replace(video_films.KIND, vector=40), "it")
    (tmp_path / "large").mkdir()
    large = video_films.film(tmp_path / "large", side=24)
    with pytest.raises(DataError, match="24x24 pixels, but the network paints 16x16"):
        painter.require_film(large)
    with pytest.raises(CheckpointError, match="a video-film checkpoint found"):
        Painter.load(opened.path)


# -- training --------------------------------------------------------------------------------------


def test_the_schedules_are_the_motion_vaes_own(tmp_path: Path) -> None:
    assert config.TeacherForcing is schedules.TeacherForcing
    assert config.KlWeight is schedules.KlWeight
    settings = video_films.config(epochs=8, kl=schedules.KlWeight("cyclical", cycles=2))
    trainer = VideoTrainer(video_films.film(tmp_path), settings)
    for epoch in (0.0, 0.5, 1.0, 3.9, 4.5, 7.9):
        scheduled = trainer.schedule(epoch)
        weight = schedules.cyclical(epoch, 8, 2, 0.5)
        assert scheduled["beta"] == pytest.approx(settings.beta * weight)
        assert scheduled["teacher_forcing"] == settings.teacher(epoch)
    with pytest.raises(ConfigError, match=r"kl\.ramp_epochs"):
        video_films.config(kl=schedules.KlWeight(ramp_epochs=9))


def test_the_loss_by_hand(tmp_path: Path) -> None:
    trainer = VideoTrainer(video_films.film(tmp_path), video_films.config())
    clip = trainer.windows.draw(2, trainer.generator)
    unrolled = trainer.network(clip, *trainer.draw(0.0))
    error, kl = trainer.losses(clip, unrolled)
    real = clip.frames[:, 1:].float() / 255
    torch.testing.assert_close(error, 100 * (unrolled.pictures - real).square().mean())
    mean, log = unrolled.mean, unrolled.log_variance
    expected = 0.5 * (log.exp() + mean**2 - 1 - log).sum(dim=-1).mean()
    torch.testing.assert_close(kl, expected)


def test_a_network_learns_32_frames(tmp_path: Path) -> None:
    """Also where it paints from its own pictures."""
    clip = video_films.clip(32, seed=5)
    path = tmp_path / "film.safetensors"
    film.write(path, [(s, s, clip) for s in film.SPLITS], video_films.KIND, 30.0, {})
    settings = video_films.config(
        network=NetworkConfig(latent=2, widths=(16, 16, 16)),
        epochs=8, rollouts_per_epoch=30, batch=16, window=1, learning_rate=1e-2,
        milestones=(5, 7), beta=0.1,
    )  # fmt: skip
    trainer = VideoTrainer(film.Film(path), settings)
    for _ in range(settings.epochs):
        figures = trainer.run_epoch()
    assert figures["validation_psnr_db"] >= 35.0


def test_resuming_is_exact(tmp_path: Path) -> None:
    opened = video_films.film(tmp_path)
    options = TrainCommand(opened.path, tmp_path / "whole", config=video_films.config(epochs=3))
    train(options)
    whole = VideoRunFolder(options.out)
    broken = VideoRunFolder(tmp_path / "broken")
    broken.path.mkdir()
    first = VideoTrainer(opened, options.config)
    first.run_epoch()
    broken.save(first)
    train(replace(options, out=broken.path, resume=True))
    one, two = (checkpoint.load(each.state_path, each.kind) for each in (whole, broken))
    assert one[1].keys() == two[1].keys()
    for name, value in one[1].items():
        assert torch.equal(value, two[1][name]), name
    rates = [[row["learning_rate"] for row in state[0]["history"]] for state in (one, two)]
    assert rates[0] == rates[1] == pytest.approx([2e-3, 6e-4, 6e-4])
    with pytest.raises(ControllerError, match="is there already"):
        train(options)
    with pytest.raises(ControllerError, match="its settings are not this run's"):
        train(replace(options, resume=True, config=video_films.config(epochs=3, beta=0.5)))


def test_a_loss_that_is_not_finite_ends_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trainer = VideoTrainer(video_films.film(tmp_path), video_films.config())
    before = {name: value.clone() for name, value in trainer.network.state_dict().items()}
    losses = trainer.losses
    monkeypatch.setattr(
        trainer, "losses", lambda *args: tuple(each * math.nan for each in losses(*args))
    )
    with pytest.raises(ControllerError, match="not finite in rollout 1"):
        trainer.run_epoch()
    for name, value in trainer.network.state_dict().items():
        assert torch.equal(value, before[name])


def test_the_commands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    opened = video_films.film(tmp_path)
    paths = {}
    for name, latent in (("vae", 2), ("plain", 0)):
        network = NetworkConfig(latent=latent, widths=(8, 8, 8))
        settings = video_films.config(network=network)
        paths[name] = train(TrainCommand(opened.path, tmp_path / name, config=settings))
    words = ["video", "evaluate", "--data", str(opened.path), "--network", str(paths["vae"])]
    words += ["--regression", str(paths["plain"]), "--film", str(tmp_path / "x.gif")]
    monkeypatch.setattr(sys, "argv", [*words, "--json"])
    capsys.readouterr()
    commands.main()
    figures = json.loads(capsys.readouterr().out)
    keys = ("psnr_mean_db", "psnr_worst_db", "ssim_mean", "baseline_copy_psnr_db")
    assert set(keys) < figures.keys() and "baseline_regression_psnr_db" in figures
    painter = Painter.load(paths["vae"])
    clip = opened.episode(opened.of("test")[0])
    painted = free_rollout.paint(painter.network, film.Clip.stack([clip]), 1, seed=0)[0]
    mse = ((painted - clip.frames[1:].float() / 255) ** 2).mean(dim=(1, 2, 3))
    assert figures["psnr_mean_db"] == pytest.approx(float((-10 * mse.log10()).mean()), abs=1e-3)
    with Image.open(tmp_path / "x.gif") as gif:
        assert gif.size == (16 * 2 + 2, 2 * (16 * 2 + 2))

    monkeypatch.setattr(sys, "argv", [*words[:6], "--regression", str(paths["vae"])])
    with pytest.raises(ConfigError, match=r"a network with --network\.latent 0"):
        commands.main()


def test_the_study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = video_films.film(tmp_path)
    monkeypatch.setattr(study, "STARTS", (1.0, 0.5))
    monkeypatch.setattr(study, "settings", short_settings)
    options = study.VideoStudy(opened.path, tmp_path / "study", draw=tmp_path / "x.svg")
    text = study.study(options)
    rows = json.loads((options.out / "table.json").read_text())
    assert [(row["kind"], row["start"]) for row in rows] == [
        (kind, start) for kind in get_args(schedules.KlKind) for start in (1.0, 0.5)
    ]
    assert len(text.splitlines()) == 2 + 8
    for row, line in zip(rows, text.splitlines()[2:], strict=True):
        assert f"| {row['kind']} | {row['start']:.1f} | {row['psnr_mean_db']:.2f} |" in line
        assert [epoch["beta"] for epoch in row["history"]][-1] <= 0.001
    assert (tmp_path / "x.svg").read_text().count("<path") > 8
    monkeypatch.setattr(study, "train", None)  # what is finished is not run again
    assert study.study(options) == text
    monkeypatch.setattr(study, "settings", lambda *_: video_films.config(beta=0.5))
    with pytest.raises(ControllerError, match="a run with other settings"):
        study.study(options)


def short_settings(
    start: float, kind: schedules.KlKind, seed: int, quick: bool
) -> config.VideoConfig:
    teacher = schedules.TeacherForcing(start=start, hold_epochs=0, ramp_epochs=1)
    kl = schedules.KlWeight(kind, ramp_epochs=0, cycles=1)
    return video_films.config(teacher=teacher, kl=kl, seed=seed)
