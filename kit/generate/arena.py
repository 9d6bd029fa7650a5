"""The arena: one block of RAM in which every tensor has its place, planned before compiling."""

from dataclasses import dataclass

ALIGNMENT = 4  # bytes: float32 needs it, and LDR of four int8 at once is fastest so


@dataclass(frozen=True)
class Lifetime:
    """A tensor of `size` bytes that must keep its value from step `first` to step `last`."""

    size: int
    first: int
    last: int

    def overlaps(self, other: "Lifetime") -> bool:
        return self.first <= other.last and other.first <= self.last


def _aligned(value: int) -> int:
    return -(-value // ALIGNMENT) * ALIGNMENT


def plan(lifetimes: list[Lifetime]) -> tuple[list[int], int]:
    """An offset for each tensor such that tensors alive at the same time never overlap.

    Largest first, each into the lowest gap that is free for its whole life (the greedy-by-size
    strategy of "Efficient Memory Management for Deep Neural Net Inference", Pisarchyk and Lee,
    2020).

    Returns:
        the offsets in bytes, in the order of `lifetimes`; and the size of the arena in bytes.
    """
    offsets = [0] * len(lifetimes)
    placed: list[int] = []
    for index in sorted(range(len(lifetimes)), key=lambda i: (-lifetimes[i].size, i)):
        neighbors = [i for i in placed if lifetimes[i].overlaps(lifetimes[index])]
        offset = 0
        for i in sorted(neighbors, key=lambda i: offsets[i]):
            if offset + lifetimes[index].size <= offsets[i]:
                break
            offset = max(offset, _aligned(offsets[i] + lifetimes[i].size))
        offsets[index] = offset
        placed.append(index)
    ends = [offset + life.size for offset, life in zip(offsets, lifetimes, strict=True)]
    return offsets, _aligned(max(ends, default=0))
