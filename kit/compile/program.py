"""A program for the chip, as its ELF file tells: read once, checked once."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from kit.boards import DEFAULT, MCUS, Mcu, Memory, find_mcu
from kit.errors import KitError
from virtual_nucleo.errors import VirtualError
from virtual_nucleo.program import Location, Section
from virtual_nucleo.program import Program as Elf

OF_ST = ("stai_", "ai_platform_", "ai_network_")  # how functions of ST's runtime begin
STAND_IN = "stand_in_for_tests"  # the tests' own runtime, no line of which is ST's, has this symbol
REBUILD = (
    "Build the firmware for the board with `kit build`, or notebook 04-flash, and take that file."
)


@dataclass(frozen=True)
class Region:
    """A piece of memory in use: what is there, where, and how many bytes. `memory` is empty where
    the chip has none."""

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
    first address on, `memory` what it occupies. `has_st_runtime` says whether ST's runtime is in
    it, whose license keeps it to ST's devices. KitError says what is wrong with another file.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        try:
            self._elf = Elf(path)
            name = self._elf.chip(MCUS)
            self.mcu = find_mcu(name) if name else DEFAULT
            self._memories = (*self.mcu.flash, *self.mcu.ram)
            self.flash_image = self._elf.image(self.mcu.flash[0].start)
        except VirtualError as error:
            raise KitError(error.what, error.why, REBUILD) from error
        self._check_vectors()
        self.build_id = self._elf.text("build_id")
        self.memory = MemoryUse(tuple(self._regions()))
        names = {symbol.name for symbol in self._elf.symbols}
        self.has_st_runtime = STAND_IN not in names and any(n.startswith(OF_ST) for n in names)

    @classmethod
    def of(cls, program: "Program | str | Path") -> "Program":
        """The program itself, or that of an ELF file."""
        return program if isinstance(program, Program) else cls(program)

    def locate(self, address: int) -> Location:
        """The function, file and line of a code address; empty for one in no memory of the chip:
        debug information knows of removed functions at address 0."""
        known = any(address in memory for memory in self._memories)
        return self._elf.locate(address) if known else Location()

    def check_fits(self, dtype: str | None = None) -> None:
        """Raise KitError when it is larger than its chip, or uses memory that the chip lacks.
        `dtype` is the network's, if known."""
        for memory in self._memories:
            check_room("The program", "it takes", self.memory.of(memory.name), memory, self.mcu,
                       dtype)  # fmt: skip
        for region in self.memory.regions:
            end = region.address + region.bytes - 1
            if not any(region.address in memory and end in memory for memory in self._memories):
                raise KitError(
                    f"The program wants {region.name}, {region.bytes:,} bytes at "
                    f"{region.address:#010x}, where the {self.mcu.name.upper()} has no memory.",
                    "It was linked for another chip.",
                    REBUILD,
                )

    def _check_vectors(self) -> None:
        """The first words must be a stack pointer in RAM and a Thumb address in flash (PM0214)."""
        flash, rams = self.mcu.flash[0], self.mcu.ram
        stack, reset = (int.from_bytes(self.flash_image[at : at + 4], "little") for at in (0, 4))
        if not (any(stack - 1 in ram for ram in rams) and reset in flash and reset & 1):
            raise KitError(
                f"{self.path} has no vector table of the {self.mcu.name.upper()} at the start of "
                "the flash.",
                f"The first words are {stack:#010x} (initial stack pointer) and {reset:#010x} "
                "(reset).",
                REBUILD,
            )

    def _regions(self) -> Iterator[Region]:
        """Each section that takes memory, and where its initial values are kept, if elsewhere."""
        segments = [Section("the program", at, size, at) for at, size, _ in self._elf.segments]
        for name, address, size, kept_at in self._elf.sections or segments:
            yield from self._split(name, address, size)
            if kept_at not in (None, address):
                yield from self._split(f"{name} (initial values)", kept_at, size)

    def _split(self, name: str, address: int, size: int) -> Iterator[Region]:
        """A region without, and then each of, its named arrays of 256 bytes or more."""
        memory = next((m.name for m in self._memories if address in m), "")
        pieces = sorted(
            (
                Region(symbol.name, memory, symbol.address, symbol.bytes)
                for symbol in self._elf.symbols
                if symbol.kind == "OBJECT" and symbol.bytes >= 256
                and address <= symbol.address < address + size
            ),
            key=lambda piece: piece.address,
        )  # fmt: skip
        rest = size - sum(piece.bytes for piece in pieces)
        yield from [Region(name, memory, address, rest)] * bool(rest)
        yield from pieces


def check_room(
    who: str, what: str, size: int, memory: Memory, mcu: Mcu, dtype: str | None = None
) -> None:
    """Raise KitError when there is not room for `size` bytes in a memory of a chip.

    `who` ("The program") is too large because of `what` ("it takes"); the advice is about networks,
    and better where the network's `dtype` is known.
    """
    if size <= memory.size:
        return
    in_flash = memory.name == "flash"
    parts = "layers" if in_flash else "widest layers or its input"
    smaller = f"make its {parts} smaller, and train it anew"
    quantize = "Quantize it to int8 (notebook 02-quantize), which takes a quarter"
    unless = "" if dtype else ", unless it is int8 already"
    raise KitError(
        f"{who} does not fit: {what} {size:,} bytes of {memory.name}, and the {mcu.name.upper()} "
        f"has {memory.size:,}.",
        "The network's weights are in flash." if in_flash else "The network's tensors are in RAM.",
        f"It is int8 already: {smaller}."
        if dtype == "int8"
        else f"{quantize}{unless}; or {smaller}.",
    )
