"""Imports point one way. Read from the source, so that an import inside a function counts as well."""

from __future__ import annotations

import ast
from functools import cache
from itertools import combinations
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

# Each line from the ground up: a group may import those to its left, never one to its right, directly or not.
CHAINS = (
    "geometry | skeleton | formats features | dataset | mvae.train",
    "features | mvae.model | character | tasks | simulation | evaluation benchmark",
)
VIEWER_SEES = ("controller.viewer", "controller.skeleton", "controller.geometry", "controller.errors")
ENVS_ONLY = ("gymnasium", "stable_baselines3")


def inside(module: str, packages: tuple[str, ...] | str) -> bool:
    """Whether ``module`` is one of the packages or lies in one."""
    packages = (packages,) if isinstance(packages, str) else packages
    return any(module == package or module.startswith(package + ".") for package in packages)


def imports(source: str, module: str, is_package: bool = False) -> set[str]:
    """The dotted names a module imports; ``from a import b`` gives ``a.b``, be b a module or not."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            parts = module.split(".")
            above = parts[: len(parts) - node.level + is_package] if node.level else []
            base = ".".join([*above, *([node.module] if node.module else [])])
            found.update(f"{base}.{alias.name}" for alias in node.names)
    return found


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


@cache
def reachable(module: str) -> frozenset[str]:
    """The project's own modules that ``module`` imports, directly or through others."""
    seen: set[str] = set()
    todo = [module]
    while todo:
        new = direct(todo.pop()) - seen
        seen |= new
        todo.extend(new)
    return frozenset(seen)


def ordered_pairs() -> list[tuple[str, str]]:
    pairs = set()
    for chain in CHAINS:
        for below, above in combinations([group.split() for group in chain.split("|")], 2):
            pairs |= {(f"controller.{low}", f"controller.{high}") for low in below for high in above}
    return sorted(pairs)


def test_there_is_something_to_check() -> None:
    assert {"controller.geometry", "controller.skeleton", "envs"} <= set(modules())
    assert "controller.geometry" in direct("controller.skeleton")


@pytest.mark.parametrize(("below", "above"), ordered_pairs())
def test_imports_point_down(below: str, above: str) -> None:
    wrong = [
        f"{module} → {found}"
        for module in modules()
        if inside(module, below)
        for found in reachable(module)
        if inside(found, above)
    ]
    assert not wrong


def test_no_module_imports_itself_by_way_of_others() -> None:
    assert not [module for module in modules() if module in reachable(module)]


@pytest.mark.parametrize("module", [name for name in modules() if inside(name, "controller")])
def test_controller_stands_without_envs_and_gymnasium(module: str) -> None:
    assert not [name for name in modules()[module] if inside(name, ("envs", *ENVS_ONLY))]


@pytest.mark.parametrize("module", [name for name in modules() if inside(name, "controller.viewer")])
def test_the_viewer_sees_skeleton_and_geometry_only(module: str) -> None:
    own = [name for name in modules()[module] if inside(name, ("controller", "envs"))]
    assert not [name for name in own if not inside(name, VIEWER_SEES)]


def test_the_reader_of_imports() -> None:
    source = (
        "import a.b\nfrom c import d, e as f\n"
        "def g():\n    from . import h\n    from ..i import j\n    from .. import k\n"
    )
    assert imports(source, "p.q.r") == {"a.b", "c.d", "c.e", "p.q.h", "p.i.j", "p.k"}
    assert imports("from .x import y\nfrom . import z", "p.q", is_package=True) == {"p.q.x.y", "p.q.z"}
