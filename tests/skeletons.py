"""Skeletons as the field's tools name them, on one body of 1.7 m in a T-pose, and a quadruped.

Names and parents are facts of the formats; offsets are this body's.
"""

from __future__ import annotations

import random
from typing import NamedTuple

import torch

from controller.motion.skeleton import Skeleton

Vector = tuple[float, float, float]


class Bone(NamedTuple):
    """A joint and the bone to it: the offset from its parent, and what it is on this body, one of
    :data:`PLACES`, with its side."""

    name: str
    parent: str
    offset: Vector
    place: str = ""
    side: str = ""


PLACES = {
    "hips": (0.0, 0.93, 0.0),
    "spine": (0.0, 1.04, 0.0), "spine2": (0.0, 1.15, -0.01), "spine3": (0.0, 1.27, -0.01),
    "spine4": (0.0, 1.33, -0.01),
    "neck": (0.0, 1.45, 0.0), "neck2": (0.0, 1.50, 0.01), "head": (0.0, 1.55, 0.02),
    "base_leg": (0.04, 0.92, 0.0), "thigh": (0.09, 0.88, 0.0), "thigh2": (0.09, 0.68, 0.0),
    "shin": (0.09, 0.47, 0.01), "foot": (0.09, 0.07, -0.02), "toe": (0.09, 0.02, 0.11),
    "clavicle": (0.03, 1.40, 0.0), "arm": (0.17, 1.41, 0.0), "arm2": (0.3, 1.41, 0.0),
    "forearm": (0.45, 1.41, 0.0), "hand": (0.70, 1.41, 0.0), "palm": (0.78, 1.41, 0.0),
    "thumb": (0.74, 1.40, 0.04), "thumb2": (0.77, 1.39, 0.06), "index": (0.80, 1.41, 0.02),
    "root": (0.0, 0.0, 0.0), "ik": (0.09, 0.07, -0.02), "buttock": (0.05, 0.9, -0.05),
}  # fmt: skip
"""Where each joint of the left half is, metres."""


ROLES = {
    "root": "root", "hips": "hips", "spine": "spine", "spine2": "spine", "spine3": "spine",
    "spine4": "spine", "neck": "neck", "neck2": "neck", "head": "head", "base_leg": "leg_base",
    "thigh": "leg_upper", "shin": "leg_middle", "foot": "leg_end", "toe": "leg_toe",
    "clavicle": "arm_base", "arm": "arm_upper", "forearm": "arm_middle", "hand": "arm_end",
    "thigh2": "none", "arm2": "none", "ik": "none", "buttock": "none",
}  # fmt: skip
"""The role of each place, without its side. What lies below a wrist differs between families."""


def _family(trunk: str, limbs: str) -> list[Bone]:
    """Bones from lines "place = name = parent's place" of the trunk and of the limbs, whose names
    hold {left|right} with the two words for the sides."""
    lines = [(line, "") for line in trunk.strip().split("\n")]
    lines += [(line, side) for side in ("left", "right") for line in limbs.strip().split("\n")]
    names: dict[tuple[str, str], str] = {}
    bones = []
    for line, side in lines:
        place, name, parent = (part.strip() for part in line.split("="))
        start, _, rest = name.partition("{")
        words, _, end = rest.partition("}")
        name = start + words.split("|")[side == "right"] + end if words else name
        names[place, side] = name
        above = names.get((parent, side), names.get((parent, ""), ""))
        begin = PLACES[parent] if parent else PLACES[place]
        sign = -1.0 if side == "right" else 1.0
        x, y, z = (there - here for there, here in zip(PLACES[place], begin, strict=True))
        bones.append(Bone(name, above, (sign * x, y, z), place, side))
    return bones


