"""Labyrinths as data: square cells in rows and columns, and which neighbours have a passage between
them.

Cell r·C + c is in row r, which counts along +Z, and column c, which counts along +X. Lengths are in
cells.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from controller.core.errors import require

LARGEST = 20
"""Rows and columns of the largest labyrinth."""
FAR_AWAY = 1e3
"""Where a wall lies that one labyrinth of a batch lacks."""


def edges(rows: int, columns: int) -> Tensor:
    """(E, 2): the pairs of cells that are neighbours, first those of one row, then those of one
    column."""
    cells = torch.arange(rows * columns).view(rows, columns)
    across = torch.stack((cells[:, :-1], cells[:, 1:]), dim=-1).flatten(0, 1)
    along = torch.stack((cells[:-1], cells[1:]), dim=-1).flatten(0, 1)
    return torch.cat((across, along))


def check_size(rows: int, columns: int) -> None:
    """ConfigError unless there are labyrinths of this size."""
    for name, side in (("rows", rows), ("columns", columns)):
        require(
            1 <= side <= LARGEST and rows * columns > 1,
            name,
            side,
            f"1 to {LARGEST}, two cells or more",
        )


@dataclass(frozen=True)
class Labyrinth:
    """B labyrinths of one size. ConfigError if there is no such size or the passages do not fit it.

    passages  (B, E) booleans: between which of the neighbours of :func:`edges` one can pass
    """

    rows: int
    columns: int
    passages: Tensor

    def __post_init__(self) -> None:
        check_size(self.rows, self.columns)
        neighbours = len(edges(self.rows, self.columns))
        found = tuple(self.passages.shape)
        allowed = f"(labyrinths, {neighbours}), one for each pair of neighbours"
        require(len(found) == 2 and found[1] == neighbours, "passages", found, allowed)

    def __len__(self) -> int:
        return len(self.passages)

    @classmethod
    def draw(cls, count: int, rows: int, columns: int, generator: torch.Generator) -> Labyrinth:
        """``count`` perfect labyrinths, one way between any two cells, by the recursive
        backtracker.

        From a cell that was entered last, a passage leads to a random neighbour nobody has entered;
        where there is none, from the one entered before. All labyrinths grow at once, a cell at a
        time.
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
            latest = torch.where(leads_on, ends.amax(dim=-1) + chance, -1.0).argmax(
                dim=1, keepdim=True
            )
            passages.scatter_(1, latest, True)
            found = entered.gather(1, pairs[latest[:, 0]]).argmin(dim=1, keepdim=True)
            entered.scatter_(1, pairs[latest[:, 0]].gather(1, found), float(number))
        return cls(rows, columns, passages)

    @property
    def adjacent(self) -> Tensor:
        """(B, V, V) booleans: whether one can pass from a cell to another at once."""
        cells, (first, second) = (
            self.rows * self.columns,
            edges(self.rows, self.columns).to(self.passages.device).T,
        )
        table = self.passages.new_zeros(len(self), cells, cells)
        table[:, first, second] = table[:, second, first] = self.passages
        return table

    def steps_to(self, exit: Tensor) -> Tensor:
        """(B, V): how many passages lead from each cell to the cells ``exit`` (B,), by
        breadth-first search; infinite where none do."""
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
        """(B, V): the cell to go to from each cell on the way that ``steps`` (B, V) count; at its
        end, the same."""
        onward = torch.where(self.adjacent, steps[:, None], torch.inf)
        here = torch.arange(steps.shape[1], device=steps.device).expand_as(steps)
        return torch.where((steps == 0) | steps.isinf(), here, onward.argmin(dim=-1))

    def bearing(self, begin: Tensor, exit: Tensor) -> Tensor:
        """(B,) radians: the yaw of the first passage on the way from cells ``begin`` (B,) to
        ``exit`` (B,)."""
        onward = self.following(self.steps_to(exit)).gather(1, begin[:, None])[:, 0]
        middles = self.middles().to(begin.device)
        way = middles[onward] - middles[begin]
        return torch.atan2(way[:, 0], way[:, 1])

    def middles(self) -> Tensor:
        """(V, 2): the middle of each cell, as (x, z), from the corner of the first one."""
        cell = torch.arange(self.rows * self.columns)
        return torch.stack((cell % self.columns, cell // self.columns), dim=-1) + 0.5

    def walls(self) -> Tensor:
        """(B, W, 2, 2): both ends of every wall, one cell long each, as (x, z) from the corner of
        the first cell."""
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
        outer = self._outer().to(inner.device)
        return torch.cat(
            (torch.where(there, inner[order], FAR_AWAY), outer.expand(len(self), *outer.shape)),
            dim=1,
        )

    def _outer(self) -> Tensor:
        """(2·(R + C), 2, 2): the walls around all cells."""
        sides = []
        for axis, length, width in ((0, self.columns, self.rows), (1, self.rows, self.columns)):
            for across in (0.0, float(width)):
                ends = torch.full((length, 2, 2), across)
                ends[:, 0, axis], ends[:, 1, axis] = (
                    torch.arange(length),
                    torch.arange(1, length + 1),
                )
                sides.append(ends)
        return torch.cat(sides)

    def cell(self, name: str, place: tuple[int, int] | None) -> int:
        """The number of the cell at ``place`` (row, column); ConfigError, which calls it ``name``,
        if there is none."""
        allowed = f"a row from 0 to {self.rows - 1} and a column from 0 to {self.columns - 1}"
        inside = place is not None and 0 <= place[0] < self.rows and 0 <= place[1] < self.columns
        require(inside, name, place, allowed)
        assert place is not None
        return place[0] * self.columns + place[1]
