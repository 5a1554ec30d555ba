"""What the mouse means, by what lies under it: a slider, the ground, or else the camera."""

from __future__ import annotations

from controller.games.player import Player
from controller.viewer.input.mouse import Pixel, Stroke
from controller.viewer.input.window import Input
from controller.viewer.scene.panel import Hit
from controller.viewer.screen import Screen


class Pointing:
    """Passes the mouse on to a player and a screen."""

    def __init__(self, player: Player, screen: Screen) -> None:
        self.player = player
        self.screen = screen

    def apply(self, inputs: Input) -> None:
        """Do what the mouse asks for."""
        camera = self.screen.camera
        camera.orbit(*inputs.orbit)
        camera.zoom(inputs.zoom)
        for pixel in inputs.clicks:
            self._click(pixel)
        for pixel in inputs.doubles:
            self._click(pixel, double=True)
        if inputs.stroke:
            self._drag(inputs.stroke, inputs.dragged)

    def _click(self, pixel: Pixel, double: bool = False) -> None:
        hit = self._hit(pixel)
        sliders = self.player.game.sliders
        if hit and sliders:
            if hit.what == "slider" and double:
                sliders.release(hit.unit)
            elif hit.what == "slider":
                sliders.clamp(hit.unit, hit.value)
            elif hit.what == "switch":
                sliders.switch()
            elif hit.what == "release":
                sliders.release()
        elif point := self._ground(pixel):
            self.player.point(*point, overlooking=self.screen.camera.mode == "all")

    def _drag(self, stroke: Stroke, dragged: tuple[float, float]) -> None:
        hit = self._hit(stroke.start)
        sliders = self.player.game.sliders
        if hit and sliders:
            if hit.what == "slider" and stroke.path:
                panel = self.screen.hud.panel(sliders)
                value = panel.value_at(hit.unit, stroke.path[-1], self.screen.window.size)
                sliders.clamp(hit.unit, value)
        elif self.player.game.drawable and self._ground(stroke.start):
            line = [point for pixel in stroke.path if (point := self._ground(pixel))]
            self.player.trace(line, stroke.done)
        else:
            self.screen.camera.orbit(*dragged)

    def _hit(self, pixel: Pixel) -> Hit | None:
        """The part of the panel that lies there; None if there is none."""
        sliders = self.player.game.sliders
        if not sliders:
            return None
        return self.screen.hud.panel(sliders).hit(pixel, self.screen.window.size)

    def _ground(self, pixel: Pixel) -> tuple[float, float] | None:
        return self.screen.camera.ground_at(pixel, self.screen.window.size)
