"""A character as one binary file for the web page: its controller, its skeleton and its body.

Little-endian. A header of 64 bytes: the word ``mvaepage``, the format, the CRC-32 of everything
after these 16 bytes, the size of the file, the size of the facts; then zeros. The facts are JSON,
padded to a multiple of 64 bytes. Sections follow, each padded likewise; ``facts["sections"]`` has
their starts, counted from the first one, and their sizes in bytes:

| section      | what                                                                          |
|--------------|-------------------------------------------------------------------------------|
| controller   | the weights file of the C runtime, in float16 (see ``controller.export.blob``) |
| bind         | (J, 12) float32: the bound rotations, row after row, then the bound positions |
| N.positions  | of level N: (V, 3) int16, in 32767ths of ``facts["reach"]`` metres            |
| N.normals    | (V, 3) int16, in 32767ths                                                     |
| N.joints     | (V, 4) uint16                                                                 |
| N.weights    | (V, 4) uint8, in 255ths                                                       |
| N.colours    | (V, 4) uint8: square roots of linear red, green, blue; openness to the sky    |
| N.triangles  | (T, 3) uint16                                                                 |
"""

from __future__ import annotations

import json
import struct
import zlib
from typing import Any

import numpy as np

from controller.body.mesh import FINEST, SkinnedBody
from controller.export import blob
from controller.export.steered import SteeredCharacter
from controller.games.random_walk import effect
from controller.ground import standing, standing_kernels
from controller.motion.contacts import USUAL_LEG
from controller.motion.foot_lock import FootLock, shape_of
from controller.motion.inertialise import HALF_LIFE, decay_of
from controller.motion.roles import Roles
from controller.viewer.gl import anatomy
from controller.viewer.input.steering import Paces

MAGIC = b"mvaepage"
FORMAT = 1
HEADER = 64
ALIGNMENT = 64
SETTINGS = 19
"""Settings of legs, at the head of ``facts["legs"]``."""


def write(steered: SteeredCharacter, body: SkinnedBody | None) -> bytes:
    """The file's bytes. Without a body the page draws the skeleton."""
    sections = {"controller": blob.write(steered, "float16")}
    facts = _facts(steered)
    if body is not None:
        reach = max(float(np.abs(level.positions).max()) for level in body.levels)
        facts |= {"levels": len(body.levels), "reach": reach}
        sections |= _body(body, reach)
    places = {}
    start = 0
    for name, data in sections.items():
        places[name] = (start, len(data))
        start += len(_padded(data))
    text = _padded(json.dumps(facts | {"sections": places}).encode(), b" ")
    data = b"".join(_padded(each) for each in sections.values())
    total = HEADER + len(text) + len(data)
    after = struct.pack("<II", total, len(text)).ljust(HEADER - 16, b"\0") + text + data
    return MAGIC + struct.pack("<II", FORMAT, zlib.crc32(after)) + after


def _facts(steered: SteeredCharacter) -> dict[str, Any]:
    """What the page must know besides the controller, JSON-able."""
    character = steered.character
    limits = character.limits
    paces = Paces.up_to(limits.forward_speed)
    roles = Roles.of(character.skeleton, complete=False)
    column = character.layout.hip_height
    statistics = steered.statistics
    heights = steered.reset_poses[:, column] * statistics["std"][column]
    heights += statistics["mean"][column]
    return {
        "name": steered.info.name,
        "title": steered.info.title,
        "notice": steered.info.notice,
        "rate": character.fps,
        "hips": float(heights.mean()),
        "paces": [paces.slow, paces.walk, paces.fast],
        "fastest": [limits.forward_speed, limits.sideways_speed, limits.backward_speed],
        "styles": list(character.styles),
        "joints": list(character.skeleton.names),
        "tips": character.skeleton.tips.cpu().numpy().astype(float).round(6).tolist(),
        "soles": list(anatomy.soles(roles)),
        "legs": _legs(steered),
        "latent": effect(character).astype(float).round(4).tolist(),
        "levels": 0,
    }


def _legs(steered: SteeredCharacter) -> list[float]:
    """What ``web/native/drawn.h`` must know to hold feet, to blend, and to stand on slopes: its
    settings, how many legs there are, then 18 numbers for each."""
    character = steered.character
    poses = character.model.normalizer.denormalize(character.reset_poses)
    lock = FootLock(character.layout, poses, fps=character.fps)
    blend = decay_of(HALF_LIFE)
    if not lock.legs:
        return [*[1.0] * 13, 1 / character.fps, blend, *[1.0] * 4, 0.0]
    size = sum(leg.length for leg in lock.legs) / len(lock.legs) / USUAL_LEG
    settings = (
        *(*lock.settings, blend, decay_of(standing.HIPS)),
        *(standing.DEEPEST * size, standing.LEAN, standing_kernels.LIMBER),
    )
    assert len(settings) == SETTINGS
    shapes = [(*leg.joints, *shape_of(leg)) for leg in lock.legs]
    return [float(value) for value in (*settings, len(shapes), *np.concatenate(shapes))]


def _body(body: SkinnedBody, reach: float) -> dict[str, bytes]:
    """The sections of a body."""
    count = len(body.skeleton)
    rotations = body.rotations.reshape(count, 9)
    bind = np.concatenate((rotations, body.positions.reshape(count, 3)), axis=1)
    sections = {"bind": bind.astype("<f4").tobytes()}
    for number, level in enumerate(body.levels):
        arrays = {
            "positions": np.rint(level.positions * (FINEST / reach)).astype("<i2"),
            "normals": np.rint(level.normals * FINEST).astype("<i2"),
            "joints": level.joints.astype("<u2"),
            "weights": level.weights,
            "colours": level.colours,
            "triangles": level.triangles.astype("<u2"),
        }
        sections |= {f"{number}.{name}": array.tobytes() for name, array in arrays.items()}
    return sections


def _padded(data: bytes, sign: bytes = b"\0") -> bytes:
    return data + sign * (-len(data) % ALIGNMENT)
