"""What a program occupies: sections of an ELF file against the chip's flash and RAM."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from elftools.common.exceptions import ELFError
from elftools.elf.elffile import ELFFile

from kit.errors import KitError
from kit.mcu import DEFAULT, Mcu


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


FLASH, RAM = memories(DEFAULT)


@dataclass(frozen=True)
class Region:
    """A piece of memory in use: what is there, where, and how many bytes."""

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


def _regions(elf: ELFFile) -> list[Region]:
    """Each allocated section; .data counts twice: it is kept in flash and copied to RAM."""
    found = []
    kept = {s["p_vaddr"]: s["p_paddr"] for s in elf.iter_segments("PT_LOAD")}
    for section in elf.iter_sections():
        address, size = section["sh_addr"], section["sh_size"]
        if not section["sh_flags"] & 2 or not size:  # SHF_ALLOC
            continue
        memory = FLASH if address < RAM.start else RAM
        found.append(Region(section.name, memory.name, address, size))
        if memory is RAM and section["sh_type"] == "SHT_PROGBITS":
            name = f"{section.name} (initial values)"
            found.append(Region(name, FLASH.name, kept.get(address, address), size))
    return found


def _split_constants(elf: ELFFile, regions: list[Region]) -> list[Region]:
    """Take the named arrays of 256 bytes or more out of their section."""
    table = elf.get_section_by_name(".symtab")
    symbols = [s for s in table.iter_symbols() if s["st_info"]["type"] == "STT_OBJECT"]
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
        KitError: the file is missing or is not an ELF file.
    """
    try:
        with open(elf_path, "rb") as file:
            yield ELFFile(file)
    except (OSError, ELFError) as error:
        raise KitError(
            f"{elf_path} is not a program for the chip.",
            str(error),
            "Build one with `kit build`, or notebook 04-flash.",
        ) from error


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
    in_flash = memory.name == FLASH.name
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
    """Raise KitError when a program is larger than its chip; `dtype` is the network's, if known."""
    flash, ram = memories(mcu)
    for memory, used in ((flash, use.flash_bytes), (ram, use.ram_bytes)):
        if used > memory.size:
            raise KitError(
                f"The program needs {used:,} bytes of {memory.name}; the {mcu.name.upper()} has "
                f"{memory.size:,}.",
                *advice(memory, dtype),
            )
