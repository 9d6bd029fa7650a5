"""The programs in the flash of the virtual boards: one ELF file a board, kept between sessions.

The flash itself is made from the file when a board is opened. A file is replaced at once, so that
whoever opens a board while another process programs it has the old program or the new one.
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
    """Put the program of an ELF file into the flash of a board; everything else is erased.

    Args:
        board: a name, or a URL such as virtual://name.
        elf: the file; it is copied, with its source lines.

    Returns the bytes programmed. Raises VirtualError, leaving the flash as it was, when the file is
    no program for the chip, or the URL is no board's or names the file itself.
    """
    name, options = parse(board if "://" in board else f"virtual://{board}")
    if options.elf:
        raise VirtualError(
            f"{board} has no flash of its own.",
            f"It runs {options.elf} as that file is when the board is opened.",
            "Leave elf= out to have a board that keeps its program.",
        )
    content = Program(elf)
    image = flash_image(content, mcu_of(content, options.mcu))
    with whole(elf_of(name)) as kept:
        kept.write_bytes(content.content)
    return len(image)


def flash_image(program: Program, mcu: Mcu) -> bytes:
    """What a program puts into the flash of a chip, from its first address on.

    Raises VirtualError when it does not fit, or does not begin with a vector table: a stack pointer
    in RAM and a Thumb address in flash (PM0214 section 2.3.4).
    """
    image = program.image(FLASH_START)
    stack, reset = (int.from_bytes(image[at : at + 4], "little") for at in (0, 4))
    chip = mcu.name.upper()
    if len(image) > mcu.flash_bytes:
        raise VirtualError(
            f"{program.path} does not fit the {chip}.",
            f"It takes {len(image):,} bytes of flash, and there are {mcu.flash_bytes:,}.",
            "Make it smaller, or build it for a larger chip.",
        )
    in_ram = RAM_START < stack <= RAM_START + mcu.ram_bytes
    if not in_ram or not reset & 1 or not 0 <= reset - FLASH_START < mcu.flash_bytes:
        raise VirtualError(
            f"{program.path} has no vector table of the {chip} at the start of the flash.",
            f"The first words are {stack:#010x} (initial stack pointer) and {reset:#010x} (reset).",
            f"Build it for the {chip}, and take the .elf file of that build.",
        )
    return image
