"""The judgement of a policy, from its character and a data set."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from controller.core.errors import ConfigError, DataError
from controller.data import hindsight
from controller.data.dataset import MotionDataset
from controller.dynamics.character import Character, CharacterState
from controller.dynamics.rollout import Act, record
from controller.evaluation.figures import nearest_poses_cm
from controller.evaluation.judge import clips, measures
from controller.evaluation.judge.bodies import Anatomy, Bodies
from controller.evaluation.judge.classifier import FEWEST
from controller.evaluation.judge.court import Court
from controller.evaluation.judge.gaits import gaits
from controller.evaluation.judge.measures import LET_GO, STAND, Moments
from controller.evaluation.judge.motion import Motion
from controller.evaluation.judge.segments import Segments, choose
from controller.evaluation.judge.settings import JudgeConfig
from controller.evaluation.judge.windows import features, windows
from controller.tasks.base import Task
from controller.tasks.joystick import JoystickGoal, JoystickTask

NEAREST = 400
"""Poses whose distance to the nearest captured pose is measured."""
CHARACTERS = 32
"""Characters whose stick is let go."""
WALKING_S = 2.0
SETTLING_S = 3.0
STANDING_S = 4.0


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
        data.require_layout(character.layout, "the character")
        self.character = character
        self.data = data.trainable()  # as training does, so that the same clips are held out
        self.config = config
        self.seed = seed
        normalizer = character.model.normalizer
        entries = list(self.data.clips)
        self.reference = hindsight.reference(self.data.poses, entries, normalizer, config.smoothing)
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
