"""make-character: its stages are commands that exist, a bad result stops it, and the folder that it
writes is a character that plays, with a card that says what was measured."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
import tyro

import play
from controller.control.folder import CharacterFolder
from controller.core.errors import ConfigError
from controller.data.commands import Build
from controller.evaluation.diagnosis import diagnose
from controller.evaluation.results import evaluate
from controller.games.player import Player
from controller.training import train_encoder, train_extractor, train_mvae
from envs import character_card, make_character, recipe, train_policy
from envs.recipe import Options, Recipe
from envs.stages import Chain, Stage
from tests import synthetic

PARSERS: dict[str, tuple[type[Any], Any]] = {
    "data": (Build, None),
    "train": (train_mvae.Options, None),
    "train-encoder": (train_mvae.Options, train_encoder.DEFAULTS),
    "train-extractor": (train_extractor.Options, None),
    "diagnose": (diagnose.Options, None),
    "evaluate": (evaluate.Options, None),
}


def parse(arguments: tuple[str, ...]) -> Any:
    """The options that a stage's command would read."""
    module, *rest = arguments[1:]
    if module == "envs.train_policy":
        return tyro.cli(train_policy.PolicyConfig, args=rest)
    if module == "play":
        return tyro.cli(play.Options, args=rest)
    command, *rest = rest
    kind, default = PARSERS[command]
    rest = rest[1:] if command == "data" else rest
    return (
        tyro.cli(kind, args=rest) if default is None else tyro.cli(kind, args=rest, default=default)
    )


@pytest.mark.parametrize("quick", [True, False])
def test_every_stage_is_a_command_that_takes_its_options(tmp_path: Path, quick: bool) -> None:
    options = Options(
        (Path("a.bvh"), Path("b")),
        tmp_path,
        quick=quick,
        task=("joystick", "target"),
        build="--up +Z --fps 60",
        seed=3,
    )
    stages = list(Recipe(options).stages())
    parsed = {stage.name: parse(stage.arguments) for stage in stages}
    assert parsed["build"].up == "+Z" and parsed["build"].fps == 60
    assert parsed["train"].config.seed == 3
    assert parsed["policy-target"].task == "target"
    assert parsed["policy-joystick"].mvae == parsed["diagnose"].checkpoint
    assert parsed["evaluate-joystick"].policy == stages[-4].product
    assert len({stage.product for stage in stages}) == len(stages)


def finding(name: str) -> dict[str, Any]:
    return {"name": name, "reason": "for a reason.", "advice": "Do something."}


@pytest.mark.parametrize(
    ("names", "stops"),
    [
        ((), False),
        (("nearly collapsed",), False),
        (("broken body",), True),
        (("nearly collapsed", "diverges when free-running"), True),
    ],
)
def test_a_motion_vae_of_no_use_stops_it(
    tmp_path: Path, names: tuple[str, ...], stops: bool
) -> None:
    path = tmp_path / "diagnosis.json"
    path.write_text(json.dumps({"findings": [finding(name) for name in names]}))
    fault = recipe.unusable(path)
    assert bool(fault) == stops
    assert not stops or names[-1] in fault


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"source": (Path("nowhere"),)}, "SOURCE is 'nowhere'"),
        ({"source": ()}, "SOURCE"),
        ({"task": ("juggling",)}, "juggling"),
        ({"task": ()}, "task"),
        ({"task": ("maze",)}, "task is 'maze'; allowed: joystick, or a task that extends it"),
        ({"seed": -1}, "seed is -1"),
        ({"licence": ""}, "licence"),
    ],
)
def test_options_are_checked_before_anything_is_done(
    tmp_path: Path, change: dict[str, Any], message: str
) -> None:
    options = {"source": (tmp_path,), "out": tmp_path / "out"} | change
    with pytest.raises(ConfigError, match=message):
        Options(**options).check()
    assert not (tmp_path / "out").exists()


def finished(folder: Path) -> Recipe:
    """A recipe whose stages are all done, with made-up weights."""
    made = Recipe(Options((folder / "walks",), folder / "mine", quick=True, licence="CC0-1.0"))
    work = made.work
    made.mvae.parent.mkdir(parents=True)
    made.policy("joystick").parent.mkdir()
    synthetic.data().save(made.data)
    who = synthetic.puppet()
    who.save(made.mvae, **who.header)
    synthetic.strings_policy(who).save(made.policy("joystick"))
    (work / "diagnosis.json").write_text(
        json.dumps({"verdict": "healthy", "findings": [], "one_step_mm": 3.14159})
    )
    figures = {"alive_fraction": 1.0, "foot_skate_cm_per_frame": 0.1, "response_s": 0.75}
    made.figures("joystick").write_text(json.dumps(figures))
    for stage in made.stages():
        stage.product.parent.mkdir(exist_ok=True)
        stage.product.touch()
    record = {
        stage.name: {"arguments": list(stage.arguments), "seconds": 30.0} for stage in made.stages()
    }
    (work / "stages.json").write_text(json.dumps(record))
    return made


def test_the_folder_plays_and_its_card_says_what_was_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = finished(tmp_path)
    chain = Chain(made.work, list(made.stages()))
    chain.run()  # nothing is left to do
    monkeypatch.setattr(make_character, "film", lambda made: None)
    make_character.publish(made, chain)

    folder = CharacterFolder.open(made.options.out)
    Player.load(folder.mvae, folder.policies("joystick")).step({"w"})
    card = (folder.path / character_card.CARD).read_text()
    for text in ("3.1 mm", "0.75 s", "CC0-1.0", "healthy", "--rollouts-per-epoch", "m/s ahead"):
        assert text in card
    assert f"{len(synthetic.data().clips)} clips" in card


def test_the_card_says_what_the_motion_cannot_do() -> None:
    slow = synthetic.puppet()
    slow.limits = type(slow.limits)(forward_speed=1.4, backward_speed=0.1, sideways_speed=0.5)
    text = "\n".join(character_card.abilities(slow))
    assert "does not run" in text
    assert "not backward" in text
    assert "0.5 m/s sideways" in text
    assert "run" not in "\n".join(character_card.abilities(synthetic.dog()))


def test_the_command_ends_with_the_status_of_the_stage_that_failed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    failing = Stage("build", "failing", ("-c", "raise SystemExit(2)"), tmp_path / "motion.npz")
    monkeypatch.setattr(Recipe, "building", lambda recipe: failing)
    out = tmp_path / "mine"
    monkeypatch.setattr(sys, "argv", ["make-character", str(tmp_path), "--out", str(out)])
    assert make_character.main() == 2
    assert "stopped at stage 1" in capsys.readouterr().out
    assert not (out / "character.toml").exists()


def test_a_character_that_it_did_not_make_is_left_alone(tmp_path: Path) -> None:
    folder = synthetic.folder_of(synthetic.puppet(), tmp_path / "theirs")
    with pytest.raises(ConfigError, match=r"out is .*theirs"):
        Options((tmp_path,), folder.path).check()
