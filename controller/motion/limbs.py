"""Which joints of a chain are a limb's base, upper, middle, end and toe joint."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from controller.motion.names import Meaning, Reading
from controller.motion.overrides import PARTS

CERTAIN = 100.0
"""Points for what an override states; no sum of guesses reaches it."""
FIRST_MEANING = 3.0
"""Points for the part that a name most likely means."""
OTHER_MEANING = 2.0
"""Points for a part that a name may also mean."""
CONTRADICTION = -4.0
REPEATED_NAME = -0.5
"""Of joints whose names differ only in a number, the first is the part; the others divide its
twist."""
MISSING = {"base": 0.0, "upper": -1.5, "middle": -1.0, "end": -1.0, "toe": 0.0}
"""Points for a part that no joint has."""
SKIPPED_ABOVE = -0.1
SKIPPED_INSIDE = -0.5
SKIPPED_BEYOND = -0.15
"""Points for an unnamed joint that has no part: above the limb's first part, inside the limb, or
below its end."""


@dataclass
class Parts:
    """Parts of one limb and how many points speak for them.

    joints  part → joint
    score   points; larger is better
    named   how many of the joints have a name that says so
    """

    joints: dict[str, int] = field(default_factory=dict)
    score: float = float("-inf")
    named: int = 0


def find_parts(
    chain: Sequence[int],
    bones: Sequence[float],
    readings: Sequence[Reading],
    region: str,
    longest: float,
) -> Parts:
    """The best assignment of parts, in order down the ``chain`` of joints, to some of them.

    ``bones`` are the lengths of the bones below the joints, and ``longest`` that of the limb's
    longest bone, above 0. The thigh and the shin (or the upper and lower arm) are usually the two
    longest in a row. ``region`` is "leg" or "arm".
    """
    # best[k]: the best assignment of the joints so far whose last part is the k-th (0 for none).
    best: list[Parts | None] = [Parts(score=0.0), *[None] * len(PARTS)]
    for place, joint in enumerate(chain):
        reading = readings[joint]
        unknown = not (reading.meanings or reading.extra)
        following = [
            None if state is None else _without_part(state, _skipped(last) if unknown else 0.0)
            for last, state in enumerate(best)
        ]
        for number, part in enumerate(PARTS, start=1):
            meaning = Meaning(region, part)
            points = _points(readings, chain, place, meaning, bones[place] / longest)
            for last, state in enumerate(best[:number]):
                if state is None:
                    continue
                score = state.score + points + _missing(last, number)
                current = following[number]
                if current is None or score > current.score:
                    named = state.named + (meaning in reading.meanings)
                    following[number] = Parts({**state.joints, part: joint}, score, named)
        best = following

    complete = [
        _without_part(state, _missing(last, len(PARTS) + 1))
        for last, state in enumerate(best)
        if state is not None
    ]
    return max(complete, key=lambda parts: parts.score)


def _without_part(parts: Parts, points: float) -> Parts:
    """The same assignment after a joint that is no part, or at the end."""
    return Parts(parts.joints, parts.score + points, parts.named)


def _missing(last: int, number: int) -> float:
    """Points for the parts between the ``last`` and the next one, counted from 1."""
    return sum(MISSING[part] for part in PARTS[last : number - 1])


def _skipped(last: int) -> float:
    """Points for an unnamed joint without a part, after the ``last`` part."""
    if last == 0:
        return SKIPPED_ABOVE
    if last <= PARTS.index("middle") + 1:
        return SKIPPED_INSIDE
    return SKIPPED_BEYOND if last == PARTS.index("end") + 1 else 0.0


def _points(
    readings: Sequence[Reading], chain: Sequence[int], place: int, meaning: Meaning, bone: float
) -> float:
    """Points for a joint's being a part; ``bone`` is its bone's share of the chain's longest."""
    reading = readings[chain[place]]
    if reading.certain:
        return CERTAIN if meaning in reading.meanings else -CERTAIN
    shape = {
        "base": 0.6 - bone,
        "upper": bone,
        "middle": bone,
        "end": 0.4 - 0.6 * bone,
        "toe": (0.2 if meaning.region == "leg" else -1.0) - 0.5 * bone,
    }[meaning.part]
    if reading.extra:
        return CONTRADICTION
    if not reading.meanings:
        return shape
    if meaning not in reading.meanings:
        return CONTRADICTION
    first = reading.meanings[0] == meaning
    above = [readings[joint].key for joint in chain[:place]]
    repeated = REPEATED_NAME if reading.key in above else 0.0
    return (FIRST_MEANING if first else OTHER_MEANING) + repeated + 0.1 * shape
