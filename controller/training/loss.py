"""The body's terms of the training loss: place and slip of the feet, places of the joints, lengths
of the bones."""

from __future__ import annotations

from torch import Tensor

from controller.motion.metrics import contact_weight

FOOT_SCALE = 0.01
"""m: the foot error that counts as one unit of loss."""
JOINT_SCALE = 0.01
BONE_SCALE = 0.01
"""m: the same for the place of a joint and for the length of a bone."""


def foot_loss(moved: Tensor, truly_moved: Tensor, feet: Tensor, true_feet: Tensor) -> Tensor:
    """Squared error of where the feet are and, while they stand, of how they moved over the ground,
    in (cm)².

    A planted foot that slides by 2 mm a frame hardly changes the reconstruction loss, but is the
    first thing a person notices. All arguments ``(B, 2, 3)`` metres.
    """
    standing = contact_weight(true_feet[..., 1:2].detach())
    slip = ((moved - truly_moved) / FOOT_SCALE).square() * standing
    place = ((feet - true_feet) / FOOT_SCALE).square()
    return slip.mean() + 0.1 * place.mean()


def joint_loss(joints: Tensor, truly: Tensor) -> Tensor:
    """Mean squared distance of joints ``(..., J, 3)`` metres from their true places, in (cm)².

    The loss in deviations needs it: there, an error of centimetres in a foot that swings by half a
    metre costs hardly anything.
    """
    return ((joints - truly) / JOINT_SCALE).square().sum(dim=-1).mean()


def bone_loss(joints: Tensor, parents: list[int], lengths: Tensor) -> Tensor:
    """Mean √(1 + s²) − 1 of the errors s in cm of the bones' lengths.

    ``joints`` (..., J, 3) metres, ``parents`` of all joints but the first, and their true
    ``lengths`` (J-1,) metres. Squares alone would drown all other terms at the start of a training,
    when bones are wrong by 10 cm.
    """
    bones = joints[..., 1:, :] - joints[..., parents, :]
    # The norm of a zero vector has no gradient.
    predicted = (bones.square().sum(dim=-1) + 1e-12).sqrt()
    error = (predicted - lengths) / BONE_SCALE
    return ((1 + error.square()).sqrt() - 1).mean()


def slip_loss(moved: Tensor, height: Tensor) -> Tensor:
    """Slip s² / (1 + s²) of feet that stand, s in cm a frame (Geman & McClure 1987: a swinging foot
    does not count).

    ``moved`` (B, 2, 3) metres over the ground, ``height`` (B, 2) metres. The height is a weight
    only: with a gradient through it, feet would learn to hover.
    """
    squared = (moved[..., [0, 2]] / FOOT_SCALE).square().sum(dim=-1)
    return (contact_weight(height.detach()) * squared / (1 + squared)).mean()
