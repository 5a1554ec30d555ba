"""The small network that tells generated motion from captured motion, and how well it does."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from controller.evaluation.judge.windows import LIMIT

LEVEL = 0.95
"""Of the intervals."""
RESAMPLES = 1000
FOLDS = 3
"""Every clip is judged by a network that was trained on the clips of the other folds."""
HIDDEN = (160, 48)
BATCH = 128
FEWEST = 20
"""Windows; with fewer no verdict is given."""


@dataclass(frozen=True)
class Verdict:
    """How well generated windows are told from captured ones.

    auc       the probability that a generated window looks more generated than a captured one:
              0.5 if the judge cannot tell them apart, 1 if it always can
    accuracy  the share of windows that it is right about
    windows   of each kind
    clips     that they are from
    The intervals come from resampling whole clips; their ends are None with a single clip.
    """

    auc: float
    auc_low: float | None
    auc_high: float | None
    accuracy: float
    accuracy_low: float | None
    accuracy_high: float | None
    windows: int
    clips: int

    def plain(self) -> dict[str, Any]:
        """The same as a dictionary for JSON."""
        return asdict(self)


def folds(clip: Tensor, seed: int, count: int = FOLDS) -> Tensor:
    """(W,) the fold of each window, from the number of its ``clip`` (W,): whole clips, and about
    as many windows in each fold."""
    sizes = torch.bincount(clip)
    order = torch.randperm(len(sizes), generator=torch.Generator().manual_seed(seed))
    # A long clip that comes last would spoil the balance.
    order = order[sizes[order].argsort(descending=True, stable=True)]
    load = [0] * min(count, int((sizes > 0).sum()))
    fold = torch.zeros_like(sizes)
    for number in order.tolist():
        least = load.index(min(load))
        fold[number] = least
        load[least] += int(sizes[number])
    return fold[clip]


def scores(
    generated: Tensor,
    captured: Tensor,
    floors: Tensor,
    fold: Tensor,
    effort: tuple[int, int],
    seed: int,
) -> tuple[Tensor, Tensor]:
    """Logits ``(W,)`` of being generated, for windows ``(W, T, C)`` of both kinds, each from a
    network that never saw its fold ``(W,)``. The ``effort`` of training one is a number of epochs,
    and the gradient steps that there are at least."""
    inputs = torch.stack((generated, captured))
    results = torch.zeros(2, len(fold))
    for number in fold.unique().tolist():
        known = fold != number
        seen = inputs[:, known].flatten(0, 1)
        mean = seen.mean(dim=(0, 1))
        std = seen.std(dim=(0, 1)).maximum(floors)
        network = _train(_scaled(seen, mean, std), effort, seed + number)
        with torch.inference_mode():
            asked = _scaled(inputs[:, ~known], mean, std)
            results[:, ~known] = network(asked).squeeze(-1)
    return results[0], results[1]


def _scaled(windows: Tensor, mean: Tensor, std: Tensor) -> Tensor:
    return ((windows - mean) / std).clamp(-LIMIT, LIMIT).flatten(-2)


def _train(inputs: Tensor, effort: tuple[int, int], seed: int) -> nn.Module:
    """A network trained on windows ``(2·N, I)``, whose first half is generated."""
    truth = (torch.arange(len(inputs)) < len(inputs) // 2).float()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        layers: list[nn.Module] = []
        width = inputs.shape[1]
        for hidden in HIDDEN:
            layers += [nn.Linear(width, hidden), nn.ReLU(), nn.Dropout(0.3)]
            width = hidden
        network = nn.Sequential(*layers, nn.Linear(width, 1))
        optimizer = torch.optim.AdamW(network.parameters(), 1e-3, weight_decay=1e-2)
        epochs, steps = effort
        for _ in range(max(epochs, math.ceil(steps * BATCH / len(inputs)))):
            for rows in torch.randperm(len(inputs)).split(BATCH):
                logits = network(inputs[rows]).squeeze(-1)
                loss = nn.functional.binary_cross_entropy_with_logits(logits, truth[rows])
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
    return network.eval()


def verdict(generated: Tensor, captured: Tensor, clip: Tensor) -> Verdict | None:
    """The verdict of logits ``(W,)`` each, of windows from the clips with these numbers (W,); None
    with fewer than :data:`FEWEST` windows."""
    if len(clip) < FEWEST:
        return None
    numbers, which = clip.unique(return_inverse=True)
    count = len(numbers)
    wins = _wins(generated, captured, which, count)
    right = ((generated > 0).double() + (captured <= 0).double()) / 2
    hits = torch.zeros(count, dtype=torch.float64).index_add_(0, which, right).numpy()
    sizes = torch.bincount(which, minlength=count).double().numpy()
    once = np.ones((1, count))
    auc, accuracy = _figures(once, wins, hits, sizes)
    ends = [None, None, None, None]
    if count > 1:
        drawn = np.random.default_rng(0).multinomial(count, np.full(count, 1 / count), RESAMPLES)
        aucs, accuracies = _figures(drawn.astype(float), wins, hits, sizes)
        points = ((1 - LEVEL) / 2, (1 + LEVEL) / 2)
        ends = [*np.quantile(aucs, points), *np.quantile(accuracies, points)]
    low, high, worst, best = (None if end is None else float(end) for end in ends)
    return Verdict(float(auc[0]), low, high, float(accuracy[0]), worst, best, len(clip), count)


def _wins(generated: Tensor, captured: Tensor, which: Tensor, count: int) -> np.ndarray:
    """(clips, clips): how often a generated window of one clip has a higher logit than a captured
    one of the other; equal ones count half."""
    wins = torch.zeros(count, count, dtype=torch.float64)
    for number in range(count):
        ordered = captured[which == number].sort().values
        below = torch.searchsorted(ordered, generated) + torch.searchsorted(
            ordered, generated, right=True
        )
        wins[:, number].index_add_(0, which, below.double() / 2)
    return wins.numpy()


def _figures(
    weights: np.ndarray, wins: np.ndarray, hits: np.ndarray, sizes: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """AUC and accuracy if each clip counts ``weights`` (R, clips) times."""
    total = weights @ sizes
    auc = np.einsum("ri,ij,rj->r", weights, wins, weights, optimize=True) / total**2
    return auc, weights @ hits / total
