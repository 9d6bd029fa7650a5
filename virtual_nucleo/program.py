"""A program for a Cortex-M, read once from its ELF file: its image, symbols and source lines."""

from collections.abc import Container, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple

from elftools.dwarf.descriptions import describe_form_class
from elftools.elf.elffile import ELFFile

from virtual_nucleo.errors import VirtualError

LARGEST = 16 << 20  # bytes of the largest image made: a stray address is no gap to be filled
KIND = (32, True, "EM_ARM", "ET_EXEC")


@dataclass(frozen=True)
class Location:
    """A place in the C source: the function, the file as the compiler saw it, the line from 1. What
    is not known is empty or 0."""

    function: str = ""
    file: str = ""
    line: int = 0

    def __str__(self) -> str:
        where = f"{Path(self.file).name}, line {self.line}" if self.line else ""
        name = f"{self.function}()" if self.function else ""
        return f"{name} ({where})" if name and where else name or where


class Section(NamedTuple):
    """A section that takes memory; `loaded_at` is where its content is kept, None without one."""

    name: str
    address: int
    bytes: int
    loaded_at: int | None


class Symbol(NamedTuple):
    """A symbol: `kind` is "FUNC", "OBJECT" or another ELF type; Thumb's bit 0 is left out."""

    name: str
    kind: str
    address: int
    bytes: int


