"""A character's folder: opened by path or name, listed, and refused with a sentence."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gymnasium
import pytest
import synthetic
from hypothesis import given, settings
from hypothesis import strategies as st

import envs
from controller.control import characters, folder
from controller.control.folder import DEFAULT, CharacterFolder, CharacterInfo, available, find
from controller.core.errors import CheckpointError, ConfigError, ControllerError
from controller.core.paths import ASSETS
from controller.dynamics.character import Character
from controller.evaluation.diagnosis import diagnose
from controller.evaluation.results import evaluate
from controller.motion.limits import Limits
from envs import train_policy
from envs.train_policy import PolicyConfig, PolicyTraining

INFO = {"name": "Ann", "title": "Someone", "licence": "CC0-1.0"}
LINE = st.text(st.characters(categories=("L", "N", "P", "S")), min_size=1)


@pytest.fixture
def somewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working directory, without any characters of the user's."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv(folder.VARIABLE, raising=False)
    return tmp_path


def made(path: Path, **info: Any) -> CharacterFolder:
    """A folder whose motion VAE is an empty file: enough for all but loading."""
    CharacterFolder.write_info(path, CharacterInfo(**INFO | info))
    (path / folder.MVAE).touch()
    return CharacterFolder.open(path)


def test_the_default_character_is_complete() -> None:
    woody = CharacterFolder.open()
    assert woody == CharacterFolder.open(DEFAULT) == CharacterFolder.open(woody.path)
    assert woody.path == ASSETS / "characters" / "woody" and woody.name == "woody"
    assert woody.info.licence == "Apache-2.0" and not woody.info.non_commercial
    assert woody.info.terms == "Apache-2.0" and "Seoul" in woody.info.attribution
    assert Character.load(woody.mvae).fps == 30
    assert woody.extractor == woody.path / "extractor.safetensors"
    assert (woody.path / "LICENSE").read_text().lstrip().startswith("Apache License")
    assert [path.stem for path in woody.policies("joystick")] == [
        "joystick",
        "joystick_natural",
        "joystick_ppo",
    ]


def test_characters_are_found_in_three_places_the_default_one_first(
    somewhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert [each.name for each in available()] == [DEFAULT]
    made(somewhere / "characters" / "zoe")
    made(somewhere / "characters" / "ann")
    (somewhere / "characters" / "notes").mkdir()  # not a character
    made(somewhere / "more" / "bob")
    assert [each.name for each in available()] == [DEFAULT, "ann", "zoe"]
    monkeypatch.setenv(folder.VARIABLE, str(somewhere / "more"))
    assert [each.name for each in available()] == [DEFAULT, "ann", "zoe", "bob"]
    monkeypatch.setenv(folder.VARIABLE, str(somewhere / "characters"))  # the same folder again
    assert [each.name for each in available()] == [DEFAULT, "ann", "zoe"]


def test_a_name_or_a_path_opens_the_same_folder(somewhere: Path) -> None:
    own = made(somewhere / "characters" / "ann")
    for words in ("ann", "characters/ann", own.path, Path("characters/ann"), "./characters/ann/"):
        assert CharacterFolder.open(words).path.resolve() == own.path.resolve()


def test_a_name_means_a_known_character_and_a_path_the_folder_there(somewhere: Path) -> None:
    made(somewhere / DEFAULT, name="Impostor")
    made(somewhere / "here")
    assert CharacterFolder.open(DEFAULT).info.name == "Woody"
    assert CharacterFolder.open(f"./{DEFAULT}").info.name == "Impostor"
    assert CharacterFolder.open("here").name == "here"


@settings(max_examples=25)
@given(
    name=LINE,
    licence=LINE,
    attribution=st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\r")),
    flag=st.booleans(),
    sources=st.lists(LINE).map(tuple),
)
def test_what_is_written_is_read(
    tmp_path_factory: pytest.TempPathFactory, name: str, licence: str, attribution: str,
    flag: bool, sources: tuple[str, ...],
) -> None:  # fmt: skip
    path = tmp_path_factory.mktemp("character")
    info = CharacterInfo(name, "Someone", licence, attribution, flag, sources)
    CharacterFolder.write_info(path / "new", info)
    assert CharacterInfo.load(path / "new" / folder.INFO) == info
    assert [file.name for file in (path / "new").iterdir()] == [folder.INFO]


def test_the_example_in_the_documentation_is_one(tmp_path: Path) -> None:
    page = (synthetic.ROOT / "docs" / "playing.md").read_text(encoding="utf-8")
    (tmp_path / folder.INFO).write_text(page.split("```toml\n")[1].split("```")[0], "utf-8")
    info = CharacterInfo.load(tmp_path / folder.INFO)
    assert info.terms == "CC-BY-NC-4.0: non-commercial" and len(info.sources) == 2


def test_terms_say_when_commercial_use_is_forbidden() -> None:
    info = CharacterInfo("Fox", "A fox", "CC BY-NC 4.0", non_commercial=True)
    assert info.terms == "CC BY-NC 4.0: non-commercial"


@pytest.mark.parametrize(
    ("field", "value"),
    [("name", ""), ("title", " "), ("licence", "two\nlines"), ("licence", None),
     ("attribution", 3), ("non_commercial", "no"), ("sources", ["list"]), ("sources", (3,))],
)  # fmt: skip
def test_fields_that_make_no_sense_are_refused(field: str, value: Any) -> None:
    with pytest.raises(ConfigError, match=f"^{field} is .*; allowed: "):
        CharacterInfo(**INFO | {field: value})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name = ", "not readable as TOML"),
        ("\xff", "not readable as TOML"),
        ("name = 'Ann'\ntitle = 'x'", "no field 'licence'; allowed: name, title, licence, "),
        ("name='a'\ntitle='b'\nlicence='c'\nlicense='d'", "unknown field 'license'; allowed: "),
        ("name='a'\ntitle='b'\nlicence=3", "licence is 3; allowed: one line of text"),
        ("name='a'\ntitle='b'\nlicence='c'\nnon_commercial='no'", "allowed: true or false"),
        ("name='a'\ntitle='b'\nlicence='c'\nsources='d'", "sources is 'd'; allowed: a list"),
    ],
)
def test_a_wrong_file_is_named_with_what_is_allowed(
    text: str, message: str, tmp_path: Path
) -> None:
    (tmp_path / folder.MVAE).touch()
    file = tmp_path / folder.INFO
    file.write_text(text, encoding="latin-1")
    with pytest.raises(CheckpointError) as caught:
        CharacterFolder.open(tmp_path)
    assert str(caught.value).startswith(f"{file}: ") and message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_what_is_missing_is_named(somewhere: Path) -> None:
    for words in ("nobody", "no/where", ""):
        with pytest.raises(CheckpointError, match=f"no such character; .* one of {DEFAULT}$"):
            CharacterFolder.open(words)
    (somewhere / "empty").mkdir()
    with pytest.raises(CheckpointError, match=r"empty/character\.toml: no such file; a character"):
        CharacterFolder.open("empty")
    CharacterFolder.write_info(somewhere / "characters" / "ann", CharacterInfo(**INFO))
    with pytest.raises(CheckpointError, match=r"ann/mvae\.safetensors: no such file"):
        CharacterFolder.open("ann")
    with pytest.raises(CheckpointError, match=r"ann/mvae\.safetensors: no such file"):
        available()


def test_a_folder_that_cannot_be_made_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ControllerError, match="the folder cannot be made"):
        CharacterFolder.write_info(tmp_path / "file" / "ann", CharacterInfo(**INFO))


def test_the_best_policy_comes_first_and_the_others_by_name(tmp_path: Path) -> None:
    ann = made(tmp_path)
    for name in (
        "walk_ppo.safetensors",
        "walk_bc.safetensors",
        "walk_ppo.md",
        "walker.safetensors",
    ):
        (tmp_path / name).touch()
    with pytest.raises(CheckpointError, match="there is no policy for the task 'walk'"):
        ann.policies("walk")
    (tmp_path / "walk.safetensors").touch()
    assert [path.stem for path in ann.policies("walk")] == ["walk", "walk_bc", "walk_ppo"]
    assert ann.policy("walk") == ann.policies("walk")[0]
    assert ann.extractor is None


def test_a_folder_of_another_character_loads(tmp_path: Path) -> None:
    own = synthetic.folder_of(synthetic.puppet(), tmp_path / "puppet")
    assert Character.load(own.mvae).skeleton.names == synthetic.puppet().skeleton.names
    assert find(own.path) == own.path


# -- everything takes one --------------------------------------------------------------------------


@pytest.fixture
def fido(somewhere: Path) -> CharacterFolder:
    """A dog in ./characters, with a policy for the joystick."""
    return synthetic.folder_of(synthetic.dog(), somewhere / "characters" / "fido", ("joystick",))


def test_environments_take_a_character_by_name_or_folder(fido: CharacterFolder) -> None:
    assert envs.environment_id  # importing registers them
    size = synthetic.dog().layout.size + 4
    for character in ("fido", fido.path, str(fido.path)):
        env = gymnasium.make("MotionVAE/Joystick-v0", character=character)
        batch = gymnasium.make_vec("MotionVAE/Joystick-v0", num_envs=3, character=character)
        assert env.reset(seed=1)[0].shape == (size,)
        assert batch.reset(seed=1)[0].shape == (3, size)
        assert env.action_space.shape == (synthetic.PUPPET_LATENT,)
    assert gymnasium.make("MotionVAE/Joystick-v0").observation_space.shape == (247,)
    with pytest.raises(CheckpointError, match=r"'nobody': no such character; .*woody, fido$"):
        gymnasium.make("MotionVAE/Joystick-v0", character="nobody")


def test_another_motion_vae_can_take_the_place_of_the_characters(fido: CharacterFolder) -> None:
    env = gymnasium.make("MotionVAE/Joystick-v0", mvae=fido.mvae)
    assert env.action_space.shape == (synthetic.PUPPET_LATENT,)


def test_an_environments_goals_are_within_the_characters_limits(fido: CharacterFolder) -> None:
    env = gymnasium.make_vec("MotionVAE/Joystick-v0", num_envs=500, character="fido").unwrapped
    env.reset(seed=0)
    speed = env.episodes.goal.velocity.norm(dim=-1)
    assert 2.3 < float(speed.max()) <= synthetic.DOG_LIMITS.forward_speed + 1e-5
    assert env.episodes.simulation.character.limits == synthetic.DOG_LIMITS != Limits()


def test_evaluate_measures_a_characters_own_policy(
    fido: CharacterFolder, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It does as it is told, at the dog's speeds."""
    words = ["--character", "fido", "--characters", "8", "--seconds", "2", "--json"]
    monkeypatch.setattr("sys.argv", ["evaluate", *words])
    evaluate.main()
    figures = synthetic.strict_json(capsys.readouterr().out)
    assert isinstance(figures, dict) and figures["alive_fraction"] == 1
    assert figures["speed_error_m_s"] < 0.1
    message = synthetic.refusal(
        evaluate.main, ["--character", "fido", "--task", "no"], monkeypatch, capsys
    )
    assert message.startswith("task is 'no'")
    fido.policy("joystick").unlink()
    message = synthetic.refusal(evaluate.main, words, monkeypatch, capsys)
    assert message.startswith("characters/fido/joystick.safetensors: there is no policy")
    assert "--task joystick --character characters/fido`" in message


