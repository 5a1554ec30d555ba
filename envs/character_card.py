"""The card of a character: what it was made from, how, what it can do and how well it does it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from controller.control.folder import CharacterInfo
from controller.control.policy import KIND
from controller.core import checkpoint, documents, files, markdown
from controller.data.dataset import MotionDataset
from controller.dynamics.character import Character
from controller.evaluation.trials.base import TRIALS
from controller.motion.pose import FPS
from envs.recipe import Recipe
from envs.stages import Chain

CARD = "README.md"
RARE = 0.2
"""m/s: the captured motion hardly goes in a direction in which it is slower."""
RUN = 2.5
"""m/s: people walk up to this speed, and run from it on."""
NOTES = 20
"""Remarks of the build that the card repeats."""

MODEL = (
    ("active_units", "active latent units, held out", "{:.0f}"),
    ("one_step_mm", "joint error after one step, held out", "{:.1f} mm"),
    ("eight_step_mm", "joint error after eight steps on its own, held out", "{:.1f} mm"),
    ("sane_fraction", "free rollouts that stay sane", "{:.1%}"),
    ("frechet_distance", "Fréchet distance of free rollouts to captured motion", "{:.1f}"),
    ("captured_frechet_distance", "– of held-out captured motion", "{:.1f}"),
    ("free_skate_cm_per_frame", "foot skate of free rollouts", "{:.3f} cm/frame"),
    ("captured_skate_cm_per_frame", "– of captured motion", "{:.3f} cm/frame"),
)
"""Figures of ``diagnose``: their names, what they are, and how they are printed."""


def write_card(recipe: Recipe, chain: Chain) -> None:
    """Write ``README.md`` into the folder of a finished character. Raises ControllerError if a part
    of it is missing or damaged."""
    info = recipe.options.info()
    character = Character.load(recipe.mvae)
    data = MotionDataset.load(recipe.data)
    with documents.loaded(recipe.diagnosed, "diagnosis of a motion VAE") as diagnosis:
        described = model_text(diagnosis)
    sections = [
        f"# {info.name}",
        f"{info.title}.",
        "![The character walking](walk.gif)",
        "## Data",
        data_text(data),
        "## Licence",
        licence_text(info),
        "## What it can do",
        "\n".join(f"- {line}" for line in abilities(character)),
        "## How it was made",
        commands_text(chain),
        "## Motion VAE",
        described,
    ]
    for task in recipe.options.task:
        path = recipe.policy(task)
        with documents.loaded(recipe.figures(task), "figures of a policy") as figures:
            sections += [f"## Policy: {path.stem}", policy_text(path, figures)]
    files.write(recipe.options.out / CARD, "\n\n".join(sections) + "\n")


def data_text(data: MotionDataset) -> str:
    """What the motion is, how far it is from its files, and what was left out."""
    minutes = len(data.poses) / FPS / 60
    lines = [
        f"{data.source}: {len(data.clips)} clips, {minutes:.1f} minutes, "
        f"{len(data.layout.skeleton)} joints."
    ]
    trip = data.round_trip
    if "mean_mm" in trip:
        lines.append(
            f"The joints are {trip['mean_mm']:.1f} mm from where the files have them, "
            f"{trip['worst_mm']:.1f} mm at most."
        )
    text = " ".join(lines)
    if data.notes:
        listed = [f"- {note}" for note in data.notes[:NOTES]]
        more = len(data.notes) - NOTES
        listed += [f"- and {more} more"] if more > 0 else []
        text += "\n\nThe build remarked:\n\n" + "\n".join(listed)
    return text


def licence_text(info: CharacterInfo) -> str:
    """The licence of the weights, and whom to name."""
    lines = [f"The weights: {info.terms}."]
    if info.attribution:
        lines.append(info.attribution)
    return " ".join(lines)


def abilities(character: Character) -> list[str]:
    """What the captured motion can do, and what it cannot, one sentence each."""
    limits = character.limits
    lines = [f"up to {limits.forward_speed:.1f} m/s ahead"]
    if limits.forward_speed < RUN and character.layout.roles.kind == "biped":
        lines[0] += ": it does not run, since nobody runs in the captured motion"
    directions = (("backward", limits.backward_speed), ("sideways", limits.sideways_speed))
    for name, speed in directions:
        if speed < RARE:
            lines.append(f"not {name}: the captured motion hardly ever goes that way")
        else:
            lines.append(f"up to {speed:.1f} m/s {name}")
    return lines


def commands_text(chain: Chain) -> str:
    """The commands of all stages, and how long they took."""
    commands = "\n".join(stage.command for stage in chain.stages)
    minutes = sum(chain.seconds.values()) / 60
    return f"```sh\n{commands}\n```\n\n{minutes:.0f} minutes in all."


def model_text(diagnosis: dict[str, Any]) -> str:
    """The verdict on the motion VAE and its figures."""
    rows = [
        (title, form.format(diagnosis[name]))
        for name, title, form in MODEL
        if diagnosis.get(name) is not None
    ]
    table = markdown.table(["what", "figure"], [("diagnosis", diagnosis["verdict"]), *rows])
    findings = "\n".join(
        f"- {finding['name']}: {finding['reason']}" for finding in diagnosis["findings"]
    )
    return f"{table}\n\n{findings}" if findings else table


def policy_text(path: Path, figures: dict[str, Any]) -> str:
    """The verdict on a policy and the figures of its task's trial."""
    header = checkpoint.load_header(path, KIND)
    rows = [("verdict", str(header.get("verdict", markdown.NONE)))]
    if path.stem in TRIALS:
        for metric in TRIALS[path.stem].metrics:
            if metric.key in figures:
                rows.append((metric.title, metric.text(figures[metric.key])))
    rows.append(("foot skate", f"{figures['foot_skate_cm_per_frame']:.3f} cm/frame"))
    rows.append(("characters that do not fall", f"{figures['alive_fraction']:.1%}"))
    return markdown.table(["what", "figure"], rows)
