"""Makes chip.h, memory.ld and chip.cmake of a board: `python board.py BOARD.TOML FOLDER`."""

import sys
import tomllib
from pathlib import Path

CORTEX_M4 = {
    "GNU": "-mcpu=cortex-m4 -mfpu=fpv4-sp-d16 -mfloat-abi=hard",
    "Clang": "-mcpu=cortex_m4+vfp4d16sp",
}
"""The core's name and FPU for each compiler; a table `flags` of a chip says others."""


def write(toml: Path, folder: Path) -> None:
    """The C, linker and CMake parts of a board's facts, each into a file of `folder`."""
    board = tomllib.loads(toml.read_text(encoding="utf-8"))
    chip, made = board["chip"], f"from {toml.parent.name}/{toml.name}"
    numbers = [f"#define CHIP_{name.upper()} {value}U" for name, value in board["clock"].items()]
    named = [f'#define CHIP_NAME "{chip["name"]}"', *numbers]
    _write(folder / "chip.h", [f"/* {board['board']}: {made} */", "#pragma once", "", *named])
    places = [
        f"    {m['name'].upper()} ({rights}) : ORIGIN = {m['start']:#x}, LENGTH = {m['size']}"
        for kind, rights in (("flash", "rx"), ("ram", "rwx"))
        for m in board["memories"][kind]
    ]
    _write(folder / "memory.ld", [f"/* {made} */", "MEMORY", "{", *places, "}"])
    known = chip.get("flags", CORTEX_M4)
    flags = [f"set(CHIP_FLAGS_{compiler} {words})" for compiler, words in known.items()]
    _write(folder / "chip.cmake", [f"set(CHIP_FAMILY {chip['family']})", *flags])


def _write(path: Path, lines: list[str]) -> None:
    text = "\n".join(lines) + "\n"
    if not path.exists() or path.read_text(encoding="utf-8") != text:  # else it keeps its time
        path.write_text(text, encoding="utf-8", newline="\n")


write(Path(sys.argv[1]), Path(sys.argv[2]))
