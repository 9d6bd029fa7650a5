"""A program for the chip, as its ELF file tells: read once, checked once."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from kit.boards import DEFAULT, MCUS, Mcu, Memory, find_mcu
from kit.errors import KitError
from virtual_nucleo.errors import VirtualError
from virtual_nucleo.program import Location, Section
from virtual_nucleo.program import Program as Elf

OF_ST = ("stai_", "ai_platform_", "ai_network_")  # how functions of ST's runtime begin
STAND_IN = "stand_in_for_tests"  # the tests' own runtime, no line of which is ST's, has this symbol
SHOWN = 256  # bytes from which an array is a region of its own
REBUILD = (
    "Build the firmware for the board with `kit build`, or notebook 04-flash, and take that file."
)
QUANTIZE = "Quantize it to int8 (notebook 02-quantize), which takes a quarter"


class Function(NamedTuple):
    """A function's name, the addresses that it takes, and its code, in pieces: the address and the
    bytes of each, without literals and jump tables."""

    name: str
    place: range
    code: tuple[tuple[int, bytes], ...]


class Region(NamedTuple):
    """A piece of memory in use; `memory` is empty where the chip has none."""

    name: str
    memory: str
    address: int
    bytes: int


@dataclass(frozen=True)
class MemoryUse:
    """The regions that a program occupies: what is programmed, initial values included, and
    everything with an address in RAM, the reserved stack included."""

    regions: tuple[Region, ...]

    def of(self, memory: str) -> int:
        """The bytes in use of a memory, by its name."""
        return sum(region.bytes for region in self.regions if region.memory == memory)

    @property
    def flash_bytes(self) -> int:
        return self.of("flash")

    @property
    def ram_bytes(self) -> int:
        return self.of("RAM")


class Program:
    """A whole Arm executable with a vector table, for a chip that the kit knows.

    `mcu` is the chip it was built for (STM32F446RE when it does not say), `build_id` what it says
    in its HELLO (empty where it was stripped), `flash_image` what it puts into flash, from the
    first address on, `memory` what it occupies. `is_bare` says that it speaks no protocol,
    `has_st_runtime` that ST's runtime is in it, whose license keeps it to ST's devices. KitError
    says what is wrong with another file.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        try:
            self._elf = Elf(path)
            name = self._elf.chip(MCUS)
            self.mcu = find_mcu(name) if name else DEFAULT
            flash, chip = self.mcu.flash[0], self.mcu.name.upper()
            self.flash_image = self._elf.image(flash.start)
            self._elf.check_vectors(self.flash_image, chip, flash, self.mcu.ram)
        except VirtualError as error:
            raise KitError(error.what, error.why, REBUILD) from error
        self.build_id = self._elf.text("build_id")
        self.memory = MemoryUse(tuple(self._regions()))
        names = {symbol.name for symbol in self._elf.symbols}
        self.is_bare = "board_mcu" in names and "build_id" not in names
        self.has_st_runtime = STAND_IN not in names and any(n.startswith(OF_ST) for n in names)

    @classmethod
    def of(cls, program: "Program | str | Path") -> "Program":
        """The program itself, or that of an ELF file."""
        return program if isinstance(program, Program) else cls(program)

    def locate(self, address: int) -> Location:
        """The function, file and line of a code address; empty for one in no memory of the chip:
        debug information knows of removed functions at address 0."""
        return self._elf.locate(address) if self._memory_at(address) else Location()

    def functions(self) -> dict[int, Function]:
        """The functions in flash, by their address. Where code and data begin is marked by symbols
        $t and $d ("ELF for the Arm Architecture", mapping symbols)."""
        marks = sorted((s.address, s.name[:2]) for s in self._elf.symbols if s.name[:1] == "$")
        found, start = {}, self.mcu.flash[0].start
        for name, kind, at, size in self._elf.symbols:
            if kind == "FUNC" and size:
                place = range(at, at + size)
                first = [(at, which) for mark, which in marks if mark <= at][-1:]
                cuts = [*first, *(mark for mark in marks if mark[0] in place[1:]), (place.stop, "")]
                code = [
                    (low, self.flash_image[low - start : high - start])
                    for (low, which), (high, _) in pairwise(cuts)
                    if which == "$t"
                ]
                found[at] = Function(name, place, tuple(code))
        return found

    def word(self, address: int) -> int:
        """The word at an address in flash."""
        at = address - self.mcu.flash[0].start
        return int.from_bytes(self.flash_image[at : at + 4], "little")

    def check_fits(self, dtype: str | None = None) -> None:
        """Raise KitError when it is larger than its chip, or uses memory that the chip lacks.
        `dtype` is the network's, if known."""
        for memory in (*self.mcu.flash, *self.mcu.ram):
            size = self.memory.of(memory.name)
            check_room("The program does not fit: it takes", size, memory, self.mcu, dtype)
        for name, _, address, size in self.memory.regions:
            place = self._memory_at(address)
            if place is None or address + size - 1 not in place:
                raise KitError(
                    f"The program wants {name}, {size:,} bytes at {address:#010x}, where the "
                    f"{self.mcu.name.upper()} has no memory.",
                    "It was linked for another chip.",
                    REBUILD,
                )

    def _memory_at(self, address: int) -> Memory | None:
        return next((m for m in (*self.mcu.flash, *self.mcu.ram) if address in m), None)

    def _regions(self) -> Iterator[Region]:
        """Each section that takes memory, and where its initial values are kept, if elsewhere."""
        segments = [Section("the program", at, size, at) for at, size, _ in self._elf.segments]
        for name, address, size, kept_at in self._elf.sections or segments:
            yield from self._split(name, address, size)
            if kept_at not in (None, address):
                yield from self._split(f"{name} (initial values)", kept_at, size)

    def _split(self, name: str, address: int, size: int) -> Iterator[Region]:
        """A region without, and then each of, its large named arrays."""
        place = self._memory_at(address)
        memory = place.name if place else ""
        arrays = [
            Region(symbol.name, memory, symbol.address, symbol.bytes)
            for symbol in sorted(self._elf.symbols, key=lambda symbol: symbol.address)
            if symbol.kind == "OBJECT" and symbol.bytes >= SHOWN
            if symbol.address in range(address, address + size)
        ]
        if rest := size - sum(array.bytes for array in arrays):
            yield Region(name, memory, address, rest)
        yield from arrays


class NoRoom(KitError):
    """What does not fit a chip's memory."""


def check_room(
    what: str, size: int, memory: Memory, mcu: Mcu, dtype: str | None, heaviest: str = ""
) -> None:
    """Raise NoRoom, which begins with `what` and names the `heaviest`, when there is not room for
    `size` bytes in a memory of a chip. The advice is about networks, and better where the network's
    `dtype` is known."""
    if size <= memory.size:
        return
    in_flash = memory.name == "flash"
    kept = "weights are in flash" if in_flash else "tensors are in RAM"
    parts = "layers" if in_flash else "widest layers or its input"
    unless = "" if dtype else ", unless it is int8 already"
    advice = "It is int8 already: " if dtype == "int8" else f"{QUANTIZE}{unless}; or "
    raise NoRoom(
        f"{what} {size:,} bytes of {memory.name}, and the {mcu.name.upper()} has {memory.size:,}: "
        f"{size - memory.size:,} are missing.",
        f"The network's {kept}. {heaviest}".strip(),
        f"{advice}make its {parts} smaller, and train it anew.",
    )
