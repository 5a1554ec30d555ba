"""One command for everything, and a wheel that plays outside the checkout."""

from __future__ import annotations

import importlib
import os
import shutil
import subprocess
import sys
import time
import zipfile
from importlib import metadata
from pathlib import Path

import pytest
from synthetic import ROOT, command

from controller import __main__ as cli


@pytest.mark.parametrize("name", cli.COMMANDS)
def test_every_command_has_a_function_to_run(name: str) -> None:
    module, _, function = cli.COMMANDS[name].function.partition(":")
    assert callable(getattr(importlib.import_module(module), function))


def test_help_lists_the_commands_and_is_quick() -> None:
    """Under a second, since no command is imported: not even torch is."""
    times = []
    for _ in range(3):
        began = time.perf_counter()
        done = command("controller", "--help")
        times.append(time.perf_counter() - began)
    assert done.returncode == 0 and min(times) < 1
    for name, entry in cli.COMMANDS.items():
        assert (f"  {name} " in done.stdout) == entry.listed
    program = "import sys, controller.__main__; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=False).returncode == 0


def test_a_commands_own_help_names_it() -> None:
    done = command("controller", "schedules", "--help")
    assert done.returncode == 0 and "python -m controller schedules" in done.stdout


@pytest.mark.parametrize("words", [["trian"], ["trian", "--help"], [""]])
def test_an_unknown_command_is_one_sentence(words: list[str]) -> None:
    done = command("controller", *words)
    assert done.returncode == 2 and done.stdout == "" and done.stderr.count("\n") == 1
    assert f"command is {words[0]!r}; allowed: " in done.stderr
    assert "benchmark-memory" not in done.stderr


def test_installed_packages_add_commands(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    point = metadata.EntryPoint("greet", "greetings:main", cli.GROUP)
    monkeypatch.setattr(metadata, "entry_points", lambda group: (point,))
    module = type(sys)("greetings")
    module.main = lambda: print(sys.argv)  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "greetings", module)
    monkeypatch.setattr(sys, "argv", ["motion-vae", "greet", "--loud"])
    assert cli.main("motion-vae") is None
    assert capsys.readouterr().out == "['motion-vae greet', '--loud']\n"
    monkeypatch.setattr(sys, "argv", ["motion-vae"])
    assert cli.main("motion-vae") == 0
    assert "  greet " in capsys.readouterr().out


def test_no_package_replaces_a_command_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    point = metadata.EntryPoint("train", "elsewhere:main", cli.GROUP)
    monkeypatch.setattr(metadata, "entry_points", lambda group: (point,))
    assert cli.commands()["train"] == cli.COMMANDS["train"]


# -- the wheel -------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from this checkout."""
    folder = tmp_path_factory.mktemp("wheel")
    words = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (path,) = folder.glob("*.whl")
    return path


def reuse_compiled(site: Path) -> None:
    """Give an unpacked wheel what Numba has already compiled of the same sources in this checkout,
    if anything: to compile it again would take most of the test."""
    for cached in (ROOT / "controller").rglob("__pycache__/*.nb[ci]"):
        copy = site / cached.relative_to(ROOT)
        copy.parent.mkdir(exist_ok=True)
        shutil.copy2(cached, copy)
        for source in cached.parents[1].glob("*.py"):  # by their times Numba knows them again
            shutil.copystat(source, site / source.relative_to(ROOT))


def test_a_wheel_plays_outside_the_checkout(wheel: Path, tmp_path: Path) -> None:
    """Unpacked as an installer does it, with nothing of this checkout in sight."""
    site = tmp_path / "site"
    zipfile.ZipFile(wheel).extractall(site)
    reuse_compiled(site)
    program = (
        f"import sys; sys.path.insert(0, {str(site)!r});"
        "import controller, play;"
        f"assert controller.__file__.startswith({str(site)!r}), controller.__file__;"
        "from controller.core.paths import ASSETS;"
        f"assert str(ASSETS).startswith({str(site)!r}), ASSETS;"
        "sys.argv = ['play', '--headless', '--frames', '5', '--record', 'out.bvh,out.png'];"
        "play.main()"
    )
    done = subprocess.run(
        [sys.executable, "-P", "-c", program],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "out.bvh").stat().st_size > 1000
    assert (tmp_path / "out.png").stat().st_size > 1000


def test_a_wheel_has_the_console_script_and_nothing_to_spare(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    (points,) = (name for name in names if name.endswith("entry_points.txt"))
    text = zipfile.ZipFile(wheel).read(points).decode()
    assert "motion-vae = controller.__main__:console" in text
    for name in cli.SUMMARIES:
        assert f"\n{name} = " in text
    tops = {name.partition("/")[0] for name in names if ".dist-info/" not in name}
    assert tops == {"controller", "envs", "play.py"}
    assert "controller/assets/characters/woody/mvae.safetensors" in names
    assert "controller/data/catalogue.json" in names
