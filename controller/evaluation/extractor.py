"""What motion looks like from a distance: windows of poses → a few values each, in which motions
are compared.

The extractor is the encoder half of an autoencoder of captured windows
(``controller/training/train_extractor.py`` makes it) and stays as it is, whatever model is
measured: figures taken with the same extractor can be compared. It sees root velocity, joint
positions and joint velocities in the facing frame, so that it knows nothing of places and
directions in the world; and of each foot its height and its slip over the ground, which people see
first, and which are too small beside a stride to be noticed in positions and velocities.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from controller.control import shipped
from controller.core import checkpoint, checks
from controller.core.errors import CheckpointError, first_line, require
from controller.data.dataset import ClipEntry
from controller.data.windows import Windows
from controller.model.normalizer import Normalizer
from controller.motion import metrics
from controller.motion.feet import Feet
from controller.motion.pose import FPS, PoseLayout
from controller.motion.skeleton import Skeleton

KIND = "motion-extractor"
SHIPPED = shipped.FOLDER / "extractor.safetensors"
LEVELS = 4
"""Convolutions, each of which halves time."""
LIMIT = 10.0
"""Deviations at which a value is cut off, so that a model that explodes gets a large figure and not
an infinite one. Captured motion hardly gets there."""
HUGE = 1e6
"""Values of poses in their own units (m, m/s, rad/s) are cut off there, so that slips can be
computed from them."""
CHUNK = 512
"""Windows embedded at once: 32 MB of captured values."""


@dataclass(frozen=True)
class ExtractorConfig:
    """Sizes of the extractor."""

    window: int = 64
    """Frames of a window: 2.1 s, about two strides."""
    channels: int = 64
    """Width of the convolutions."""
    embedding: int = 32
    """Values that a window becomes."""

    def __post_init__(self) -> None:
        step = 2**LEVELS
        require(
            self.window > 0 and self.window % step == 0,
            "window",
            self.window,
            f"a multiple of {step}",
        )
        for name in ("channels", "embedding"):
            require(1 <= getattr(self, name) <= 1024, name, getattr(self, name), "1 to 1024")


class Extractor(nn.Module):
    """Windows of poses in their own units ``(N, window, D)`` → embeddings ``(N, embedding)``.

    ``channels`` says which columns of :meth:`seen` are which, by name. ``centre`` (E,) and
    ``whitening`` (E, E) make the captured windows' embeddings have mean 0 and the identity as their
    covariance; without them the scale of each embedded value would be an accident of training.
    """

    centre: Tensor
    whitening: Tensor

    def __init__(
        self, layout: PoseLayout, config: ExtractorConfig, header: dict[str, Any] | None = None
    ) -> None:
        super().__init__()
        self.layout = layout
        self.config = config
        self.header = header or {}
        self.feet = Feet(layout)
        pose = layout.orientations.start
        heights = slice(pose, pose + len(layout.feet))
        self.channels = {
            "root velocity": layout.root_velocity, "positions": layout.positions,
            "velocities": layout.velocities, "foot heights": heights,
            "foot slip": slice(heights.stop, heights.stop + len(layout.feet)),
        }  # fmt: skip
        self.values = self.channels["foot slip"].stop
        self.normalizer = Normalizer.blank(self.values)
        widths = [self.values, *[config.channels] * LEVELS]
        layers: list[nn.Module] = []
        for inputs, outputs in pairwise(widths):
            layers += [nn.Conv1d(inputs, outputs, 4, stride=2, padding=1), nn.ELU()]
        last = nn.Linear(config.channels * config.window // 2**LEVELS, config.embedding)
        self.encoder = nn.Sequential(*layers, nn.Flatten(), last)
        self.register_buffer("centre", torch.zeros(config.embedding))
        self.register_buffer("whitening", torch.eye(config.embedding))

    def seen(self, windows: Tensor) -> Tensor:
        """``(N, window, values)`` of poses ``(N, window, D)``, in their own units: a pose's values
        up to the orientations, the heights of both toes in metres, and their slip,
        :func:`metrics.foot_slip`, in cm a frame; in a window's first frame that of the second."""
        windows = windows.clamp(-HUGE, HUGE)
        feet = self.feet.positions(windows)
        moved = Feet.displacement(
            feet[:, :-1], feet[:, 1:], windows[:, 1:, self.layout.root_velocity]
        )
        slip = metrics.foot_slip(moved, torch.maximum(feet[:, 1:, :, 1], feet[:, :-1, :, 1]))
        pose = windows[..., : self.layout.orientations.start]
        return torch.cat((pose, feet[..., 1], torch.cat((slip[:, :1], slip), dim=1)), dim=-1)

    def scores(self, windows: Tensor) -> Tensor:
        """``(N, window, D)`` poses in their own units → ``(N, values, window)`` z-scores within
        ±:data:`LIMIT`."""
        scores = self.normalizer.normalize(self.seen(windows))
        return scores.clamp(-LIMIT, LIMIT).transpose(-1, -2)

    def forward(self, windows: Tensor) -> Tensor:
        code: Tensor = self.encoder(self.scores(windows))
        return (code - self.centre) @ self.whitening

    @torch.no_grad()
    def embed(self, poses: Tensor, clips: list[ClipEntry], count: int) -> Tensor:
        """``count`` windows of a table of poses ``(N, D)``, in their own units, embedded: ``(count,
        E)``.

        The windows begin at evenly spread rows of all at which one fits into its clip, and so cover
        every clip in proportion to its length; some come twice where fewer fit. DataError if none
        does.
        """
        begin = Windows(poses, clips, self.config.window).starts
        begin = begin[torch.linspace(0, len(begin) - 1, count, dtype=torch.float64).round().long()]
        frames = torch.arange(self.config.window)
        return torch.cat([self(poses[chunk[:, None] + frames]) for chunk in begin.split(CHUNK)])

    def save(self, path: Path | str, **header: Any) -> None:
        """Write a checkpoint: weights, statistics, skeleton and what else ``header`` tells."""
        record = {
            "config": asdict(self.config),
            "skeleton": self.layout.skeleton.to_dict(),
            "fps": FPS,
            **header,
        }
        checkpoint.save(path, KIND, record, dict(self.state_dict()))

    @classmethod
    def shipped(cls) -> Extractor | None:
        """The one that is shipped, if it is there: figures need data of one's own, and may do
        without."""
        return cls.load() if SHIPPED.is_file() else None

    @classmethod
    def load(cls, path: Path | str = SHIPPED) -> Extractor:
        """Read a checkpoint; CheckpointError says in a sentence what is wrong with another file."""
        header, tensors = checkpoint.load(path, KIND)
        try:
            layout = PoseLayout(Skeleton.from_dict(header["skeleton"]))
            made = cls(layout, ExtractorConfig(**header["config"]), header)
            checks.check_tensors(path, KIND, tensors, made.state_dict())
            made.load_state_dict(tensors)
        except (KeyError, TypeError, RuntimeError) as error:
            raise CheckpointError(
                f"{path}: not a complete {KIND} checkpoint ({first_line(error)})"
            ) from error
        return made.eval().requires_grad_(False)
