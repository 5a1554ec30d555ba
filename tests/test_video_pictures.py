"""Pose to video with OpenGL: filming, and the network as a renderer."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import play
from controller.control.folder import CharacterFolder
from controller.core.errors import CheckpointError, ConfigError, DisplayError
from controller.video import acting, film, labels, shooting
from controller.video.config import NetworkConfig
from controller.video.inset import place
from controller.video.network import Painter, build
from controller.video.neural_renderer import NeuralRenderer
from controller.video.view import View


@pytest.fixture(scope="module")
def studio() -> Iterator[shooting.Studio]:
    os.environ.setdefault("LP_NUM_THREADS", "0")
    try:
        studio = shooting.Studio(acting.Actor(CharacterFolder.open()), View(32, 64))
    except DisplayError as error:
        pytest.skip(str(error))
    yield studio
    studio.close()


@pytest.fixture(scope="module")
def clip(studio: shooting.Studio) -> film.Clip:
    return studio.episode(seed=3, frames=6)


def painter(studio: shooting.Studio, **changes: object) -> Painter:
    """An untrained network for this studio's films."""
    torch.manual_seed(0)
    kind = replace(shooting.label_kind(studio.actor), **changes)  # type: ignore[arg-type]
    network = build(NetworkConfig(latent=2, widths=(8, 8, 8)), kind, torch.full((3, 64, 32), 0.5))
    return Painter(network.eval(), kind, 1, {"view": asdict(studio.view)})


def test_a_film_is_the_same_for_the_same_seed(studio: shooting.Studio, clip: film.Clip) -> None:
    again = studio.episode(seed=3, frames=6)
    other = studio.episode(seed=4, frames=6)
    for name in film.FIELDS:
        assert torch.equal(getattr(again, name), getattr(clip, name)), name
    assert not torch.equal(other.frames, clip.frames)
    assert clip.frames.shape == clip.labels.shape == (6, 3, 64, 32)
    assert clip.vectors.shape == (6, 40) and clip.conditions.shape == (6, 7)
    seeds = [seed for *_, seed, _ in shooting.plan(5, 5, 5, 10, 20, seed=3)]
    assert len(set(seeds)) == 15


def test_labels_lie_on_the_picture(studio: shooting.Studio, clip: film.Clip) -> None:
    """The picture has the figure where the label has bones."""
    shots = studio.actor.shots(seed=3, frames=1)
    positions = next(shots).positions
    spots = studio.view.project(positions, positions[0])
    vector = clip.vectors[0].reshape(-1, 2).numpy()
    np.testing.assert_allclose(vector, 2 * spots[:, :2] / (32, 64) - 1, atol=1e-5)
    picture = clip.frames[0].float()
    spine = studio.actor.character.skeleton.names.index("Spine1")
    x, y = (int(each) for each in spots[spine, :2])
    label = clip.labels[0, :, y, x]
    assert int(label.max()) > 180  # the neck: white or purple
    warmth = picture[0] - picture[2]  # the ground and the sky are bluish, the body is pale
    assert float(warmth[y, x]) > 5 and float(warmth[y, 1]) < -10
    seconds = 1 / 30
    moved = labels.effector(np.zeros(3), np.array((0.1, 0.9, -0.2)), seconds)
    np.testing.assert_allclose(moved, (3.0, 0.9, -6.0), rtol=1e-6)
    np.testing.assert_allclose(
        labels.action(np.array((1.0, 2.0)), np.pi / 2), (1, 2, 0, 1), atol=1e-6
    )


def test_the_network_paints_until_a_cut(studio: shooting.Studio) -> None:
    neural = NeuralRenderer(painter(studio), studio.actor.character.skeleton)
    player = studio.actor.player(0)
    neural.step(player, studio.screen)
    before = studio.screen.renderer.size
    expected = studio.picture(acting.Scene(player.now.pose, player.now.yaw))
    np.testing.assert_array_equal(neural.picture, expected)
    assert studio.screen.renderer.size == before
    player.step({"w"})
    neural.step(player, studio.screen)
    assert np.abs(neural.picture.astype(int) - expected).mean() > 5  # untrained
    player.step({"r"})
    neural.step(player, studio.screen)
    expected = studio.picture(acting.Scene(player.now.pose, player.now.yaw))
    np.testing.assert_array_equal(neural.picture, expected)


def test_networks_that_cannot_paint_this_character(studio: shooting.Studio, tmp_path: Path) -> None:
    path = tmp_path / "net.safetensors"
    painter(studio, vector=60).save(path)
    with pytest.raises(CheckpointError, match="60 numbers a label"):
        NeuralRenderer.load(path, studio.actor.character.skeleton)


def test_play_records_what_the_network_paints(studio: shooting.Studio, tmp_path: Path) -> None:
    path = tmp_path / "net.safetensors"
    painter(studio).save(path)
    out = tmp_path / "x.png"
    options = play.Options(
        headless=True, frames=3, renderer="neural", neural=path, record=(str(out),), size="240x160"
    )
    options.check()
    cast = play.Cast.open()
    beside = play.Beside(cast.player, options)
    assert beside.neural is not None
    with play.Recording(options.files, cast.player.character.skeleton, 30.0) as record:
        play.play_headless(cast, options, record)
    left, bottom, right, top = place((34, 66), (240, 160))
    assert right == 240 - 8 and (right - left) / (top - bottom) == pytest.approx(34 / 66, abs=0.02)
    with Image.open(out) as picture:
        pixels = np.asarray(picture.convert("RGB")).astype(int)
    inside = pixels[160 - top : 160 - bottom, left:right]
    assert inside.shape[:2] == (top - bottom, right - left)
    assert (inside[0] == 225).all() and (inside[:, 0] == 225).all()  # its frame


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (play.Options(neural=Path("x")), "--neural is 'x'; allowed: with --renderer neural"),
        (play.Options(renderer="neural", ground="hills"), "--ground is 'hills'; allowed: flat"),
    ],
)
def test_options_that_make_no_sense(options: play.Options, sentence: str) -> None:
    with pytest.raises(ConfigError, match=sentence):
        options.check()
