"""How much work a picture is, chosen by what has to do it."""

from __future__ import annotations

import math
from dataclasses import dataclass

SOFTWARE = (
    "llvmpipe",
    "softpipe",
    "swrast",
    "swiftshader",
    "software",
    "gdi generic",
    "basic render",
    "warp",
)


@dataclass(frozen=True)
class Quality:
    """
    samples         per pixel, against jagged edges; 0 for none
    segments        of a capsule's round; a quarter of it along each cap
    crowd_segments  the same, for characters that the camera does not follow
    shadow_side     pixels along a side of the shadow map
    shadow_reach    samples of it to each side for a soft edge
    pixels          the most a picture is drawn with; a larger one is enlarged from that. Only where
                    ``samples`` is 0
    """

    samples: int
    segments: int
    crowd_segments: int
    shadow_side: int
    shadow_reach: int
    pixels: float = math.inf


LOW = Quality(
    samples=0, segments=16, crowd_segments=8, shadow_side=512, shadow_reach=1, pixels=960 * 540
)
HIGH = Quality(samples=4, segments=32, crowd_segments=16, shadow_side=2048, shadow_reach=3)


def suited_to(renderer: str) -> Quality:
    """The quality for the driver that calls itself ``renderer``: low where the processor draws."""
    return LOW if any(name in renderer.lower() for name in SOFTWARE) else HIGH
