"""Labyrinths as data: square cells in rows and columns, and the passages between neighbours.

Cell r·C + c is in row r, counted along +Z, and column c, counted along +X. Lengths are in cells.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from controller.core.errors import require

LARGEST = 20
"""Rows and columns of the largest labyrinth."""
FAR_AWAY = 1e3
"""Where a wall stands that one labyrinth of a batch has and another lacks."""


def edges(rows: int, columns: int) -> Tensor:
    """(E, 2): the pairs of cells that are neighbours, first those in a row, then those in a
    column."""
    cells = torch.arange(rows * columns).view(rows, columns)
    across = torch.stack((cells[:, :-1], cells[:, 1:]), dim=-1).flatten(0, 1)
    along = torch.stack((cells[:-1], cells[1:]), dim=-1).flatten(0, 1)
    return torch.cat((across, along))


def check_size(rows: int, columns: int) -> None:
    """Raise ConfigError unless there are labyrinths of this size."""
    for name, side in (("rows", rows), ("columns", columns)):
        fits = 1 <= side <= LARGEST and rows * columns > 1
        require(fits, name, side, f"1 to {LARGEST}, two cells or more")


@dataclass(frozen=True)
class Labyrinth:
    """B labyrinths of one size. Raises ConfigError if there is no such size or the passages do not
    fit it.

    passages  (B, E) booleans: whether there is a passage between each two neighbours of
              :func:`edges`
    """

    rows: int
    columns: int
    passages: Tensor

    def __post_init__(self) -> None:
        check_size(self.rows, self.columns)
        neighbours = len(edges(self.rows, self.columns))
        shape = tuple(self.passages.shape)
        allowed = f"(labyrinths, {neighbours}), one for each pair of neighbours"
        require(len(shape) == 2 and shape[1] == neighbours, "passages", shape, allowed)

    def __len__(self) -> int:
        return len(self.passages)

    @classmethod
    def draw(cls, count: int, rows: int, columns: int, generator: torch.Generator) -> Labyrinth:
        """Draw ``count`` perfect labyrinths, with one way between any two cells, by the recursive
        backtracker.

        From the cell entered last, a passage leads to a random neighbour not yet entered; if there
        is none, from the cell entered before it. All labyrinths grow at once, one cell at a time.
        """
        device = generator.device
        pairs = edges(rows, columns).to(device)
        cells = rows * columns
        chance = torch.rand(count, len(pairs), generator=generator, device=device)
        start = torch.randint(cells, (count, 1), generator=generator, device=device)
        entered = torch.full((count, cells), -1.0, device=device).scatter_(1, start, 0.0)
        passages = torch.zeros(count, len(pairs), dtype=torch.bool, device=device)
        for number in range(1, cells):
            ends = entered[:, pairs]  # (B, E, 2)
            leads_on = (ends < 0).sum(dim=-1) == 1
            order = torch.where(leads_on, ends.amax(dim=-1) + chance, -1.0)
            latest = order.argmax(dim=1, keepdim=True)
            passages.scatter_(1, latest, True)

            both = pairs[latest[:, 0]]
            new = entered.gather(1, both).argmin(dim=1, keepdim=True)
            entered.scatter_(1, both.gather(1, new), float(number))
        return cls(rows, columns, passages)

    @property
    def adjacent(self) -> Tensor:
        """(B, V, V) booleans: whether a passage leads from one cell directly to another."""
        cells = self.rows * self.columns
        first, second = edges(self.rows, self.columns).to(self.passages.device).T
        table = self.passages.new_zeros(len(self), cells, cells)
        table[:, first, second] = self.passages
        table[:, second, first] = self.passages
        return table

    def steps_to(self, exit: Tensor) -> Tensor:
        """(B, V): how many passages lie between each cell and the cell ``exit`` (B,), by
        breadth-first search; infinite if there is no way."""
        adjacent = self.adjacent.float()
        steps = adjacent.new_full(adjacent.shape[:2], torch.inf).scatter_(1, exit[:, None], 0.0)
        for number in range(1, steps.shape[1]):
            near = torch.bmm(adjacent, (steps < number).float()[..., None])[..., 0] > 0
            further = torch.where(near, steps.clamp(max=number), steps)
            if torch.equal(further, steps):
                break
            steps = further
        return steps

    def following(self, steps: Tensor) -> Tensor:
        """(B, V): the cell that follows each cell on the way whose ``steps`` (B, V) are counted; at
        its end, the same cell."""
        onward = torch.where(self.adjacent, steps[:, None], torch.inf)
        here = torch.arange(steps.shape[1], device=steps.device).expand_as(steps)
        return torch.where((steps == 0) | steps.isinf(), here, onward.argmin(dim=-1))

    def bearing(self, begin: Tensor, exit: Tensor) -> Tensor:
        """(B,) radians: the yaw of the first passage on the way from cell ``begin`` (B,) to cell
        ``exit`` (B,)."""
        onward = self.following(self.steps_to(exit)).gather(1, begin[:, None])[:, 0]
        middles = self.middles().to(begin.device)
        way = middles[onward] - middles[begin]
        return torch.atan2(way[:, 0], way[:, 1])

    def middles(self) -> Tensor:
        """(V, 2): the middle of each cell, as (x, z), relative to the corner of the first one."""
        cell = torch.arange(self.rows * self.columns)
        return torch.stack((cell % self.columns, cell // self.columns), dim=-1) + 0.5

    def walls(self) -> Tensor:
        """(B, W, 2, 2): both ends of every wall, each one cell long, as (x, z) relative to the
        corner of the first cell."""
        middles = self.middles()
        pairs = edges(self.rows, self.columns)
        between = middles[pairs].mean(dim=1)
        apart = middles[pairs[:, 1]] - middles[pairs[:, 0]]
        half = 0.5 * apart.flip(-1)
        inner = torch.stack((between - half, between + half), dim=1).to(self.passages.device)
        closed = ~self.passages
        count = int(closed.sum(dim=1).max())
        order = closed.to(torch.int8).argsort(dim=1, descending=True, stable=True)[:, :count]
        there = closed.gather(1, order)[..., None, None]
        standing = torch.where(there, inner[order], FAR_AWAY)
        outer = self._outer().to(inner.device)
        return torch.cat((standing, outer.expand(len(self), *outer.shape)), dim=1)

    def _outer(self) -> Tensor:
        """(2·(R + C), 2, 2): the walls around all cells."""
        sides = []
        for axis, length, width in ((0, self.columns, self.rows), (1, self.rows, self.columns)):
            for across in (0.0, float(width)):
                ends = torch.full((length, 2, 2), across)
                ends[:, 0, axis] = torch.arange(length)
                ends[:, 1, axis] = torch.arange(1, length + 1)
                sides.append(ends)
        return torch.cat(sides)

    def cell(self, name: str, place: tuple[int, int] | None) -> int:
        """The number of the cell at ``place`` (row, column). Raises ConfigError, in which it is
        called ``name``, if there is no such cell."""
        allowed = f"a row from 0 to {self.rows - 1} and a column from 0 to {self.columns - 1}"
        inside = place is not None and 0 <= place[0] < self.rows and 0 <= place[1] < self.columns
        require(inside, name, place, allowed)
        assert place is not None
        return place[0] * self.columns + place[1]
