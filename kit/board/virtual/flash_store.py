"""What is in the flash of each virtual board, kept in `build()/virtual/<name>/` between sessions.

A folder holds `flash.bin` (512 KB, erased bytes are 0xFF) and `firmware.elf`, the program it came
from, kept for its source lines. The two are replaced together or not at all; who wants them to
belong together reads them inside `kit.paths.locked(folder(name))`.
"""

import shutil
from io import BytesIO
from pathlib import Path

from elftools.common.exceptions import ELFError
from elftools.elf.elffile import ELFFile

from kit.board.virtual.memory_map import FLASH_BASE, FLASH_SIZE, RAM_BASE
from kit.board.virtual.options import parse
from kit.compile.firmware import has_runtime_of_st, mcu_of
from kit.errors import KitError
from kit.mcu import DEFAULT, Mcu
from kit.paths import build, locked, making

REBUILD = "Build the firmware for the board with `kit build` and flash that file."


def board_name(url: str) -> str:
    """The name of the board a URL means: `virtual://` is "default", `virtual://alice` is "alice".

    Raises KitError when the URL has another form, or an option that there is not.
    """
    return parse(url)[0]


def folder(name: str) -> Path:
    """Where the board keeps its files; nothing is created."""
    return build() / "virtual" / name


def source(name: str) -> Path:
    """The copy of the ELF that was flashed last; it may not exist."""
    return folder(name) / "firmware.elf"


def mcu(name: str) -> Mcu:
    """The chip that a board has: the one its program was built for."""
    with locked(folder(name)):
        return mcu_of(source(name)) if source(name).exists() else DEFAULT


def read(name: str) -> bytes:
    """The flash of a board: FLASH_SIZE bytes, all 0xFF when it was never programmed."""
    with locked(folder(name)):
        image = folder(name) / "flash.bin"
        content = image.read_bytes() if image.exists() else b""
    return content.ljust(FLASH_SIZE, b"\xff")[:FLASH_SIZE]


def program(name: str, elf_path: str | Path) -> int:
    """Put the program of an ELF file into the flash of a board; everything else is erased.

    Returns the bytes programmed. Raises KitError, leaving the flash as it was, when the file is
    missing, is no 32-bit ARM ELF, does not fit the chip it was built for, has no vector table
    at the start of the flash, or has ST's runtime in it, which may not run on an emulator.
    """
    path = Path(elf_path)
    content = _read_elf(path)
    segments = _segments(content, path.name)
    if has_runtime_of_st(path):
        from kit.generate.xcubeai import check_may_run_on

        check_may_run_on(f"virtual://{name}")
    mcu = mcu_of(path)
    flash = bytearray(b"\xff" * FLASH_SIZE)
    for address, data in segments:
        _check_fits(address, len(data), path.name, mcu)
        offset = address - FLASH_BASE
        flash[offset : offset + len(data)] = data
    _check_vectors(flash, path.name, mcu)
    with making(folder(name)) as target:
        target.mkdir()
        (target / "flash.bin").write_bytes(flash)
        (target / "firmware.elf").write_bytes(content)
    return sum(len(data) for _, data in segments)


def erase(name: str) -> None:
    """Forget the flash of a board; it reads as erased afterwards."""
    shutil.rmtree(folder(name), ignore_errors=True)


def _read_elf(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise KitError(
            f"{path} cannot be read.", str(error), "Build the firmware first."
        ) from error


def _segments(content: bytes, name: str) -> list[tuple[int, bytes]]:
    """The loadable segments of an ELF: physical address and bytes."""
    try:
        elf = ELFFile(BytesIO(content))
    except ELFError as error:
        raise KitError(f"{name} is no ELF file.", str(error), REBUILD) from error
    if (elf.elfclass, elf["e_machine"], elf["e_type"]) != (32, "EM_ARM", "ET_EXEC"):
        kind = f"{elf.elfclass}-bit {elf['e_machine']} {elf['e_type']}"
        raise KitError(f"{name} is not a program for this chip.", f"It is {kind}.", REBUILD)
    loads = [s for s in elf.iter_segments("PT_LOAD") if s["p_filesz"]]
    return [(s["p_paddr"], s.data()) for s in loads]


def _check_fits(address: int, size: int, name: str, mcu: Mcu) -> None:
    start, end = address - FLASH_BASE, address - FLASH_BASE + size
    if start < 0 or end > mcu.flash_bytes:
        raise KitError(
            f"{name} does not fit into the flash of the {mcu.name.upper()}.",
            f"It has {size} bytes at 0x{address:08x}; the flash is {mcu.flash_bytes} bytes "
            f"from 0x{FLASH_BASE:08x}.",
            "Choose a smaller network (int8 is a quarter of float32), then build again.",
        )


def _check_vectors(flash: bytearray, name: str, mcu: Mcu) -> None:
    """The first words must be a stack pointer in RAM and a Thumb address in flash (PM0214)."""
    stack, reset = (int.from_bytes(flash[i : i + 4], "little") for i in (0, 4))
    in_ram = RAM_BASE < stack <= RAM_BASE + mcu.ram_bytes
    in_flash = FLASH_BASE <= reset < FLASH_BASE + mcu.flash_bytes
    if not (in_ram and in_flash and reset & 1):
        raise KitError(
            f"{name} has no vector table of the {mcu.name.upper()} at the start of the flash.",
            f"The first words are 0x{stack:08x} (initial stack pointer) and 0x{reset:08x} (reset).",
            REBUILD,
        )
