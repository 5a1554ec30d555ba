"""Roles of joints that a person states, in place of guesses."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from controller.core import headers
from controller.core.errors import ConfigError, ControllerError, first_line, require
from controller.core.headers import sentence

KINDS = ("biped", "quadruped")
SIDES = ("left", "right")
REGIONS = ("leg", "arm")
PARTS = ("base", "upper", "middle", "end", "toe")
TRUNK = ("root", "hips", "spine", "neck", "head", "tail")
ROLES = (
    *TRUNK,
    *(f"{side}_{region}_{part}" for side in SIDES for region in REGIONS for part in PARTS),
    "none",
)
"""Every role that an override may give to a joint. ``base`` is a hip bone or clavicle, ``end`` a
foot or hand. The front legs of a quadruped are its arms."""


@dataclass(frozen=True)
class RoleOverrides:
    """Stated roles, which win over all guesses.

    joints  joint name → role, one of :data:`ROLES`; any subset of the joints
    kind    "biped" or "quadruped"; empty to let the skeleton decide
    """

    joints: Mapping[str, str] = field(default_factory=dict)
    kind: str = ""

    def __post_init__(self) -> None:
        require(self.kind in ("", *KINDS), "kind", self.kind, ", ".join(KINDS))
        for joint, role in self.joints.items():
            require(role in ROLES, f"roles.{joint}", role, ", ".join(ROLES))

    def __bool__(self) -> bool:
        return bool(self.joints or self.kind)

    def restricted(self, names: Collection[str]) -> RoleOverrides:
        """The overrides of these joints only."""
        joints = {joint: role for joint, role in self.joints.items() if joint in names}
        return RoleOverrides(joints, self.kind)

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        kind = {"kind": self.kind} if self.kind else {}
        return {**kind, "roles": dict(self.joints)}

    @classmethod
    def from_dict(cls, data: Any) -> RoleOverrides:
        """The inverse of :meth:`to_dict`. Raises ConfigError for anything else."""
        require(isinstance(data, dict), "the content", data, "a table with the fields roles, kind")
        unknown = sorted(set(data) - {"roles", "kind"})
        if unknown:
            name = headers.shown(unknown[0]).strip("'")
            raise ConfigError(f"{name} is an unknown field; allowed: roles, kind")
        roles = data.get("roles", {})
        require(isinstance(roles, dict), "roles", roles, "a table of joint names and roles")
        for joint, role in roles.items():
            headers.text("roles: the name of a joint", joint)
            require(isinstance(role, str), f"roles.{joint}", role, ", ".join(ROLES))
        kind = data.get("kind", "")
        require(isinstance(kind, str), "kind", kind, ", ".join(KINDS))
        return cls(dict(roles), kind)


def load_overrides(path: str | Path) -> RoleOverrides:
    """Read an override file, TOML or JSON by its suffix.

    It has a table ``roles`` from joint names to :data:`ROLES`, and optionally a ``kind``::

        kind = "quadruped"

        [roles]
        joint_7 = "left_leg_upper"
        "Bip01 Ponytail1" = "none"

    Raises ConfigError with the file, the field, what was found and what is allowed.
    """
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8-sig")
        if path.suffix.lower() == ".toml":
            data = tomllib.loads(text)
        elif path.suffix.lower() == ".json":
            data = json.loads(text)
        else:
            raise ConfigError(f"{path}: the suffix is {path.suffix!r}; allowed: .toml, .json")
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror})") from None
    except (ValueError, RecursionError) as error:
        raise ConfigError(
            f"{path}: found text that is not {path.suffix[1:].upper()} ({first_line(error)}); "
            "allowed: a table of joint names and roles"
        ) from None
    try:
        return RoleOverrides.from_dict(data)
    except ControllerError as error:
        raise ConfigError(f"{path}: {sentence(error)}") from None
