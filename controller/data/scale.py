"""How long a file's unit is: found from the length of a leg."""

from __future__ import annotations

from controller.core.errors import DataError

UNITS = {
    "metres": 1.0,
    "centimetres": 0.01,
    "inches": 0.0254,
    "millimetres": 0.001,
    "feet": 0.3048,
    "CMU's unit, 0.45 inches to one": 0.0254 / 0.45,
    "decimetres": 0.1,
}
"""Metres a unit that files are written in, the usual ones first."""
LEG_M = {"biped": (0.62, 1.05), "quadruped": (0.12, 1.0)}
"""m from hip to ankle: people from 1.3 to 2.1 m, and dogs to horses."""
USUAL_LEG = {"biped": 0.82, "quadruped": 0.34}
"""m: a leg in an unknown unit is scaled to this: that of a person of 1.75 m, or of a dog."""
LEG_SHARE = 0.82 / 1.75
"""Of a person's height, the leg from hip to ankle."""


def find_unit(leg: float, kind: str, height: float | None = None) -> tuple[float, str]:
    """Metres a unit for a leg of ``leg`` units, and a remark, empty where a usual unit fits.

    ``height`` in metres, where it is given, decides. Raises DataError for a leg without length,
    or for the height of a body on four legs.
    """
    if not leg > 1e-6:
        raise DataError("the legs have no length")
    if height is not None and kind != "biped":
        raise DataError("--height is for bodies on two legs; give --unit")
    if height is not None:
        return height * LEG_SHARE / leg, f"scaled to a height of {height:g} m"
    shortest, longest = LEG_M[kind]
    for name, unit in UNITS.items():
        if shortest < leg * unit < longest:
            return unit, "" if name in list(UNITS)[:4] else f"read as {name}"
    usual = USUAL_LEG[kind]
    return usual / leg, (
        f"a leg of {leg:.4g} units fits no usual unit, so it was scaled to {usual:g} m; "
        "give --unit or --height if it is another"
    )
