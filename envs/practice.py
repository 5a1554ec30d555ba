"""What characters are doing in the middle of a training, as named tensors: with them an interrupted
run goes on as if nothing had happened, to the same bits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor

from controller.control.sway import Sway
from envs.episodes import Episodes
from envs.imitation import Chase, Imitation

T = TypeVar("T")
Tensors = Mapping[str, Tensor]


def _parts(name: str, value: Any) -> dict[str, Tensor]:
    """The tensors of a dataclass, as ``NAME.FIELD``."""
    return {
        f"{name}.{field.name}": getattr(value, field.name).detach().clone()
        for field in fields(value)
    }


def _put_together(name: str, like: T, tensors: Tensors) -> T:
    """The dataclass that :func:`_parts` took apart, of the kind, shapes and devices of ``like``.
    Raises KeyError if a tensor is missing, ValueError if one has another shape."""
    values = {
        field.name: _fitting(f"{name}.{field.name}", getattr(like, field.name), tensors)
        for field in fields(like)  # type: ignore[arg-type]
    }
    return type(like)(**values)


def _fitting(name: str, like: Tensor, tensors: Tensors) -> Tensor:
    value = tensors[name]
    if value.shape != like.shape or value.dtype != like.dtype:
        raise ValueError(f"{name}: {tuple(value.shape)} found, {tuple(like.shape)} expected")
    return value.to(like.device)


def _generator_parts(name: str, generator: torch.Generator) -> dict[str, Tensor]:
    return {name: generator.get_state()}


# -- characters with drawn goals -------------------------------------------------------------------


def of_episodes(episodes: Episodes[Any]) -> dict[str, Tensor]:
    """States, goals, clocks and the generator."""
    return {
        **_parts("state", episodes.state),
        **_parts("goal", episodes.goal),
        "frames": episodes.frames.clone(),
        **_generator_parts("generator", episodes.generator),
    }


def resume_episodes(episodes: Episodes[Any], tensors: Tensors) -> None:
    """Go on from :func:`of_episodes`. Raises KeyError or ValueError if that was of other
    characters; then nothing has changed."""
    state = _put_together("state", episodes.state, tensors)
    goal = _put_together("goal", episodes.goal, tensors)
    frames = _fitting("frames", episodes.frames, tensors)
    generator = _fitting("generator", episodes.generator.get_state(), tensors)
    episodes.state = state
    episodes.goal = goal
    episodes.frames = frames
    episodes.generator.set_state(generator)


# -- characters that follow clips ------------------------------------------------------------------


def of_imitation(imitation: Imitation) -> dict[str, Tensor]:
    """Where all followers are, what they remember, and the generator."""
    memory = imitation.memory
    known = min(memory.steps, memory.size)
    tensors = {
        **_parts("follower", imitation.state),
        **_parts("chase", imitation.chase),
        **_generator_parts("follower.generator", imitation.generator),
        "memory.steps": torch.tensor(memory.steps),
    }
    for number, column in enumerate(memory.columns):
        tensors[f"memory.{number}"] = column[:known].clone()
    for name, sway in _sways(imitation).items():
        if sway.noise.numel():
            tensors[name] = sway.noise.clone()
    return tensors


def resume_imitation(imitation: Imitation, tensors: Tensors) -> None:
    """Go on from :func:`of_imitation`. Raises KeyError or ValueError as :func:`resume_episodes`."""
    state = _put_together("follower", imitation.state, tensors)
    chase: Chase = _put_together("chase", imitation.chase, tensors)
    generator = _fitting("follower.generator", imitation.generator.get_state(), tensors)
    memory = imitation.memory
    steps = int(tensors["memory.steps"])
    columns = []
    for number in range(2 if steps else 0):
        rows = tensors[f"memory.{number}"].to(imitation.state.pose.device)
        if len(rows) != min(steps, memory.size):
            raise ValueError(f"memory: {len(rows)} rows found, {steps} steps expected")
        column = rows.new_zeros(memory.size, *rows.shape[1:])
        column[: len(rows)] = rows
        columns.append(column)
    imitation.state = state
    imitation.chase = chase
    imitation.generator.set_state(generator)
    memory.columns = tuple(columns)
    memory.steps = steps
    for name, sway in _sways(imitation).items():
        if name in tensors:
            sway.noise = tensors[name].to(imitation.state.pose.device)


def _sways(imitation: Imitation) -> dict[str, Sway]:
    return {"sway": imitation.sway, "drawn_sway": imitation.drawn_sway}


# -- generators of the whole process ---------------------------------------------------------------


def of_process() -> dict[str, Tensor]:
    """The generators of torch and of NumPy, which stable-baselines3 uses."""
    _, keys, place, has_gauss, gauss = np.random.get_state()  # noqa: NPY002
    return {
        "torch": torch.get_rng_state(),
        "numpy.keys": torch.from_numpy(np.asarray(keys, np.int64)),
        "numpy.place": torch.tensor([place, has_gauss]),
        "numpy.gauss": torch.tensor(gauss, dtype=torch.float64),
    }


def resume_process(tensors: Tensors) -> None:
    """Go on from :func:`of_process`. Raises KeyError or ValueError as :func:`resume_episodes`."""
    own = of_process()
    fitting = {name: _fitting(name, like, tensors) for name, like in own.items()}
    torch.set_rng_state(fitting["torch"])
    place, has_gauss = fitting["numpy.place"].tolist()
    keys = fitting["numpy.keys"].numpy().astype(np.uint32)
    state = ("MT19937", keys, place, has_gauss, float(fitting["numpy.gauss"]))
    np.random.set_state(state)  # noqa: NPY002
