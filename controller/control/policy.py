"""A trained policy, without the library that trained it."""

from __future__ import annotations

import hashlib
from functools import cached_property
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor

from controller.control.actors import Actor, CodeActor
from controller.control.navigator import Navigator
from controller.control.sway import Sway, SwayConfig
from controller.core import checkpoint, checks, headers
from controller.core.errors import CheckpointError
from controller.dynamics.character import Character
from controller.model.fast import solo
from controller.model.fast.solo import SoloActor
from controller.tasks import TASKS
from controller.tasks.base import Task
from controller.tasks.joystick import JoystickConfig
from controller.tasks.simulation import Simulation

KIND = "policy"
MOST_UNITS = 16_384
"""The widest layer of an actor."""
MOST_LAYERS = 16
"""Hidden layers of an actor."""

AnyActor = Actor | CodeActor | Navigator


def build(sizes: dict[str, Any]) -> AnyActor:
    """An actor of these ``sizes``, without its weights."""
    if "codes" in sizes:
        return CodeActor(**sizes)
    if "pilot" in sizes:
        return Navigator(**sizes)
    return Actor(**sizes)


def model_fingerprint(character: Character) -> str:
    """SHA-256 of the decoder's weights and the statistics: a policy only fits the model that it was
    trained on."""
    digest = hashlib.sha256()
    for name, value in sorted(character.model.state_dict().items()):
        if not name.startswith("encoder"):
            digest.update(name.encode() + value.cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()


class Policy:
    """The actor's mean or likeliest choice: observations ``(B, O)`` → latents ``(B, latent)``.

    A policy that was trained with :class:`Sway` adds it. Its noise is always the same from the
    first call on; without it (``sway = None``) equal observations give equal latents.
    """

    def __init__(self, actor: AnyActor, header: dict[str, Any]) -> None:
        self.actor = actor.eval().requires_grad_(False)
        self.header = header
        self._width: int = actor.sizes["observation"]
        sways = "sway" in header
        self.sway = Sway(headers.settings(SwayConfig, "sway", header["sway"])) if sways else None
        self._wish = self._width - TASKS[header["task"]].goal_size if sways else 0

    @property
    def task(self) -> str:
        """The name of the task that it was trained for."""
        return self.header["task"]

    @cached_property
    def _solo(self) -> SoloActor:
        return SoloActor(self.actor, cast(Actor, self.actor).limit)

    def __call__(self, observation: Tensor) -> Tensor:
        """Latents for observations; ActionError if these have the wrong width or dtype, or are not
        finite."""
        latent = self._choose(observation)
        if self.sway is None:
            return latent
        return self.sway(latent, observation[:, self._wish : self._wish + 2])

    def _choose(self, observation: Tensor) -> Tensor:
        if self.actor.has_kernels and solo.fits(observation):
            return self._solo(observation)  # it checks them itself
        checks.check_rows("observation", observation, None, self._width, torch.float32)
        return self.actor(observation)

    def save(self, path: Path | str) -> None:
        """Write a checkpoint."""
        checkpoint.save(path, KIND, self.header, dict(self.actor.state_dict()))

    @classmethod
    def of(
        cls,
        actor: AnyActor,
        character: Character,
        task: str,
        settings: dict[str, Any],
        **header: Any,
    ) -> Policy:
        """A policy ready to be saved, with all fields that :meth:`load` needs and those of
        ``header``."""
        required = {
            "task": task,
            "settings": settings,
            "actor": actor.sizes,
            "model": model_fingerprint(character),
        }
        return cls(actor, {**required, **header})

    @classmethod
    def load_for(cls, path: Path | str, simulation: Simulation) -> Policy:
        """Read a policy for a simulation's task, or for the task that this one extends, and fit it
        to the simulation (see :meth:`fitted`). CheckpointError as for :meth:`load`."""
        task = simulation.task
        tasks = (task.name,) if task.extends is None else (task.name, task.extends)
        return cls.load(path, simulation.character, *tasks).fitted(simulation)

    def fitted(self, simulation: Simulation) -> Policy:
        """The same policy for a simulation whose task extends its own: there it uses the columns
        that both tasks share."""
        if self.actor.sizes["observation"] == simulation.observation_size:
            return self
        device = simulation.character.reset_poses.device
        actor = self.actor.widened(simulation.observation_size).to(device)
        policy = Policy(actor, self.header | {"actor": actor.sizes})
        policy._wish = self._wish  # the columns that both share come first
        return policy

    @classmethod
    def load_at_task(
        cls, path: Path | str, character: Character, kind: type[Task[Any, Any]]
    ) -> tuple[Policy, Simulation]:
        """Read a policy and build the simulation that it acts in, with a task of this kind.

        The task has the settings that the policy was trained with; if the policy is for the task
        that this one extends, the defaults. CheckpointError as for :meth:`load`, or if the settings
        are missing or do not fit.
        """
        header = checkpoint.load_header(path, KIND)
        own = header.get("task") == kind.name
        with headers.reading(path, KIND):
            config = (
                headers.settings(kind.config_type, "settings", header["settings"]) if own else None
            )
        simulation = Simulation(character, kind(character, config))
        return cls.load_for(path, simulation), simulation

    @classmethod
    def load(cls, path: Path | str, character: Character, *tasks: str) -> Policy:
        """Read a policy for one of the ``tasks`` and for the motion VAE of ``character``.

        Raises CheckpointError with a sentence that says what does not fit.
        """
        header, tensors = checkpoint.load(path, KIND)
        with headers.reading(path, KIND):
            sizes = check_sizes(header["actor"])
            with torch.device("meta"):  # nothing is allocated before the sizes are known to fit
                actor = build(sizes)
            checks.check_tensors(path, KIND, tensors, actor.state_dict())
            trained_for = headers.text("task", header["task"])
            model = header["model"]
        if trained_for not in tasks:
            expected = " or ".join(repr(task) for task in tasks)
            raise CheckpointError(
                f"{path}: a policy for the task {trained_for!r} found; {expected} is expected"
            )
        if model != model_fingerprint(character):
            raise CheckpointError(
                f"{path}: this policy was trained on another motion VAE; "
                f"train it on this one, or name its own with --character or --mvae"
            )
        _check_fit(path, sizes, character, TASKS[trained_for].goal_size)
        if "pilot" in sizes:
            _check_fit(path, sizes["pilot"], character, TASKS["joystick"].goal_size)
        # Copies, since the tensors read are windows of the file.
        weights = {name: tensor.clone() for name, tensor in tensors.items()}
        actor.load_state_dict(weights, assign=True)
        with headers.reading(path, KIND):
            return cls(actor.to(character.reset_poses.device), header)


def check_sizes(value: Any) -> dict[str, Any]:
    """The ``sizes`` of an actor from a header. Raises DataError about those that :func:`build`
    cannot build or nobody needs."""
    sizes = headers.table("actor", value)
    headers.whole("actor.observation", sizes.get("observation"), 1, MOST_UNITS)
    hidden = headers.items("actor.hidden", sizes.get("hidden"), 0, MOST_LAYERS)
    for index, width in enumerate(hidden):
        headers.whole(f"actor.hidden[{index}]", width, 1, MOST_UNITS)
    if "pilot" in sizes:
        check_sizes(sizes["pilot"])
        headers.settings(JoystickConfig, "actor.stick", sizes.get("stick"))
        return sizes
    headers.whole("actor.latent", sizes.get("latent"), 1, MOST_UNITS)
    if "codes" in sizes:
        headers.whole("actor.codes", sizes["codes"], 2, MOST_UNITS)
    else:
        headers.number("actor.limit", sizes.get("limit"), 1e-3, 1e3)
    return sizes


def _check_fit(path: Path | str, sizes: dict[str, Any], character: Character, goal: int) -> None:
    """Raise CheckpointError unless an actor of these sizes sees the character's pose and a goal of
    ``goal`` values, and gives its latents."""
    found = sizes["observation"]
    allowed = character.layout.size + goal
    if found != allowed:
        raise CheckpointError(
            f"{path}: a policy for observations of {found} values found; {allowed} are expected"
        )
    latents = sizes.get("latent", character.latent)  # a navigator gives those of its pilot
    if latents != character.latent:
        expected = f"{character.latent} are expected"
        raise CheckpointError(
            f"{path}: a policy that gives {latents} latent values found; {expected}"
        )
    coded = character.codes is not None
    if "pilot" not in sizes and ("codes" in sizes) != coded:
        kind = "codes" if coded else "vectors"
        raise CheckpointError(f"{path}: a policy for latents that are {kind} is expected")
