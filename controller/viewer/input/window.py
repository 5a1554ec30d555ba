"""The window: opened so that OpenGL works in it, and everything a person does to it."""

from __future__ import annotations

import os
import sys
import time
from dataclasses import dataclass, field

import pygame

from controller.core.errors import DisplayError
from controller.viewer.input.gamepad import Gamepad, PadState
from controller.viewer.input.mouse import Mouse, Pixel, Stroke

KEYS = {
    pygame.K_w: "w", pygame.K_a: "a", pygame.K_s: "s", pygame.K_d: "d", pygame.K_UP: "up",
    pygame.K_LEFT: "left", pygame.K_DOWN: "down", pygame.K_RIGHT: "right", pygame.K_LSHIFT: "shift",
    pygame.K_RSHIFT: "shift", pygame.K_LCTRL: "ctrl", pygame.K_RCTRL: "ctrl", pygame.K_q: "q",
    pygame.K_e: "e", pygame.K_f: "f", pygame.K_r: "r", pygame.K_p: "p", pygame.K_v: "v",
    pygame.K_n: "n", pygame.K_0: "0", pygame.K_1: "1", pygame.K_2: "2", pygame.K_3: "3",
    pygame.K_4: "4", pygame.K_5: "5", pygame.K_6: "6", pygame.K_7: "7", pygame.K_8: "8", pygame.K_9: "9",
}  # fmt: skip
ACTIONS = {
    pygame.K_SPACE: "pause",
    pygame.K_c: "camera",
    pygame.K_F1: "help",
    pygame.K_ESCAPE: "quit",
}
CONTEXT = (
    (pygame.GL_CONTEXT_MAJOR_VERSION, 3),
    (pygame.GL_CONTEXT_MINOR_VERSION, 3),
    (pygame.GL_CONTEXT_PROFILE_MASK, pygame.GL_CONTEXT_PROFILE_CORE),
    (pygame.GL_CONTEXT_FLAGS, pygame.GL_CONTEXT_FORWARD_COMPATIBLE_FLAG),  # or macOS gives none
)
ORBIT_PER_PIXEL = 0.006  # radians
ORBIT_RATE = 2.0  # rad/s, at full deflection of the pad's right stick


@dataclass
class Input:
    """What a person did since the last look.

    held     names of keys that are down or were pressed meanwhile, as in ``STEERING_KEYS``
    move     (right, forward), each in [−1, 1], of the pad's left stick
    actions  "pause", "camera", "help", "quit", in the order they came
    orbit    (right, up) in radians, from a drag with the middle or right button, or from the right
             stick
    dragged  (right, up) in radians, from a drag with the left button
    zoom     notches of the wheel, positive towards the character
    clicks   where the left button went down and up again without a drag, (x, y) in pixels from the
             upper left
    doubles  where it did so for the second time in short order
    stroke   where it dragged, if it did
    """

    held: frozenset[str] = frozenset()
    move: tuple[float, float] = (0.0, 0.0)
    actions: list[str] = field(default_factory=list)
    orbit: tuple[float, float] = (0.0, 0.0)
    dragged: tuple[float, float] = (0.0, 0.0)
    zoom: float = 0.0
    clicks: list[Pixel] = field(default_factory=list)
    doubles: list[Pixel] = field(default_factory=list)
    stroke: Stroke | None = None


