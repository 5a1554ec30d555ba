"""Markdown tables for documentation and model cards."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

NONE = "–"
"""The text of a cell for which nothing was measured."""


def table(head: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    """A Markdown table with the cells of its head and of each line below."""
    rule = ["---"] * len(head)
    rows = ["| " + " | ".join(cells) + " |" for cells in (head, rule, *lines)]
    return "\n".join(rows)