def _limbs(leg: str, arm: str, pattern: str) -> str:
    """Limb entries for names of thigh, shin, foot, toe and clavicle, arm, forearm, hand."""
    places = ("thigh", "shin", "foot", "toe"), ("clavicle", "arm", "forearm", "hand")
    entries = []
    for words, chain, top in zip((leg, arm), places, ("hips", "spine3"), strict=True):
        above = top
        for word, place in zip(words.split(), chain, strict=True):
            if word == "-":
                continue
            entries.append(f"{place} = {pattern.replace('*', word)} = {above}")
            above = place
    return "\n".join(entries)


def _trunk(names: str) -> str:
    """Trunk entries for the names of hips, three spine joints, neck and head, after a root if there
    are seven names."""
    words = names.split(",")
    places = ["hips", "spine", "spine2", "spine3", "neck", "head"]
    if len(words) == 7:
        places = ["root", *places]
    above = ["", *places[:-1]]
    return "\n".join(
        f"{place} = {word.strip()} = {parent}"
        for place, word, parent in zip(places, words, above, strict=True)
    )


FAMILIES: dict[str, list[Bone]] = {
    "lafan1": _family(
        _trunk("Hips, Spine, Spine1, Spine2, Neck, Head"),
        _limbs("UpLeg Leg Foot Toe", "Shoulder Arm ForeArm Hand", "{Left|Right}*"),
    ),
    "cmu": _family(
        _trunk("Hips, LowerBack, Spine, Spine1, Neck1, Head"),
        "base_leg = {L|R}HipJoint = hips\nthigh = {Left|Right}UpLeg = base_leg\n"
        "shin = {Left|Right}Leg = thigh\nfoot = {Left|Right}Foot = shin\n"
        "toe = {Left|Right}ToeBase = foot\nclavicle = {Left|Right}Shoulder = spine3\n"
        "arm = {Left|Right}Arm = clavicle\nforearm = {Left|Right}ForeArm = arm\n"
        "hand = {Left|Right}Hand = forearm\nthumb = {L|R}Thumb = hand\n"
        "palm = {Left|Right}FingerBase = hand\nindex = {Left|Right}HandIndex1 = palm",
    ),
    "mixamo": _family(
        _trunk(
            "mixamorig:Hips, mixamorig:Spine, mixamorig:Spine1, mixamorig:Spine2, mixamorig:Neck, "
            "mixamorig:Head"
        ),
        _limbs("UpLeg Leg Foot ToeBase", "Shoulder Arm ForeArm Hand", "mixamorig:{Left|Right}*")
        + "\nthumb = mixamorig:{Left|Right}HandThumb1 = hand"
        + "\nindex = mixamorig:{Left|Right}HandIndex1 = hand",
    ),
    "unreal": _family(
        _trunk("root, pelvis, spine_01, spine_02, spine_03, neck_01, head"),
        _limbs("thigh calf foot ball", "clavicle upperarm lowerarm hand", "*_{l|r}")
        + "\nthigh2 = thigh_twist_01_{l|r} = thigh\narm2 = upperarm_twist_01_{l|r} = arm"
        + "\nthumb = thumb_01_{l|r} = hand\nindex = index_01_{l|r} = hand"
        + "\nik = ik_foot_{l|r} = root",
    ),
    "smpl": _family(
        _trunk("Pelvis, Spine1, Spine2, Spine3, Neck, Head"),
        _limbs("Hip Knee Ankle Foot", "Collar Shoulder Elbow Wrist", "{L|R}_*")
        + "\npalm = {L|R}_Hand = hand",
    ),
    "acclaim": _family(
        _trunk("root, lowerback, upperback, thorax, lowerneck, head"),
        "base_leg = {l|r}hipjoint = hips\nthigh = {l|r}femur = base_leg\n"
        "shin = {l|r}tibia = thigh\nfoot = {l|r}foot = shin\ntoe = {l|r}toes = foot\n"
        "clavicle = {l|r}clavicle = spine3\narm = {l|r}humerus = clavicle\n"
        "forearm = {l|r}radius = arm\nhand = {l|r}wrist = forearm\npalm = {l|r}hand = hand\n"
        "index = {l|r}fingers = palm\nthumb = {l|r}thumb = hand",
    ),
    "biped": _family(
        _trunk(
            "Bip01, Bip01 Pelvis, Bip01 Spine, Bip01 Spine1, Bip01 Spine2, Bip01 Neck, Bip01 Head"
        ),
        _limbs("Thigh Calf Foot Toe0", "Clavicle UpperArm Forearm Hand", "Bip01 {L|R} *")
        .replace("= hips", "= spine").replace("= spine3", "= neck")
        + "\nthumb = Bip01 {L|R} Finger0 = hand\nindex = Bip01 {L|R} Finger1 = hand",
    ),
    "rigify": _family(
        "hips = DEF-spine =\nspine = DEF-spine.001 = hips\nspine2 = DEF-spine.002 = spine\n"
        "spine3 = DEF-spine.003 = spine2\nneck = DEF-spine.004 = spine3\n"
        "neck2 = DEF-spine.005 = neck\nhead = DEF-spine.006 = neck2",
        "buttock = DEF-pelvis.{L|R} = hips\nthigh = DEF-thigh.{L|R} = hips\n"
        "thigh2 = DEF-thigh.{L|R}.001 = thigh\nshin = DEF-shin.{L|R} = thigh2\n"
        "foot = DEF-foot.{L|R} = shin\ntoe = DEF-toe.{L|R} = foot\n"
        "clavicle = DEF-shoulder.{L|R} = spine3\narm = DEF-upper_arm.{L|R} = clavicle\n"
        "arm2 = DEF-upper_arm.{L|R}.001 = arm\nforearm = DEF-forearm.{L|R} = arm2\n"
        "hand = DEF-hand.{L|R} = forearm\nthumb = DEF-thumb.01.{L|R} = hand",
    ),
    "xsens": _family(
        "hips = Pelvis =\nspine = L5 = hips\nspine2 = L3 = spine\nspine3 = T12 = spine2\n"
        "spine4 = T8 = spine3\nneck = Neck = spine4\nhead = Head = neck",
        _limbs(
            "UpperLeg LowerLeg Foot Toe", "Shoulder UpperArm ForeArm Hand", "{Left|Right}*"
        ).replace("= spine3", "= spine4"),
    ),
    "xsens-bvh": _family(
        _trunk("Hips, Chest, Chest2, Chest3, Neck, Head"),
        _limbs("Hip Knee Ankle Toe", "Collar Shoulder Elbow Wrist", "{Left|Right}*"),
    ),
    "rokoko": _family(
        _trunk("Hips, Spine1, Spine2, Chest, Neck, Head"),
        _limbs("Thigh Shin Foot Toe", "Shoulder Arm ForeArm Hand", "{Left|Right}*"),
    ),
    "cgspeed": _family(
        _trunk("hip, abdomen, abdomen2, chest, neck, head"),
        _limbs("Thigh Shin Foot Toe", "Collar Shldr ForeArm Hand", "{l|r}*")
        + "\nthumb = {l|r}Thumb1 = hand\nthumb2 = {l|r}Thumb2 = thumb",
    ),
    "bandai": _family(
        _trunk("joint_Root, Hips, Spine, Spine1, Chest, Neck, Head"),
        _limbs("UpperLeg LowerLeg Foot Toes", "Shoulder UpperArm LowerArm Hand", "*_{L|R}"),
    ),
    "knees": _family(
        _trunk("Hips, Spine, Spine1, Chest, Neck, Head"),
        _limbs("Hip Knee Ankle -", "- Shoulder Elbow Wrist", "{Left|Right}*"),
    ),
}  # fmt: skip
"""Family → bones as (name, parent, offset). All stand and face +Z."""

