"""What is in the flash of each virtual board, kept in `build()/virtual/<name>/` between sessions.

A folder holds `flash.bin` (512 KB, erased bytes are 0xFF) and `firmware.elf`, the program it came
from, kept for its source lines. The two are replaced together or not at all; who wants them to
belong together reads them inside `kit.paths.locked(folder(name))`.
"""

import shutil
from pathlib import Path

from kit.boards import DEFAULT, Mcu
from kit.compile.program import Program
from kit.paths import build_folder, locked, replacing
from virtual_nucleo.memory_map import FLASH_SIZE
from virtual_nucleo.options import parse


def board_name(url: str) -> str:
    """The name of the board a URL means: `virtual://` is "default", `virtual://alice` is "alice".

    Raises KitError when the URL has another form, or an option that there is not.
    """
    return parse(url)[0]


def folder(name: str) -> Path:
    """Where the board keeps its files; nothing is created."""
    return build_folder() / "virtual" / name


def source(name: str) -> Path:
    """The copy of the ELF that was flashed last; it may not exist."""
    return folder(name) / "firmware.elf"


def mcu(name: str) -> Mcu:
    """The chip that a board has: the one its program was built for."""
    with locked(folder(name)):
        return Program(source(name)).mcu if source(name).exists() else DEFAULT


def read(name: str) -> bytes:
    """The flash of a board: FLASH_SIZE bytes, all 0xFF when it was never programmed."""
    with locked(folder(name)):
        image = folder(name) / "flash.bin"
        content = image.read_bytes() if image.exists() else b""
    return content.ljust(FLASH_SIZE, b"\xff")[:FLASH_SIZE]


def program(name: str, elf_path: str | Path) -> int:
    """Put the program of an ELF file into the flash of a board; everything else is erased.

    Returns the bytes programmed. Raises KitError, leaving the flash as it was, when the file is no
    program for the chip, or has ST's runtime in it, which may not run on an
    emulator.
    """
    program = Program(elf_path)
    program.check_fits()
    image = program.flash_image
    if program.has_st_runtime:
        from kit.generate.xcubeai import check_may_run_on

        check_may_run_on(f"virtual://{name}")
    with replacing(folder(name)) as target:
        target.mkdir()
        (target / "flash.bin").write_bytes(image.ljust(FLASH_SIZE, b"\xff"))
        shutil.copyfile(program.path, target / "firmware.elf")
    return len(image)
