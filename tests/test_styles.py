"""Styles: labels of clips, a motion VAE that moves in the style that it is asked for, and how that
is judged."""

from __future__ import annotations

import copy
import hashlib
import json
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from synthetic import character as tiny
from synthetic import clips, data, latents, layout, refusal, shorten_rollouts, walk
from torch import Tensor

from controller.control.actors import Actor
from controller.control.policy import Policy
from controller.core import checkpoint
from controller.core.errors import ActionError, CheckpointError, ConfigError, DataError
from controller.data import commands, dataset
from controller.data.dataset import MotionDataset
from controller.data.labels import styles_of
from controller.data.windows import Windows
from controller.dynamics.character import KIND, Character, CharacterState
from controller.dynamics.rollout import drawn_latents, record
from controller.dynamics.style_axes import StyleAxes
from controller.evaluation import styles
from controller.games.player import Player
from controller.games.styles import StyleChooser
from controller.model import variants
from controller.model.mixture import MotionVAE, MotionVAEConfig, Variant
from controller.motion.feet import Feet
from controller.tasks.joystick import JoystickTask
from controller.tasks.penalties import Penalties
from controller.tasks.random_walk import RandomWalkTask
from controller.tasks.simulation import Simulation
from controller.training.config import TrainConfig
from controller.training.free_running import FreeRunning
from controller.training.publish import export
from controller.training.schedules import KlWeight, TeacherForcing
from controller.training.trainer import Trainer
from controller.viewer.input.keys import STEERING_KEYS

NAMES = ("calm", "proud", "sad")


@cache
def labelled() -> MotionDataset:
    """The synthetic clips, of which each style has three."""
    return data().labelled([NAMES[number % 3] for number in range(len(data().clips))])


def model(variant: Variant = "mixture") -> MotionVAE:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        config = MotionVAEConfig(
            variant, latent=6, hidden=24, experts=3, gate_hidden=8, codes=5, styles=NAMES
        )
        return variants.build(labelled().layout.size, config, labelled().normalizer())


@cache
def character() -> Character:
    made = model()
    poses = made.normalizer.normalize(labelled().poses[::7])
    return Character(made, labelled().layout, poses)


def row(state: CharacterState, number: int) -> CharacterState:
    part = slice(number, number + 1)
    return CharacterState(state.pose[part], state.position[part], state.yaw[part])


# -- labels ----------------------------------------------------------------------------------------


def test_a_style_is_what_the_pattern_finds_in_the_name() -> None:
    names = ["set-1_walk-back_not-confident_001", "set-2_run_elderly_12[3:90]", "set-1_run_old_7"]
    found = styles_of(names, r"_(?:walk-back|run)_(?P<style>[a-z-]+)_\d", ["elderly=old"])
    assert found == ["not-confident", "old", "old"]


@pytest.mark.parametrize(
    ("pattern", "merge", "error", "says"),
    [
        ("(", [], ConfigError, "labels is '('; allowed: a regular expression with a group"),
        ("_([a-z]+)_", [], ConfigError, "a group named style"),
        ("_(?P<style>[A-Z]+)_", [], DataError, "x_sad_1: the pattern of --labels finds no style"),
        ("_(?P<style>[a-z]+)_", ["sad"], ConfigError, "merge is 'sad'"),
        (
            "_(?P<style>[a-z]+)_",
            ["old=sad"],
            ConfigError,
            "merge is 'old'; allowed: names that are",
        ),
    ],
)
def test_labels_that_cannot_be_are_refused(
    pattern: str, merge: list[str], error: type[Exception], says: str
) -> None:
    with pytest.raises(error, match=r".*") as raised:
        styles_of(["x_sad_1"], pattern, merge)
    assert says in str(raised.value)


def test_each_clip_has_the_weight_of_its_own_style() -> None:
    made = labelled()
    assert made.layout.styles == NAMES and made.layout.size == layout().size + 3
    for number, clip in enumerate(made.clips):
        expected = torch.eye(3)[number % 3].expand(clip.length, 3)
        assert torch.equal(made.poses[clip.rows, made.layout.style], expected)
    assert torch.equal(made.poses[:, made.layout.body], data().poses)
    mirrored = made.layout.mirror(made.poses)
    assert torch.equal(mirrored[:, made.layout.style], made.poses[:, made.layout.style])
    assert torch.equal(mirrored[:, made.layout.body], layout().mirror(data().poses))


