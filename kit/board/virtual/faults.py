"""What a program did wrong, told with the function and line of its C source."""

from pathlib import Path

import serial

from kit.compile.location import Location, locate
from kit.errors import KitError


class BoardFault(KitError, serial.SerialException):  # type: ignore[misc]
    """The program on the virtual board did what would stop a real chip.

    `location` is where, `address` the program counter there. It stays until the board is reset.
    """

    def __init__(self, what: str, why: str, next_step: str, location: Location, address: int):
        KitError.__init__(self, what, why, next_step)
        self.location = location
        self.address = address


def board_fault(what: str, effect: str, fix: str, elf: Path, address: int, link: int) -> BoardFault:
    """The error for a fault at `address`.

    `what` is what the program did, `effect` what a real chip does then, `fix` how to put
    it right (empty where the code itself must tell), `link` the link register:
    the caller's address as long as the function has not called another one.
    """
    location, caller = locate(elf, address), locate(elf, (link & ~1) - 2)
    place = str(location) or f"code at 0x{address:08x}, of which the source is not known"
    text = f"The program on the virtual board {what}, in {place}"
    if caller.function and caller.function != location.function:
        text += f", called from {caller}"
    known = f"Look at line {location.line} of {Path(location.file).name}"
    look = known if location.line else "Compile with -g, so that the line is known"
    return BoardFault(
        text + ".",
        effect,
        f"{fix} {look}; then build, flash and open the board again (or reset it).".lstrip(),
        location,
        address,
    )
