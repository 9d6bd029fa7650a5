"""What a program did wrong, told with the function and line of its C source."""

from pathlib import Path
from typing import NamedTuple

from virtual_nucleo.errors import PortError
from virtual_nucleo.program import Location, Program


class BoardFault(PortError):
    """The program on the virtual board did what would stop a real chip, or what spoils its work.

    `location` is where, `address` the program counter there. It stays until the board is reset.
    """

    def __init__(self, what: str, why: str, next_step: str, location: Location, address: int):
        super().__init__(what, why, next_step)
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


def board_fault(problem: Problem, program: Program | None, address: int, link: int) -> BoardFault:
    """The error for a problem at `address`.

    `link` is the link register: the caller's address as long as the function has not called another
    one.
    """
    if problem.jumped:
        address, link = (link & ~1) - 2, 0
    locate = program.locate if program else lambda _: Location()
    location, caller = locate(address), locate((link & ~1) - 2)
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


# --- What the core itself says of a fault

POINTER = "Check the pointers and array indices there."
JUMP = "Check function pointers, and arrays on the stack: a return address may be overwritten."
STACK = "Give the stack more room (STACK_SIZE in firmware/CMakeLists.txt), or use less of it."

# Bits of CFSR, the first that is set is told: name, what the program did, how to put it right.
# Sources: PM0214 section 4.4.10, ARMv7-M ARM section B3.2.15.
CFSR = {
    4: ("MSTKERR", "ran out of stack", STACK),
    12: ("STKERR", "ran out of stack", STACK),
    0: ("IACCVIOL", "jumped to {pc}, where no code may be", JUMP),
    1: ("DACCVIOL", "read or wrote {mmfar}, which is not allowed", POINTER),
    8: ("IBUSERR", "jumped to {pc}, where there is no code", JUMP),
    9: ("PRECISERR", "read or wrote {bfar}, where this chip has nothing", POINTER),
    10: (
        "IMPRECISERR",
        "wrote to an address where this chip has nothing, a few instructions earlier",
        POINTER,
    ),
    16: ("UNDEFINSTR", "executed an instruction that this chip does not have", JUMP),
    17: ("INVSTATE", "jumped to an even address, which Thumb code cannot be at", JUMP),
    18: ("INVPC", "returned from an exception in a wrong way", JUMP),
    19: (
        "NOCP",
        "used the floating-point unit while it was off",
        "Switch it on first: SCB->CPACR |= 0xF << 20.",
    ),
    24: ("UNALIGNED", "read or wrote several bytes at an address that they must not have", POINTER),
    25: ("DIVBYZERO", "divided by zero", "Test the divisor first."),
    3: ("MUNSTKERR", "found its stack gone when an exception ended", STACK),
    11: ("UNSTKERR", "found its stack gone when an exception ended", STACK),
    5: ("MLSPERR", "found no stack for the floating-point registers", STACK),
    13: ("LSPERR", "found no stack for the floating-point registers", STACK),
}
MMARVALID, BFARVALID = 1 << 7, 1 << 15
# Bits of HFSR: PM0214 section 4.4.11. FORCED says only that CFSR has the reason.
HFSR = {
    1: ("VECTTBL", "could not read its vector table", "Flash the firmware again."),
    31: ("DEBUGEVT", "stopped at a breakpoint instruction (BKPT)", "Take it out."),
    30: ("FORCED", "had a fault that was not one for the HardFault handler at first", ""),
}
# Exceptions that are no faults: PM0214 table 17.
EXCEPTIONS = {2: "NMI", 11: "SVCall", 12: "Debug monitor", 14: "PendSV", 15: "SysTick"}
