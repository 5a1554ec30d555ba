"""The window of ``data show``: what was built, beside its source, and the texts over both."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from controller.core.errors import DisplayError
from controller.data.exhibits import Built, Exhibit, skeleton_of
from controller.data.figure import HIPS_M, Figure
from controller.data.playback import Playback
from controller.motion import geometry
from controller.motion.pose import FPS
from controller.motion.skeleton import Skeleton
from controller.viewer import pictures
from controller.viewer.scene.camera import DISTANCE
from controller.viewer.scene.pose import Pose
from controller.viewer.scene.scene import Scene
from controller.viewer.scene.stage import Stage
from controller.viewer.scene.sticks import Sticks
from controller.viewer.scene.texts import Texts
from controller.viewer.screen import Screen

BESIDE_M = 1.3
"""m from the character to its source, to the right of the picture."""
FROM_FRONT = math.pi - 0.7
"""rad between the direction in which a clip begins to face and that in which the camera looks."""
ASIDE_DEG = 15.0
"""Degrees from an axis above which a body is said not to face along it."""
WIDTH = 92
"""Letters of a line of text."""
MOST_LINES = 6
"""Lines of notes over the picture; more would hide it."""
FAR_APART_M = 0.05
"""m between joints of a clip and its source above which they do not belong together."""
NOBODY = Skeleton(("nobody",), (-1,), torch.zeros(1, 3), torch.tensor([[0.0, 0.1, 0.0]]))
"""The renderer needs a skeleton even where nothing was built."""
HELP = "\n".join(
    (
        "Space\tpause",
        "Left, Right\tone frame back, on; held: scrub",
        "Up, Down, PageUp, PageDown\tthe clip before, after",
        "+, -\tfaster, slower",
        "L\tbegin again at the end of a clip, or go on to the next",
        "T\tthe source in the file's own axes, or turned to ours",
        "C\tcamera",
        "mouse drag, wheel\tturn the camera, zoom",
        "F1, Esc\tthis help, quit",
    )
)


class Projection:
    """The scene and the texts of each moment."""

    def __init__(self, shown: Sequence[Exhibit]) -> None:
        self.shown = shown
        self.turned = False
        self.playback = Playback([len(e) for e in shown], [e.fps for e in shown])
        for exhibit in shown:
            exhibit.forget()
        self._held: frozenset[str] = frozenset()
        self._drawn: tuple[int, Figure | None] | None = None

    @property
    def exhibit(self) -> Exhibit:
        """The clip that is shown."""
        return self.shown[self.playback.clip]

    @property
    def figure(self) -> Figure | None:
        """Its source; None if there is none."""
        clip = self.playback.clip
        if self._drawn is None or self._drawn[0] != clip:
            if self._drawn is not None:
                self.shown[self._drawn[0]].forget()
            source = self.exhibit.source
            self._drawn = clip, None if source is None else Figure(source, self.exhibit)
        return self._drawn[1]

    def scene(self, azimuth: float) -> Scene:
        """What to draw for a camera that looks along the yaw ``azimuth``."""
        built = self.exhibit.built
        if built is None:
            return self._source_alone()
        scene = scene_of(built, self.playback.frame)
        figure = self.figure
        if figure is None:
            return scene
        root = scene.pose.root.numpy()
        ends, _ = figure.at(self.exhibit.seconds(self.playback.frame), root, self.turned)
        right = np.array((-math.cos(azimuth), 0.0, math.sin(azimuth)))
        sticks = Sticks(ends + BESIDE_M * right, figure.sides)
        return replace(scene, stage=Stage(sticks=sticks))

    def _source_alone(self) -> Scene:
        """The source of a clip that was left out, and nobody beside it."""
        figure = self.figure
        hips = np.zeros(3)
        sticks = None
        if figure is not None:
            seconds = self.exhibit.seconds(self.playback.frame)
            ends, hips = figure.at(seconds, None, self.turned)
            sticks = Sticks(ends, figure.sides)
        upright = torch.tensor([[1.0, 0.0, 0.0, 0.0]]).repeat(self.joints, 1)
        nobody = Pose(torch.tensor(hips, dtype=torch.float32), upright)
        return Scene(nobody, stage=Stage(sticks=sticks), visible=False)

    @property
    def joints(self) -> int:
        """Joints of the skeleton that the renderer draws."""
        skeleton = skeleton_of(list(self.shown))
        return 1 if skeleton is None else len(skeleton)

    def press(self, keys: frozenset[str], seconds: float) -> None:
        """Let time pass with these keys down."""
        self.turned ^= "t" in keys - self._held
        self._held = keys
        self.playback.hold(keys, seconds)

    def azimuth(self) -> float:
        """Where a camera should look that sees the clip's first frame from in front."""
        built = self.exhibit.built
        return FROM_FRONT + (float(built.yaw[0]) if built is not None else 0.0)

    def distance(self) -> float:
        """How far a camera should be from the body: small ones are seen from nearer."""
        built = self.exhibit.built
        height = HIPS_M if built is None else float(built.positions[:, 1].median())
        return float(np.clip(DISTANCE * height / HIPS_M, 0.6 * DISTANCE, 2 * DISTANCE))

    def texts(self, helping: bool = False) -> Texts:
        """Everything that is written over the picture."""
        return Texts(self.line(), "\n".join(self.title()), help=HELP if helping else "")

    def line(self) -> str:
        """Time, frame and speed, and how it is played."""
        playback = self.playback
        frame = round(playback.frame)
        parts = [
            *(("PAUSED",) if playback.paused else ()),
            f"{self.exhibit.seconds(playback.frame):.2f} s",
            f"frame {frame + 1}/{len(self.exhibit)}",
            f"{self.speed(frame):.2f} m/s",
            f"x{playback.speed:.2g}",
            *(("loop",) if playback.loop else ()),
            "F1 help",
        ]
        return "   ".join(parts)

    def speed(self, frame: int) -> float:
        """m/s over the ground at a frame: of what was built or, if nothing was, of the source."""
        built = self.exhibit.built
        if built is not None:
            return float(built.poses[frame, :2].norm())
        return 0.0 if self.figure is None else self.figure.speed(self.exhibit.seconds(frame))

    def title(self) -> list[str]:
        """The clip's name, what the build found out, and its notes."""
        exhibit = self.exhibit
        head = f"{exhibit.name}   ({self.playback.clip + 1}/{len(self.shown)})"
        if exhibit.entry is None:
            head += "   LEFT OUT"
        elif exhibit.entry.held_out:
            head += "   held out"
        lines = [head, *found(exhibit)]
        if exhibit.trip:
            lines.append(exhibit.trip)
        notes = [line for note in exhibit.notes for line in textwrap.wrap(note, WIDTH)]
        if len(notes) > MOST_LINES:
            notes = [*notes[: MOST_LINES - 1], "…"]
        return lines + notes


