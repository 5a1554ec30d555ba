"""Graphics quality: how much work a picture takes, chosen for the OpenGL driver."""

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
"""Parts of the names of drivers that draw on the CPU."""


@dataclass(frozen=True)
class Quality:
    """A level of graphics quality.

    samples         samples per pixel, against jagged edges; 0 for none
    segments        segments around a capsule; a quarter as many along each cap
    crowd_segments  the same, for distant characters that the camera does not follow
    skin_levels     levels of detail of skinned bodies, 0 the finest: for the shadow of the
                    character that the camera follows, for that character, for others near the
                    camera, and for the rest
    influences      joints that vertices of the rest follow at most: 2 or 4
    shadow_side     pixels along a side of the shadow map
    shadow_reach    samples of the shadow map to each side, for a soft edge on bodies
    shadow_disc     samples where the ground has an edge of a shadow
    smooth          whether edges of characters are smoothed afterwards. Only with 0 ``samples``
    pixels          the most pixels that are drawn; a larger picture is scaled up from that many.
                    Only with 0 ``samples``
    """

    samples: int
    segments: int
    crowd_segments: int
    skin_levels: tuple[int, int, int, int]
    influences: int
    shadow_side: int
    shadow_reach: int
    shadow_disc: int
    smooth: bool
    pixels: float = math.inf


LOW = Quality(
    samples=0,
    segments=16,
    crowd_segments=8,
    skin_levels=(1, 0, 1, 2),
    influences=2,
    shadow_side=512,
    shadow_reach=1,
    shadow_disc=24,
    smooth=True,
    pixels=960 * 540,
)
HIGH = Quality(
    samples=4,
    segments=32,
    crowd_segments=16,
    skin_levels=(0, 0, 0, 1),
    influences=4,
    shadow_side=2048,
    shadow_reach=3,
    shadow_disc=64,
    smooth=False,
)


def for_driver(driver: str) -> Quality:
    """The quality for the driver of this name: low if it draws on the CPU."""
    on_cpu = any(name in driver.lower() for name in SOFTWARE)
    return LOW if on_cpu else HIGH
