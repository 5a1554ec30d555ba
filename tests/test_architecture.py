"""Imports point one way. They are read from the source, so those inside functions count, too."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

LAYERS = (
    ("core",),
    ("motion",),
    ("body", "ground"),
    ("model", "viewer"),
    ("data", "dynamics"),
    ("tasks",),
    ("control",),
    ("games",),
    ("evaluation",),
    ("training",),
    ("benchmark", "video"),
    ("studies",),
    ("export",),
    ("__main__",),
)
"""Packages of controller/ from the ground up: one may import those of the layers before it.
Within a layer they do not import each other."""
VIEWER_SEES = tuple(f"controller.{name}" for name in ("core", "motion", "body", "ground", "viewer"))
ENVS_ONLY = ("gymnasium", "stable_baselines3")
LOOSE = {"__init__", "__main__"}
"""The only modules that lie directly in controller/."""


def inside(module: str, packages: tuple[str, ...] | str) -> bool:
    """Whether ``module`` is one of the packages or lies in one."""
    packages = (packages,) if isinstance(packages, str) else packages
    return any(module == package or module.startswith(package + ".") for package in packages)


def imports(source: str, module: str, is_package: bool = False) -> set[str]:
    """The dotted names a module imports; ``from a import b`` gives ``a.b``, be b a module or not.

    Names that are handed to ``import_module`` or ``__import__`` as text count, too.
    """
    names: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            parts = module.split(".")
            above = parts[: len(parts) - node.level + is_package] if node.level else []
            base = ".".join([*above, *([node.module] if node.module else [])])
            names.update(f"{base}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Call) and node.args:
            called = ast.unparse(node.func).rpartition(".")[2]
            first = node.args[0]
            if called in ("import_module", "__import__") and isinstance(first, ast.Constant):
                names.add(str(first.value))
    return names


@cache
def modules() -> dict[str, set[str]]:
    """Every module of controller/ and envs/ with the names it imports."""
    result = {}
    for path in sorted([*ROOT.glob("controller/**/*.py"), *ROOT.glob("envs/**/*.py")]):
        parts = path.relative_to(ROOT).with_suffix("").parts
        is_package = parts[-1] == "__init__"
        name = ".".join(parts[:-1] if is_package else parts)
        result[name] = imports(path.read_text(encoding="utf-8"), name, is_package)
    return result


def direct(module: str) -> set[str]:
    """The project's own modules that ``module`` imports."""
    known = modules()
    names = {name if name in known else name.rpartition(".")[0] for name in known[module]}
    return {name for name in names if name in known and name != module}


def package(module: str) -> str:
    """The package of controller/ in which a module lies; other modules' first name."""
    parts = module.split(".")
    return parts[1] if parts[0] == "controller" and len(parts) > 1 else parts[0]


def folder(module: str) -> str:
    """The folder in which a module's file lies, however deep."""
    is_package = (ROOT / Path(*module.split("."))).is_dir()
    return module if is_package else module.rpartition(".")[0]


def cycle(arrows: dict[str, set[str]]) -> list[str]:
    """Some ring of arrows, its first node repeated at the end; empty if there is none."""
    state: dict[str, int] = {}
    path: list[str] = []

    def visit(node: str) -> list[str]:
        state[node] = 1
        path.append(node)
        for target in sorted(arrows.get(node, ())):
            if state.get(target) == 1:
                return [*path[path.index(target) :], target]
            if target not in state and (ring := visit(target)):
                return ring
        state[node] = 2
        path.pop()
        return []

    for node in sorted(arrows):
        if node not in state and (ring := visit(node)):
            return ring
    return []


def arrows_between(place: object) -> dict[str, set[str]]:
    """Which places import which, with ``place`` a function from a module to its place."""
    assert callable(place)
    arrows: dict[str, set[str]] = {}
    for module in modules():
        here = place(module)
        arrows.setdefault(here, set()).update(place(name) for name in direct(module))
        arrows[here].discard(here)
    return arrows


def test_there_is_something_to_check() -> None:
    assert {"controller.motion.geometry", "controller.motion.skeleton", "envs"} <= set(modules())
    assert "controller.motion.geometry" in direct("controller.motion.skeleton")


def test_hardly_anything_lies_loose() -> None:
    assert {path.stem for path in (ROOT / "controller").glob("*.py")} <= LOOSE


def test_every_package_has_its_layer() -> None:
    folders = {path.parent.name for path in (ROOT / "controller").glob("*/__init__.py")}
    assert folders <= {name for layer in LAYERS for name in layer}


def test_packages_import_downwards() -> None:
    rank = {name: place for place, layer in enumerate(LAYERS) for name in layer}
    wrong = [
        f"{module} → {name}"
        for module in modules()
        if inside(module, "controller") and module != "controller"
        for name in direct(module)
        if name != "controller"
        and package(name) != package(module)
        and rank.get(package(name), 99) >= rank[package(module)]
    ]
    assert not wrong


def test_no_ring_of_packages() -> None:
    assert not cycle(arrows_between(package))


def test_no_ring_of_folders() -> None:
    assert not cycle(arrows_between(folder))


def test_no_ring_of_modules() -> None:
    assert not cycle({module: direct(module) for module in modules()})


@pytest.mark.parametrize("module", [name for name in modules() if inside(name, "controller")])
def test_controller_stands_without_envs_and_gymnasium(module: str) -> None:
    assert not [name for name in modules()[module] if inside(name, ("envs", "play", *ENVS_ONLY))]


@pytest.mark.parametrize("module", [name for name in modules() if inside(name, "envs")])
def test_envs_never_see_the_viewer_or_games(module: str) -> None:
    above = ("controller.viewer", "controller.games", "play")
    assert not [name for name in modules()[module] if inside(name, above)]


@pytest.mark.parametrize(
    "module", [name for name in modules() if inside(name, "controller.viewer")]
)
def test_the_viewer_never_sees_the_model(module: str) -> None:
    own = [name for name in modules()[module] if inside(name, ("controller", "envs"))]
    assert not [name for name in own if not inside(name, VIEWER_SEES)]


def test_the_reader_of_imports() -> None:
    source = (
        "import a.b\nfrom c import d, e as f\n"
        "def g():\n    from . import h\n    from ..i import j\n    from .. import k\n"
        "    importlib.import_module('l.m')\n"
    )
    assert imports(source, "p.q.r") == {"a.b", "c.d", "c.e", "p.q.h", "p.i.j", "p.k", "l.m"}
    assert imports("from .x import y\nfrom . import z", "p.q", is_package=True) == {
        "p.q.x.y",
        "p.q.z",
    }


def test_the_finder_of_rings() -> None:
    assert not cycle({"a": {"b", "c"}, "b": {"c"}, "c": set()})
    assert cycle({"a": {"b"}, "b": {"c"}, "c": {"b"}}) == ["b", "c", "b"]
