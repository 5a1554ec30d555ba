"""The colours of a character, as linear red, green and blue."""

from __future__ import annotations

PORCELAIN = (0.60, 0.58, 0.55)
GRAPHITE = (0.05, 0.055, 0.065)
BLUE = (0.07, 0.22, 0.42)
CORAL = (0.52, 0.13, 0.07)
SIDE_COLOURS = {"left": BLUE, "right": CORAL, "": GRAPHITE}
