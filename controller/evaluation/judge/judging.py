"""The judgement of a policy, from its character and a data set."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from controller.core.errors import ConfigError, DataError, require
from controller.data.dataset import ClipEntry, MotionDataset
from controller.dynamics.character import Character, CharacterState
from controller.dynamics.rollout import Act, record
from controller.evaluation.figures import nearest_poses_cm
from controller.evaluation.judge import clips, measures
from controller.evaluation.judge.bodies import Anatomy, Bodies
from controller.evaluation.judge.classifier import FEWEST, Verdict, folds, scores, verdict
from controller.evaluation.judge.clips import Motion, Segments
from controller.evaluation.judge.gaits import GAITS, gaits
from controller.evaluation.judge.measures import LET_GO, STAND, Moments
from controller.evaluation.judge.windows import (
    PARTS,
    SHORTEST,
    Features,
    Windows,
    features,
    windows,
)
from controller.motion.pose import FPS
from controller.tasks.base import Task
from controller.tasks.joystick import JoystickGoal, JoystickTask

FEWEST_TAKES = 6
"""With fewer takes, pieces of them count as clips."""
NEAREST = 400
"""Poses whose distance to the nearest captured pose is measured."""
CHARACTERS = 32
"""Characters whose stick is let go."""
WALKING_S = 2.0
SETTLING_S = 3.0
STANDING_S = 4.0


@dataclass(frozen=True)
class JudgeConfig:
    """How motion is judged. The defaults take less than two minutes on one core."""

    segments: int = 400
    """Stretches of clips that are followed, at most; a third of them held-out ones, if there are
    so many."""
    seconds: float = 8.0
    """Seconds of a stretch, at most."""
    stride: int = 8
    """Frames from one window to the next."""
    epochs: int = 4
    """Epochs of each small network."""
    steps: int = 300
    """Gradient steps of each, at least; with few windows that is more epochs."""
    ahead: tuple[int, int] = (4, 10)
    """The first and the last number of frames by which a command may look ahead."""
    smoothing: float = 6.0
    """Standard deviation in frames of the Gaussian over the captured velocity."""
    pull: float = 0.5
    """m/s by which the command leads back to the clip's place, for each metre away from it."""
    pairs: int = 8
    """Pairs of captured and generated motion that --pairs draws."""

    def __post_init__(self) -> None:
        for name in ("segments", "stride", "epochs", "steps", "pairs"):
            value = getattr(self, name)
            require(1 <= value <= 100_000, f"judging.{name}", value, "1 to 100000")
        require(2 <= self.seconds <= 600, "judging.seconds", self.seconds, "2 to 600 s")
        first, last = self.ahead
        require(1 <= first <= last, "judging.ahead", self.ahead, "1 ≤ first ≤ last frames")
        require(self.smoothing > 0, "judging.smoothing", self.smoothing, "above 0")
        require(self.pull >= 0, "judging.pull", self.pull, "0 or more")


def check_task(task: type[Task[Any, Any]]) -> None:
    """Raise ConfigError about a task whose goals captured clips cannot state."""
    kin = JoystickTask.name in (task.name, task.extends)
    if not kin or task.goal_size != JoystickTask.goal_size:
        raise ConfigError(
            f"the task {task.name!r} is not judged: its goals are not a velocity and a facing "
            "alone, and captured clips say no more; allowed: joystick, or a task with the same "
            "goals"
        )