QUADRUPED: list[Bone] = [
    Bone("Hips", "", (0.0, 0.0, 0.0)),
    Bone("Tail", "Hips", (0.0, 0.02, -0.12)),
    Bone("Tail1", "Tail", (0.0, -0.1, -0.1)),
    Bone("Spine", "Hips", (0.0, 0.02, 0.19)),
    Bone("Spine1", "Spine", (0.0, 0.01, 0.22)),
    Bone("Neck", "Spine1", (0.0, 0.1, 0.1)),
    Bone("Head", "Neck", (0.0, 0.08, 0.12)),
]
for _side, _x in (("Left", 1.0), ("Right", -1.0)):
    QUADRUPED += [
        Bone(f"{_side}UpLeg", "Hips", (0.05 * _x, -0.04, -0.05)),
        Bone(f"{_side}Leg", f"{_side}UpLeg", (0.0, -0.15, 0.06)),
        Bone(f"{_side}Foot", f"{_side}Leg", (0.0, -0.15, -0.09)),
        Bone(f"{_side}Shoulder", "Spine1", (0.04 * _x, -0.02, 0.0)),
        Bone(f"{_side}Arm", f"{_side}Shoulder", (0.02 * _x, -0.07, 0.04)),
        Bone(f"{_side}ForeArm", f"{_side}Arm", (0.0, -0.14, -0.06)),
        Bone(f"{_side}Hand", f"{_side}ForeArm", (0.0, -0.17, 0.01)),
    ]
