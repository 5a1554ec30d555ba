"""A game pad, if there is one."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import Any

import pygame

DEAD_ZONE = 0.15
PRESSED = 0.3  # of a trigger's way


@dataclass(frozen=True)
class PadState:
    """What a pad says.

    move     (right, forward), each in [−1, 1]
    look     (right, up), each in [−1, 1]
    held     keys of the keyboard that its buttons stand for
    actions  those of ``Input`` whose button went down since the last look
    """

    move: tuple[float, float] = (0.0, 0.0)
    look: tuple[float, float] = (0.0, 0.0)
    held: frozenset[str] = frozenset()
    actions: tuple[str, ...] = ()


class Gamepad:
    """Left stick walks, right stick turns the camera, shoulders turn the facing, triggers go fast
    and slow.

    A takes the next policy, B resets, X locks the facing, Y changes the camera, Start pauses.
    ``pad`` is a pygame controller, which has the same axes and buttons whatever make it is.
    """

    BUTTONS = (
        (pygame.CONTROLLER_BUTTON_LEFTSHOULDER, "q"),
        (pygame.CONTROLLER_BUTTON_RIGHTSHOULDER, "e"),
        (pygame.CONTROLLER_BUTTON_X, "f"),
        (pygame.CONTROLLER_BUTTON_B, "r"),
        (pygame.CONTROLLER_BUTTON_A, "p"),
    )
    TRIGGERS = (
        (pygame.CONTROLLER_AXIS_TRIGGERRIGHT, "shift"),
        (pygame.CONTROLLER_AXIS_TRIGGERLEFT, "ctrl"),
    )
    ACTIONS = ((pygame.CONTROLLER_BUTTON_START, "pause"), (pygame.CONTROLLER_BUTTON_Y, "camera"))

    def __init__(self, pad: Any) -> None:
        self.pad = pad
        self._down: set[str] = set()

    @classmethod
    def first(cls) -> Gamepad | None:
        """The first pad plugged in, or None. A driver that makes trouble counts as none: there is a
        keyboard."""
        with contextlib.suppress(Exception):
            from pygame._sdl2 import controller

            controller.init()
            pads = [
                index for index in range(controller.get_count()) if controller.is_controller(index)
            ]
            return cls(controller.Controller(pads[0])) if pads else None
        return None

    def read(self) -> PadState:
        """What is held now."""
        down = {action for button, action in self.ACTIONS if self.pad.get_button(button)}
        pressed = tuple(sorted(down - self._down))
        self._down = down
        held = {key for button, key in self.BUTTONS if self.pad.get_button(button)}
        held |= {key for axis, key in self.TRIGGERS if self._axis(axis) > PRESSED}
        return PadState(
            (self._axis(pygame.CONTROLLER_AXIS_LEFTX), -self._axis(pygame.CONTROLLER_AXIS_LEFTY)),
            (self._axis(pygame.CONTROLLER_AXIS_RIGHTX), -self._axis(pygame.CONTROLLER_AXIS_RIGHTY)),
            frozenset(held),
            pressed,
        )

    def _axis(self, axis: int) -> float:
        """In [−1, 1]; 0 near the middle, where sticks never quite rest."""
        value = max(self.pad.get_axis(axis) / 32767, -1.0)
        return value if abs(value) > DEAD_ZONE else 0.0
