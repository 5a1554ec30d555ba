"""Ways through the tree of a skeleton's joints."""

from __future__ import annotations

from collections.abc import Sequence


class Tree:
    """The tree of joints, given by each joint's parent (−1 for the root, which is joint 0).

    children  for each joint, the joints below it
    """

    def __init__(self, parents: Sequence[int]) -> None:
        self.parents = parents
        self.children: list[list[int]] = [[] for _ in parents]
        for joint, parent in enumerate(parents[1:], start=1):
            self.children[parent].append(joint)

    def ancestors(self, joint: int) -> list[int]:
        """A joint and all above it, up to the root."""
        line = [joint]
        while self.parents[line[-1]] >= 0:
            line.append(self.parents[line[-1]])
        return line

    def depth(self, joint: int) -> int:
        """How many joints are above a joint."""
        return len(self.ancestors(joint)) - 1

    def subtree(self, joint: int) -> list[int]:
        """A joint and all below it."""
        below = [other for child in self.children[joint] for other in self.subtree(child)]
        return [joint, *below]

    def paths(self, joint: int) -> list[tuple[int, ...]]:
        """All ways from a joint down to a leaf."""
        paths = [(joint, *path) for child in self.children[joint] for path in self.paths(child)]
        return paths or [(joint,)]

    def way(self, start: int, end: int) -> list[int]:
        """The joints on the way from one joint to another, both included."""
        up = self.ancestors(start)
        down = self.ancestors(end)
        shared = next(joint for joint in up if joint in down)
        rising = up[: up.index(shared)]
        falling = down[: down.index(shared) + 1]
        return [*rising, *reversed(falling)]