"""A dog of half a metre; its front legs have the names of arms."""
QUADRUPED_TIPS = {
    "LeftFoot": (0.0, -0.1, 0.03), "RightFoot": (0.0, -0.1, 0.03),
    "LeftHand": (0.0, -0.05, 0.03), "RightHand": (0.0, -0.05, 0.03),
    "Head": (0.0, -0.02, 0.15), "Tail1": (0.0, -0.1, -0.05),
}  # fmt: skip


def make(bones: list[Bone], tips: dict[str, Vector] | None = None) -> Skeleton:
    """The skeleton of a table of bones, whose parents come first. Without ``tips``, leaves at the
    ankles end in front of them."""
    names = [bone.name for bone in bones]
    parents = tuple(names.index(bone.parent) if bone.parent else -1 for bone in bones)
    if tips is None:
        leaves = [bone for joint, bone in enumerate(bones) if joint not in parents]
        tips = {bone.name: (0.0, -0.05, 0.16) for bone in leaves if bone.place == "foot"}
    ends = [tips.get(name, (0.0, 0.0, 0.0)) for name in names]
    offsets = [bone.offset for bone in bones]
    offsets[0] = (0.0, 0.0, 0.0)
    return Skeleton(tuple(names), parents, torch.tensor(offsets), torch.tensor(ends))


def quadruped() -> Skeleton:
    """The dog."""
    return make(QUADRUPED, QUADRUPED_TIPS)


def reordered(skeleton: Skeleton, seed: int) -> Skeleton:
    """The same skeleton with its joints in another order, parents first."""
    chooser = random.Random(seed)
    order = [0]
    waiting = list(skeleton.children(0))
    while waiting:
        joint = waiting.pop(chooser.randrange(len(waiting)))
        order.append(joint)
        waiting += skeleton.children(joint)
    parents = [skeleton.parents[joint] for joint in order]
    return Skeleton(
        tuple(skeleton.names[joint] for joint in order),
        tuple(order.index(parent) if parent >= 0 else -1 for parent in parents),
        skeleton.offsets[order],
        skeleton.tips[order],
    )


def named(skeleton: Skeleton, names: list[str] | tuple[str, ...]) -> Skeleton:
    """The same skeleton with other names."""
    return Skeleton(tuple(names), skeleton.parents, skeleton.offsets, skeleton.tips)


def nameless(skeleton: Skeleton) -> Skeleton:
    """The same skeleton with names that say nothing."""
    return named(skeleton, [f"joint_{joint}" for joint in range(len(skeleton))])
