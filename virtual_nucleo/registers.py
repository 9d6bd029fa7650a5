"""Blocks of registers, and the bus through which a program reaches them.

Unicorn may run a load or store a second time when it was stopped during the first, so every access
here has the same effect whether it happens once or twice.
"""

import ctypes
from collections import defaultdict
from collections.abc import Callable
from typing import Any

from unicorn import UC_PROT_NONE, Uc, UcError
from unicorn.unicorn_py3.unicorn import MMIO_READ_CFUNC, MMIO_WRITE_CFUNC, uclib

from virtual_nucleo import memory_map as m

Report = Callable[[str, str, str], None]
Entrance = tuple[Any, Any, int | None]  # functions for loads and stores, and their last argument
QUIET: Report = lambda what, effect, fix: None  # noqa: E731


class Registers:
    """The registers of the peripheral `name`, whose `values` by name remember what was written;
    offsets are of words, values have 32 bits. What more a register does is a method of a subclass:
    for CR, `read_cr()` gives what it reads as, `write_cr(old, new)` what it keeps of a new value.
    `absent` names registers that this chip lacks, `resets` adds to the values out of reset;
    `on_write` is called after each write, `report`
    when the program breaks a rule of the chip: with what it did, what a real chip does then, and
    how to put it right."""

    perms = UC_PROT_NONE  # PC is exact in loads and stores: see watcher.c
    merges = True  # a store of a byte or halfword keeps the rest of the word

    def __init__(self, name: str, absent: str = "", resets: dict[str, int] | None = None) -> None:
        self.name, self.where, self.report = name, m.MODELED[name], QUIET
        self.on_write: Callable[[], None] = lambda: None
        known = self.where.registers.items()
        self.words = {at: word for at, word in known if word not in absent.split()}
        self.resets = self.where.resets | (resets or {})
        self.values = defaultdict[str, int](int, self.resets)
        self._readers = {at: getattr(self, f"read_{w.lower()}", None) for at, w in known}
        self._writers = {at: getattr(self, f"write_{w.lower()}", None) for at, w in known}

    def reset(self) -> None:
        self.values = defaultdict[str, int](int, self.resets)

    def entrance(self, read: Any, write: Any) -> Entrance:
        """What Unicorn calls for the page of this block, given the functions of the bus: C that
        takes some accesses and passes the others on, where time counts."""
        return read, write, None

    def read(self, offset: int) -> int:
        reader = self._readers.get(offset)
        return reader() if reader else self.values[self.words.get(offset) or hex(offset)]

    def write(self, offset: int, value: int) -> None:
        name, writer = self.words.get(offset) or hex(offset), self._writers.get(offset)
        self.values[name] = writer(self.values[name], value) if writer else value
        self.on_write()

    def allows(self, word: int, size: int, verb: str, clocked: Callable[[str, int], bool]) -> bool:
        """Whether an access of `size` bytes has an effect; what is wrong with it is reported."""
        known = word in self.words or self.where.partial
        register = f"{self.name}_{self.words[word]}" if word in self.words else self.name
        if self.where.enable and not clocked(*self.where.enable):
            enable, bit = self.where.enable
            what = f"{verb} {register} before the clock of {self.name} was on"
            effect = f"A real chip {'reads zero' if verb == 'read' else 'ignores the write'}: "
            effect += (
                f"out of reset clocks are off to save power (RM0390 section 6.3, RCC_{enable})."
            )
            self.report(what, effect, f"RCC_{enable} |= 1 << {bit} ({self.name}EN) first.")
            return False
        if size < self.where.smallest:
            effect = f"{self.name} takes accesses of {8 * self.where.smallest} or 32 bits; what a "
            effect += "real chip does with smaller ones is not defined (RM0390, register map)."
            fix = f"Use a `volatile uint32_t *` for {register}."
            self.report(f"{verb} {8 * size} bits of {register} alone", effect, fix)
        elif not known:
            what = f"{verb} 0x{self.where.base + word:08x}, where {self.name} has no register"
            effect = "That address is reserved: a read gives zero, a write does nothing (RM0390)."
            fix = f"Compare the offset 0x{word:02x} with the register map of {self.name}."
            self.report(what, effect, fix)
        return known


class Bus:
    """One 4 KB page of the peripheral address space, whose entrance is that of its `first` block;
    `blocks` has what lies in each of its KB. `clocked` says whether a bit of a register of RCC is
    on; `refuse` is called with the address and "read" or "wrote to" where there is nothing."""

    clocked: Callable[[str, int], bool]
    refuse: Callable[[int, str], None]

    def __init__(self, uc: Uc, page: int, first: Registers) -> None:
        self.uc, self.page = uc, page
        self.blocks: dict[int, Registers] = {}
        self._callbacks = MMIO_READ_CFUNC(self._read), MMIO_WRITE_CFUNC(self._write)
        read, write, data = first.entrance(*self._callbacks)
        # Called directly: the binding takes two more steps.
        read, write = ctypes.cast(read, MMIO_READ_CFUNC), ctypes.cast(write, MMIO_WRITE_CFUNC)
        if status := uclib.uc_mmio_map(uc._uch, page, 0x1000, read, data, write, data):
            raise UcError(status)
        uc.mem_protect(page, 0x1000, first.perms)

    def _find(self, offset: int, size: int, verb: str) -> tuple[Registers | None, int]:
        """The block and the word offset within it; no block where the access has no effect."""
        block = self.blocks.get(offset >> 10)
        if block is None:
            self.refuse(self.page + offset, verb)
            return None, 0
        word = offset - (block.where.base & 0xFFF) & ~3
        return (block if block.allows(word, size, verb, self.clocked) else None), word

    def _read(self, _uc: Any, offset: int, size: int, _data: Any) -> int:
        """Bytes and halfwords are parts of the word."""
        try:
            block, word = self._find(offset, size, "read")
            value = block.read(word) if block else 0
            return value if size == 4 else value >> 8 * (offset & 3) & (1 << 8 * size) - 1
        except BaseException as error:
            return self._failed(error)

    def _write(self, _uc: Any, offset: int, size: int, value: int, _data: Any) -> None:
        try:
            block, word = self._find(offset, size, "wrote to")
            if block and size != 4 and block.merges:
                shift, mask = 8 * (offset & 3), (1 << 8 * size) - 1
                value = block.read(word) & ~(mask << shift) | (value & mask) << shift
            if block:
                block.write(word, value)
        except BaseException as error:
            self._failed(error)

    def _failed(self, error: BaseException) -> int:
        """As the binding does it: emu_start() raises the error."""
        self.uc._hook_exception = error
        self.uc.emu_stop()
        return 0
