"""The arena: one block of RAM in which every tensor has its place, planned before compiling."""

from dataclasses import dataclass

ALIGNMENT = 4  # bytes: float32 needs it, and LDR of four int8 at once is fastest so
TRIES = 10


@dataclass(frozen=True)
class Lifetime:
    """A tensor of `size` bytes that must keep its value from step `first` to step `last`."""

    size: int
    first: int
    last: int

    @property
    def room(self) -> int:
        """The bytes that it takes in the arena."""
        return -(-self.size // ALIGNMENT) * ALIGNMENT

    def overlaps(self, other: "Lifetime") -> bool:
        return self.first <= other.last and other.first <= self.last


def lower_bound(lives: dict[int, Lifetime]) -> int:
    """The most bytes that live at one step: no plan needs fewer."""
    return sum(lives[key].room for key in fullest(lives))


def fullest(lives: dict[int, Lifetime]) -> list[int]:
    """What lives at the step where the most bytes do."""
    alive = [
        [key for key, other in lives.items() if other.first <= life.first <= other.last]
        for life in lives.values()
    ]
    return max(alive, key=lambda keys: sum(lives[key].room for key in keys), default=[])


def plan(lives: dict[int, Lifetime]) -> tuple[dict[int, int], int]:
    """An offset for each tensor, and the arena's size, in bytes; what lives together lies apart.

    Largest first, each into the lowest gap that is free for its whole life (the greedy-by-size
    strategy of "Efficient Memory Management for Deep Neural Net Inference", Pisarchyk and Lee,
    2020). Where that takes more than the lower bound, again with what lay highest as the first,
    and the best plan counts ("Squeaky Wheel" Optimization, Joslin and Clements, 1999).
    """
    order = sorted(lives, key=lambda key: -lives[key].size)
    plans: list[tuple[dict[int, int], int]] = []
    for _ in range(TRIES):
        offsets = _placed(lives, order)
        ends = {key: offsets[key] + lives[key].room for key in order}
        size = max(ends.values(), default=0)
        plans.append((offsets, size))
        if size == lower_bound(lives):
            break
        highest = [key for key in order if ends[key] == size]
        order = highest + [key for key in order if ends[key] < size]
    return min(plans, key=lambda made: made[1])


def _placed(lives: dict[int, Lifetime], order: list[int]) -> dict[int, int]:
    """Offsets by placing one after another, each as low as it may."""
    offsets: dict[int, int] = {}
    for key in order:
        beside = [other for other in offsets if lives[other].overlaps(lives[key])]
        offset = 0
        for other in sorted(beside, key=offsets.__getitem__):
            if offset + lives[key].room <= offsets[other]:
                break
            offset = max(offset, offsets[other] + lives[other].room)
        offsets[key] = offset
    return offsets
