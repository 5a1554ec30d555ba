"""Whether a motion VAE with styles moves in the style that it is asked for: ``python -m controller
styles --data FILE.npz MODEL``.

A small classifier learns to name the style of captured motion from windows of two seconds, and then
names that of the model's. Training a motion VAE never uses it.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
import tyro
from torch import Tensor, nn
from torch.nn import functional

from controller.control.policy import Policy
from controller.core import command_line, markdown
from controller.core.errors import DataError
from controller.data.dataset import ClipEntry, MotionDataset
from controller.dynamics.character import Character, CharacterState
from controller.dynamics.rollout import Act, drawn_latents, record, wander
from controller.evaluation.figures import acting, steered_run
from controller.motion.pose import PoseLayout
from controller.tasks.joystick import JoystickTask
from controller.tasks.simulation import Simulation

WINDOW = 60
"""Frames that the classifier sees: two seconds, about two strides."""
STRIDE = 10
"""Frames between the starts of its captured windows."""
FOLDS = 5
"""Parts into which the clips of each style are dealt. The classifier that names the clips of one
part has learned from the other parts."""
HIDDEN = 128
STEPS = 400
BATCH = 256
RATE = 1e-3
WEIGHT_DECAY = 0.1
DROPOUT = 0.3
CHARACTERS = 16
"""Characters that move in each style."""
SETTLING = 60
"""Frames before the first window: the way from one style to another is in neither."""
WINDOWS = 5
"""Windows of each character."""
JUDGES = {"posture": slice(0, 1), "movement": slice(0, 3)}
"""Which of the :func:`features` each of two classifiers sees: how the body is held on average, or
also how far and in what way it swings about that."""

COLUMNS = ("captured", "free", "switched", "steered")
"""Kinds of windows, as :func:`measure` calls them."""


def features(layout: PoseLayout, windows: Tensor) -> Tensor:
    """``(N, 3, P)`` of windows of poses ``(N, W, D)`` in their own units: mean, deviation over time
    and range of each coordinate of the joints in the facing frame.

    Speeds are not among them: z drawn at random changes speed more often than a performer. Neither
    are the weights of styles.
    """
    positions = windows[..., layout.positions]
    reach = positions.amax(dim=1) - positions.amin(dim=1)
    return torch.stack((positions.mean(dim=1), positions.std(dim=1), reach), dim=1)


@dataclass(frozen=True, eq=False)
class Labelled:
    """Features ``(N, ...)`` of windows, the number ``(N,)`` of each one's style, and that of the
    take that it is from."""

    features: Tensor
    labels: Tensor
    takes: Tensor

    def rows(self, chosen: Tensor) -> Labelled:
        return Labelled(self.features[chosen], self.labels[chosen], self.takes[chosen])

    def seen_by(self, judge: str) -> Labelled:
        """The same windows with the features ``(N, F)`` that one of :data:`JUDGES` sees."""
        return replace(self, features=self.features[:, JUDGES[judge]].flatten(1))


def take(clip: ClipEntry) -> str:
    """The name of the file that a clip is from: a clip may be a piece of it."""
    return clip.name.partition("[")[0]


def captured_windows(data: MotionDataset) -> Labelled:
    """The windows of all clips and of their mirror images. Clips shorter than a window have none;
    DataError if all are, or if the data have no labels."""
    if not data.layout.styles:
        raise DataError(f"the data {data.source} have no styles; build them with --labels")
    takes = {name: number for number, name in enumerate(sorted({take(c) for c in data.clips}))}
    parts = []
    for clip, label in zip(data.clips, data.labels(), strict=True):
        if clip.length < WINDOW:
            continue
        poses = data.poses[clip.rows]
        for each in (poses, data.layout.mirror(poses)):
            found = features(data.layout, each.unfold(0, WINDOW, STRIDE).transpose(1, 2))
            same = torch.ones(len(found), dtype=torch.long)
            parts.append((found, label * same, takes[take(clip)] * same))
    if not parts:
        raise DataError(f"{data.source}: no clip is as long as a window, {WINDOW} poses")
    return Labelled(*(torch.cat(column) for column in zip(*parts, strict=True)))


class Classifier(nn.Module):
    """Features ``(N, F)`` → scores ``(N, S)`` of the styles; the highest names one."""

    mean: Tensor
    std: Tensor

    def __init__(self, example: Tensor, styles: int) -> None:
        super().__init__()
        self.register_buffer("mean", example.mean(dim=0))
        self.register_buffer("std", example.std(dim=0).clamp(min=1e-3))
        self.layers = nn.Sequential(
            nn.Dropout(DROPOUT),
            nn.Linear(example.shape[1], HIDDEN),
            nn.ReLU(),
            nn.Dropout(DROPOUT),
            nn.Linear(HIDDEN, styles),
        )

    def forward(self, features: Tensor) -> Tensor:
        scores: Tensor = self.layers(((features - self.mean) / self.std).clamp(-5, 5))
        return scores

    @classmethod
    def trained(cls, windows: Labelled, styles: int, seed: int = 0) -> Classifier:
        """One that has learned from these windows, each style equally often."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            made = cls(windows.features, styles)
            optimizer = torch.optim.AdamW(made.parameters(), RATE, weight_decay=WEIGHT_DECAY)
            counts = torch.bincount(windows.labels, minlength=styles).clamp(min=1)
            weights = 1 / counts[windows.labels].double()
            for _ in range(STEPS):
                rows = torch.multinomial(weights, BATCH, replacement=True)
                scores = made(windows.features[rows])
                functional.cross_entropy(scores, windows.labels[rows]).backward()
                optimizer.step()
                optimizer.zero_grad(set_to_none=True)
        return made.eval().requires_grad_(False)


