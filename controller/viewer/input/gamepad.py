"""The gamepad, if there is one."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import Any

import pygame

DEAD_ZONE = 0.15  # of an axis's range
PRESSED = 0.3  # of a trigger's travel: from here on it counts as a key


@dataclass(frozen=True)
class PadState:
    """The state of a gamepad.

    move     (right, forward) of the left stick, each in [−1, 1]
    look     (right, up) of the right stick, each in [−1, 1]
    keys     the keyboard's keys whose buttons are down
    actions  the actions, as in ``Input``, whose buttons went down since the last reading
    """

    move: tuple[float, float] = (0.0, 0.0)
    look: tuple[float, float] = (0.0, 0.0)
    keys: frozenset[str] = frozenset()
    actions: tuple[str, ...] = ()


class Gamepad:
    """Reads a gamepad.

    The left stick walks, the right stick turns the camera, the shoulder buttons turn the facing
    direction, and the triggers make the character fast or slow. A selects the next policy, B
    resets, X locks the facing direction, Y changes the camera, Back selects the next character, and
    Start pauses. ``pad`` is a
    pygame controller, which has the same axes and buttons for every make.
    """

    BUTTONS = (
        (pygame.CONTROLLER_BUTTON_LEFTSHOULDER, "q"),
        (pygame.CONTROLLER_BUTTON_RIGHTSHOULDER, "e"),
        (pygame.CONTROLLER_BUTTON_X, "f"),
        (pygame.CONTROLLER_BUTTON_B, "r"),
        (pygame.CONTROLLER_BUTTON_A, "p"),
        (pygame.CONTROLLER_BUTTON_BACK, "tab"),
    )
    TRIGGERS = (
        (pygame.CONTROLLER_AXIS_TRIGGERRIGHT, "shift"),
        (pygame.CONTROLLER_AXIS_TRIGGERLEFT, "ctrl"),
    )
    ACTIONS = ((pygame.CONTROLLER_BUTTON_START, "pause"), (pygame.CONTROLLER_BUTTON_Y, "camera"))

    def __init__(self, pad: Any) -> None:
        self.pad = pad
        self._actions: set[str] = set()  # whose buttons were down at the last reading

    @classmethod
    def first(cls) -> Gamepad | None:
        """The first gamepad that is plugged in, or None.

        None, too, if its driver fails: there is still the keyboard.
        """
        with contextlib.suppress(Exception):
            from pygame._sdl2 import controller

            controller.init()
            for index in range(controller.get_count()):
                if controller.is_controller(index):
                    return cls(controller.Controller(index))
        return None

    def read(self) -> PadState:
        """The state of the gamepad now."""
        actions = {action for button, action in self.ACTIONS if self.pad.get_button(button)}
        new_actions = tuple(sorted(actions - self._actions))
        self._actions = actions

        keys = {key for button, key in self.BUTTONS if self.pad.get_button(button)}
        keys |= {key for axis, key in self.TRIGGERS if self._axis(axis) > PRESSED}

        left_x = self._axis(pygame.CONTROLLER_AXIS_LEFTX)
        left_y = self._axis(pygame.CONTROLLER_AXIS_LEFTY)
        right_x = self._axis(pygame.CONTROLLER_AXIS_RIGHTX)
        right_y = self._axis(pygame.CONTROLLER_AXIS_RIGHTY)
        return PadState((left_x, -left_y), (right_x, -right_y), frozenset(keys), new_actions)

    def _axis(self, axis: int) -> float:
        """An axis in [−1, 1]; 0 near the middle, since a released stick is never exactly there."""
        value = max(self.pad.get_axis(axis) / 32767, -1.0)
        return value if abs(value) > DEAD_ZONE else 0.0
