"""Where the files that come with the code lie."""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parents[1]
_CHECKOUT = _PACKAGE.parent / "assets"

IN_CHECKOUT = _CHECKOUT.is_dir()
"""Whether the code runs from a checkout, and not from an installed wheel."""
ASSETS = _CHECKOUT if IN_CHECKOUT else _PACKAGE / "assets"
"""Characters with their model cards, and shaders: in a checkout beside ``controller/``, in a wheel
inside it."""
