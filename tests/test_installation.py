"""What an installation brings: licences that fit, extras that are named when they are missing."""

from __future__ import annotations

import builtins
import re
import subprocess
import sys
import tomllib
from email.message import Message
from typing import Any

import pytest
from synthetic import ROOT

from controller import __main__ as cli
from controller.control.folder import CharacterFolder
from controller.core import extras, licences
from controller.core.errors import ControllerError

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def names(requirements: list[str]) -> set[str]:
    return {re.split(r"[\[><=;]", line)[0] for line in requirements}


# -- extras ----------------------------------------------------------------------------------------


def test_every_module_of_an_extra_is_installed_by_it_and_not_by_the_rest() -> None:
    optional = PROJECT["optional-dependencies"]
    for module, extra in extras.EXTRAS.items():
        assert module.replace("_", "-") in names(optional[extra])
        assert module.replace("_", "-") not in names(PROJECT["dependencies"])


def test_the_tests_environment_has_what_training_needs() -> None:
    assert (
        "motion-vae-controller[train,body,export,plots]" in PROJECT["optional-dependencies"]["test"]
    )


def test_a_command_without_its_extra_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = builtins.__import__

    def without(name: str, *rest: Any, **named: Any) -> Any:
        if name.partition(".")[0] == "tqdm":
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        return whole(name, *rest, **named)

    monkeypatch.delitem(sys.modules, "controller.training.train_extractor", raising=False)
    monkeypatch.setattr(builtins, "__import__", without)
    monkeypatch.setattr(sys, "argv", ["motion-vae", "train-extractor"])
    with pytest.raises(extras.ExtraError) as caught:
        cli.main("motion-vae")
    sentence = 'the command train-extractor needs tqdm: pip install -e ".[train]"'
    assert str(caught.value) == sentence and isinstance(caught.value, ControllerError)


def test_a_wheel_is_told_another_command_than_a_checkout(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extras, "IN_CHECKOUT", False)
    assert extras.install("train") == 'pip install "motion-vae-controller[train]"'


def test_what_no_extra_brings_stays_an_error_of_the_installation() -> None:
    error = ModuleNotFoundError("No module named 'numba'", name="numba")
    with pytest.raises(ModuleNotFoundError, match="numba"):
        extras.missing(error, "play")


def test_the_environments_without_gymnasium_are_one_line() -> None:
    program = (
        "import runpy, sys; sys.modules['gymnasium'] = None;"
        "runpy._run_module_as_main('envs.train_policy')"
    )
    words = [sys.executable, "-c", program]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 1 and done.stderr.count("\n") == 1, done.stderr
    assert 'needs gymnasium: pip install -e ".[train]"' in done.stderr


# -- licences --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("expression", "fits"),
    [
        ("MIT", True),
        ("MIT AND Apache-2.0", True),
        ("BSD-2-Clause AND Apache-2.0 WITH LLVM-exception", True),
        ("GPL-3.0-only", False),
        ("GPL-3.0-only OR MIT", True),
        ("MIT OR GPL-3.0-only", True),
        ("MIT AND GPL-3.0-only", False),
        ("MIT OR GPL-3.0-only AND AGPL-3.0-only", True),
        ("(MIT OR GPL-3.0-only) AND AGPL-3.0-only", False),
        ("LGPL-2.1-or-later", True),
        ("Free for non-commercial use", False),
        ("MIT AND (MIT", False),
        ("MIT MIT", False),
        ("OR", False),
        ("()", False),
        ("", False),
    ],
)
def test_a_licence_fits_if_all_its_parts_do(expression: str, fits: bool) -> None:
    assert licences.fits(expression) is fits


def test_every_package_of_the_tests_has_a_licence_that_fits() -> None:
    found = licences.packages(frozenset({"body", "export", "plots", "test"}))
    assert {"torch", "numba", "numpy", "pygame-ce", "PyOpenGL", "safetensors"} <= {
        package.name for package in found
    }
    assert [package for package in found if not package.fits] == []


def test_a_licence_is_read_from_whatever_states_it() -> None:
    for lines, expected in (
        ({"License-Expression": "BSD-3-Clause", "License": "no"}, "BSD-3-Clause"),
        ({"Classifier": "License :: OSI Approved :: MIT License"}, "MIT"),
        ({"License": "BSD 3-Clause License\n\nCopyright"}, "BSD-3-Clause"),
        ({"License": "Ask us"}, "Ask us"),
        ({}, ""),
    ):
        about: Any = Message()
        for name, text in lines.items():
            about[name] = text
        assert licences.licence(about) == expected


def test_what_does_not_fit_is_named_and_ends_with_status_1(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    bad = licences.Package("copyleft", "1.0", "GPL-3.0-only")
    good = licences.Package("free", "2.0", "MIT")
    monkeypatch.setattr(licences, "packages", lambda extras: [bad, good])
    monkeypatch.setattr(sys, "argv", ["licences"])
    assert licences.main() == 1
    said = capsys.readouterr().out
    assert "| copyleft | 1.0 | GPL-3.0-only | NO |" in said
    assert said.endswith("1 of 2 do not fit, or are unknown: copyleft\n")


def test_the_packages_licence_names_that_of_the_shipped_weights() -> None:
    woody = CharacterFolder.open()
    assert PROJECT["license"].split(" AND ") == ["MIT", woody.info.licence]
    for pattern in PROJECT["license-files"]:
        assert list(ROOT.glob(pattern)), pattern
    assert ROOT / "assets/characters/woody/LICENSE" in ROOT.glob(PROJECT["license-files"][1])
