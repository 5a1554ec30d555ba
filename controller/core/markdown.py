"""Tables for pages and model cards."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

NONE = "–"
"""What a cell says where nothing was measured."""


def table(head: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    """A table of Markdown: its head, and the cells of each line below."""
    return "\n".join("| " + " | ".join(line) + " |" for line in (head, ["---"] * len(head), *lines))