class Program:
    """The content of an ELF file, which is read once and may be replaced afterwards. `segments` are
    address in flash, size and bytes of what is loaded. Raises VirtualError for a file that is
    missing, damaged, cut off, or no 32-bit Arm executable; what for is not asked here."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        try:
            self.content = self.path.read_bytes()
            elf = self._elf = ELFFile(BytesIO(self.content))
            kind = (elf.elfclass, elf.little_endian, elf["e_machine"], elf["e_type"])
            self.segments = [
                (segment["p_paddr"], segment["p_filesz"], segment.data())
                for segment in elf.iter_segments("PT_LOAD")
                if segment["p_filesz"]
            ]
            self.sections = list(self._sections())
            self.symbols = list(self._symbols())
        except Exception as error:  # on a damaged file pyelftools raises what it stumbles over
            raise self.refused(f"{error or type(error).__name__}.") from error
        if kind != KIND:
            is_kind = f"It is {kind[0]}-bit {kind[2]} {kind[3]}"
            raise self.refused(f"{is_kind}; a program is 32-bit EM_ARM ET_EXEC.")
        if any(size != len(data) for _, size, data in self.segments):
            raise self.refused("Its end is missing.")

    def refused(self, why: str) -> VirtualError:
        """The error for a file that is no program."""
        fix = "Build the firmware for the board, and take the .elf file of that build."
        return VirtualError(f"{self.path} is not a program for the chip.", why, fix)

    def image(self, start: int) -> bytes:
        """What is kept in the memory that begins at `start`, from there on; gaps are 0xFF (erased).
        Raises VirtualError when something lies before it, or so far behind it that it is
        elsewhere."""
        image = bytearray()
        for address, size, data in self.segments:
            at = address - start
            if not 0 <= at <= at + size <= LARGEST:
                raise self.refused(f"It has {size:,} bytes at {address:#010x}.")
            image = image.ljust(at + size, b"\xff")
            image[at : at + size] = data
        return bytes(image)

    def check_vectors(
        self, image: bytes, chip: str, flash: Container[int], rams: Iterable[Container[int]]
    ) -> None:
        """Raise VirtualError unless the image of a chip's flash begins with a vector table: a stack
        pointer in RAM and a Thumb address in flash (PM0214 section 2.3.4)."""
        stack, reset = (int.from_bytes(image[at : at + 4], "little") for at in (0, 4))
        if not (any(stack - 1 in ram for ram in rams) and reset in flash and reset & 1):
            words = f"{stack:#010x} (initial stack pointer) and {reset:#010x} (reset)"
            table = f"vector table of the {chip} at the start of the flash"
            raise self.refused(f"It has no {table}: the first words are {words}.")

    def _sections(self) -> Iterator[Section]:
        segments = [segment.header for segment in self._elf.iter_segments("PT_LOAD")]
        for section in self._elf.iter_sections():
            address, size = section["sh_addr"], section["sh_size"]
            if section["sh_flags"] & 2 and size:  # SHF_ALLOC
                shifts = (
                    segment.p_paddr - segment.p_vaddr
                    for segment in segments
                    if segment.p_vaddr <= address < segment.p_vaddr + segment.p_filesz
                )
                has_content = section["sh_type"] == "SHT_PROGBITS"
                loaded_at = address + next(shifts, 0) if has_content else None
                yield Section(section.name, address, size, loaded_at)

    def _symbols(self) -> Iterator[Symbol]:
        table = self._elf.get_section_by_name(".symtab")  # a stripped file has none
        for symbol in table.iter_symbols() if table else ():
            kind = symbol["st_info"]["type"].removeprefix("STT_")
            address = symbol["st_value"] & ~(kind == "FUNC")
            yield Symbol(symbol.name, kind, address, symbol["st_size"])

    def text(self, name: str) -> str:
        """The NUL-terminated text at a symbol; empty without the symbol."""
        at = next((symbol.address for symbol in self.symbols if symbol.name == name), -1)
        for address, size, data in self.segments:
            if address <= at < address + size:
                return str(data[at - address :].split(b"\0")[0].decode("ascii", "replace"))
        return ""

    def chip(self, known: Iterable[str]) -> str:
        """The chip it was built for: the text at `board_mcu`; else, for in a stripped program that
        has no symbol, the known name that is in it. Empty where it does not say."""
        if self.symbols:
            return self.text("board_mcu")
        content = b"".join(data for _, _, data in self.segments)
        return next((name for name in known if f"{name}\0".encode() in content), "")

    def locate(self, address: int) -> Location:
        """The function, file and line of a code address, from DWARF and symbols. Inlined functions
        are named by themselves. Outside the program the Location is empty."""
        with suppress(Exception):  # damaged debug information: the symbols are left
            has_lines = self._elf.has_dwarf_info()
            for unit in self._elf.get_dwarf_info().iter_CUs() if has_lines else ():
                file, line = _line(unit, address)
                if line:
                    return Location(_function(unit, address), file, line)
        functions = (symbol for symbol in self.symbols if symbol.kind == "FUNC")
        inside = (f.name for f in functions if f.address <= address < f.address + f.bytes)
        return Location(next(inside, ""))


def _line(unit: Any, address: int) -> tuple[str, int]:
    """The file and line of an address within one compilation unit, or ("", 0)."""
    program = unit.dwarfinfo.line_program_for_CU(unit)
    previous = None
    states = [entry.state for entry in program.get_entries()] if program else []
    for state in filter(None, states):
        if previous and previous.address <= address < state.address:
            return _file_name(program, previous.file), previous.line
        previous = None if state.end_sequence else state
    return "", 0


def _file_name(program: Any, index: int) -> str:
    """DWARF counts files and folders from 1 up to version 4 and from 0 since version 5."""
    first = int(program["version"] < 5)
    entry = program["file_entry"][index - first]
    if first and not entry.dir_index:  # the folder of the compilation, which is not in the list
        return str(entry.name.decode())
    folder = program["include_directory"][entry.dir_index - first]
    return str(Path(folder.decode()) / entry.name.decode())


def _function(unit: Any, address: int) -> str:
    """The innermost function around an address; children follow their parents in `iter_DIEs`."""
    name = ""
    for die in unit.iter_DIEs():
        is_function = die.tag in ("DW_TAG_subprogram", "DW_TAG_inlined_subroutine")
        if is_function and any(a <= address < b for a, b in _ranges(unit, die)):
            name = _name(die) or name
    return name


def _name(die: Any) -> str:
    for link in ("DW_AT_abstract_origin", "DW_AT_specification"):
        if link in die.attributes:
            return _name(die.get_DIE_from_attribute(link))
    named = die.attributes.get("DW_AT_name")
    return str(named.value.decode()) if named else ""


def _ranges(unit: Any, die: Any) -> Iterator[tuple[int, int]]:
    """The address ranges of a function: DW_AT_low_pc and high_pc, or DW_AT_ranges."""
    low, high = die.attributes.get("DW_AT_low_pc"), die.attributes.get("DW_AT_high_pc")
    if low and high:
        absolute = describe_form_class(high.form) == "address"
        yield low.value, high.value if absolute else low.value + high.value
    elif listed := die.attributes.get("DW_AT_ranges"):
        top = unit.get_top_DIE().attributes.get("DW_AT_low_pc")
        base = top.value if top else 0
        lists = unit.dwarfinfo.range_lists()
        for entry in lists.get_range_list_at_offset(listed.value, unit):
            if hasattr(entry, "base_address"):
                base = entry.base_address
            else:
                shift = 0 if getattr(entry, "is_absolute", False) else base
                yield entry.begin_offset + shift, entry.end_offset + shift