def found(exhibit: Exhibit) -> list[str]:
    """What the build found out about a file, measured on what it built; empty without a file."""
    alignment = exhibit.alignment
    if alignment is None:
        unread = exhibit.sourceless if exhibit.entry is not None else ""
        return textwrap.wrap(unread, WIDTH)
    parts = [
        f"up {alignment.axes.up}",
        f"faces {alignment.facing}"
        + (f" ({alignment.aside:.0f}° aside)" if alignment.aside > ASIDE_DEG else ""),
        f"unit {alignment.unit_name}",
        *(("left-handed: mirrored",) if alignment.axes.mirrored else ()),
        f"floor {'lowered' if alignment.floor >= 0 else 'raised'} by "
        f"{100 * abs(alignment.floor):.1f} cm",
    ]
    lines = ["found: " + ", ".join(parts)]
    if alignment.apart > FAR_APART_M:
        lines.append(
            f"joints are {1000 * alignment.apart:.0f} mm from the source's: another clip or body"
        )
    return lines


def scene_of(built: Built, frame: float) -> Scene:
    """The character at a frame, between two if it is not whole, with its facing and velocity."""
    before = min(int(frame), len(built.poses) - 1)
    after = min(before + 1, len(built.poses) - 1)
    return _scene_at(built, before).towards(_scene_at(built, after), frame - before)


