"""The feature extractor: it embeds windows of poses in a few values each, in which motions can be
compared.

It is the encoder half of an autoencoder of captured windows, trained by
``controller/training/train_extractor.py``. It stays the same for all models that are measured, so
that their figures can be compared. Its input is root velocity, joint positions and joint velocities
in the facing frame, so that places and directions in the world do not matter, and the height of
each foot and its slip over the ground. These two are what people notice first, and they are too
small beside a stride to show in positions and velocities.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from controller.control.folder import CharacterFolder
from controller.core import checkpoint, checks, headers
from controller.core.errors import require
from controller.data.dataset import ClipEntry
from controller.data.windows import Windows
from controller.model.normalizer import Normalizer
from controller.motion import metrics
from controller.motion.feet import Feet
from controller.motion.pose import FPS, PoseLayout
from controller.motion.skeleton import Skeleton

KIND = "motion-extractor"
LEVELS = 4
"""Convolutions. Each one halves the number of time steps."""
LIMIT = 10.0
"""Standard deviations at which a value is clamped, so that a model that explodes gets a large
figure instead of an infinite one. Captured motion hardly ever gets there."""
HUGE = 1e6
"""Largest value of a pose in its own units (m, m/s, rad/s); larger ones are clamped, so that slip
can be computed from them."""
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
    """Values of an embedding."""

    def __post_init__(self) -> None:
        step = 2**LEVELS
        whole = self.window > 0 and self.window % step == 0
        require(whole, "window", self.window, f"a multiple of {step}")
        for name in ("channels", "embedding"):
            require(1 <= getattr(self, name) <= 1024, name, getattr(self, name), "1 to 1024")


class Extractor(nn.Module):
    """Windows of poses in their own units ``(N, window, D)`` → embeddings ``(N, embedding)``.

    ``channels`` names the columns of :meth:`inputs`. ``centre`` (E,) and ``whitening`` (E, E) give
    the embeddings of captured windows mean 0 and the identity as covariance; without them the scale
    of each embedded value would be an accident of training.
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

    @cached_property
    def feet(self) -> Feet:
        """Where the feet are."""
        return Feet(self.layout)

    def inputs(self, windows: Tensor) -> Tensor:
        """Input ``(N, window, values)`` from poses ``(N, window, D)`` in their own units.

        It consists of a pose's values up to the orientations, the heights of both toes in metres
        and their slip, :func:`metrics.foot_slip`, in cm a frame. The first frame of a window
        repeats the slip of the second.
        """
        windows = windows.clamp(-HUGE, HUGE)
        feet = self.feet.positions(windows)
        moved = Feet.displacement(
            feet[:, :-1], feet[:, 1:], windows[:, 1:, self.layout.root_velocity]
        )
        heights = feet[..., 1]
        slip = metrics.foot_slip(moved, torch.maximum(heights[:, 1:], heights[:, :-1]))
        slip = torch.cat((slip[:, :1], slip), dim=1)
        pose = windows[..., : self.layout.orientations.start]
        return torch.cat((pose, heights, slip), dim=-1)

    def scores(self, windows: Tensor) -> Tensor:
        """Z-scores ``(N, values, window)`` within ±:data:`LIMIT` from poses ``(N, window, D)`` in
        their own units."""
        scores = self.normalizer.normalize(self.inputs(windows))
        return scores.clamp(-LIMIT, LIMIT).transpose(-1, -2)

    def forward(self, windows: Tensor) -> Tensor:
        code: Tensor = self.encoder(self.scores(windows))
        return (code - self.centre) @ self.whitening

    @torch.no_grad()
    def embed(self, poses: Tensor, clips: list[ClipEntry], count: int) -> Tensor:
        """Embeddings ``(count, E)`` of windows of a table of poses ``(N, D)`` in their own units.

        The windows begin at evenly spread rows among all rows where a window fits into its clip, so
        that they cover each clip in proportion to its length. If fewer than ``count`` fit, some
        come twice. Raises DataError if none fits.
        """
        starts = Windows(poses, clips, self.config.window).starts
        places = torch.linspace(0, len(starts) - 1, count, dtype=torch.float64).round().long()
        frames = torch.arange(self.config.window)
        chunks = starts[places].split(CHUNK)
        return torch.cat([self(poses[chunk[:, None] + frames]) for chunk in chunks])

    def save(self, path: Path | str, **header: Any) -> None:
        """Write a checkpoint: weights, statistics, skeleton and the entries of ``header``."""
        record = {
            "config": asdict(self.config),
            "skeleton": self.layout.skeleton.to_dict(),
            "fps": FPS,
            **header,
        }
        checkpoint.save(path, KIND, record, dict(self.state_dict()))

    @classmethod
    def of(cls, folder: CharacterFolder | None = None) -> Extractor | None:
        """Load the extractor of a character, or else the default character's, which is for
        characters with the same skeleton. None if neither has one."""
        path = (folder and folder.extractor) or CharacterFolder.open().extractor
        return cls.load(path) if path else None

    @classmethod
    def load(cls, path: Path | str) -> Extractor:
        """Read a checkpoint. Raises CheckpointError if the file is something else."""
        header, tensors = checkpoint.load(path, KIND)
        with headers.reading(path, KIND):
            layout = PoseLayout(Skeleton.from_dict(headers.skeleton(header.get("skeleton"))))
            config = headers.settings(ExtractorConfig, "config", header.get("config"))
            headers.number("fps", header.get("fps", FPS), FPS, FPS)
            _ = layout.feet  # from values of the skeleton, which "meta" has none of
            with torch.device("meta"):  # nothing is allocated before the sizes are known to fit
                extractor = cls(layout, config, header)
            checks.check_tensors(path, KIND, tensors, extractor.state_dict())
            checks.check_statistics(path, KIND, tensors)
            # Copies, since the tensors read are windows of the file.
            weights = {name: tensor.clone() for name, tensor in tensors.items()}
            extractor.load_state_dict(weights, assign=True)
            return extractor.eval().requires_grad_(False)
