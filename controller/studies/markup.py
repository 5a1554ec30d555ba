"""Pieces of an HTML page that stands alone: its style, pictures and tables. All of it is valid XML
as well."""

from __future__ import annotations

import base64
import html
import re
from collections.abc import Iterable, Sequence
from typing import Any

from controller.core import markdown

STYLE = """
:root { --ink: #26261f; --soft: #6d6d64; --line: #dddcd4; --paper: #f6f5f1; }
* { box-sizing: border-box }
body {
  margin: 0; background: var(--paper); color: var(--ink); font: 15px/1.5 system-ui, sans-serif
}
main { max-width: 1240px; margin: 0 auto; padding: 28px 24px 60px }
h1 { font-size: 26px; margin: 0 0 4px }
h2 { font-size: 21px; margin: 0 }
h3 { font-size: 15px; margin: 0 0 2px }
p { margin: 4px 0; max-width: 90ch }
.soft, figcaption { color: var(--soft); font-size: 13px }
section {
  background: #fff; border: 1px solid var(--line); border-radius: 10px; padding: 20px 22px;
  margin-top: 22px
}
.pictures {
  display: grid; grid-template-columns: repeat(auto-fit, minmax(440px, 1fr)); gap: 18px 26px;
  margin-top: 14px
}
figure { margin: 0; min-width: 0 }
figure img { width: 100%; height: auto; display: block }
.scroll { overflow-x: auto }
table { border-collapse: collapse; font-size: 13.5px; margin-top: 10px }
th, td {
  padding: 5px 12px 5px 0; text-align: right; border-bottom: 1px solid var(--line);
  white-space: nowrap
}
th { font-weight: 600; color: var(--soft); vertical-align: bottom; white-space: normal }
th:first-child, td:first-child, td.words { text-align: left }
td { font-variant-numeric: tabular-nums }
.verdict {
  display: inline-block; border-radius: 999px; padding: 1px 11px; font-size: 13px; font-weight: 600
}
.healthy { background: #e0f0e4; color: #20643a }
.ill { background: #fbe3dd; color: #97301a }
.unknown { background: #ecebe5; color: #6d6d64 }
header { display: flex; align-items: center; gap: 14px }
.strips { margin-top: 20px }
.unit { display: flex; align-items: center; gap: 12px; border-top: 1px solid var(--line) }
.unit b { flex: 0 0 92px; font-size: 13px }
.unit b span { display: block; font-weight: 400; color: var(--soft) }
.strip { flex: 1; min-width: 0 }
.strip text { font: 10px system-ui, sans-serif; fill: var(--soft); text-anchor: middle }
.strip path { stroke-linecap: round; stroke-linejoin: round }
details { margin-top: 14px }
summary { cursor: pointer; color: var(--soft) }
pre {
  font-size: 12.5px; overflow-x: auto; background: var(--paper); padding: 12px; border-radius: 6px
}
"""


def document(heading: str, title: str, body: str) -> str:
    """A whole page. ``heading`` and ``title`` are text, ``body`` is HTML."""
    return (
        f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"/>'
        f'<meta name="viewport" content="width=device-width"/>'
        f"<title>{escape(title)}</title><style>{STYLE}</style></head>\n"
        f"<body><main><h1>{escape(heading)}</h1>\n{body}\n</main></body></html>\n"
    )


def picture(svg: bytes, caption: str) -> str:
    """An SVG file inside the page, with its caption."""
    data = base64.b64encode(svg).decode()
    return (
        f"<figure><img src='data:image/svg+xml;base64,{data}' alt='{escape(caption)}'/>"
        f"<figcaption>{escape(caption)}</figcaption></figure>"
    )


def pictures_block(pictures: Iterable[str]) -> str:
    """Pictures side by side, as many as fit."""
    return f"<div class='pictures'>{''.join(pictures)}</div>"


def table(head: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    """A table. ``head`` is text, ``lines`` are HTML."""
    titles = "".join(f"<th>{escape(title)}</th>" for title in head)
    rows = "".join(f"<tr>{_cells(line)}</tr>" for line in lines)
    return f"<table><thead><tr>{titles}</tr></thead><tbody>{rows}</tbody></table>"


def _cells(line: Sequence[str]) -> str:
    return "".join(f"<td>{cell}</td>" for cell in line)


def number(value: Any, form: str) -> str:
    """A figure in a format, – for None."""
    return markdown.NONE if value is None else format(value, form)


def setting(value: Any) -> str:
    """The value of a setting as HTML, – for None."""
    text = number(value, "g") if value is None or isinstance(value, float) else str(value)
    return escape(text)


def escape(text: str) -> str:
    """Text as HTML, without the characters that XML forbids."""
    return html.escape(re.sub(r"[\x00-\x08\x0b\x0c\x0e-\x1f]", "�", text))
