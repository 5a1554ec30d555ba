"""Free rollouts: what a character does with z drawn at random."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from controller.core.errors import DataError
from controller.data.dataset import MotionDataset
from controller.data.measures import ground_figures
from controller.dynamics.character import Character
from controller.dynamics.rollout import Rollout, drawn_latents, record, wander
from controller.evaluation import diagnostics, frechet
from controller.evaluation.diagnosis import gate
from controller.evaluation.diagnosis.rates import free_rates, rate_figures
from controller.evaluation.extractor import Extractor

CHARACTERS = 64
FRAMES = 600
"""Number and length of free rollouts: 20 s are long enough to leave the data, if a model does."""
SETTLING = 1800
"""Frames of free running before the Fréchet distance is taken. Rollouts begin in captured poses, or
in poses that these lead to. For the first minute that flatters a model which never comes back to
such poses."""
PROBES = 4096
"""Poses and latents at which gate and sensitivity are measured."""
HEIGHTS = ("float_cm_p5", "float_cm_median", "float_cm_p95")


def rollout_figures(character: Character) -> tuple[dict[str, Any], Rollout]:
    """Figures of free rollouts, and the rollouts: sanity, ground contact, bones, speeds, turns, and
    the gate at the poses they reached.

    ``sane_fraction`` is measured without the clamp on poses, everything else on the rollouts that
    are returned, with the clamp, as the character plays.
    """
    generator = torch.Generator().manual_seed(1)
    act = drawn_latents(character, generator)
    start = character.reset(CHARACTERS, generator)
    run = record(character, act, start, lambda *_: None, FRAMES)
    unclamped = record(diagnostics.unclamped(character), act, start, lambda *_: None, FRAMES)

    visited = _sample(run.pose.flatten(0, -2))
    latent = character.draw_latents(len(visited), generator)
    ground = ground_figures([run.feet], character.fps)
    poses = own_units(character, run)
    figures = {
        "sane_fraction": float(unclamped.alive.float().mean()),
        "held_fraction": diagnostics.clamped_fraction(character, run.pose),
        "free_skate_cm_per_frame": ground["foot_skate_cm_per_frame"],
        **{f"free_{name}": ground[name] for name in HEIGHTS},
        "bone_length_error_mm": diagnostics.bone_length_error(character.layout, poses),
        **rate_figures("free", free_rates(character, run)),
        **gate.gate_figures(character.model, latent, visited),
    }
    return figures, run


def own_units(character: Character, run: Rollout) -> Tensor:
    """The poses of a rollout ``(T, B, D)`` in their own units: metres, m/s and so on."""
    return character.model.normalizer.denormalize(run.pose)


def settled_poses(character: Character) -> Tensor:
    """Poses of free rollouts ``(T, B, D)`` in their own units, after :data:`SETTLING` frames."""
    generator = torch.Generator().manual_seed(1)
    act = drawn_latents(character, generator)
    state = wander(character, act, character.reset(CHARACTERS, generator), SETTLING)
    return own_units(character, record(character, act, state, lambda *_: None, FRAMES))


def frechet_figures(
    extractor: Extractor | None, data: MotionDataset, poses: Callable[[], Tensor]
) -> dict[str, float | None]:
    """Fréchet distances to the captured training clips: ``frechet_distance`` of free rollouts and
    ``captured_frechet_distance`` of held-out clips, a floor that no model needs to beat.

    ``poses`` returns the free rollouts ``(T, B, D)`` in their own units. Both figures are None
    without an extractor, with one for another skeleton, and if no clip is as long as its window;
    ``poses`` is not called then.
    """
    if extractor is None:
        return {"frechet_distance": None, "captured_frechet_distance": None}
    try:
        captured = frechet.captured_gaussian(extractor, data)
        held_out = frechet.captured_gaussian(extractor, data, held_out=True)
        free = frechet.rollouts_gaussian(extractor, data.layout, poses())
    except DataError:
        return frechet_figures(None, data, poses)
    return {
        "frechet_distance": frechet.distance(captured, free),
        "captured_frechet_distance": frechet.distance(captured, held_out),
    }


def sensitivity(character: Character) -> float:
    """:func:`diagnostics.latent_sensitivity` at reset poses, with z drawn at random and directions
    from N(0, I)."""
    generator = torch.Generator().manual_seed(2)
    pose = character.reset(PROBES, generator).pose
    latent = character.draw_latents(PROBES, generator)
    direction = torch.randn(latent.shape, generator=generator)
    return diagnostics.latent_sensitivity(character, latent, pose, direction)


def _sample(rows: Tensor) -> Tensor:
    """At most :data:`PROBES` rows, evenly spread over those that are finite."""
    finite = rows[torch.isfinite(rows).all(dim=-1)]
    chosen = torch.linspace(0, max(0, len(finite) - 1), min(PROBES, len(finite))).long()
    return finite[chosen]
