"""The programs in the flash of the virtual boards: one ELF file a board, kept between sessions.

The flash is made from the file when a board is opened. The file is replaced at once: whoever opens
a board while another process programs it has the old program or the new one.
"""

from collections.abc import Callable
from pathlib import Path

from virtual_nucleo.errors import VirtualError
from virtual_nucleo.mcus import FLASH_START, RAM_START, Mcu, mcu_of
from virtual_nucleo.native import whole
from virtual_nucleo.options import parse
from virtual_nucleo.program import Program

_places: list[Callable[[], Path]] = [lambda: Path.home() / ".virtual_nucleo" / "boards"]


def keep_in(folder: str | Path | Callable[[], Path]) -> None:
    """Keep the boards' programs in that folder, or in the one that a function gives."""
    _places[:] = [folder if callable(folder) else lambda: Path(folder)]


def home() -> Path:
    """The folder of the boards' programs; it may not exist yet."""
    return _places[0]()


def names() -> list[str]:
    """The boards that have a program."""
    return sorted(path.stem for path in home().glob("[!.]*.elf"))


def elf_of(name: str) -> Path:
    """The ELF file of a board's program; it may not exist."""
    return home() / f"{name}.elf"


def program(board: str, elf: str | Path) -> int:
    """Put the program of an ELF file into the flash of a board, given by name or by URL. Everything
    else is erased; the bytes programmed are returned. Raises VirtualError, leaving the flash as it
    was, when the file is no program for the chip, or the URL names a file itself."""
    name, options = parse(board if "://" in board else f"virtual://{board}")
    if options.elf:
        why = f"It runs {options.elf} as that file is when the board is opened."
        fix = "Leave elf= out to have a board that keeps its program."
        raise VirtualError(f"{board} has no flash of its own.", why, fix)
    content = Program(elf)
    image = flash_image(content, mcu_of(content, options.mcu))
    with whole(elf_of(name)) as kept:
        kept.write_bytes(content.content)
    return len(image)


def flash_image(program: Program, mcu: Mcu) -> bytes:
    """What a program puts into the flash of a chip, from its first address on. Raises VirtualError
    when it does not fit, or does not begin with a vector table."""
    image, chip = program.image(FLASH_START), mcu.name.upper()
    if len(image) > mcu.flash_bytes:
        sizes = f"{len(image):,} bytes, and the {chip} has {mcu.flash_bytes:,} bytes of flash"
        raise program.refused(f"It does not fit: it takes {sizes}.")
    flash, ram = range(FLASH_START, FLASH_START + mcu.flash_bytes), mcu.ram_bytes
    program.check_vectors(image, chip, flash, [range(RAM_START, RAM_START + ram)])
    return image
