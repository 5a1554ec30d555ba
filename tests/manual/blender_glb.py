"""Check a .glb in Blender against the recording of the same drive.

Run it where Blender's module is installed (``pip install bpy``), which is not in this project's
environment::

    python play.py --headless --keys "0-90:w,60-90:a" --record drive.glb,drive.npz
    python tests/manual/blender_glb.py drive.glb drive.npz

Compares names, parents, the rest pose, the number of frames and all joints in the world at 20
frames. Exits with 1 if something is wrong.
"""

from __future__ import annotations

import json
import struct
import sys
from pathlib import Path

import bpy
import numpy as np

FRAMES = 20
MOST_M = 1e-3


def y_up(point: object) -> np.ndarray:
    """From Blender's axes (Z up) to those of the file (Y up)."""
    x, y, z = point
    return np.array((x, z, -y))


def bound_places(path: str) -> dict[str, np.ndarray]:
    """Where the joints are in the pose that the skin was bound in, from the file's matrices."""
    data = Path(path).read_bytes()
    size = struct.unpack("<I", data[12:16])[0]
    content = json.loads(data[20 : 20 + size])
    binary = data[20 + size + 8 :]
    skin = content["skins"][0]
    accessor = content["accessors"][skin["inverseBindMatrices"]]
    start = content["bufferViews"][accessor["bufferView"]]["byteOffset"]
    count = 16 * accessor["count"]
    columns = np.frombuffer(binary, "<f4", count, start).reshape(-1, 4, 4)
    names = [content["nodes"][joint]["name"] for joint in skin["joints"]]
    places = [np.linalg.inv(matrix.T.astype(float))[:3, 3] for matrix in columns]
    return dict(zip(names, places, strict=True))


def main(path: str, recording: str) -> int:
    expected = np.load(recording)
    fps = float(expected["fps"])
    names = [str(name) for name in expected["names"]]
    parents = [int(parent) for parent in expected["parents"]]

    bpy.ops.wm.read_factory_settings(use_empty=True)
    scene = bpy.context.scene
    scene.render.fps = round(fps)
    bpy.ops.import_scene.gltf(filepath=path)
    rig = next(thing for thing in scene.objects if thing.type == "ARMATURE")
    skins = [thing for thing in scene.objects if thing.type == "MESH" and thing.modifiers]
    bones = rig.data.bones
    extra = set(bones.keys()) - set(names)
    problems = []
    if set(names) - set(bones.keys()) or len(extra) > 1:
        problems.append(f"bones: {sorted(bones.keys())}")
    for name, parent in zip(names, parents, strict=True):
        above = bones[name].parent.name if bones[name].parent else None
        if above != (names[parent] if parent >= 0 else above if above in extra else None):
            problems.append(f"{name} hangs from {above}")

    bound = bound_places(path)
    rest = max(
        np.linalg.norm(y_up(rig.matrix_world @ bones[name].head_local) - bound[name])
        for name in names
    )
    actions = list(bpy.data.actions)
    first, last = (round(end) for end in actions[0].frame_range)
    frames = last - first + 1
    if frames != len(expected["positions"]):
        problems.append(f"{frames} frames; {len(expected['positions'])} were recorded")

    away = 0.0
    for index in np.linspace(0, frames - 1, FRAMES).round().astype(int):
        scene.frame_set(first + int(index))
        for joint, name in enumerate(names):
            place = y_up(rig.matrix_world @ rig.pose.bones[name].head)
            away = max(away, float(np.linalg.norm(place - expected["positions"][index, joint])))
    triangles = sum(len(mesh.data.polygons) for mesh in skins)
    print(f"Blender {bpy.app.version_string}: {len(bones)} bones, {len(skins)} skinned meshes with")
    print(f"{triangles} triangles, {len(actions)} actions, {frames} frames; rest pose within")
    print(f"{1000 * rest:.4f} mm, joints at {FRAMES} frames within {1000 * away:.4f} mm")
    if rest > MOST_M or away > MOST_M:
        problems.append("joints are not where they should be")
    for problem in problems:
        print(f"wrong: {problem}")
    return int(bool(problems))


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:3]))
