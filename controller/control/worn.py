"""What a character wears instead of the body that was made for it: a rigged mesh from a file."""

from __future__ import annotations

from pathlib import Path

from controller.body.own import OwnBody
from controller.core.errors import ConfigError, require
from controller.data.formats.gltf_mesh import read_rig
from controller.motion.overrides import load_overrides
from controller.motion.skeleton import Skeleton

SUFFIXES = (".glb", ".gltf")


def load(path: Path, skeleton: Skeleton, roles: Path | None = None) -> OwnBody:
    """A rigged mesh for a character's skeleton. A file may state ``roles`` of the mesh's joints.

    Raises ControllerError, with one sentence, if a file cannot be read, is damaged or has no skin,
    or the rig cannot be driven by the skeleton's motion.
    """
    require(path.suffix.lower() in SUFFIXES, "--body", str(path), " or ".join(SUFFIXES))
    overrides = load_overrides(roles) if roles else None
    rig = read_rig(path, overrides)
    try:
        return OwnBody(rig, skeleton)
    except ConfigError as error:
        raise ConfigError(f"{roles}: {error}") from None
