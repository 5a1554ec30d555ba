"""NumPy archives (.npz) of recorded motion: everything that is known, as plain arrays."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from controller.core.files import atomic
from controller.motion.skeleton import Clip


def write(path: Path, clip: Clip) -> None:
    """Write arrays of T frames and J joints, in metres, Y up.

    ``root`` (T, 3), ``rotations`` (T, J, 3, 3) relative to the parent joint, ``positions`` (T, J,
    3) in the world, ``names`` (J,), ``parents`` (J,), ``offsets`` and ``tips`` (J, 3), ``fps``.
    """
    with atomic(path) as temporary:
        np.savez_compressed(
            temporary,
            root=clip.positions.numpy(),
            rotations=clip.rotations.numpy(),
            positions=clip.joint_positions().numpy(),
            names=np.array(clip.skeleton.names),
            parents=np.array(clip.skeleton.parents),
            offsets=clip.skeleton.offsets.numpy(),
            tips=clip.skeleton.tips.numpy(),
            fps=clip.fps,
        )
