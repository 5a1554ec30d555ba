"""The window: opens it for OpenGL, and reports everything that the user does in it."""

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
    pygame.K_i: "i",
    pygame.K_g: "g",
    pygame.K_TAB: "tab", pygame.K_h: "h", pygame.K_j: "j", pygame.K_k: "k", pygame.K_l: "l",
    pygame.K_n: "n", pygame.K_0: "0", pygame.K_1: "1", pygame.K_2: "2", pygame.K_3: "3",
    pygame.K_4: "4", pygame.K_5: "5", pygame.K_6: "6", pygame.K_7: "7",
    pygame.K_8: "8", pygame.K_9: "9", pygame.K_l: "l", pygame.K_t: "t",
    pygame.K_PAGEUP: "pageup", pygame.K_PAGEDOWN: "pagedown", pygame.K_PLUS: "+",
    pygame.K_EQUALS: "+", pygame.K_KP_PLUS: "+", pygame.K_MINUS: "-", pygame.K_KP_MINUS: "-",
}  # fmt: skip
ACTIONS = {
    pygame.K_SPACE: "pause",
    pygame.K_c: "camera",
    pygame.K_F1: "help",
    pygame.K_ESCAPE: "quit",
    pygame.K_b: "skeleton",
    pygame.K_COMMA: "slower",
    pygame.K_PERIOD: "faster",
    pygame.K_F12: "screenshot",
}
CONTEXT = (
    (pygame.GL_CONTEXT_MAJOR_VERSION, 3),
    (pygame.GL_CONTEXT_MINOR_VERSION, 3),
    (pygame.GL_CONTEXT_PROFILE_MASK, pygame.GL_CONTEXT_PROFILE_CORE),
    (pygame.GL_CONTEXT_FLAGS, pygame.GL_CONTEXT_FORWARD_COMPATIBLE_FLAG),  # for macOS
)
ORBIT_PER_PIXEL = 0.006  # radians
ORBIT_RATE = 2.0  # rad/s, at full deflection of the gamepad's right stick


@dataclass
class Input:
    """What the user did since the last poll. Pixels (x, y) count from the upper left.

    keys     names, those of :data:`KEYS`, of the keys that are down or were pressed briefly
    move     (right, forward) of the gamepad's left stick, each in [−1, 1]
    actions  the values of :data:`ACTIONS`, in the order in which they came
    orbit    (right, up) in radians, from a drag with the middle or right button, or from the right
             stick
    dragged  (right, up) in radians, from a drag with the left button
    zoom     notches of the wheel, positive towards the character
    clicks   the pixels where the left button clicked
    doubles  the pixels where it double-clicked
    stroke   the path of a drag with the left button; None without one
    """

    keys: frozenset[str] = frozenset()
    move: tuple[float, float] = (0.0, 0.0)
    actions: list[str] = field(default_factory=list)
    orbit: tuple[float, float] = (0.0, 0.0)
    dragged: tuple[float, float] = (0.0, 0.0)
    zoom: float = 0.0
    clicks: list[Pixel] = field(default_factory=list)
    doubles: list[Pixel] = field(default_factory=list)
    stroke: Stroke | None = None


