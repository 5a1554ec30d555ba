"""Measure foot locking: what is simulated beside what is drawn, at random joystick commands.

``python -m controller feet --data data/motion.npz --json``
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from controller.control.folder import DEFAULT, CharacterFolder
from controller.control.policy import Policy
from controller.core import command_line, markdown
from controller.core.errors import DataError, require
from controller.data.dataset import MotionDataset
from controller.dynamics.character import Character
from controller.evaluation.figures import acting, steered_run
from controller.evaluation.paged import measured
from controller.games.named_policy import NamedPolicy
from controller.games.player import JOYSTICK, Player
from controller.games.settings import Settings
from controller.motion import geometry, metrics
from controller.motion.contacts import Leg, bend, legs_of
from controller.motion.foot_lock import FootLock
from controller.motion.pose import FPS, PoseLayout, root_trajectory
from controller.motion.skeleton import forward_kinematics
from controller.tasks import task_type

BLOCK = "feet"
"""The block of a page that ``--write`` fills."""
POINTS = (0.5, 0.95, 0.999, 1.0)
BRIEF_S = 5.0
"""s for which two characters with the same keys are compared."""
ROUNDS = 5
CHUNK = 50
"""Rounds over all frames, and frames that are timed together: the fastest of them count."""
ROWS = {
    "toe_slip_cm_s_p50": "slip of the lowest toe, median, cm/s",
    "toe_slip_cm_s_p95": "… 95 %, cm/s",
    "knee_rad_s_p999": "speed of the knees, 99.9 %, rad/s",
    "knee_rad_s_max": "… the largest, rad/s",
    "lowest_cm": "lowest toe joint or tip, cm above the ground",
}


@dataclass(frozen=True)
class Options:
    """What to measure."""

    character: str = DEFAULT
    """The character: its name, or its folder."""
    mvae: Path | None = None
    """The motion VAE; by default the character's."""
    policy: Path | None = None
    """The joystick policy; by default the character's best one."""
    characters: int = 32
    """Characters measured at once."""
    seconds: float = 20.0
    """Seconds that each of them is steered."""
    seed: int = 1
    """Seed of starting poses and commands."""
    data: Path | None = None
    """Captured motion, to compare with."""
    json: bool = False
    """Print one JSON object instead of a table."""
    write: Path | None = None
    """The page whose block <!-- feet --> gets the table."""
    threads: int = 1
    """Threads of torch."""

    def __post_init__(self) -> None:
        require(1 <= self.characters <= 10_000, "characters", self.characters, "1 to 10000")
        require(1 <= self.seconds <= 3600, "seconds", self.seconds, "1 to 3600 s")
        require(self.threads >= 1, "threads", self.threads, "1 or more")


@dataclass(frozen=True)
class Motion:
    """Characters in the world over time: ``root`` (T, B, 3) in metres and world joint ``rotations``
    (T, B, J, 3, 3)."""

    root: Tensor
    rotations: Tensor

    @classmethod
    def of(cls, layout: PoseLayout, poses: Tensor, position: Tensor, yaw: Tensor) -> Motion:
        """The motion of poses ``(T, B, D)`` in their own units."""
        height = poses[..., layout.hip_height]
        root = torch.stack((position[..., 0], height, position[..., 1]), dim=-1)
        facing = geometry.yaw_matrix(yaw)[..., None, :, :]
        return cls(root, facing @ layout.joint_rotations(poses))


def measure(options: Options) -> dict[str, Any]:
    """All figures, for JSON."""
    data = MotionDataset.load(options.data) if options.data else None
    folder = CharacterFolder.open(options.character)
    character = Character.load(options.mvae or folder.mvae)
    if data is not None:
        data.require_layout(character.layout, "the character")
    path = options.policy or folder.policy(JOYSTICK)
    policy, simulation = Policy.load_at_task(path, character, task_type(JOYSTICK))
    layout = character.layout
    poses = character.model.normalizer.denormalize(character.reset_poses)
    legs = legs_of(layout, poses)
    if not legs:
        raise DataError(
            f"{options.character} has no leg with a hip, knee and ankle joint, so no foot is held"
        )
    frames = round(options.seconds * character.fps)
    act = acting(simulation, policy)
    run = steered_run(simulation, act, options.characters, frames, options.seed)
    own = character.model.normalizer.denormalize(run.pose)
    simulated = Motion.of(layout, own, run.position, run.yaw)
    lock = FootLock(layout, poses, fps=character.fps)
    drawn, held, lowered = locked(lock, simulated)
    return {
        "policy": str(path),
        "characters": options.characters,
        "seconds": options.seconds,
        "seed": options.seed,
        "captured": captured_figures(layout, data, legs) if data else None,
        "simulated": figures(layout, [simulated], legs),
        "drawn": figures(layout, [drawn], legs),
        "held_fraction": held,
        "hips_lowered_cm_max": lowered,
        "state_unchanged": state_unchanged(character, path),
        "us_alone": microseconds(lock, simulated, 1),
        "us_each_in_a_crowd": microseconds(lock, simulated, options.characters),
    }


def locked(lock: FootLock, motion: Motion) -> tuple[Motion, float, float]:
    """A motion with feet that are held, the share of feet that are, and by how many cm the hips
    were lowered at most."""
    lock.reset(0)
    frames = []
    held = 0.0
    for root, rotations in zip(motion.root, motion.rotations, strict=True):
        frames.append(lock(root, rotations))
        held += float(lock.held.mean()) / len(motion.root)
    root, rotations = (torch.stack(parts) for parts in zip(*frames, strict=True))
    lowered = 100 * float((motion.root - root)[..., 1].max())
    return Motion(root, rotations), held, lowered


