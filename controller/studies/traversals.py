"""Latent traversals of a character for a page: stick figures of what z does to a pose."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from controller.dynamics.character import Character
from controller.studies import strips

STRIPS = 6
"""Strips of a character: of the units that carry most information, one unit a strip, or of the
codes that are drawn most often, several codes a strip."""
CODES_DRAWN = 4096
"""Codes drawn to count how often each one is drawn."""


def section(character: Character, nats: Sequence[float]) -> str:
    """All strips, as HTML. ``nats`` is the KL of each latent unit, empty if it was not measured."""
    if character.codes is None:
        what = "one unit of z keeps a value and all others are 0"
        lines = unit_strips(character, nats)
    else:
        what = "z keeps one code"
        lines = code_strips(character, character.codes)
    return (
        f"<div class='strips'><h3>Latent traversals</h3><p class='soft'>From the grey pose, {what} "
        f"for {strips.FRAMES} frames. cm: how far apart neighbouring values take the joints. Left "
        f"limbs are red, right ones blue; dashed: the path over the ground.</p>{''.join(lines)}"
        "</div>"
    )


def unit_strips(character: Character, nats: Sequence[float]) -> list[str]:
    """A strip for each of the units with the greatest KL, or without ``nats``, the greatest
    effect."""
    pose = strips.walking_pose(character)
    traversals = [
        strips.traverse(character, pose, strips.unit_values(character, unit))
        for unit in range(character.latent)
    ]
    rank = nats or [strips.effect(traversal) for traversal in traversals]
    order = sorted(range(character.latent), key=lambda unit: -rank[unit])
    labels = [f"z = {value:g}".replace("-", "−") for value in strips.VALUES]
    lines = []
    for unit in order[:STRIPS]:
        information = f"{nats[unit]:.2f} nats" if nats else ""
        lines.append(strip(f"unit {unit}", information, character, traversals[unit], labels))
    return lines


def code_strips(character: Character, codes: Tensor) -> list[str]:
    """Strips of the codes that are drawn most often."""
    latents = character.draw_latents(CODES_DRAWN, torch.Generator().manual_seed(0))
    counts = torch.cdist(latents, codes).argmin(dim=-1).bincount(minlength=len(codes))
    cells = len(strips.VALUES)
    order = counts.argsort(descending=True, stable=True)[: STRIPS * cells]
    pose = strips.walking_pose(character)
    lines = []
    for part in order.split(cells):
        traversal = strips.traverse(character, pose, codes[part])
        shares = (100 * counts[part] / CODES_DRAWN).tolist()
        labels = [
            f"code {code}: {share:.1f} %" for code, share in zip(part.tolist(), shares, strict=True)
        ]
        lines.append(strip("codes", "", character, traversal, labels))
    return lines


def strip(
    name: str,
    information: str,
    character: Character,
    traversal: strips.Traversal,
    labels: Sequence[str],
) -> str:
    """One strip with its name, the information it carries and its effect."""
    effect = f"{100 * strips.effect(traversal):.1f} cm" if len(labels) > 1 else ""
    drawing = strips.strip(character.skeleton, traversal, labels)
    return (
        f"<div class='unit'><b>{name}<span>{information}</span><span>{effect}</span></b>"
        f"{drawing}</div>"
    )