class Window:
    """A window, hidden if ``headless``, with a current OpenGL 3.3 core context.

    Only pygame's display and font modules are started: missing sound or an odd joystick must not
    stop play. Import modules that use OpenGL only after a window is open: PyOpenGL decides when it
    is imported how it talks to the driver, and the right way depends on the window. Raises
    :class:`DisplayError`, with one sentence, if there is no screen or no driver.
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
        """Everything that the user did since the last call."""
        result = Input()
        taps: set[str] = set()
        self._mouse.reset()
        for event in pygame.event.get():
            self._handle(event, result, taps)

        down = pygame.key.get_pressed()
        keys = {name for key, name in KEYS.items() if down[key]}
        pad = self.gamepad.read() if self.gamepad else PadState()
        if pygame.key.get_mods() & pygame.KMOD_ALT:  # Alt+Tab goes to another window
            keys.discard("tab")
            taps.discard("tab")
        result.keys = frozenset(keys | taps | pad.keys)
        result.move = pad.move
        result.actions += pad.actions
        self._read_mouse(result, pad.look)
        return result

    def _handle(self, event: pygame.event.Event, result: Input, taps: set[str]) -> None:
        """Add one event to the result; ``taps`` collects keys, which may be up again by now."""
        if event.type == pygame.QUIT:
            result.actions.append("quit")
        elif event.type == pygame.KEYDOWN:
            if event.key in ACTIONS:
                result.actions.append(ACTIONS[event.key])
            elif event.key in KEYS:
                taps.add(KEYS[event.key])
        elif event.type == pygame.MOUSEMOTION:
            self._mouse.move(event.pos)
        elif event.type == pygame.MOUSEBUTTONDOWN:
            self._mouse.press(event.button, event.pos)
        elif event.type == pygame.MOUSEBUTTONUP:
            self._mouse.release(event.button, event.pos, time.perf_counter())
        elif event.type == pygame.MOUSEWHEEL:
            result.zoom += event.y
        elif event.type in (pygame.CONTROLLERDEVICEADDED, pygame.CONTROLLERDEVICEREMOVED):
            self.gamepad = Gamepad.first()

    def _read_mouse(self, result: Input, look: tuple[float, float]) -> None:
        """Add what the mouse did, and how far it or a gamepad's right stick turned the camera.

        ``look`` (right, up) is where the stick is.
        """
        mouse = self._mouse
        result.clicks = mouse.clicks
        result.doubles = mouse.doubles
        result.stroke = mouse.stroke

        right = look[0] * ORBIT_RATE * self._seconds
        up = look[1] * ORBIT_RATE * self._seconds
        for button, (pixels_right, pixels_down) in mouse.moved.items():
            turn_right = pixels_right * ORBIT_PER_PIXEL
            turn_up = pixels_down * ORBIT_PER_PIXEL
            if button == pygame.BUTTON_LEFT:
                result.dragged = turn_right, turn_up
            else:
                right += turn_right
                up += turn_up
        result.orbit = right, up

    def flip(self) -> float:
        """Show the picture, wait until the next one is due, and return the seconds since the last
        call."""
        pygame.display.flip()
        self._clock.tick(self.refresh_rate)
        now = time.perf_counter()  # pygame's clock counts whole milliseconds: too coarse
        self._seconds = now - self._flipped
        self._flipped = now
        return self._seconds

    @property
    def fps(self) -> float:
        """Frames per second, over the last ten."""
        return self._clock.get_fps()

    def close(self) -> None:
        """Close the window."""
        pygame.quit()


def _open(size: tuple[int, int], headless: bool, flags: int) -> None:
    """Open a window, or a hidden one with ``headless``. Raises :class:`DisplayError`.

    A hidden window is first opened with SDL's driver "offscreen", which needs no desktop, and on
    the desktop only if that fails.
    """
    own_driver = os.environ.pop("SDL_VIDEODRIVER", None)
    visible = pygame.OPENGL | pygame.DOUBLEBUF | flags
    hidden = pygame.OPENGL | pygame.HIDDEN
    attempts: list[tuple[str | None, int, int]] = [
        (own_driver, visible, 1),
        (own_driver, visible, 0),
    ]
    if headless:
        attempts = [("offscreen", hidden, 0), (None, hidden, 0)]

    reason: object = None
    for driver, mode, vsync in attempts:  # some drivers refuse vsync
        if driver:
            os.environ["SDL_VIDEODRIVER"] = driver
        try:
            pygame.display.init()
            if driver is None and not headless and pygame.display.get_driver() == "offscreen":
                raise pygame.error("no screen")  # SDL would play on, without a visible window
            for attribute, value in CONTEXT:
                pygame.display.gl_set_attribute(attribute, value)
            pygame.display.set_mode(size, mode, vsync=vsync)
            return
        except pygame.error as error:
            reason = error
            pygame.display.quit()
            os.environ.pop("SDL_VIDEODRIVER", None)

    what = "picture" if headless else "window"
    raise DisplayError(
        f"no OpenGL 3.3 {what} can be opened here ({reason}); --headless with only .bvh or .npz to "
        "record needs none"
    )
