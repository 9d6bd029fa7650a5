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


def plan(lives: dict[int, Lifetime]) -> tuple[dict[int, int], int]:
    """An offset for each tensor, and the arena's size, in bytes; what lives together lies apart.

    Largest first, each into the lowest gap that is free for its whole life (the greedy-by-size
    strategy of "Efficient Memory Management for Deep Neural Net Inference", Pisarchyk and Lee,
    2020).
    """
    room = {key: -(-life.size // ALIGNMENT) * ALIGNMENT for key, life in lives.items()}
    offsets: dict[int, int] = {}
    for key, life in sorted(lives.items(), key=lambda item: -item[1].size):
        beside = [other for other in offsets if lives[other].overlaps(life)]
        offset = 0
        for other in sorted(beside, key=offsets.__getitem__):
            if offset + room[key] <= offsets[other]:
                break
            offset = max(offset, offsets[other] + room[other])
        offsets[key] = offset
    return offsets, max((offsets[key] + room[key] for key in lives), default=0)