class Window:
    """A window, or with ``headless`` a place to draw that nobody sees, with a current OpenGL 3.3
    core context.

    Only pygame's display and font are started: a machine without sound or with an odd joystick must
    not stop play. Modules that import OpenGL may be imported once a window is open, not before:
    PyOpenGL decides at its import how it talks to the driver, and only the open window knows which
    way is right. Raises :class:`DisplayError` with one sentence if there is no screen or no driver.
    """

    def __init__(
        self,
        size: tuple[int, int],
        *,
        headless: bool = False,
        resizable: bool = True,
        title: str = "",
    ) -> None:
        _open(size, headless, pygame.RESIZABLE if resizable else 0)
        driver = pygame.display.get_driver()
        if sys.platform.startswith("linux"):
            os.environ["PYOPENGL_PLATFORM"] = "glx" if driver == "x11" else "egl"
        pygame.display.set_caption(title)
        pygame.font.init()
        rates = [] if headless else pygame.display.get_desktop_refresh_rates()
        self.refresh_rate = max(rates, default=0) or 60
        self.gamepad = None if headless else Gamepad.first()
        self._mouse = Mouse()
        self._clock = pygame.time.Clock()
        self._seconds = 0.0
        self._flipped = time.perf_counter()

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) in pixels."""
        return pygame.display.get_window_size()

    def poll(self) -> Input:
        """Everything since the last call."""
        seen = Input()
        held = set()
        self._mouse.look()
        for event in pygame.event.get():
            if event.type == pygame.QUIT:
                seen.actions.append("quit")
            elif event.type == pygame.KEYDOWN:
                if event.key in ACTIONS:
                    seen.actions.append(ACTIONS[event.key])
                elif event.key in KEYS:
                    held.add(KEYS[event.key])  # down and up again between two looks
            elif event.type == pygame.MOUSEMOTION:
                self._mouse.move(event.pos)
            elif event.type == pygame.MOUSEBUTTONDOWN:
                self._mouse.press(event.button, event.pos)
            elif event.type == pygame.MOUSEBUTTONUP:
                self._mouse.release(event.button, event.pos, time.perf_counter())
            elif event.type == pygame.MOUSEWHEEL:
                seen.zoom += event.y
            elif event.type in (pygame.CONTROLLERDEVICEADDED, pygame.CONTROLLERDEVICEREMOVED):
                self.gamepad = Gamepad.first()
        down = pygame.key.get_pressed()
        held |= {name for key, name in KEYS.items() if down[key]}
        pad = self.gamepad.read() if self.gamepad else PadState()
        seen.held = frozenset(held | pad.held)
        seen.move = pad.move
        self._read_mouse(seen, pad.look)
        seen.actions += pad.actions
        return seen

    def _read_mouse(self, seen: Input, look: tuple[float, float]) -> None:
        """What the mouse did, and how far it, or a pad's right stick at ``look``, turned the
        camera."""
        mouse = self._mouse
        turned = ORBIT_RATE * self._seconds
        seen.clicks = mouse.clicks
        seen.doubles = mouse.doubles
        seen.stroke = mouse.stroke
        right = turned * look[0]
        up = turned * look[1]
        for button, (across, down) in mouse.moved.items():
            if button == pygame.BUTTON_LEFT:
                seen.dragged = across * ORBIT_PER_PIXEL, down * ORBIT_PER_PIXEL
            else:
                right = right + across * ORBIT_PER_PIXEL
                up = up + down * ORBIT_PER_PIXEL
        seen.orbit = right, up

    def flip(self) -> float:
        """Show what was drawn, wait for the screen if it is early, and return the seconds since the
        last flip."""
        pygame.display.flip()
        self._clock.tick(self.refresh_rate)
        now = time.perf_counter()  # pygame's clock counts whole milliseconds, which is not smooth
        self._seconds = now - self._flipped
        self._flipped = now
        return self._seconds

    @property
    def fps(self) -> float:
        """Pictures a second, over the last ten."""
        return self._clock.get_fps()

    def close(self) -> None:
        pygame.quit()


def _open(size: tuple[int, int], headless: bool, flags: int) -> None:
    """Open the window, or a hidden one: off-screen first, which needs no desktop; on a desktop if
    that fails."""
    wished = os.environ.pop("SDL_VIDEODRIVER", None)
    seen = pygame.OPENGL | pygame.DOUBLEBUF | flags
    hidden = pygame.OPENGL | pygame.HIDDEN
    attempts = (
        [("offscreen", hidden, 0), (None, hidden, 0)]
        if headless
        else [(wished, seen, 1), (wished, seen, 0)]
    )
    reason: object = None
    for driver, flags, vsync in attempts:  # some drivers refuse to wait for the screen
        if driver:
            os.environ["SDL_VIDEODRIVER"] = driver
        try:
            pygame.display.init()
            if driver is None and not headless and pygame.display.get_driver() == "offscreen":
                raise pygame.error("no screen")  # SDL would go on and play where nobody sees it
            for attribute, value in CONTEXT:
                pygame.display.gl_set_attribute(attribute, value)
            pygame.display.set_mode(size, flags, vsync=vsync)
            return
        except pygame.error as error:
            reason = error
            pygame.display.quit()
            os.environ.pop("SDL_VIDEODRIVER", None)
    what = "picture" if headless else "window"
    raise DisplayError(
        f"no OpenGL 3.3 {what} can be had here ({reason}); --headless with only .bvh or .npz to "
        "record needs none"
    )
