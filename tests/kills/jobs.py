"""Commands that are killed: small ones, each with what must be true of its files at any moment."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import synthetic
from safetensors.torch import load_file, save

from controller.core.files import PARTIAL
from controller.data import formats
from controller.data.dataset import MotionDataset
from controller.data.formats import bvh

TINY_MODEL = (
    "--model.latent", "4", "--model.hidden", "16", "--model.experts", "2",
    "--model.gate-hidden", "8", "--teacher.hold-epochs", "1", "--teacher.ramp-epochs", "0",
    "--kl.ramp-epochs", "1", "--rollouts-per-epoch", "3", "--rollout", "3", "--batch", "8",
)  # fmt: skip


@dataclass(frozen=True)
class Workshop:
    """What the commands work on: made-up clips, a data set and a motion VAE, in one folder."""

    path: Path

    @classmethod
    def make(cls, path: Path) -> Workshop:
        """Write everything. It takes a second."""
        (path / "clips").mkdir(parents=True)
        for number in range(6):
            clip = synthetic.walk(seconds=2.0 + 0.2 * number)
            bvh.write(path / "clips" / f"walk{number}.bvh", clip)
        synthetic.data().save(path / "data.npz")
        synthetic.character().save(path / "mvae.safetensors")
        return cls(path)


@dataclass(frozen=True)
class Job:
    """A command.

    words    what follows ``python -m``, for a folder for its results
    result   the file, in that folder, that there is at the end
    resumes  whether ``--resume`` continues it; otherwise it is begun anew, with ``--overwrite`` if
             it must replace what it finds
    """

    name: str
    words: Callable[[Path], Sequence[str | Path]]
    result: str
    resumes: bool = False
    overwrites: bool = False


def jobs(shop: Workshop) -> list[Job]:
    """All of them."""
    train = (*TINY_MODEL, "--epochs", "6", "--save-every", "1", "--diagnose-every", "3")
    policy = (
        "--mvae", shop.path / "mvae.safetensors", "--characters", "8", "--hidden", "16", "8",
        "--episode-frames", "20", "--steps", "2000", "--evaluate-every", "400",
    )  # fmt: skip
    data = ("--data", shop.path / "data.npz")

    def policies(name: str, *words: str | Path) -> Job:
        return Job(
            name,
            lambda out: ("envs.train_policy", "--out", out, *policy, *words),
            "joystick.safetensors",
            resumes=True,
        )

    return [
        Job(
            "build",
            lambda out: ("controller", "data", "build", "--source", shop.path / "clips", "--out",
                         out / "motion.npz"),
            "motion.npz",
            overwrites=True,
        ),
        Job(
            "train",
            lambda out: ("controller", "train", *data, "--out", out, *train),
            "mvae.safetensors",
            resumes=True,
        ),
        policies("policy", "--shac.horizon", "8", "--workers", "1"),
        policies("policy, two workers", "--shac.horizon", "8", "--workers", "2"),
        policies("policy with clips", "--shac.horizon", "8", "--workers", "1", *data),
        policies("policy by PPO", "--algorithm", "ppo", "--ppo.rollout-frames", "8",
                 "--ppo.minibatch", "32"),
        Job(
            "extractor",
            lambda out: ("controller", "train-extractor", *data, "--out", out / "e.safetensors",
                         "--window", "32", "--channels", "8", "--embedding", "4", "--steps", "20"),
            "e.safetensors",
            overwrites=True,
        ),
        Job(
            "play",
            lambda out: ("play", "--headless", "--frames", "90", "--keys", "0-90:w", "--record",
                         ",".join(str(out / f"a.{kind}") for kind in ("bvh", "npz", "glb", "gif")),
                         "--size", "96x54"),
            "a.bvh",
        ),
        Job("export", lambda out: ("controller", "export", "glb", "--out", out / "w.glb"), "w.glb"),
        Job(
            "export c",
            lambda out: ("controller", "export", "c", "--out", out / "c"),
            "c/controller.c",
        ),
    ]  # fmt: skip


def check(folder: Path) -> None:
    """Raise an error about a file that is not whole. Temporary files do not count: their names say
    that they are."""
    for path in folder.rglob("*"):
        if path.is_dir() or PARTIAL.fullmatch(path.name) or "tensorboard" in path.parts:
            continue
        if path.suffix == ".safetensors":
            load_file(path)
        elif path.name == "motion.npz":
            MotionDataset.load(path)
        elif path.suffix == ".json":
            json.loads(path.read_text())
        elif path.suffix in formats.readable() and path.name != "w.glb":
            formats.read_captures(path)
        elif path.suffix == ".gif":
            from PIL import Image

            with Image.open(path) as picture:
                picture.seek(picture.n_frames - 1)
        elif path.stat().st_size == 0:
            raise ValueError(f"{path} is empty")


def leftovers(folder: Path) -> list[Path]:
    """Temporary files."""
    return [path for path in folder.rglob("*") if PARTIAL.fullmatch(path.name)]


def fingerprint(path: Path) -> str:
    """What a result is, without the times that it took."""
    if path.suffix == ".safetensors":
        content = save(load_file(path))
    elif path.name == "motion.npz":
        return MotionDataset.load(path).fingerprint()
    else:
        content = path.read_bytes()
    return hashlib.sha256(content).hexdigest()
