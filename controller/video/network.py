"""A trained network with all that is needed to use it: build, save, load."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from controller.core import checkpoint
from controller.core.errors import CheckpointError, ConfigError, DataError
from controller.core.paths import ASSETS
from controller.video import blocks
from controller.video.action_network import ActionNetwork
from controller.video.config import NetworkConfig, network_config
from controller.video.film import Film, LabelKind
from controller.video.pose_network import PoseNetwork

SHIPPED = ASSETS / "video"
"""The networks that come with the code."""
KIND = "video-network"
Network = PoseNetwork | ActionNetwork


def build(config: NetworkConfig, labels: LabelKind, mean: Tensor) -> Network:
    """A new network for pictures with the mean (3, H, W). Raises DataError if the labels lack what
    it needs."""
    if config.protocol == "action":
        if not labels.condition:
            raise DataError("protocol action needs conditions, and the film has none")
        return ActionNetwork(config, labels, mean)
    if config.label != "vector" and not labels.drawing:
        raise DataError(f"label {config.label} needs label pictures, and the film has none")
    if config.label != "picture" and not labels.vector:
        raise DataError(f"label {config.label} needs label vectors, and the film has none")
    return PoseNetwork(config, labels, mean)


@dataclass(frozen=True, eq=False)
class Painter:
    """A trained network. ``header`` says what it was trained on and how well it paints."""

    network: Network
    labels: LabelKind
    past: int
    header: dict[str, Any]

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of its pictures."""
        height, width = self.network.generator.mean.shape[1:]
        return width, height

    def save(self, path: Path) -> None:
        """Write it to a file, with weights in half precision."""
        network = self.network
        header = self.header | {
            "network": asdict(network.config),
            "labels": asdict(self.labels),
            "past": self.past,
        }
        halves = {name: each.half() for name, each in network.state_dict().items()}
        checkpoint.save(path, KIND, header, halves)

    @classmethod
    def load(cls, path: Path) -> Painter:
        """Read a file. Raises CheckpointError if it is missing, damaged or of another kind."""
        header, tensors = checkpoint.load(path, KIND)
        try:
            labels = LabelKind(**header["labels"])
            mean = tensors["generator.mean"].float()
            network = build(network_config(header["network"]), labels, mean)
            network.load_state_dict({name: each.float() for name, each in tensors.items()})
            past = int(header["past"])
        except (KeyError, TypeError, RuntimeError, ConfigError, DataError) as error:
            first = str(error).strip().splitlines()[0]
            raise CheckpointError(f"{path}: its weights do not fit its header ({first})") from error
        for name, each in tensors.items():
            if not bool(torch.isfinite(each).all()):
                raise CheckpointError(f"{path}: weights {name} are not finite")
        network.eval().requires_grad_(False)
        blocks.channels_last(network)
        return cls(network, labels, past, header)

    def require_film(self, film: Film) -> None:
        """DataError unless the film has this network's size and kind of labels."""
        if film.size != self.size:
            raise DataError(
                f"{film.path}: pictures of {film.size[0]}x{film.size[1]} pixels, but the network "
                f"paints {self.size[0]}x{self.size[1]}"
            )
        self.require_labels(film.labels, str(film.path))

    def require_labels(self, labels: LabelKind, what: str) -> None:
        """DataError unless ``what`` has labels of the kind that this network was trained on."""
        if labels != self.labels:
            raise DataError(
                f"{what}: labels are {labels}, but the network was trained on {self.labels}"
            )
