"""The pages that people read: their links, commands, paths and module names exist."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from controller.__main__ import COMMANDS, SUMMARIES

ROOT = Path(__file__).parents[1]
PAGES = sorted(
    [ROOT / "README.md", *ROOT.glob("docs/*.md"), *ROOT.glob("assets/characters/*/*.md")]
)
TREES = (ROOT / "README.md", ROOT / "docs" / "architecture.md")
"""Pages that list the packages of controller/."""

LINK = re.compile(r"\]\(([^)\s]+)\)")
COMMAND = re.compile(r"-m\s+controller\s+([a-z][a-z-]*)")
FILE = re.compile(r"(?<![\w./:-])(?:controller|envs|tests|examples|assets|docs)/[\w./-]*")
MODULE = re.compile(r"(?<![\w./-])(?:controller|envs|examples)(?:\.\w+)+")

each_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)


def anchors(page: Path) -> set[str]:
    """The names by which GitHub links to the headings of a page."""
    titles = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}


def target_error(page: Path, link: str) -> str | None:
    """The reason why a relative link leads nowhere, or None."""
    name, _, anchor = link.partition("#")
    target = (page.parent / name).resolve() if name else page
    if not target.exists():
        return f"{link}: no such file"
    if anchor and anchor not in anchors(target):
        return f"{link}: no such heading"
    return None


def module_exists(dotted: str) -> bool:
    """Whether ``dotted`` names a module, or something that a module defines at its top level."""
    parts = dotted.split(".")
    for length in range(len(parts), 0, -1):
        base = ROOT.joinpath(*parts[:length])
        source = base.with_suffix(".py")
        if not source.is_file():
            source = base / "__init__.py"
        if source.is_file():
            rest = parts[length:]
            return not rest or rest[0] in top_level_names(source)
    return False


def top_level_names(source: Path) -> set[str]:
    """The names that a module defines or imports at its top level."""
    names: set[str] = set()
    for node in ast.parse(source.read_text(encoding="utf-8")).body:
        if isinstance(node, (ast.ClassDef, ast.FunctionDef)):
            names.add(node.name)
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            names.update(alias.asname or alias.name for alias in node.names)
        elif isinstance(node, ast.Assign):
            names.update(ast.unparse(target) for target in node.targets)
        elif isinstance(node, ast.AnnAssign):
            names.add(ast.unparse(node.target))
    return names


@each_page
def test_links_lead_somewhere(page: Path) -> None:
    links = LINK.findall(page.read_text(encoding="utf-8"))
    relative = [link for link in links if not re.match(r"https?:|mailto:", link)]
    errors = [target_error(page, link) for link in relative]
    assert [error for error in errors if error is not None] == []


@each_page
def test_commands_exist(page: Path) -> None:
    names = set(COMMAND.findall(page.read_text(encoding="utf-8")))
    assert names - set(COMMANDS) - set(SUMMARIES) == set()


@each_page
def test_paths_exist(page: Path) -> None:
    paths = {path.rstrip(".") for path in FILE.findall(page.read_text(encoding="utf-8"))}
    assert {path for path in paths if not (ROOT / path).exists()} == set()


@each_page
def test_modules_exist(page: Path) -> None:
    names = set(MODULE.findall(page.read_text(encoding="utf-8")))
    assert {name for name in names if not module_exists(name)} == set()


@pytest.mark.parametrize("page", TREES, ids=lambda page: page.name)
def test_every_package_is_in_the_tree(page: Path) -> None:
    packages = {path.parent.name for path in ROOT.glob("controller/*/__init__.py")}
    listed = set(re.findall(r"^  (\w+)/", page.read_text(encoding="utf-8"), re.MULTILINE))
    assert listed == packages


def linked(page: Path) -> set[Path]:
    """The files that a page links to."""
    return {(page.parent / link).resolve() for link in LINK.findall(page.read_text("utf-8"))}


def test_every_page_is_linked_from_the_front_page_or_its_folders() -> None:
    """The front page links to the pages in docs/ and to each character's own front page."""
    front = ROOT / "README.md"
    reached = linked(front)
    folders = [page for page in PAGES if page.name == front.name and page != front]
    assert folders and set(folders) <= reached
    for folder in folders:
        reached |= linked(folder)
    assert set(PAGES) - reached == {front}


def test_the_checks_notice_what_is_missing() -> None:
    assert target_error(ROOT / "README.md", "docs/none.md") == "docs/none.md: no such file"
    assert target_error(ROOT / "README.md", "#none") == "#none: no such heading"
    assert not module_exists("controller.tasks.none")
    assert not module_exists("controller.tasks.joystick.NoTask")
    assert module_exists("controller.tasks.joystick.JoystickTask")
