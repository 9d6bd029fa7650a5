"""What a program did wrong, told with the function and line of its C source."""

from pathlib import Path
from typing import NamedTuple

import serial

from kit.compile.location import Location, locate
from kit.errors import KitError


class BoardFault(KitError, serial.SerialException):  # type: ignore[misc]
    """The program on the virtual board did what would stop a real chip, or what spoils its work.

    `location` is where, `address` the program counter there. It stays until the board is reset.
    """

    def __init__(self, what: str, why: str, next_step: str, location: Location, address: int):
        KitError.__init__(self, what, why, next_step)
        self.location = location
        self.address = address


class Cause(NamedTuple):
    """How the core flags a fault (ARMv7-M ARM section B3.2.15 to B3.2.18).

    `exception` is the number of the exception that it raises, `cfsr` and `hfsr` are the bits that
    it sets there. With `data`, an address goes into BFAR.
    """

    exception: int
    cfsr: int = 0
    hfsr: int = 0
    data: bool = False


HARD, MEMORY, BUS, USAGE = 3, 4, 5, 6  # PM0214 table 17
BAD_DATA = Cause(BUS, 1 << 9 | 1 << 15, data=True)  # PRECISERR, BFARVALID
BAD_FETCH = Cause(BUS, 1 << 8)  # IBUSERR
NO_EXECUTION = Cause(MEMORY, 1 << 0)  # IACCVIOL
UNDEFINED = Cause(USAGE, 1 << 16)
WRONG_STATE = Cause(USAGE, 1 << 17)  # INVSTATE
NO_COPROCESSOR = Cause(USAGE, 1 << 19)  # NOCP
UNALIGNED = Cause(USAGE, 1 << 24)
BREAKPOINT = Cause(HARD, hfsr=1 << 31)  # DEBUGEVT


class Problem(NamedTuple):
    """What the program did, what a real chip does then, and how to put it right.

    `fix` is empty where the code itself must tell. `cause` is that of the exception a real chip
    raises, if it does. After a jump to nowhere (`jumped`), only the return address tells where the
    program came from.
    """

    what: str
    effect: str
    fix: str = ""
    cause: Cause | None = None
    jumped: bool = False


def board_fault(problem: Problem, elf: Path, address: int, link: int) -> BoardFault:
    """The error for a problem at `address`.

    `link` is the link register: the caller's address as long as the function has not called another
    one.
    """
    if problem.jumped:
        address, link = (link & ~1) - 2, 0
    location, caller = locate(elf, address), locate(elf, (link & ~1) - 2)
    place = str(location) or f"code at 0x{address:08x}, of which the source is not known"
    text = f"The program on the virtual board {problem.what}, in {place}"
    if caller.function and caller.function != location.function:
        text += f", called from {caller}"
    known = f"Look at line {location.line} of {Path(location.file).name}"
    look = known if location.line else "Compile with -g, so that the line is known"
    again = "then build, flash and open the board again (or reset it)."
    return BoardFault(
        text + ".", problem.effect, f"{problem.fix} {look}; {again}".lstrip(), location, address
    )