def captured_figures(
    layout: PoseLayout, data: MotionDataset, legs: Sequence[Leg]
) -> dict[str, float]:
    """The figures of all captured clips."""
    clips = []
    for clip in data.clips:
        poses = data.poses[clip.rows]
        if len(poses) > 1:
            position, yaw = root_trajectory(poses)
            clips.append(Motion.of(layout, poses[:, None], position[:, None], yaw[:, None]))
    return figures(layout, clips, legs)


def figures(layout: PoseLayout, motions: Sequence[Motion], legs: Sequence[Leg]) -> dict[str, float]:
    """How feet and knees move, over all frames of some motions.

    toe_slip_cm_s  speed over the ground of the toe that is lowest after a step: of the foot that
                   stands, whatever is thought to be held
    knee_rad_s     speed at which knees bend and stretch
    lowest_cm      height of the lowest toe joint, or of the tip of its foot
    """
    slips = []
    knees = []
    lowest = []
    for motion in motions:
        joints = forward_kinematics(layout.skeleton, motion.root, motion.rotations)
        toes = joints[..., [leg.joints[3] for leg in legs], :]
        slips.append(toe_slip(toes).flatten())
        angles = [bend(*(joints[..., joint, :] for joint in leg.joints[:3])) for leg in legs]
        knees.append((torch.stack(angles).diff(dim=1).abs() * FPS).flatten())
        for leg in legs:
            turned = motion.rotations[..., leg.joints[3], :, :] @ leg.tip
            height = joints[..., leg.joints[3], 1]
            lowest.append(float(torch.minimum(height, height + turned[..., 1]).min()))
    slip = metrics.quantiles(torch.cat(slips), POINTS)
    knee = metrics.quantiles(torch.cat(knees), POINTS)
    return {
        "toe_slip_cm_s_p50": slip[0],
        "toe_slip_cm_s_p95": slip[1],
        "knee_rad_s_p999": knee[2],
        "knee_rad_s_max": knee[3],
        "lowest_cm": 100 * min(lowest),
    }


def toe_slip(toes: Tensor) -> Tensor:
    """cm/s over the ground of the lowest of F toes in each step: ``(T, B, F, 3)`` in metres →
    ``(T−1, B)``."""
    speed = toes.diff(dim=0)[..., [0, 2]].norm(dim=-1) * FPS
    lowest = toes[1:, ..., 1].argmin(dim=-1, keepdim=True)
    return 100 * speed.gather(-1, lowest)[..., 0]


def state_unchanged(character: Character, policy: Path) -> bool:
    """Whether two characters with the same keys, one with feet that are held and one without, have
    the same states to the bit."""
    named = [NamedPolicy.load(policy, character)]
    players = [
        Player(character, named, settings=replace(Settings(), foot_lock=on)) for on in (True, False)
    ]
    for frame in range(round(BRIEF_S * character.fps)):
        keys = {"wasd"[frame // 20 % 4], *(("shift",) if frame % 90 > 40 else ())}
        for player in players:
            player.step(keys)
        one, other = (player.state for player in players)
        pairs = ((one.pose, other.pose), (one.position, other.position), (one.yaw, other.yaw))
        if not all(torch.equal(a, b) for a, b in pairs):
            return False
    return True


def microseconds(lock: FootLock, motion: Motion, count: int) -> float:
    """µs for each character and step of ``count`` at once, in the fastest stretch of frames."""
    frames = [
        (root[:count].contiguous(), rotations[:count].contiguous())
        for root, rotations in zip(motion.root, motion.rotations, strict=True)
    ]
    lock.reset(0)
    lock(*frames[0])
    size = min(CHUNK, len(frames))
    seconds = []
    for first in [*range(0, len(frames) - size + 1, size)] * ROUNDS:
        started = time.perf_counter()
        for root, rotations in frames[first : first + size]:
            lock(root, rotations)
        seconds.append(time.perf_counter() - started)
    return 1e6 * min(seconds) / size / count


def table(results: dict[str, Any]) -> str:
    """The figures as Markdown."""
    kinds = [kind for kind in ("captured", "simulated", "drawn") if results[kind]]
    lines = [
        (title, *(f"{results[kind][name]:z.2f}" for kind in kinds)) for name, title in ROWS.items()
    ]
    same = "the same to the bit" if results["state_unchanged"] else "NOT the same"
    return "\n\n".join(
        (
            markdown.table(("", *kinds), lines),
            f"{results['characters']} characters, {results['seconds']:g} s each, seed "
            f"{results['seed']}. {100 * results['held_fraction']:.0f} % of the feet are held. The "
            f"hips are lowered by {results['hips_lowered_cm_max']:.1f} cm at most. A step costs "
            f"{results['us_alone']:.1f} µs for one character alone and "
            f"{results['us_each_in_a_crowd']:.1f} µs for each of a crowd. With and without, states "
            f"are {same}.",
        )
    )


def main() -> int:
    """The exit status is 1 if holding feet changes the simulation, which it must not."""
    options = command_line.read(Options, description=__doc__)
    results = measured(options, BLOCK, lambda: measure(options), table)
    return 0 if results["state_unchanged"] else 1
