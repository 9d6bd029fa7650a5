"""Blocks of registers, and the bus through which a program reaches them.

Unicorn may run a load or store a second time when it was stopped during the first (see chip.py), so
every access here has the same effect whether it happens once or twice.
"""

from collections.abc import Callable
from typing import Any

Report = Callable[[str, str, str], None]


class Registers:
    """A block of registers that remember what was written; unknown ones read as zero.

    `report` is called when the program breaks a rule of the chip: with what it did, what a real
    chip does then, and how to put it right.
    """

    merges = True  # a store of a byte or halfword keeps the rest of the word

    def __init__(self, resets: dict[int, int] | None = None) -> None:
        self.report: Report = lambda what, effect, fix: None
        self.resets = resets or {}
        self.values = dict(self.resets)

    def reset(self) -> None:
        """Reset values, as after power-on."""
        self.values = dict(self.resets)

    def read(self, offset: int) -> int:
        """The 32-bit value at a word offset."""
        return self.values.get(offset, 0)

    def write(self, offset: int, value: int) -> None:
        """A 32-bit store at a word offset."""
        self.values[offset] = value


class Bus:
    """One 4 KB page of the peripheral address space, as Unicorn's two MMIO callbacks.

    `blocks` maps the number of each KB to a register block, and to the RCC enable register and bit
    it needs, if any. Where there is no block, `refuse` is called with the address and "read" or
    "wrote to".
    """

    def __init__(
        self,
        page: int,
        blocks: dict[int, tuple[Registers, int, tuple[int, int] | None]],
        clocked: Callable[[int, int], bool],
        refuse: Callable[[int, str], None],
    ) -> None:
        self.page, self.blocks, self.clocked, self.refuse = page, blocks, clocked, refuse

    def find(self, offset: int, verb: str) -> tuple[Registers | None, int]:
        """The block and the word offset within it; no block when its clock is off."""
        entry = self.blocks.get(offset >> 10)
        if entry is None:
            self.refuse(self.page + offset, verb)
            return None, 0
        block, start, gate = entry
        if gate and not self.clocked(*gate):
            return None, 0
        return block, offset - start & ~3

    def read(self, _uc: Any, offset: int, size: int, _data: Any) -> int:
        """Unicorn's read callback; bytes and halfwords are parts of the word."""
        block, word = self.find(offset, "read")
        value = block.read(word) if block else 0
        return value if size == 4 else value >> 8 * (offset & 3) & (1 << 8 * size) - 1

    def write(self, _uc: Any, offset: int, size: int, value: int, _data: Any) -> None:
        """Unicorn's write callback."""
        block, word = self.find(offset, "wrote to")
        if block is None:
            return
        if size != 4 and block.merges:
            shift, mask = 8 * (offset & 3), (1 << 8 * size) - 1
            value = block.read(word) & ~(mask << shift) | (value & mask) << shift
        block.write(word, value)