def test_labelled_data_come_back_and_train_another_model(tmp_path: Path) -> None:
    labelled().save(tmp_path / "a.npz")
    again = MotionDataset.load(tmp_path / "a.npz")
    assert torch.equal(again.poses, labelled().poses) and again.layout.styles == NAMES
    assert again.labels() == [number % 3 for number in range(len(data().clips))]
    renamed = data().labelled([("calm", "proud", "shy")[n % 3] for n in range(len(data().clips))])
    prints = {made.fingerprint() for made in (data(), labelled(), again, renamed)}
    assert len(prints) == 3 and again.fingerprint() == labelled().fingerprint()


def test_data_without_labels_are_what_they_were(tmp_path: Path) -> None:
    data().save(tmp_path / "a.npz")
    with np.load(tmp_path / "a.npz") as archive:
        header = json.loads(str(archive["header"]))
        poses = archive["poses"]
    assert not {"styles", "labels"} & header.keys() and poses.shape[1] == layout().size
    digest = hashlib.sha256(poses.tobytes())
    digest.update(json.dumps([header["clips"], header["skeleton"]]).encode())
    assert data().fingerprint() == digest.hexdigest() and data().labels() == []


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("labels", [0, 1]),
        ("labels", [3] * 9),
        ("labels", [-1] * 9),
        ("labels", None),
        ("labels", ["sad"] * 9),
        ("styles", ["calm", "calm", "sad"]),
        ("styles", ["calm"]),
        ("styles", [1, 2, 3]),
        ("styles", 3),
    ],
)
def test_damaged_labels_are_refused(tmp_path: Path, field: str, value: Any) -> None:
    labelled().save(tmp_path / "a.npz")
    with np.load(tmp_path / "a.npz") as archive:
        header = json.loads(str(archive["header"]))
        poses = archive["poses"]
    header[field] = value
    np.savez(tmp_path / "b.npz", header=np.array(json.dumps(header)), poses=poses)
    with pytest.raises(DataError, match=r"b\.npz: "):
        MotionDataset.load(tmp_path / "b.npz")


def test_one_style_is_none() -> None:
    with pytest.raises(ConfigError, match=r"styles is \('sad',\); allowed"):
        data().labelled(["sad"] * len(data().clips))


def test_statistics_leave_weights_as_they_are() -> None:
    normalizer = labelled().normalizer()
    scores = normalizer.normalize(labelled().poses)
    style = labelled().layout.style
    assert torch.equal(scores[:, style], labelled().poses[:, style])
    body = labelled().layout.body
    assert torch.equal(normalizer.mean[body], data().normalizer().mean)
    assert torch.equal(normalizer.std[body], data().normalizer().std)


