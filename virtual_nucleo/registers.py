"""Blocks of registers, and the bus through which a program reaches them.

Unicorn may run a load or store a second time when it was stopped during the first (see chip.py), so
every access here has the same effect whether it happens once or twice.
"""

from collections.abc import Callable
from typing import Any

from virtual_nucleo import memory_map as m

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


class Place:
    """Where a register block lies, with its name and those of its registers.

    `absent` has the registers that this chip lacks.
    """

    def __init__(self, name: str, block: Registers, absent: str = "") -> None:
        self.name, self.block, self.where = name, block, m.MODELED[name]
        self.start = self.where.base & 0xFFF
        self.gate = self.where.enable[1:] if self.where.enable else None
        names = self.where.registers.split()
        none = ["-", *absent.split()]
        self.words = {i << 2: f"{name}_{word}" for i, word in enumerate(names) if word not in none}

    def register(self, word: int) -> str:
        """The name of the register at a word offset, such as "GPIOA_MODER", or ""."""
        return self.words.get(word, "")

    def forbids(self, word: int, size: int, verb: str) -> tuple[str, str, str] | None:
        """What to report about an access of `size` bytes with the clock on, if anything."""
        register = self.register(word) or self.name
        if size < self.where.smallest:
            return (
                f"{verb} {8 * size} bits of {register} alone",
                f"{self.name} takes accesses of {8 * self.where.smallest} or 32 bits; what a real "
                "chip does with smaller ones is not defined (RM0390, register map).",
                f"Use a `volatile uint32_t *` for {register}.",
            )
        if self.words and word not in self.words:
            return (
                f"{verb} 0x{self.where.base + word:08x}, where {self.name} has no register",
                "On a real chip that address is reserved: a read gives zero and a write does "
                "nothing (RM0390 and RM0368, register maps).",
                f"Compare the offset 0x{word:02x} with the register map of {self.name}.",
            )
        return None

    def unclocked(self, word: int, verb: str) -> tuple[str, str, str]:
        """What to report about an access while the block's clock is off."""
        register, _, bit = self.where.enable or ("", 0, 0)
        ignored = "reads zero" if verb == "read" else "ignores the write"
        return (
            f"{verb} {self.register(word) or self.name} before the clock of {self.name} was on",
            f"Out of reset the clocks of the peripherals are off to save power: a real chip "
            f"{ignored} (RM0390 section 6.3, RCC_{register}).",
            f"RCC_{register} |= 1 << {bit} ({self.name}EN) first.",
        )


class Bus:
    """One 4 KB page of the peripheral address space, as Unicorn's two MMIO callbacks.

    `places` maps the number of each KB to what lies there. Where there is nothing, `refuse` is
    called with the address and "read" or "wrote to".
    """

    def __init__(
        self,
        page: int,
        places: dict[int, Place],
        clocked: Callable[[int, int], bool],
        refuse: Callable[[int, str], None],
    ) -> None:
        self.page, self.places, self.clocked, self.refuse = page, places, clocked, refuse

    def find(self, offset: int, size: int, verb: str) -> tuple[Registers | None, int]:
        """The block and the word offset within it; no block where the access has no effect."""
        place = self.places.get(offset >> 10)
        if place is None:
            self.refuse(self.page + offset, verb)
            return None, 0
        block, word = place.block, offset - place.start & ~3
        if place.gate and not self.clocked(*place.gate):
            block.report(*place.unclocked(word, verb))
            return None, 0
        if broken := place.forbids(word, size, verb):
            block.report(*broken)
        return (block if not place.words or word in place.words else None), word

    def read(self, _uc: Any, offset: int, size: int, _data: Any) -> int:
        """Unicorn's read callback; bytes and halfwords are parts of the word."""
        block, word = self.find(offset, size, "read")
        value = block.read(word) if block else 0
        return value if size == 4 else value >> 8 * (offset & 3) & (1 << 8 * size) - 1

    def write(self, _uc: Any, offset: int, size: int, value: int, _data: Any) -> None:
        """Unicorn's write callback."""
        block, word = self.find(offset, size, "wrote to")
        if block is None:
            return
        if size != 4 and block.merges:
            shift, mask = 8 * (offset & 3), (1 << 8 * size) - 1
            value = block.read(word) & ~(mask << shift) | (value & mask) << shift
        block.write(word, value)
