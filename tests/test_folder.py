"""A character's folder: opened by path or name, listed, and refused with a sentence."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import synthetic
from hypothesis import given
from hypothesis import strategies as st

from controller.control import folder
from controller.control.folder import DEFAULT, CharacterFolder, CharacterInfo, available, find
from controller.core.errors import CheckpointError, ConfigError, ControllerError
from controller.core.paths import ASSETS
from controller.dynamics.character import Character

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
    assert [path.stem for path in woody.policies("joystick")] == ["joystick", "joystick_ppo"]


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