def _scene_at(built: Built, frame: int) -> Scene:
    yaw = float(built.yaw[frame])
    forward, left, turning = built.poses[frame, :3].tolist()
    before = yaw - turning / FPS
    velocity = geometry.turn(torch.tensor([left, forward]), torch.tensor(before))
    pose = Pose.from_matrices(built.positions[frame], built.rotations[frame])
    return Scene(pose, yaw, velocity.numpy(), facing=yaw)


def project(
    shown: Sequence[Exhibit],
    size: tuple[int, int],
    headless: bool,
    record: Sequence[Path],
    frames: int | None,
) -> None:
    """Show clips in a window of this size until the user quits or so many ``frames``, 30 a second,
    are over; if ``headless``, draw them off-screen into the files ``record``.

    Raises DisplayError, with one sentence, if there is no screen or no driver.
    """
    projection = Projection(shown)
    skeleton = skeleton_of(list(shown)) or NOBODY
    try:
        screen = Screen(skeleton, size, headless=headless, resizable=not record)
    except DisplayError as error:
        reason = str(error).partition(";")[0]
        advice = "" if headless else "; --headless --record FILE.gif draws without a screen"
        raise DisplayError(reason + advice) from error
    writers = [pictures.WRITERS[path.suffix.lower()](path, FPS) for path in record]
    good = False
    try:
        run = _run_headless if headless else _run_window
        good = run(projection, screen, writers, frames)
    finally:
        for writer in writers:
            writer.close(keep=good)
        screen.close()


def _look(projection: Projection, screen: Screen) -> Scene:
    """Turn the camera to the front of a clip that has just been chosen."""
    screen.camera.azimuth = projection.azimuth()
    screen.camera.distance = projection.distance()
    scene = projection.scene(screen.camera.azimuth)
    screen.camera.jump(scene.pose.root.numpy())
    return scene


def _run_headless(
    projection: Projection, screen: Screen, writers: Sequence[pictures.Writer], frames: int | None
) -> bool:
    """Draw every frame; whether any was drawn."""
    playback = projection.playback
    count = frames or max(1, math.ceil(len(projection.exhibit) * FPS / playback.fps))
    _look(projection, screen)
    for _ in range(count):
        screen.draw(projection.scene(screen.camera.azimuth), 1 / FPS)
        picture = screen.picture(projection.texts())
        for writer in writers:
            writer.add(picture)
        playback.advance(1 / FPS)
    print("\n".join(projection.title()))
    return count > 0


def _run_window(
    projection: Projection, screen: Screen, writers: Sequence[pictures.Writer], frames: int | None
) -> bool:
    """Show pictures until the user quits or the frames are over; whether any was shown."""
    playback = projection.playback
    helping = False
    clip = -1
    seconds = 0.0
    elapsed = 0.0
    recorded = 0
    while frames is None or elapsed < frames / FPS:
        inputs = screen.window.poll()
        if "quit" in inputs.actions:
            break
        for action in inputs.actions:
            playback.paused ^= action == "pause"
            helping ^= action == "help"
            if action == "camera":
                screen.camera.next_mode()
        projection.press(inputs.keys, seconds)
        screen.camera.orbit(
            inputs.orbit[0] + inputs.dragged[0], inputs.orbit[1] + inputs.dragged[1]
        )
        screen.camera.zoom(inputs.zoom)
        playback.advance(seconds)
        if clip != playback.clip:
            clip = playback.clip
            _look(projection, screen)
        screen.draw(projection.scene(screen.camera.azimuth), seconds)
        texts = projection.texts(helping)
        while writers and recorded <= elapsed * FPS:  # the screen has another rate than the film
            picture = screen.picture(texts)
            for writer in writers:
                writer.add(picture)
            recorded += 1
        seconds = screen.show(texts)
        elapsed += seconds
    return clip >= 0
