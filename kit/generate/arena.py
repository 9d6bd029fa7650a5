"""The arena: one block of RAM in which every tensor has its place, planned before compiling."""

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import TypeVar

ALIGNMENT = 4  # bytes: float32 needs it, and LDR of four int8 at once is fastest so

Key = TypeVar("Key", bound=Hashable)


@dataclass(frozen=True)
class Lifetime:
    """A tensor of `size` bytes that must keep its value from step `first` to step `last`."""

    size: int
    first: int
    last: int

    def overlaps(self, other: "Lifetime") -> bool:
        return self.first <= other.last and other.first <= self.last


def plan(lives: Mapping[Key, Lifetime]) -> tuple[dict[Key, int], int]:
    """An offset for each tensor, and the arena's size, in bytes; what lives together lies apart.

    Largest first, each into the lowest gap that is free for its whole life (the greedy-by-size
    strategy of "Efficient Memory Management for Deep Neural Net Inference", Pisarchyk and Lee,
    2020).
    """
    offsets: dict[Key, int] = {}
    size = 0
    for key, life in sorted(lives.items(), key=lambda item: -item[1].size):
        beside = [other for other in offsets if lives[other].overlaps(life)]
        offset = 0
        for other in sorted(beside, key=offsets.__getitem__):
            if offset + life.size <= offsets[other]:
                break
            end = offsets[other] + lives[other].size
            offset = max(offset, -(-end // ALIGNMENT) * ALIGNMENT)
        offsets[key] = offset
        size = max(size, -(-(offset + life.size) // ALIGNMENT) * ALIGNMENT)
    return offsets, size
