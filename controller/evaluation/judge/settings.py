"""How much is judged, and how."""

from __future__ import annotations

from dataclasses import dataclass

from controller.core.errors import require


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
