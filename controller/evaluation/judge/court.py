"""The verdicts on a motion: over all, by gait, by part of the body, and on two controls."""

from __future__ import annotations

import torch
from torch import Tensor

from controller.evaluation.judge.classifier import Verdict, folds, scores, verdict
from controller.evaluation.judge.gaits import GAITS
from controller.evaluation.judge.segments import Segments
from controller.evaluation.judge.settings import JudgeConfig
from controller.evaluation.judge.windows import PARTS, Features, Windows


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