def test_merging_without_labels_is_a_mistake(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words: list[str | Path] = ["build", "--source", tmp_path, "--out", tmp_path / "a.npz"]
    said = refusal(commands.main, [*words, "--merge", "a=b"], monkeypatch, capsys)
    assert said == "merge is ('a=b',); allowed: nothing without --labels"


# -- windows ---------------------------------------------------------------------------------------


def uneven() -> MotionDataset:
    """Seven clips of one style and one each of two others."""
    return data().labelled(["calm"] * 7 + ["proud", "sad"])


@pytest.mark.parametrize(
    ("balance", "share"), [(0.0, 1 / 9), (0.5, 1 / (2 + 7**0.5)), (1.0, 1 / 3)]
)
def test_rare_styles_are_drawn_as_often_as_is_asked(balance: float, share: float) -> None:
    made = uneven()
    windows = Windows(made.poses, list(made.clips), 5, 0.0, 3, balance)
    drawn = windows.draw(20_000, torch.Generator().manual_seed(0))
    sad = float(drawn[:, 0, made.layout.style.stop - 1].mean())
    assert sad == pytest.approx(share, abs=0.015)


def test_the_windows_of_one_style_are_all_of_it() -> None:
    made = labelled()
    windows = Windows(made.poses, list(made.clips), 5, 0.3, 3, 0.5)
    drawn = windows.of_style(1, "proud").draw(500, torch.Generator().manual_seed(0))
    assert bool((drawn[..., made.layout.style] == torch.tensor([0.0, 1.0, 0.0])).all())
    with pytest.raises(DataError, match="'proud'"):
        Windows(data().poses, list(data().clips), 5).of_style(1, "proud")


@pytest.mark.parametrize("restyle", [0.0, 0.2])
def test_free_steps_are_compared_by_style_and_some_come_from_another(restyle: float) -> None:
    made = labelled()
    generator = torch.Generator().manual_seed(3)
    windows = Windows(*made.split(held_out=False), 5, 0.3, 3, 0.5)
    feet = Feet(made.layout)
    pool = FreeRunning(windows, made.normalizer(), feet, 60, 0.0, generator, NAMES, restyle)
    style = made.layout.style
    seen = set()
    for number in range(20):
        free = pool.draw(12, 5, model())
        expected = torch.eye(3)[pool.labels][:, None]  # a group of each of the styles
        weights = torch.cat((free.scores.unflatten(0, (3, 4)), free.rest, free.captured), dim=1)
        assert bool((weights[..., style] == expected).all())
        assert free.captured.shape[1] == free.rest.shape[1] + 2 * 4 == 20 + 4
        assert bool((free.slices[style] == 0).all())
        seen |= set(pool.labels.tolist())
        ends = free.scores.clone()
        ends[:, 0] = value = 0.01 * number
        pool.put_back(ends, 5)
        taken = bool((pool.poses[pool.rows, 0] - value).abs().max() > 1e-6)
        assert taken == (restyle > 0)
        weights = pool.poses[pool.rows][:, style]
        assert torch.equal(weights, torch.eye(3)[pool.labels.repeat_interleave(4)])
    assert seen == {0, 1, 2}


# -- the model -------------------------------------------------------------------------------------


@pytest.mark.parametrize("variant", ["mixture", "plain", "specialists", "codes"])
def test_the_style_reaches_encoder_and_decoder_and_stays(variant: Variant) -> None:
    made = model(variant)
    style = labelled().layout.style
    poses = made.normalizer.normalize(labelled().poses[:40])
    other = poses.clone()
    other[:, style] = torch.tensor([0.0, 0.25, 0.75])
    latent = latents(0, 39, 6)
    one = made.decode(latent, poses[:-1])
    two = made.decode(latent, other[:-1])
    assert float((one - two)[:, labelled().layout.body].detach().abs().max()) > 1e-3
    assert torch.equal(one[:, style], poses[:-1, style])
    assert torch.equal(two[:, style], other[:-1, style])

    if variant != "codes":
        means = [made.encode(each[:-1], each[1:])[0] for each in (poses, other)]
        assert float((means[0] - means[1]).detach().abs().max()) > 1e-3
    step = made.loss(poses[:-1], poses[1:], poses[1:], latent, 0.0)
    (step.reconstruction + step.latent).backward()
    assert torch.equal(step.predicted[:, style], poses[:-1, style])
    bodies = labelled().layout.body
    if variant == "mixture":
        error = (step.predicted - poses[1:])[:, bodies].square().mean()
        torch.testing.assert_close(step.reconstruction, error)


def test_decoding_many_equals_decoding_few() -> None:
    made = model()
    poses = made.normalizer.normalize(labelled().poses[:400])
    latent = latents(0, 400, 6)
    with torch.no_grad():
        many = made.decode(latent, poses)
        few = torch.cat(
            [made.decode(latent[k : k + 50], poses[k : k + 50]) for k in range(0, 400, 50)]
        )
    torch.testing.assert_close(many, few)


def test_a_window_of_poses_has_no_styles() -> None:
    with pytest.raises(ConfigError, match="none with the variant 'window'"):
        MotionVAEConfig("window", styles=NAMES)


def test_a_model_without_styles_has_the_layers_that_it_had() -> None:
    made = MotionVAE(layout().size, MotionVAEConfig())
    size = layout().size
    shapes = {name: tuple(value.shape) for name, value in made.named_parameters()}
    assert shapes["decoder.gate.0.weight"] == (64, 32 + size)
    assert shapes["decoder.first.weight"] == (6, 32 + size, 256)
    assert shapes["decoder.output.weight"] == (6, 32 + 256, size)
    assert shapes["encoder.first.weight"] == (256, 2 * size)
    assert shapes["encoder.mean.weight"] == (32, size + 256)


# -- the character ---------------------------------------------------------------------------------


def test_the_compiled_step_equals_the_plain_one() -> None:
    who = character()
    state = who.reset(8, torch.Generator().manual_seed(0))
    weights = torch.softmax(latents(4, 8, 3), dim=-1)
    state = who.with_style(state, weights)
    latent = latents(1, 8, 6)
    together = who.step(state, latent)
    torch.testing.assert_close(who.style(together), weights)
    root, rotations = who.joints(together)
    for number in range(8):
        alone = who.step(row(state, number), latent[number : number + 1])
        torch.testing.assert_close(alone.pose[0], together.pose[number], atol=1e-5, rtol=1e-5)
        torch.testing.assert_close(alone.position[0], together.position[number])
        turned = who.joints(row(together, number))
        assert turned[1].shape == (1, layout().joints, 3, 3)
        torch.testing.assert_close(turned[0][0], root[number])
        torch.testing.assert_close(turned[1][0], rotations[number], atol=1e-5, rtol=1e-5)


def test_a_blend_changes_the_step_little_by_little() -> None:
    """Along the way from one style to another, no step of a hundredth is more than a tenth of the
    whole."""
    who = character()
    share = torch.linspace(0, 1, 101)[:, None]
    weights = (1 - share) * torch.eye(3)[0] + share * torch.eye(3)[2]
    start = who.reset(1, torch.Generator().manual_seed(1))
    many = CharacterState(
        start.pose.expand(101, -1), start.position.expand(101, -1), start.yaw.expand(101)
    )
    poses = who.step(who.with_style(many, weights), latents(0, 1, 6).expand(101, -1)).pose
    poses = poses[:, who.layout.body]
    whole = (poses[-1] - poses[0]).norm()
    assert float(whole) > 1e-3
    assert float((poses[1:] - poses[:-1]).norm(dim=1).max() / whole) < 0.1


@pytest.mark.parametrize(
    "weights",
    [[0.5, 0.4, 0.0], [1.5, -0.5, 0.0], [1.0, 0.0], [torch.nan, 0.5, 0.5], [[1.0, 0.0, 0.0]] * 3],
)
def test_weights_that_are_none_are_refused(weights: Any) -> None:
    with pytest.raises(ActionError, match="style"):
        character().with_style(character().reset(2), torch.tensor(weights))


def test_a_style_is_kept_and_a_policy_sees_it() -> None:
    who = character()
    generator = torch.Generator().manual_seed(0)
    state = who.with_style(who.reset(4, generator), torch.tensor([0.0, 0.5, 0.5]))
    run = record(who, drawn_latents(who, generator), state, lambda *_: None, 30)
    assert bool((run.pose[..., who.layout.style] == torch.tensor([0.0, 0.5, 0.5])).all())
    simulation: Simulation[Any] = Simulation(who, RandomWalkTask(who))
    observation = simulation.observe(state, simulation.task.draw_goal(state, generator))
    assert observation.shape == (4, simulation.observation_size)
    assert torch.equal(observation[:, who.layout.style], who.style(state))


def test_episodes_begin_in_every_style() -> None:
    who = character()
    simulation: Simulation[Any] = Simulation(who, RandomWalkTask(who))
    state, _ = simulation.reset(300, torch.Generator().manual_seed(0))
    share = who.style(state).mean(dim=0)
    assert float((share - 1 / 3).abs().max()) < 0.1
    generator = torch.Generator().manual_seed(0)
    plain = row(state, 0)
    before = generator.get_state()
    assert tiny().with_drawn_styles(plain, generator) is plain  # it has none, and draws none
    assert torch.equal(generator.get_state(), before)


def test_the_distance_from_a_style_is_that_from_its_centre_or_between_two() -> None:
    axes = StyleAxes(torch.eye(3)[:, :2], torch.tensor([[0.0, 0.0], [6.0, 8.0]]))
    poses = torch.tensor([[3.0, 4.0, 9.0], [0.0, 0.0, 1.0]])
    for weights, expected in (([1.0, 0.0], 5.0), ([0.0, 1.0], 5.0), ([0.5, 0.5], 0.0)):
        found = axes.distance(poses, torch.tensor([weights, weights]))[0]
        assert float(found) == pytest.approx(expected / 2**0.5, abs=1e-4)


def test_a_policy_pays_for_leaving_the_style() -> None:
    who = copy.copy(character())
    body = who.layout.body.stop
    state = who.with_style(who.reset(4, torch.Generator().manual_seed(0)), torch.eye(3)[0])
    where = state.pose[:, :1].mean()
    centres = torch.tensor([[0.0], [3.0], [20.0]]) + where
    vars(who)["style_axes"] = StyleAxes(torch.eye(body)[:, :1], centres)
    penalties = Penalties(who)
    costs = []
    for style in torch.eye(3):
        asked = who.with_style(state, style)
        costs.append(float(penalties.terms(asked, torch.zeros(4, 6), asked)["style"].mean()))
    weight = penalties.weights.style
    assert costs[0] < 0.5 * weight and costs[1] > weight
    assert costs[2] == pytest.approx(5 * weight)  # no more than that
    plain = tiny().reset(4)
    assert "style" not in Penalties(tiny()).terms(plain, torch.zeros(4, 6), plain)


def test_a_character_shows_its_own_styles() -> None:
    axes = character().style_axes
    assert axes.axes.shape == (character().layout.body.stop, 2) and axes.centres.shape == (3, 2)
    again = copy.copy(character())
    del vars(again)["style_axes"]
    assert torch.equal(again.style_axes.centres, axes.centres)
    assert not axes.axes.is_inference()


def test_a_checkpoint_keeps_the_names(tmp_path: Path) -> None:
    character().save(tmp_path / "a.safetensors")
    again = Character.load(tmp_path / "a.safetensors")
    assert again.styles == NAMES and again.model.config == character().model.config
    state = again.reset(3, torch.Generator().manual_seed(0))
    latent = latents(0, 3, 6)
    assert torch.equal(again.step(state, latent).pose, character().step(state, latent).pose)


@pytest.mark.parametrize(
    "names", [[], ["calm", "sad"], ["calm", "sad", "sad"], ["a", "b", "c", "d"], None, [1, 2, 3]]
)
def test_a_checkpoint_with_other_names_is_refused(tmp_path: Path, names: Any) -> None:
    path = tmp_path / "a.safetensors"
    character().save(path)
    header, tensors = checkpoint.load(path, KIND)
    header["config"]["styles"] = names
    checkpoint.save(path, KIND, header, tensors)
    with pytest.raises(CheckpointError, match="not a complete motion-vae checkpoint"):
        Character.load(path)


# -- at the keys -----------------------------------------------------------------------------------


def test_keys_choose_a_style_and_slide_between_the_last_two() -> None:
    chooser = StyleChooser(("calm", "normal", "sad"))
    nothing: frozenset[str] = frozenset()
    assert chooser.status == "style normal"  # the one to begin with, if there is one of that name
    assert chooser.weights.tolist() == [0, 1, 0]
    chooser.step({"k"}, {"k"}, 1 / 30)
    assert chooser.weights.tolist() == [0, 0, 1] and "normal" in chooser.status
    for _ in range(15):  # a third of the way, at 1.5 s for all of it
        chooser.step(nothing, {"h"}, 1 / 30)
    torch.testing.assert_close(chooser.weights, torch.tensor([0, 1 / 3, 2 / 3]))
    assert chooser.status == "style normal -------o--- sad"
    for _ in range(100):
        chooser.step(nothing, {"h"}, 1 / 30)
    assert chooser.weights.tolist() == [0, 1, 0]
    chooser.step(nothing, {"l"}, 1 / 30)
    assert chooser.weights[2] > 0
    chooser.step({"k"}, {"k"}, 1 / 30)
    assert chooser.weights.tolist() == [1, 0, 0] and chooser.status.endswith(" calm")
    chooser.step({"j"}, {"j"}, 1 / 30)
    assert chooser.weights.tolist() == [0, 0, 1] and StyleChooser(("a", "b")).weights[0] == 1


def test_a_player_moves_as_the_keys_ask() -> None:
    player = Player(character(), task="random")
    player.step(frozenset())
    assert character().style(player.state).tolist() == [[1, 0, 0]]
    player.step({"k"})
    player.step({"h"})
    weights = character().style(player.state)[0]
    torch.testing.assert_close(weights, torch.tensor([1 / 45, 44 / 45, 0.0]))
    player.reset()
    player.step(frozenset())
    torch.testing.assert_close(character().style(player.state)[0], weights)
    plain = Player(tiny(), task="random")
    plain.step({"k", "h"})
    assert plain.style is None
    assert {"h", "j", "k", "l"} <= set(STEERING_KEYS)


# -- training and its judge ------------------------------------------------------------------------


def test_training_makes_a_character_that_starts_in_every_style(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shorten_rollouts(monkeypatch)
    config = TrainConfig.of(
        model=MotionVAEConfig(latent=6, hidden=16, experts=2, gate_hidden=4),
        epochs=2,
        rollouts_per_epoch=2,
        free_from_epoch=1,
        free_batch=16,
        free_pool=16,
        teacher=TeacherForcing("constant", start=0.5),
        kl=KlWeight("none"),
    )
    trainer = Trainer(labelled(), config)
    assert trainer.config.model.styles == NAMES
    for _ in range(2):
        trainer.run_epoch()
    assert "spread" in trainer.history[-1]
    export(trainer, tmp_path / "a.safetensors")
    made = Character.load(tmp_path / "a.safetensors")
    of_pose = made.reset_poses[:, made.layout.style]
    assert set(of_pose.argmax(dim=-1).tolist()) == {0, 1, 2}
    assert bool(((of_pose == 0) | (of_pose == 1)).all())
    with pytest.raises(DataError, match="have no styles, but the model to start from has calm"):
        Trainer(data(), config).start_from(made)


@cache
def two_styles() -> MotionDataset:
    """Slow and fast walks, twelve of each, that are easy to tell apart."""
    walks = [
        walk(f"walk{number}", speed=(0.5, 1.3)[number % 2] + 0.01 * number, phase=number)
        for number in range(24)
    ]
    made = dataset.build(walks, "two styles")
    return made.labelled([("slow", "fast")[number % 2] for number in range(24)])


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """A judge that learns for less long, which is enough for what is easy to tell apart."""
    monkeypatch.setattr(styles, "STEPS", 60)
    monkeypatch.setattr(styles, "BATCH", 64)
    monkeypatch.setattr(styles, "CHARACTERS", 3)


@pytest.mark.usefixtures("quick")
def test_the_judge_knows_styles_of_takes_that_it_has_not_seen() -> None:
    captured = styles.captured_windows(two_styles()).seen_by("movement")
    assert len(captured.labels) == 2 * 24 * 4  # frames 0, 10, 20 and 30 of 90, and in a mirror
    part = styles.folds(captured)
    for name in captured.takes.unique():
        assert len(part[captured.takes == name].unique()) == 1
    assert {tuple(captured.labels[part == number].unique().tolist()) for number in range(5)} == {
        (0, 1)
    }
    right = styles.held_out_names(captured, 2) == captured.labels
    assert float(right.float().mean()) > 0.95
    noise = replace_labels(captured)
    assert float((styles.held_out_names(noise, 2) == noise.labels).float().mean()) < 0.8


def replace_labels(captured: styles.Labelled) -> styles.Labelled:
    """The same windows, with a label for each take that has nothing to do with it."""
    coins = torch.randint(2, (24,), generator=torch.Generator().manual_seed(0))
    return replace(captured, labels=coins[captured.takes])


class Obedient(Character):
    """Plays one captured clip of the style that it is asked for, over and over."""

    def step(self, state: CharacterState, latent: Tensor) -> CharacterState:
        made = two_styles()
        asked = self.style(state).argmax(dim=-1)
        clips_of = [made.labels().index(style) for style in asked.tolist()]
        frame = state.position[:, 0].round().long() % 90
        rows = torch.tensor([made.clips[clip].start for clip in clips_of]) + frame
        pose = self.model.normalizer.normalize(made.poses[rows])
        return CharacterState(pose, state.position + 1, state.yaw)


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("obedient", [True, False])
def test_the_judge_tells_who_does_as_asked(obedient: bool) -> None:
    made = two_styles()
    config = MotionVAEConfig(latent=4, hidden=8, experts=2, styles=made.layout.styles)
    vae = MotionVAE(made.layout.size, config, made.normalizer())
    kind = Obedient if obedient else Character  # an untrained one moves as it happens to
    who = kind(vae, made.layout, vae.normalizer.normalize(made.poses[::50]))
    simulation: Simulation[Any] = Simulation(who, JoystickTask(who))
    actor = Actor(simulation.observation_size, who.latent, (8,), 2.0)
    figures = styles.measure(who, made, (Policy.of(actor, who, "joystick", {}), simulation))
    movement = figures["movement"]
    assert movement["captured_mean"] > 0.95
    if obedient:
        assert movement["free_mean"] == movement["switched_mean"] == movement["steered_mean"] == 1
        assert movement["free"] == {"fast": 1.0, "slow": 1.0} and movement["confused"] == {}
    else:
        assert movement["free_mean"] < 0.8
    table = styles.table(figures).splitlines()
    assert [line.split()[0] for line in table[2:]] == ["fast", "slow", "mean"]
    assert all(len(line.split()) in (9, 11) for line in table[2:])


def test_there_is_no_judge_without_labels() -> None:
    with pytest.raises(DataError, match="build them with --labels"):
        styles.captured_windows(data())
    assert len(clips()) == len(data().clips)