class Judge:
    """Stretches of captured clips, and the judgement of who follows them.

    segments   the stretches
    captured   their captured motion
    """

    def __init__(
        self, character: Character, data: MotionDataset, config: JudgeConfig, seed: int
    ) -> None:
        data.require_skeleton(character.skeleton, "the character")
        self.character = character
        self.data = data.trainable()  # as training does, so that the same clips are held out
        self.config = config
        self.seed = seed
        normalizer = character.model.normalizer
        entries = list(self.data.clips)
        self.reference = clips.reference(self.data.poses, entries, normalizer, config.smoothing)
        self.segments = choose(entries, config, seed)
        self.captured = clips.replay(self.reference, self.segments)
        self.windows = windows(self.segments.frames, config.stride)

    def follow(self, act: Act, segments: Segments | None = None) -> Motion:
        """The motion of characters that follow these segments, or all, by ``act``."""
        return self._follow(lambda state, goal, rows: act(state, goal), segments)

    def _follow(self, act: clips.Act, segments: Segments | None = None) -> Motion:
        segments = self.segments if segments is None else segments
        return clips.follow(self.character, self.reference, segments, act, self.config.pull)

    def judge(self, act: Act) -> dict[str, Any]:
        """Everything about the motion that ``act`` makes, and about the controls; for JSON. Raises
        DataError if there are too few windows."""
        seen = self.windows
        if len(seen.segment) < FEWEST:
            raise DataError(
                f"the clips have {len(seen.segment)} windows; {FEWEST} are needed: add clips, or "
                "lower --judging.stride"
            )
        layout = self.character.layout
        normalizer = self.character.model.normalizer
        anatomy = Anatomy.of(layout)
        made = self.follow(act)
        led = self._follow(clips.encoder_led(self.character, self.reference))
        captured, generated, control = (
            Bodies.of(layout, normalizer, motion) for motion in (self.captured, made, led)
        )
        hips = float(self.data.poses[:, layout.hip_height].median())
        labels = gaits(captured.position, captured.yaw, self.segments.frames, hips)
        moments = Moments(self.segments.frames, labels, hips, seen)
        court = Court(self.segments, seen, self.config, self.seed)
        found = court.verdicts(
            features(anatomy, generated),
            features(anatomy, captured),
            features(anatomy, control),
            labels[seen.segment, seen.middle],
        )
        values = [measures.measure(anatomy, body, moments) for body in (captured, generated)]
        for mine, motion in zip(values, (self.captured, made), strict=True):
            mine["nearest captured pose", "all"] = self._nearest(motion)
        values[0]["joint speed", LET_GO] = values[0]["joint speed", STAND]
        values[1]["joint speed", LET_GO] = self._let_go(act)
        return {
            "seed": self.seed,
            "segments": len(self.segments),
            "seconds": float(self.segments.frames.sum()) / self.character.fps,
            "takes": len(self.segments.take.unique()),
            "hips_m": hips,
            "trained_on_these_data": self._trained_on_these(),
            "verdicts": {name: each and each.plain() for name, each in found.items()},
            "figures": measures.compare(*values),
        }

    def _trained_on_these(self) -> bool | None:
        """Whether the motion VAE was trained on this data set; None if it does not say."""
        stated = self.character.header.get("data")
        known = stated.get("fingerprint") if isinstance(stated, dict) else None
        return None if known is None else known == self.data.fingerprint()

    def _let_go(self, act: Act) -> np.ndarray:
        """cm/s, mean over joints, in each frame of :data:`STANDING_S` s: characters walk ahead for
        :data:`WALKING_S` s, then the stick is let go, and :data:`SETTLING_S` s pass."""
        character = self.character
        rows = self.segments.start[:CHARACTERS]
        pose = self.reference.pose[rows]
        state = CharacterState(pose, pose.new_zeros(len(rows), 2), pose.new_zeros(len(rows)))
        walking, settling, standing = (
            round(seconds * character.fps) for seconds in (WALKING_S, SETTLING_S, STANDING_S)
        )
        ahead = torch.tensor([0.0, 0.6 * character.limits.forward_speed])

        def goals(frame: int, state: CharacterState) -> JoystickGoal:
            velocity = ahead if frame < walking else torch.zeros(2)
            return JoystickGoal(velocity.expand(len(state), 2), torch.zeros(len(state)))

        run = record(character, act, state, goals, walking + settling + standing)
        end = slice(-standing, None)
        motion = Motion(run.pose[end], run.position[end], run.yaw[end])
        world = Bodies.of(character.layout, character.model.normalizer, motion).world
        return 100 * character.fps * world.diff(dim=0).norm(dim=-1).mean(dim=-1).flatten().numpy()

    def _nearest(self, motion: Motion) -> np.ndarray:
        """cm from poses along held-out clips to the nearest pose of the others; nothing where no
        clip is held out."""
        own = self.segments.held_out[:, None] & self.segments.valid()
        poses = motion.pose[own]
        if not len(poses):
            return np.zeros(0)
        normalizer = self.character.model.normalizer
        return nearest_poses_cm(self.data, normalizer, poses, NEAREST).numpy()


