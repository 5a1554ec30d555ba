"""Values that nobody expects, and JSON in which they take the place of others."""

from __future__ import annotations

import json
from random import Random
from typing import Any

DEEP = "@deep@"
"""Stands for a list of thousands of lists in each other, which ``json.dumps`` cannot write."""
LONG = "@long@"
"""Stands for a whole number of 400 digits."""
VALUES: tuple[Any, ...] = (
    None, True, False, -1, 0, 1, 2, 7, 16, 64, 255, 4096, 2**31 - 1, 2**31, 2**53, 2**63, 0.5, -0.0,
    1e-320, 1e18, 1e308, float("nan"), float("inf"), float("-inf"), "", " ", "x" * 5000, "\ud800",
    "a\nb", "\0", "../../x", "-1", [], {}, [[]], [None], [0], [1, 2, 3], {"": None}, {"x": {}},
    [[0.0]] * 3000, DEEP, LONG,
)  # fmt: skip


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Where each value inside a JSON value is, as keys and indices."""
    found = [path]
    if isinstance(value, dict):
        for key in value:
            found += places(value[key], (*path, key))
    elif isinstance(value, list):
        for index in range(min(len(value), 8)):
            found += places(value[index], (*path, index))
    return found


def damaged(value: Any, random: Random) -> Any:
    """A copy of a JSON value with one thing in it changed, removed, added or doubled."""
    copy = json.loads(json.dumps(value))
    path = random.choice(places(copy)[1:] or [()])
    if not path:
        return random.choice(VALUES)
    parent = copy
    for key in path[:-1]:
        parent = parent[key]
    key = path[-1]
    kind = random.randrange(8)
    if kind == 0:
        del parent[key]
    elif kind == 1 and isinstance(parent, list):
        parent.insert(key, random.choice(VALUES))
    elif kind == 1:
        parent[random.choice(("", "x", "hidden", "\n", "overrides", "sway"))] = random.choice(
            VALUES
        )
    elif kind == 2 and isinstance(parent[key], list):
        parent[key] = parent[key] * random.choice((2, 100))
    elif kind == 3 and type(parent[key]) in (int, float):
        parent[key] = parent[key] * random.choice((-1, 0, 2, 0.5, 1e6)) + random.choice((0, 1))
    else:
        parent[key] = random.choice(VALUES)
    return copy


def dumps(value: Any) -> str:
    """JSON, with what stands for values that Python cannot write."""
    text = json.dumps(value)
    depth = 20_000
    text = text.replace(f'"{DEEP}"', "[" * depth + "]" * depth)
    return text.replace(f'"{LONG}"', "9" * 400)
