"""Where in the C source a code address of a program is, from its ELF file."""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from elftools.dwarf.descriptions import describe_form_class

from kit.compile.memory import opened
from kit.errors import KitError


@dataclass(frozen=True)
class Location:
    """A place in the C source: the function, the file as the compiler saw it, the line from 1.

    What is not known is empty or 0.
    """

    function: str = ""
    file: str = ""
    line: int = 0

    def __str__(self) -> str:
        where = f"{Path(self.file).name}, line {self.line}" if self.line else ""
        name = f"{self.function}()" if self.function else ""
        return f"{name} ({where})" if name and where else name or where


def locate(elf_path: str | Path, address: int) -> Location:
    """The function, file and line of a code address, from the ELF's DWARF and symbols.

    Inlined functions are named by themselves. Without an ELF, with a damaged one, or for an address
    outside the program, the Location is empty.
    """
    with suppress(KitError), opened(elf_path) as elf:
        if elf.has_dwarf_info():
            dwarf = elf.get_dwarf_info()
            for unit in dwarf.iter_CUs():
                file, line = _line(dwarf, unit, address)
                if line:
                    return Location(_function(dwarf, unit, address), file, line)
        return Location(_symbol(elf, address))
    return Location()


def _line(dwarf: Any, unit: Any, address: int) -> tuple[str, int]:
    """The file and line of an address within one compilation unit, or ("", 0)."""
    program = dwarf.line_program_for_CU(unit)
    previous = None
    for entry in program.get_entries() if program else ():
        state = entry.state
        if state is None:
            continue
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


def _function(dwarf: Any, unit: Any, address: int) -> str:
    """The innermost function around an address; children follow their parents in `iter_DIEs`."""
    name = ""
    for die in unit.iter_DIEs():
        is_function = die.tag in ("DW_TAG_subprogram", "DW_TAG_inlined_subroutine")
        if is_function and any(a <= address < b for a, b in _ranges(dwarf, unit, die)):
            name = _name(die) or name
    return name


def _name(die: Any) -> str:
    for link in ("DW_AT_abstract_origin", "DW_AT_specification"):
        if link in die.attributes:
            return _name(die.get_DIE_from_attribute(link))
    return (
        str(die.attributes["DW_AT_name"].value.decode()) if "DW_AT_name" in die.attributes else ""
    )


def _ranges(dwarf: Any, unit: Any, die: Any) -> Iterator[tuple[int, int]]:
    """The address ranges of a function: DW_AT_low_pc and high_pc, or DW_AT_ranges."""
    low, high = die.attributes.get("DW_AT_low_pc"), die.attributes.get("DW_AT_high_pc")
    if low and high:
        absolute = describe_form_class(high.form) == "address"
        yield low.value, high.value if absolute else low.value + high.value
    elif "DW_AT_ranges" in die.attributes:
        yield from _listed_ranges(dwarf, unit, die)


def _listed_ranges(dwarf: Any, unit: Any, die: Any) -> Iterator[tuple[int, int]]:
    top = unit.get_top_DIE().attributes.get("DW_AT_low_pc")
    base = top.value if top else 0
    offset = die.attributes["DW_AT_ranges"].value
    for entry in dwarf.range_lists().get_range_list_at_offset(offset, unit):
        if hasattr(entry, "base_address"):
            base = entry.base_address
        else:
            shift = 0 if getattr(entry, "is_absolute", False) else base
            yield entry.begin_offset + shift, entry.end_offset + shift


def _symbol(elf: Any, address: int) -> str:
    """The function symbol around an address; bit 0 of a Thumb symbol is not part of it."""
    table = elf.get_section_by_name(".symtab")
    for symbol in table.iter_symbols() if table else ():
        start = symbol["st_value"] & ~1
        is_function = symbol["st_info"]["type"] == "STT_FUNC"
        if is_function and start <= address < start + symbol["st_size"]:
            return str(symbol.name)
    return ""
