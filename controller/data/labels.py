"""Labels: the style of each clip, from its name."""

from __future__ import annotations

import re
from collections.abc import Sequence

from controller.core.errors import DataError, require

GROUP = "style"


def styles_of(names: Sequence[str], pattern: str, merge: Sequence[str] = ()) -> list[str]:
    """The style of each clip: what the group ``style`` of a regular expression finds in its name.

    ``merge`` has entries ``ONE=OTHER``: what is found as ONE is called OTHER. Raises ConfigError
    for a pattern without that group or an entry that renames nothing, and DataError for a name in
    which the pattern is not found.
    """
    renamed = _merges(merge)
    try:
        expression = re.compile(pattern)
    except re.error:
        expression = None
    allowed = f"a regular expression with a group named {GROUP}, as in (?P<{GROUP}>[a-z]+)"
    require(expression is not None and GROUP in expression.groupindex, "labels", pattern, allowed)
    assert expression is not None

    styles = []
    for name in names:
        found = expression.search(name)
        if found is None or not found[GROUP]:
            raise DataError(f"{name}: the pattern of --labels finds no style in this name")
        styles.append(found[GROUP])
    for one in renamed:
        allowed = f"names that are found: {', '.join(sorted(set(styles)))}"
        require(one in styles, "merge", one, allowed)
    return [renamed.get(style, style) for style in styles]


def _merges(entries: Sequence[str]) -> dict[str, str]:
    renamed: dict[str, str] = {}
    for entry in entries:
        one, equals, other = entry.partition("=")
        require(bool(one and equals and other), "merge", entry, "entries such as elderly=old")
        renamed[one] = other
    return renamed
