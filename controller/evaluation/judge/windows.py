"""What the judge sees of a second of motion: joints in the facing frame, feet over the ground.

It sees every second frame only, so it does not see trembling from frame to frame: jerk is reported
beside its verdict.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from controller.evaluation.judge.bodies import Anatomy, Bodies
from controller.motion import geometry
from controller.motion.pose import FPS

WINDOW = 30
"""Frames of a window."""
EVERY = 2
"""The judge sees every second frame of it."""
SKIP = 15
"""Frames at the start of a segment that are not judged: there the character is still in the
captured pose in which it began."""
SHORTEST = SKIP + WINDOW
"""Frames of a segment with one window."""
FLOORS = {"root": 0.05, "height": 0.005, "velocity": 0.05, "slip": 0.1, "position": 0.01}
"""The least deviations by which features are divided, in m, m/s and rad/s: what hardly ever moves
must not tell decoded motion from captured motion by its last digits."""
UNSEEN = 0.05
"""m/s: slip enters as the logarithm of a foot's speed plus this. Slower slip is hardly seen, by
people or by the judge."""
LIMIT = 8.0
"""Deviations at which a feature is clamped."""
PARTS = ("feet", "legs", "upper body")


@dataclass(frozen=True)
class Features:
    """What is seen of S characters in T frames.

    values  (S, T, C)
    floors  (C,) the least deviation of each column
    parts   the columns of each of :data:`PARTS`
    """

    values: Tensor
    floors: Tensor
    parts: dict[str, slice]


@dataclass(frozen=True)
class Windows:
    """W windows, each the same frames of the captured motion and of others along it.

    segment  (W,) the segment of each
    first    (W,) its first frame there
    """

    segment: Tensor
    first: Tensor

    def of(self, features: Tensor) -> Tensor:
        """(W, frames, C): the windows of features ``(S, T, C)``."""
        frames = self.first[:, None] + torch.arange(0, WINDOW, EVERY)
        return features[self.segment[:, None], frames]

    @property
    def middle(self) -> Tensor:
        """(W,) the frame in the middle of each."""
        return self.first + WINDOW // 2


def windows(frames: Tensor, stride: int) -> Windows:
    """Windows every ``stride`` frames of segments of ``frames`` (S,) frames."""
    segments = []
    firsts = []
    for segment, length in enumerate(frames.tolist()):
        first = torch.arange(SKIP, length - WINDOW + 1, stride)
        segments.append(torch.full_like(first, segment))
        firsts.append(first)
    return Windows(torch.cat(segments), torch.cat(firsts))


def features(anatomy: Anatomy, bodies: Bodies) -> Features:
    """The features of every frame. What changes is seen as the change over :data:`EVERY` frames,
    per second; the first frames repeat what follows."""
    own = list(anatomy.toes + anatomy.ankles)
    feet = bodies.world[:, :, own]
    seconds = EVERY / FPS
    over = geometry.turn(_moved(feet[..., [0, 2]]), -bodies.yaw[..., None]) / seconds
    slip = torch.log(over.norm(dim=-1) + UNSEEN)
    root = geometry.turn(_moved(bodies.position), -bodies.yaw) / seconds
    turning = geometry.wrap_angle(_moved(bodies.yaw)) / seconds
    groups = {
        "root": ("root", torch.cat((root, turning[..., None]), dim=-1)),
        "heights": ("height", feet[..., 1]),
        "over ground": ("velocity", over.flatten(2)),
        "slip": ("slip", slip),
        "legs": ("position", bodies.local[:, :, list(anatomy.legs)].flatten(2)),
        "upper body": ("position", bodies.local[:, :, list(anatomy.others)].flatten(2)),
    }
    at = {}
    start = 0
    for name, (_, values) in groups.items():
        at[name] = slice(start, start + values.shape[-1])
        start = at[name].stop
    parts = {
        "feet": slice(at["heights"].start, at["slip"].stop),
        "legs": at["legs"],
        "upper body": at["upper body"],
    }
    floors = [torch.full((v.shape[-1],), FLOORS[kind]) for kind, v in groups.values()]
    return Features(torch.cat([v for _, v in groups.values()], dim=-1), torch.cat(floors), parts)


def _moved(values: Tensor) -> Tensor:
    """Changes over :data:`EVERY` frames, along dimension 1."""
    change = values[:, EVERY:] - values[:, :-EVERY]
    return torch.cat((change[:, :1].expand(-1, EVERY, *values.shape[2:]), change), dim=1)
