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
    """Forward kinematics of the feet alone, at a fraction of the whole skeleton's cost.

    columns  those of a pose vector that :meth:`place` needs: the orientations of all joints above
             the F feet, and the height of the hips
    bones    x, y and z of all bones above the feet, (F·C,) each, where C is the number of bones
             above the foot that has the most
    """

    def __init__(self, layout: PoseLayout, device: torch.device | str = "cpu") -> None:
        self.layout = layout
        chains = [_bones_above(layout, foot) for foot in layout.feet]
        longest = max(len(chain) for chain in chains)
        joints: list[int] = []
        bones: list[Tensor] = []
        for chain in chains:
            # Bones of no length make all chains equally long.
            padding = [(0, torch.zeros(3))] * (longest - len(chain))
            for joint, bone in [*chain, *padding]:
                joints.append(joint)
                bones.append(bone)

        self.bones = tuple(torch.stack(bones).T.contiguous().to(device))
        every = torch.arange(layout.size)
        six = every[layout.orientations].unflatten(0, (-1, 6))[joints].flatten()
        self.columns = torch.cat((six, torch.tensor([layout.hip_height]))).to(device)
        self.up = torch.tensor([0.0, 1.0, 0.0], device=device)

    def positions(self, pose: Tensor) -> Tensor:
        """(..., D) poses in their own units → feet ``(..., F, 3)``, metres in the facing frame, in
        the order of ``layout.feet``."""
        return self.place(pose.index_select(-1, self.columns))

    def place(self, columns: Tensor) -> Tensor:
        """The same from :attr:`columns` alone, in their own units.

        This is Gram-Schmidt as in :func:`geometry.matrix_from_6d`, written out over coordinates:
        sums over dimensions of three cost several times as much.
        """
        six = columns[..., :-1].unflatten(-1, (-1, 6)).movedim(-1, 0).contiguous()  # (6, ..., F·C)
        x = _unit(*six[:3])
        along = _dot(x, tuple(six[3:]))
        y = _unit(*(torch.addcmul(b, along, a, value=-1) for a, b in zip(x, six[3:], strict=True)))
        z = [torch.addcmul(x[i - 2] * y[i - 1], x[i - 1], y[i - 2], value=-1) for i in range(3)]

        turned = [_dot(axes, self.bones) for axes in zip(x, y, z, strict=True)]
        chains = torch.stack(turned).unflatten(-1, (len(self.layout.feet), -1))  # (3, ..., F, C)
        from_hips = chains.sum(dim=-1).movedim(0, -1)  # (..., F, 3)
        return from_hips + columns[..., -1:, None] * self.up

    @staticmethod
    def displacement(before: Tensor, after: Tensor, root_velocity: Tensor) -> Tensor:
        """How the feet moved over the ground in one step, ``(..., F, 3)`` metres in the earlier
        facing frame.

        ``before`` and ``after`` ``(..., F, 3)`` are positions in their own facing frames;
        ``root_velocity`` ``(..., 3)`` is that of the later pose.
        """
        step = root_velocity / FPS
        turned = geometry.turn(after[..., [0, 2]], step[..., None, 2])
        ground = turned + step[..., None, [1, 0]]
        return torch.stack((ground[..., 0], after[..., 1], ground[..., 1]), dim=-1) - before


def _bones_above(layout: PoseLayout, foot: int) -> list[tuple[int, Tensor]]:
    """The joint and the offset of every bone from a foot up to the root."""
    parents = layout.skeleton.parents
    chain = []
    joint = foot
    while parents[joint] >= 0:
        chain.append((parents[joint], layout.skeleton.offsets[joint]))
        joint = parents[joint]
    return chain
