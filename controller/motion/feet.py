"""Where a character's feet are, and how far they move over the ground in a step."""

from __future__ import annotations

import torch
from torch import Tensor

from controller.motion import geometry
from controller.motion.pose import FPS, PoseLayout

Coordinates = tuple[Tensor, ...]


def _dot(one: Coordinates, other: Coordinates) -> Tensor:
    total = one[0] * other[0]
    for a, b in zip(one[1:], other[1:], strict=True):
        total = torch.addcmul(total, a, b)
    return total


def _unit(*vector: Tensor) -> Coordinates:
    scale = _dot(vector, vector).clamp(min=1e-24).rsqrt()
    return tuple(part * scale for part in vector)


class Feet:
    """Forward kinematics of both toe joints alone, at a fraction of the whole skeleton's cost."""

    def __init__(self, layout: PoseLayout, device: torch.device | str = "cpu") -> None:
        self.layout = layout
        parents = layout.skeleton.parents
        offsets = layout.skeleton.offsets
        above = []
        bones = []
        for foot in layout.feet:
            joint = foot
            while parents[joint] >= 0:
                bones.append(offsets[joint])
                above.append(parents[joint])
                joint = parents[joint]
        self.bones = tuple(
            torch.stack(bones).T.contiguous().to(device)
        )  # x, y and z of each, (2·C,)
        six = torch.arange(layout.size)[layout.orientations].unflatten(0, (-1, 6))[above].flatten()
        self.columns = torch.cat((six, torch.tensor([layout.hip_height]))).to(device)
        """Those that :meth:`place` needs: the orientations of all joints above the toes, and the
        hips' height."""
        self.up = torch.tensor([0.0, 1.0, 0.0], device=device)

    def positions(self, pose: Tensor) -> Tensor:
        """(..., D) poses in their own units → left and right toe ``(..., 2, 3)``, metres in the
        facing frame."""
        return self.place(pose.index_select(-1, self.columns))

    def place(self, columns: Tensor) -> Tensor:
        """The same of :attr:`columns` alone, in their own units.

        Gram-Schmidt as in :func:`geometry.matrix_from_6d`, written out over coordinates: sums over
        dimensions of three cost several times as much.
        """
        six = columns[..., :-1].unflatten(-1, (-1, 6)).movedim(-1, 0).contiguous()  # (6, ..., 2·C)
        x = _unit(*six[:3])
        along = _dot(x, tuple(six[3:]))
        y = _unit(*(torch.addcmul(b, along, a, value=-1) for a, b in zip(x, six[3:], strict=True)))
        z = [torch.addcmul(x[i - 2] * y[i - 1], x[i - 1], y[i - 2], value=-1) for i in range(3)]
        turned = [_dot(axes, self.bones) for axes in zip(x, y, z, strict=True)]
        feet = (
            torch.stack(turned).unflatten(-1, (2, -1)).sum(dim=-1).movedim(0, -1)
        )  # (..., 2, 3), from the hips
        return feet + columns[..., -1:, None] * self.up

    @staticmethod
    def displacement(before: Tensor, after: Tensor, root_velocity: Tensor) -> Tensor:
        """How both feet moved over the ground in one step, ``(..., 2, 3)`` metres in the earlier
        facing frame.

        ``before`` and ``after`` ``(..., 2, 3)`` are positions in their own facing frames;
        ``root_velocity`` ``(..., 3)`` is that of the later pose.
        """
        step = root_velocity / FPS
        ground = geometry.turn(after[..., [0, 2]], step[..., None, 2]) + step[..., None, [1, 0]]
        return torch.stack((ground[..., 0], after[..., 1], ground[..., 1]), dim=-1) - before