def folds(windows: Labelled) -> Tensor:
    """The part ``(N,)``, from 0, into which each window's take is dealt. Every part has takes of
    every style that has enough of them."""
    part = torch.zeros_like(windows.labels)
    for label in windows.labels.unique().tolist():
        for number, name in enumerate(windows.takes[windows.labels == label].unique().tolist()):
            part[windows.takes == name] = number % FOLDS
    return part


def held_out_names(windows: Labelled, styles: int) -> Tensor:
    """The style ``(N,)`` that a classifier which has seen nothing of a window's take gives it."""
    part = folds(windows)
    named = torch.full_like(windows.labels, -1)
    for number in part.unique().tolist():
        classifier = Classifier.trained(windows.rows(part != number), styles)
        rows = part == number
        named[rows] = classifier(windows.features[rows]).argmax(dim=-1)
    return named


# -- the model's motion ----------------------------------------------------------------------------


def asked(character: Character, state: CharacterState, styles: Tensor) -> CharacterState:
    """The same characters, each asked for one of the styles, whose numbers are in ``styles``
    (B,)."""
    return character.with_style(state, functional.one_hot(styles, len(character.styles)))


def starts(character: Character, styles: Tensor, generator: torch.Generator) -> CharacterState:
    """States for B characters, each in a reset pose of the style (B,) whose number is given, or in
    any where none is of that style."""
    of_pose = character.reset_poses[:, character.layout.style].argmax(dim=-1)
    rows = []
    for style in styles.tolist():
        fitting = (of_pose == style).nonzero()[:, 0]
        fitting = fitting if len(fitting) else torch.arange(len(of_pose))
        rows.append(fitting[torch.randint(len(fitting), (), generator=generator)])
    state = character.reset(len(styles), generator)
    return asked(character, replace(state, pose=character.reset_poses[torch.stack(rows)]), styles)


def moving_windows(character: Character, state: CharacterState, act: Act) -> tuple[Tensor, Tensor]:
    """Features ``(B·WINDOWS, 3, P)`` of successive windows of B characters after :data:`SETTLING`
    frames, and whether each character stayed sane."""
    state = wander(character, act, state, SETTLING)
    run = record(character, act, state, lambda *_: None, WINDOW * WINDOWS)
    return successive(character, run.pose), run.alive


def successive(character: Character, pose: Tensor) -> Tensor:
    """Features ``(B·N, 3, P)`` of N windows, one after another, of z-scored poses ``(T, B, D)``."""
    poses = character.model.normalizer.denormalize(pose).transpose(0, 1)
    windows = poses.unfold(1, WINDOW, WINDOW).flatten(0, 1).transpose(1, 2)
    return features(character.layout, windows)


def steered_windows(policy: Policy, simulation: Simulation, seed: int) -> Labelled:
    """Windows of characters that a policy steers, with goals as in training, each in a style drawn
    at random; after :data:`SETTLING` frames."""
    character = simulation.character
    count = CHARACTERS * len(character.styles)
    act = acting(simulation, policy)
    run = steered_run(simulation, act, count, SETTLING + WINDOW * WINDOWS, seed)
    styles = run.pose[0, :, character.layout.style].argmax(dim=-1)
    labels = styles.repeat_interleave(WINDOWS)
    return Labelled(successive(character, run.pose[SETTLING:]), labels, labels)


def shares(right: Tensor, labels: Tensor, names: Sequence[str]) -> dict[str, float | None]:
    """The share of windows that are named right, for each style; None for a style without any."""
    of_style = [right[labels == number].float() for number in range(len(names))]
    values = [float(each.mean()) if len(each) else None for each in of_style]
    return dict(zip(names, values, strict=True))


def mean(values: dict[str, float | None]) -> float:
    """The mean over styles, each counted once."""
    known = [value for value in values.values() if value is not None]
    return sum(known) / len(known)


