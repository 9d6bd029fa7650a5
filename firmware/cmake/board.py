"""Makes chip.h, memory.ld and chip.cmake of a board: `python board.py BOARD.TOML FOLDER`."""

import sys
import tomllib
from pathlib import Path


def write(toml: Path, folder: Path) -> None:
    """The C, linker and CMake parts of a board's facts, each into a file of `folder`."""
    board = tomllib.loads(toml.read_text(encoding="utf-8"))
    chip, made = board["chip"], f"from {toml.parent.name}/{toml.name}"
    numbers = [f"#define CHIP_{name.upper()} {value}U" for name, value in board["clock"].items()]
    named = [f'#define CHIP_NAME "{chip["name"]}"', *numbers]
    header = f"/* {board['board']}: {made} */\n#ifndef CHIP_H\n#define CHIP_H\n"
    _write(folder / "chip.h", [header, *named, "\n#endif"])
    places = [
        f"    {m['name'].upper()} ({rights}) : ORIGIN = {m['start']:#x}, LENGTH = {m['size']}"
        for kind, rights in (("flash", "rx"), ("ram", "rwx"))
        for m in board["memories"][kind]
    ]
    _write(folder / "memory.ld", [f"/* {made} */", "MEMORY", "{", *places, "}"])
    flags = {"GNU": chip["gcc"].split(), "Clang": chip["zig"].split()}  # by CMake's names for them
    facts = [f"set(CHIP_FLAGS_{name} {' '.join(words)})" for name, words in flags.items()]
    _write(folder / "chip.cmake", [f"set(CHIP_FAMILY {chip['family']})", *facts])


def _write(path: Path, lines: list[str]) -> None:
    path.write_text("\n".join(lines) + "\n", encoding="utf-8", newline="\n")


write(Path(sys.argv[1]), Path(sys.argv[2]))
