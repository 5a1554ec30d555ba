"""What a joint's name says about it. This is the only module that looks inside joint names.

:data:`PATTERNS` is the one table of name patterns. It covers CMU and LAFAN1 (``LeftUpLeg``), Mixamo
(``mixamorig:LeftUpLeg``), Unreal (``thigh_l``), SMPL (``L_Hip``), Acclaim (``lfemur``), 3ds Max
Biped (``Bip01 L Thigh``), Rigify (``DEF-thigh.L``), Xsens (``LeftUpperLeg``, ``T12``), Rokoko
(``LeftThigh``), MakeHuman and cgspeed (``lShin``), Bandai-Namco (``UpperLeg_L``), and names such as
``LeftHip, LeftKnee, LeftAnkle``.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

SIDES = {
    "left": "left", "l": "left", "lft": "left",
    "right": "right", "r": "right", "rgt": "right",
}  # fmt: skip
"""Words that name a side."""
NAMESPACE = re.compile(r".*[:|]")
"""What is stripped from the front of a name: everything up to the last colon or bar."""
PREFIX = re.compile(
    r"(mixamorig\d*|bip\d+|character\d*|biped|def|org|jnt|j|b|skel|rig)[\s_.-]+(?=.)", re.IGNORECASE
)
"""Prefixes that rigs put before every name, or before the names of some of their layers."""
WORD = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+|\d+")
"""Words of a name: runs of capitals, capitalized words, lower-case words and numbers."""
VERTEBRA = re.compile(r"[LT]\d+")
"""Lumbar and thoracic vertebrae in Xsens files: L5, L3, T12, T8."""
EXTRA = frozenset(
    (
        "end", "tip", "nub", "site", "leaf", "null", "twist", "roll", "ik", "fk", "pole", "target",
        "ctrl", "control", "dummy", "helper", "prop", "weapon", "eye", "ear", "jaw", "chin",
        "tongue", "brow", "face", "mouth", "nose", "teeth", "lip", "cheek", "breast", "pec", "hair",
        "lid",
    )
)  # fmt: skip
"""Words of joints that carry no part of the body that :mod:`roles` names."""


class Meaning(NamedTuple):
    """A part that a name may mean.

    region  "root", "hips", "spine", "neck", "head", "tail", "leg" or "arm"
    part    of a limb: "base" (hip bone or clavicle), "upper", "middle", "end" (foot or hand),
            "toe" or "finger"; otherwise empty
    """

    region: str
    part: str = ""


class Reading(NamedTuple):
    """What a joint's name says.

    side      "left", "right" or empty
    meanings  the parts that it may mean, the likeliest first; empty if the name is unknown
    key       the name without its side, prefix and numbers
    numbers   the numbers in it
    extra     the joint is an end marker, a helper or a detail of the face
    certain   it comes from an override, not from the name
    """

    side: str = ""
    meanings: tuple[Meaning, ...] = ()
    key: str = ""
    numbers: tuple[str, ...] = ()
    extra: bool = False
    certain: bool = False


ROOT = Meaning("root")
HIPS = Meaning("hips")
SPINE = Meaning("spine")
NECK = Meaning("neck")
HEAD = Meaning("head")
TAIL = Meaning("tail")


def _limb(region: str, *parts: str) -> tuple[Meaning, ...]:
    return tuple(Meaning(region, part) for part in parts)


# A pattern must match all of a name, lower case, without its side, its numbers and what separates
# its words. The first that matches counts. SIDED patterns are for names with a side.
SIDED: tuple[tuple[str, tuple[Meaning, ...]], ...] = (
    (
        r"((in)?hand)?(thumb|index|middle|ring|pinky|fingers?)(finger)?(base|metacarpal)?",
        _limb("arm", "finger"),
    ),
    (r"(fore|front)(leg)?(shoulder|scapula)", _limb("arm", "base")),
    (r"(fore|front)(upleg|upperleg|legupper|thigh|leghumerus|humerus)", _limb("arm", "upper")),
    (r"(fore|front)(lowleg|lowerleg|leglower|shin|calf|knee)", _limb("arm", "middle")),
    (r"(fore|front)(leg)?(ankle|wrist|foot|paw|hoof)|paw", _limb("arm", "end", "toe")),
    (r"(fore|front)(leg)?(toes?(base)?|ball)", _limb("arm", "toe")),
    (r"(fore|front)leg", _limb("arm", "upper", "middle")),
    (r"(back|hind|rear)?leg(pelvis)|hip(joint|bone)|buttocks?|pelvis", _limb("leg", "base")),
    (r"hip", _limb("leg", "upper", "base")),
    (r"(back|hind|rear)?(upleg|upperleg|thigh|femur|legupper)", _limb("leg", "upper")),
    (
        r"(back|hind|rear)?(lowerleg|lowleg|shin|shank|calf|knee|tibia|leglower)",
        _limb("leg", "middle"),
    ),
    (r"(back|hind|rear)?leg", _limb("leg", "middle", "upper")),
    (r"(back|hind|rear)?(leg)?ankle", _limb("leg", "end")),
    (r"(back|hind|rear)?(leg)?(foot|hoof)", _limb("leg", "end", "toe")),
    (r"(back|hind|rear)?(leg)?(toes?(base)?|ball)", _limb("leg", "toe")),
    (r"clavicle|collar(bone)?|scapula", _limb("arm", "base")),
    (r"shoulder", _limb("arm", "base", "upper")),
    (r"shldr", _limb("arm", "upper")),
    (r"upperarm|uparm|humerus|armupper", _limb("arm", "upper")),
    (r"forearm|lowerarm|lowarm|elbow|radius|armlower", _limb("arm", "middle")),
    (r"arm", _limb("arm", "upper", "middle")),
    (r"wrist", _limb("arm", "end")),
    (r"hand|palm", _limb("arm", "end", "toe")),
)
MIDLINE: tuple[tuple[str, tuple[Meaning, ...]], ...] = (
    (r"hips?|pelvis", (HIPS,)),
    (r"root|reference|armature|origin|trajectory", (ROOT,)),
    (r"tail(base|mid|end)?", (TAIL,)),
    (r"(lower|upper)?neck", (NECK,)),
    (r"head", (HEAD,)),
    (r"(lower|upper|mid)?(spine|chest|back|torso|abdomen|waist)|thorax|ribs?(cage)?", (SPINE,)),
)
PATTERNS = {
    "sided": tuple((re.compile(pattern), meanings) for pattern, meanings in SIDED),
    "midline": tuple((re.compile(pattern), meanings) for pattern, meanings in MIDLINE),
}


def read_names(names: Sequence[str]) -> list[Reading]:
    """What each of a skeleton's names says."""
    words = [_words(name) for name in names]
    while len(words) > 1 and all(len(one) > 1 and one[0] == words[0][0] for one in words):
        words = [one[1:] for one in words]  # a prefix that all of them share
    return [_read(one) for one in words]