def measure(
    character: Character,
    data: MotionDataset,
    steered: tuple[Policy, Simulation] | None = None,
    seed: int = 1,
) -> dict[str, Any]:
    """How often classifiers name the right style, for each of :data:`JUDGES`: by style and, as
    ``..._mean``, as a mean over styles.

    captured   windows of captured takes that the classifier has not learned from
    free       windows of free rollouts that begin in the style's own reset poses
    switched   windows of free rollouts that began, two seconds before, in a pose of another style
    steered    windows of characters that the policy steers, if there is one
    confused   what free windows of a style are called most often, if that is another style

    Also ``sane_fraction``, of these rollouts. Raises DataError if the data have no labels, or
    others than the model.
    """
    captured = captured_windows(data)
    data.require_layout(character.layout, "the motion VAE")
    generator = torch.Generator().manual_seed(seed)
    count = len(character.styles)
    styles = torch.arange(count).repeat_interleave(CHARACTERS)
    others = (styles + 1 + torch.arange(len(styles)) % (count - 1)) % count
    moved = {}
    sane = []
    for name, before in (("free", styles), ("switched", others)):
        state = asked(character, starts(character, before, generator), styles)
        found, alive = moving_windows(character, state, drawn_latents(character, generator))
        labels = styles.repeat_interleave(WINDOWS)
        moved[name] = Labelled(found, labels, labels)
        sane.append(alive.float().mean())
    if steered is not None:
        moved["steered"] = steered_windows(*steered, seed)
    judged = {judge: judge_by(judge, captured, moved, character.styles) for judge in JUDGES}
    return {**judged, "sane_fraction": float(torch.stack(sane).mean())}


def judge_by(
    judge: str, captured: Labelled, moved: dict[str, Labelled], names: Sequence[str]
) -> dict[str, Any]:
    """What one of :data:`JUDGES` says about captured and other windows: see :func:`measure`."""
    windows = captured.seen_by(judge)
    right = held_out_names(windows, len(names)) == windows.labels
    figures: dict[str, Any] = {"captured": shares(right, windows.labels, names)}
    classifier = Classifier.trained(windows, len(names))
    for name, others in moved.items():
        named = classifier(others.seen_by(judge).features).argmax(dim=-1)
        figures[name] = shares(named == others.labels, others.labels, names)
        if name == "free":
            figures["confused"] = confusions(named, others.labels, names)
    means = {f"{name}_mean": mean(figures[name]) for name in ("captured", *moved)}
    return means | figures


def confusions(named: Tensor, labels: Tensor, names: Sequence[str]) -> dict[str, str]:
    """For each style that is not called by its own name most often, the name by which it is."""
    found = {}
    for number, name in enumerate(names):
        most = int(torch.bincount(named[labels == number], minlength=len(names)).argmax())
        if most != number:
            found[name] = names[most]
    return found


# -- the command -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Options:
    """Which model, and the labelled motion that it learned."""

    checkpoint: tyro.conf.Positional[Path]
    """The motion VAE."""
    data: Path
    """The labelled data set that it was trained on."""
    policy: Path | None = None
    """A joystick policy of the model, whose walking is to be judged as well."""
    json: bool = False
    """Print one JSON object instead of a table."""


def table(figures: dict[str, Any]) -> str:
    """A line for each style, and one for their mean, in percent: each of :data:`JUDGES` on captured
    motion, free rollouts, free rollouts after a switch and, if there was one, a policy."""
    first = figures[next(iter(JUDGES))]
    names = [name for name in COLUMNS if name in first]
    columns = [(judge, name) for judge in JUDGES for name in names]
    judges = "".join(f"{judge:<{10 * len(names)}}" for judge in JUDGES)
    lines = [f"{'named right, % by':<20}{judges}".rstrip()]
    lines.append(" " * 20 + "".join(f"{name:<10}" for _, name in columns).rstrip())
    for style in first["captured"]:
        values = [figures[judge][name][style] for judge, name in columns]
        called = first["confused"].get(style)
        lines.append(_line(style, values) + (f"called {called}" if called else ""))
    lines.append(_line("mean", [figures[judge][f"{name}_mean"] for judge, name in columns]))
    return "\n".join(line.rstrip() for line in lines)


def _line(head: str, shares: Sequence[float | None]) -> str:
    cells = (markdown.NONE if share is None else f"{100 * share:.0f}" for share in shares)
    return f"{head:<20}" + "".join(f"{cell:<10}" for cell in cells)


def main() -> None:
    options = command_line.read(Options, description=__doc__)
    torch.set_num_threads(1)
    character = Character.load(options.checkpoint)
    steered = None
    if options.policy is not None:
        steered = Policy.load_at_task(options.policy, character, JoystickTask)
    figures = measure(character, MotionDataset.load(options.data), steered)
    print(json.dumps(figures) if options.json else table(figures))