class Court:
    """Trains the small networks, and lets each judge clips that it has not seen."""

    def __init__(self, segments: Segments, seen: Windows, config: JudgeConfig, seed: int) -> None:
        self.windows = seen
        self.effort = config.epochs, config.steps
        self.seed = seed
        self.clip = segments.take[seen.segment]
        self.held_out = segments.held_out[seen.segment]
        self.fold = folds(self.clip, seed)

    def verdicts(
        self, generated: Features, captured: Features, led: Features, gait: Tensor
    ) -> dict[str, Verdict | None]:
        """Verdicts by name, of the features of three motions along the same clips: a policy's, the
        captured one, and the encoder's. ``gait`` (W,) is that of each window."""
        floors = captured.floors
        real, fake, control = (self.windows.of(f.values) for f in (captured, generated, led))
        whole = self._scores(fake, real, floors)
        everywhere = torch.ones_like(self.held_out)
        result = {
            "all": self._verdict(whole, everywhere),
            "held out": self._verdict(whole, self.held_out),
        }
        for number, name in enumerate(GAITS):
            result[name] = self._verdict(whole, gait == number)
        for part in PARTS:
            own = captured.parts[part]
            found = self._scores(fake[..., own], real[..., own], floors[own])
            result[part] = self._verdict(found, everywhere)
        result["encoder-led"] = self._verdict(self._scores(control, real, floors), everywhere)
        one, other, clip = self.halves(real)
        fold = self.fold_of(clip)
        enough = len(fold.unique()) > 1
        result["captured"] = (
            verdict(*scores(one, other, floors, fold, self.effort, self.seed), clip)
            if enough
            else None
        )
        return result

    def halves(self, real: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Captured windows ``(N, T, C)`` in two classes, and their clips (N,). Each segment is cut
        in half, and a coin says which half is called generated."""
        generator = torch.Generator().manual_seed(self.seed)
        ones = []
        others = []
        for segment in self.windows.segment.unique().tolist():
            rows = (self.windows.segment == segment).nonzero()[:, 0]
            count = len(rows) // 2
            early = rows[:count]
            late = rows[len(rows) - count :]
            coin = bool(torch.rand((), generator=generator) < 0.5)
            ones.append(early if coin else late)
            others.append(late if coin else early)
        one = torch.cat(ones)
        return real[one], real[torch.cat(others)], self.clip[one]

    def fold_of(self, clip: Tensor) -> Tensor:
        """The folds of windows of these clips (N,)."""
        table = torch.zeros(int(self.clip.max()) + 1, dtype=torch.long)
        table[self.clip] = self.fold
        return table[clip]

    def _scores(self, fake: Tensor, real: Tensor, floors: Tensor) -> tuple[Tensor, Tensor]:
        return scores(fake, real, floors, self.fold, self.effort, self.seed)

    def _verdict(self, found: tuple[Tensor, Tensor], rows: Tensor) -> Verdict | None:
        return verdict(found[0][rows], found[1][rows], self.clip[rows])


def choose(entries: list[ClipEntry], config: JudgeConfig, seed: int) -> Segments:
    """Stretches of the clips, drawn at random, of whole windows. Raises DataError unless two takes
    are long enough, so that one may be held out."""
    generator = torch.Generator().manual_seed(seed)
    longest = round(config.seconds * FPS)
    found: list[tuple[int, int, int]] = []
    for number, clip in enumerate(entries):
        last = clip.length - 1
        for start in range(0, last - SHORTEST + 1, longest):
            found.append((number, clip.start + start, min(longest, last - start)))
    order = torch.randperm(len(found), generator=generator).tolist()
    held = [i for i in order if entries[found[i][0]].held_out]
    known = [i for i in order if not entries[found[i][0]].held_out]
    room = max(config.segments // 3, config.segments - len(known))
    held = held[:room]
    chosen = sorted(held + known[: config.segments - len(held)])

    takes = [clips.take(clip.name) for clip in entries]
    if len({takes[found[i][0]] for i in chosen}) < FEWEST_TAKES:
        takes = [clip.name for clip in entries]
    numbers = {name: number for number, name in enumerate(dict.fromkeys(takes))}
    if len({takes[found[i][0]] for i in chosen}) < 2:
        raise DataError(
            f"two clips of {(SHORTEST + 1) / FPS:.1f} s are needed, so that the judge can be asked "
            f"about one that it has not seen; {len(chosen)} found"
        )
    first, last_ahead = config.ahead
    return Segments(
        start=torch.tensor([found[i][1] for i in chosen]),
        frames=torch.tensor([found[i][2] for i in chosen]),
        take=torch.tensor([numbers[takes[found[i][0]]] for i in chosen]),
        held_out=torch.tensor([entries[found[i][0]].held_out for i in chosen]),
        ahead=torch.randint(first, last_ahead + 1, (len(chosen),), generator=generator),
        names=tuple(entries[found[i][0]].name for i in chosen),
    )