def _words(name: str) -> list[str]:
    bare = NAMESPACE.sub("", name)
    bare = PREFIX.sub("", bare)
    return WORD.findall(bare)


def _read(words: list[str]) -> Reading:
    """What the words of one name say."""
    if VERTEBRA.fullmatch("".join(words)):
        return Reading(meanings=(SPINE,), key="vertebra")

    lower = [part for word in words for part in _detached(word.lower())]
    side = next((SIDES[word] for word in lower if word in SIDES), "")
    rest = [word for word in lower if word not in SIDES and not word.isdigit()]
    key = "".join(rest)
    if not side and key[:1] in SIDES and _match(key[1:], "sided"):  # Acclaim's lfemur
        side = SIDES[key[0]]
        rest = [key[1:]]
        key = key[1:]

    extra = not EXTRA.isdisjoint(rest)
    meanings = () if extra else _meanings(rest, "sided" if side else "midline")
    numbers = tuple(word for word in lower if word.isdigit())
    return Reading(side, meanings, key, numbers, extra)


def _detached(word: str) -> list[str]:
    """``leftfoot`` as two words."""
    for side in ("left", "right"):
        if word.startswith(side) and word != side:
            return [side, word[len(side) :]]
    return [word]


def _meanings(words: list[str], table: str) -> tuple[Meaning, ...]:
    """The meanings of the longest run of words that the table knows."""
    for length in range(len(words), 0, -1):
        for start in range(len(words) - length + 1):
            meanings = _match("".join(words[start : start + length]), table)
            if meanings:
                return meanings
    return ()


def _match(key: str, table: str) -> tuple[Meaning, ...]:
    for pattern, meanings in PATTERNS[table]:
        if pattern.fullmatch(key):
            return meanings
    return ()
