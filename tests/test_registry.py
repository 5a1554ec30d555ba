"""Registries: entries by name, from imported modules and from installed packages."""

from __future__ import annotations

import sys
from importlib import metadata
from pathlib import Path

import pytest
import synthetic
from test_play import named

from controller.core import registry
from controller.core.errors import ConfigError
from controller.core.registry import Registry, load_plugins
from controller.games import GAMES
from controller.games.player import Player
from controller.games.registry import KEYS
from controller.tasks import TASKS, task

STROLL = """
from controller.tasks import task
from controller.tasks.joystick import JoystickTask

@task
class StrollTask(JoystickTask):
    name = "stroll"
    extends = "joystick"
"""


class Waltz:
    """An entry."""


def test_entries_keep_their_order_and_are_found_by_name_or_class() -> None:
    dances: Registry[type] = Registry("dance")
    assert dances.add("waltz", Waltz) is Waltz
    assert dances.register("polka")(int) is int
    assert list(dances) == ["waltz", "polka"] and len(dances) == 2 and "waltz" in dances
    assert dances.find("waltz") is dances.find("Waltz") is dances["waltz"] is Waltz
    assert dances.address("waltz") == "test_registry:waltz"
    with pytest.raises(ConfigError, match="dance is 'tango'; allowed: waltz, polka"):
        dances.find("tango")


def test_a_listener_gets_what_is_there_and_what_comes() -> None:
    dances: Registry[type] = Registry("dance")
    dances.add("waltz", Waltz)
    entries: list[type] = []
    dances.listen(entries.append)
    dances.add("polka", int)
    assert entries == [Waltz, int]


def test_two_modules_cannot_register_the_same_name() -> None:
    dances: Registry[type] = Registry("dance")
    dances.add("waltz", Waltz)
    dances.add("waltz", type("Waltz", (), {"__module__": Waltz.__module__}))  # reloaded
    with pytest.raises(ConfigError, match="two modules register the dance 'waltz': test_registry"):
        dances.add("waltz", int)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("no.such.module:waltz", "No module named 'no'"),
        ("../waltz.py:waltz", "is not the name of a module"),
        (".relative:waltz", "is not the name of a module"),
        ("math:waltz", "allowed: waltz"),
    ],
)
def test_a_wrong_module_is_one_sentence(name: str, reason: str) -> None:
    dances: Registry[type] = Registry("dance")
    dances.add("waltz", Waltz)
    with pytest.raises(ConfigError, match=reason):
        dances.find(f"{name}z" if name.startswith("math") else name)


@pytest.fixture
def stroll(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A module outside the tree with a task that extends the joystick; forgotten afterwards."""
    (tmp_path / "my_stroll.py").write_text(STROLL)
    monkeypatch.syspath_prepend(str(tmp_path))
    own = {name: kind for name, kind in TASKS.items() if kind.__module__.startswith("controller.")}
    monkeypatch.setattr(TASKS, "_entries", own)
    monkeypatch.delitem(sys.modules, "my_stroll", raising=False)
    return "my_stroll"


def test_a_task_outside_the_tree_is_played_untrained_by_a_joystick_policy(stroll: str) -> None:
    player = Player(synthetic.puppet(), [named("stick")], task=f"{stroll}:Stroll")
    assert player.game.name == "stroll" and player.policy is not None
    assert [policy.name for policy in player.policies] == ["stick"]
    player.step({"1"})
    assert player.game.name == "joystick"
    player.step({GAMES.key("stroll")})
    assert player.game.name == "stroll"


def test_an_installed_package_joins_by_its_entry_point(
    stroll: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    point = metadata.EntryPoint("stroll", stroll, registry.GROUP)
    monkeypatch.setattr(metadata, "entry_points", lambda group: [point])
    load_plugins.cache_clear()
    assert TASKS.find("stroll").name == "stroll" and "stroll" in GAMES
    load_plugins.cache_clear()
    broken = metadata.EntryPoint("broken", "no.such.module", registry.GROUP)
    monkeypatch.setattr(metadata, "entry_points", lambda group: [broken])
    with pytest.raises(ConfigError, match=r"the plugin broken \(no\.such\.module\): No module"):
        load_plugins()
    load_plugins.cache_clear()


def test_the_tenth_game_has_no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(TASKS, "_entries", dict(TASKS))
    base = TASKS["target"]
    for number in range(len(KEYS)):
        task(type(f"More{number}Task", (base,), {"name": f"more{number}", "__module__": __name__}))
    names = list(GAMES)
    assert GAMES.last_key() == "9" and GAMES.at_key("9") == names[8]
    assert [GAMES.key(name) for name in names[:9]] == list(KEYS)
    assert {GAMES.key(name) for name in names[9:]} == {""}