def test_diagnose_takes_a_character(
    fido: CharacterFolder, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    synthetic.shorten_rollouts(monkeypatch)
    reports = []
    for words in (["--character", "fido"], [str(fido.mvae)]):
        monkeypatch.setattr("sys.argv", ["diagnose", *words, "--json"])
        diagnose.main()
        reports.append(synthetic.strict_json(capsys.readouterr().out))
    assert reports[0] == reports[1] and reports[0]["latent_units"] == synthetic.PUPPET_LATENT


def test_a_policy_is_trained_on_the_characters_motion_vae(fido: CharacterFolder) -> None:
    out = fido.path.parent / "run"
    training = PolicyTraining(
        PolicyConfig(character="fido", out=out, characters=4, workers=1, hidden=(8,))
    )
    trained = training.episodes.simulation.character
    assert trained.skeleton.names == synthetic.dog().skeleton.names
    assert "character" not in training.policy().header["training"]
    with pytest.raises(CheckpointError, match="'nobody': no such character"):
        PolicyTraining(PolicyConfig(character="nobody", out=out))
    assert train_policy.PolicyConfig().character == DEFAULT


def test_characters_are_listed_with_their_licences_and_tasks(
    fido: CharacterFolder, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    CharacterFolder.write_info(fido.path, CharacterInfo("Fido", "A dog", "X", non_commercial=True))
    monkeypatch.setattr("sys.argv", ["characters"])
    characters.main()
    first, second = capsys.readouterr().out.splitlines()[2:]
    assert first.startswith("| woody | Woody: ") and " | Apache-2.0 | joystick, target, " in first
    assert second == "| fido | Fido: A dog | X: non-commercial | joystick | characters/fido |"
