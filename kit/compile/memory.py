"""What a program is and occupies: an ELF file, held against the chip's flash and RAM."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from elftools.elf.elffile import ELFFile

from kit.boards import DEFAULT, Mcu
from kit.errors import KitError


@dataclass(frozen=True)
class Memory:
    """One memory of a chip: its first address, and its size in bytes."""

    name: str
    start: int
    size: int


def memories(mcu: Mcu) -> tuple[Memory, Memory]:
    """Flash and RAM of a chip; every STM32F4 has them at these addresses (RM0390 section 2.2.2,
    RM0368 section 2.3)."""
    return (
        Memory("flash", 0x08000000, mcu.flash_bytes),
        Memory("RAM", 0x20000000, mcu.ram_bytes),
    )


FLASH, RAM = memories(DEFAULT)  # where they begin is so on every chip; how large they are is not
LARGEST = 0x0200_0000  # more than any STM32F4 has of either memory
REBUILD = (
    "Build the firmware for the board with `kit build`, or notebook 04-flash, and take that file."
)


@dataclass(frozen=True)
class Region:
    """A piece of memory in use: what is there, where, and how many bytes. `memory` is empty where
    the chip has none that the kit knows."""

    name: str
    memory: str
    address: int
    bytes: int


@dataclass(frozen=True)
class MemoryUse:
    """Bytes in flash and RAM, and the regions they are made of.

    `flash_bytes` is everything that is programmed, initial values included; `ram_bytes` is
    everything with an address in RAM, the reserved stack included.
    """

    regions: tuple[Region, ...]

    @property
    def flash_bytes(self) -> int:
        return sum(region.bytes for region in self.regions if region.memory == FLASH.name)

    @property
    def ram_bytes(self) -> int:
        return sum(region.bytes for region in self.regions if region.memory == RAM.name)


def _memory_at(address: int) -> str:
    """The name of the memory at an address. What begins in one counts there as a whole; how much
    there is of it differs from chip to chip, and is checked against the sum."""
    ends = {FLASH.name: FLASH.start + LARGEST, RAM.name: RAM.start + LARGEST}
    found = (m.name for m in (FLASH, RAM) if m.start <= address < ends[m.name])
    return next(found, "")


def _regions(elf: ELFFile) -> list[Region]:
    """Each allocated section; .data counts twice: it is kept in flash and copied to RAM."""
    found = []
    kept = {s["p_vaddr"]: s["p_paddr"] for s in elf.iter_segments("PT_LOAD")}
    for section in elf.iter_sections():
        address, size = section["sh_addr"], section["sh_size"]
        if not section["sh_flags"] & 2 or not size:  # SHF_ALLOC
            continue
        memory = _memory_at(address)
        found.append(Region(section.name, memory, address, size))
        if memory != FLASH.name and section["sh_type"] == "SHT_PROGBITS":
            name = f"{section.name} (initial values)"
            found.append(Region(name, FLASH.name, kept.get(address, address), size))
    return found


def _split_constants(elf: ELFFile, regions: list[Region]) -> list[Region]:
    """Take the named arrays of 256 bytes or more out of their section; a stripped file has none."""
    table = elf.get_section_by_name(".symtab")
    every = table.iter_symbols() if table else ()
    symbols = [s for s in every if s["st_info"]["type"] == "STT_OBJECT"]
    result = []
    for region in regions:
        inside = [
            Region(s.name, region.memory, s["st_value"], s["st_size"])
            for s in symbols
            if s["st_size"] >= 256
            and region.address <= s["st_value"] < region.address + region.bytes
        ]
        inside.sort(key=lambda piece: piece.address)
        rest = region.bytes - sum(piece.bytes for piece in inside)
        result += [Region(region.name, region.memory, region.address, rest), *inside]
    return [region for region in result if region.bytes]


@contextmanager
def opened(elf_path: str | Path) -> Iterator[ELFFile]:
    """An ELF file, open to be read.

    Raises:
        KitError: the file is missing, is not an ELF file, or is damaged.
    """
    try:
        with open(elf_path, "rb") as file:
            yield ELFFile(file)
    except KitError:
        raise
    except Exception as error:  # on a damaged file pyelftools raises whatever it stumbles over
        raise _no_program(elf_path, f"{error or type(error).__name__}.") from error


def _no_program(elf_path: str | Path, why: str) -> KitError:
    return KitError(f"{elf_path} is not a program for the chip.", why, REBUILD)


def checked_image(elf_path: str | Path, mcu: Mcu) -> bytes:
    """What an ELF file puts into flash, from its first address on; gaps are 0xFF (erased).

    Raises:
        KitError: it is no whole program for this chip: not a 32-bit Arm executable, cut off, with
            bytes outside the flash, or without a vector table at its start.
    """
    flash, _ = memories(mcu)
    image = bytearray()
    with opened(elf_path) as elf:
        kind = (elf.elfclass, elf.little_endian, elf["e_machine"], elf["e_type"])
        if kind != (32, True, "EM_ARM", "ET_EXEC"):
            why = f"It is {elf.elfclass}-bit {elf['e_machine']} {elf['e_type']}; a program is "
            raise _no_program(elf_path, f"{why}32-bit EM_ARM ET_EXEC.")
        for segment in elf.iter_segments("PT_LOAD"):
            start, size = segment["p_paddr"] - flash.start, segment["p_filesz"]
            if size and not 0 <= start <= start + size <= flash.size:
                raise _outside(elf_path, segment["p_paddr"], size, mcu)
            image = image.ljust(start + size, b"\xff") if size else image
            data = segment.data()
            image[start : start + size] = data
            if len(data) != size:
                raise _no_program(elf_path, "Its end is missing.")
    _check_vectors(image, elf_path, mcu)
    return bytes(image)


def _outside(elf_path: str | Path, address: int, size: int, mcu: Mcu) -> KitError:
    flash, _ = memories(mcu)
    return KitError(
        f"{elf_path} does not fit into the flash of the {mcu.name.upper()}.",
        f"It has {size:,} bytes at {address:#010x}; the flash is {flash.size:,} bytes from "
        f"{flash.start:#010x}.",
        f"{REBUILD} If it was: {advice(flash)[1]}",
    )


def _check_vectors(image: bytearray, elf_path: str | Path, mcu: Mcu) -> None:
    """The first words must be a stack pointer in RAM and a Thumb address in flash (PM0214)."""
    flash, ram = memories(mcu)
    stack, reset = (int.from_bytes(image[at : at + 4], "little") for at in (0, 4))
    in_ram = ram.start < stack <= ram.start + ram.size
    in_flash = flash.start <= reset < flash.start + flash.size
    if not (in_ram and in_flash and reset & 1):
        raise KitError(
            f"{elf_path} has no vector table of the {mcu.name.upper()} at the start of the flash.",
            f"The first words are {stack:#010x} (initial stack pointer) and {reset:#010x} (reset).",
            REBUILD,
        )


def memory_use(elf_path: str | Path) -> MemoryUse:
    """What an ELF file occupies.

    Raises:
        KitError: the file is missing or is not an ELF file.
    """
    with opened(elf_path) as elf:
        return MemoryUse(tuple(_split_constants(elf, _regions(elf))))


def advice(memory: Memory, dtype: str | None = None) -> tuple[str, str]:
    """Why a network does not fit a memory, and what makes it fit.

    Args:
        memory: the one that is too small.
        dtype: the network's; None where it is not known.
    """
    in_flash = memory.name == "flash"
    why = "The network's weights are in flash." if in_flash else "The network's tensors are in RAM."
    quantize = "Quantize it to int8 (notebook 02-quantize), which takes a quarter"
    smaller = (
        "make its layers smaller" if in_flash else "make its widest layers or its input smaller"
    )
    if dtype == "int8":
        return why, f"{smaller.capitalize()}, and train it anew: it is int8 already."
    known = "" if dtype else ", unless it is int8 already"
    return why, f"{quantize}{known}; or {smaller}, and train it anew."


def check_fits(use: MemoryUse, mcu: Mcu = DEFAULT, dtype: str | None = None) -> None:
    """Raise KitError when a program is larger than its chip, or uses memory that it lacks.

    `dtype` is the network's, if known.
    """
    flash, ram = memories(mcu)
    for memory, used in ((flash, use.flash_bytes), (ram, use.ram_bytes)):
        if used > memory.size:
            raise KitError(
                f"The program needs {used:,} bytes of {memory.name}; the {mcu.name.upper()} has "
                f"{memory.size:,}.",
                *advice(memory, dtype),
            )
    for region in use.regions:
        if not region.memory:
            raise KitError(
                f"The program wants {region.name} at {region.address:#010x}, where the "
                f"{mcu.name.upper()} has no memory.",
                "It was linked for another chip.",
                REBUILD,
            )
