"""A crashed program, a real board's or the virtual one's, in plain words and with its C source."""

from contextlib import suppress

from kit.board.address import how_to_flash
from kit.board.requests import Crash, take_apart
from kit.compile.program import Program
from kit.errors import KitError
from kit.paths import build_folder
from virtual_nucleo import faults
from virtual_nucleo.errors import EmptyFlashError, VirtualError
from virtual_nucleo.faults import CFSR, HFSR, JUMPED, BoardFault
from virtual_nucleo.program import Location

SVCALL = 11
ENTRY = "Reset_Handler"  # the function that calls main() and ends in an undefined instruction
PROGRAMS = ("firmware.elf", "virtual/[!.]*.elf", "exercises/**/firmware.elf")  # in build/


class CrashError(KitError):
    """The program on the board crashed; `location` is where in its source."""

    def __init__(self, what: str, why: str, next_step: str, location: Location) -> None:
        super().__init__(what, why, next_step)
        self.location = location


def told_by(error: VirtualError, url: str) -> KitError:
    """An error of the virtual board at `url` as one of the kit's."""
    if isinstance(error, BoardFault):
        return CrashError(error.what, error.why, error.next_step, error.location)
    empty = isinstance(error, EmptyFlashError)
    return KitError(error.what, error.why, how_to_flash(url) if empty else error.next_step)


def crash_error(payload: bytes) -> KitError:
    """The error for a FAULT frame's payload, with source lines if the program was built here."""
    try:
        crash = take_apart(Crash, payload)
    except ValueError:
        return KitError("The program on the board crashed.", "", "Press the black reset button.")
    usual = f"interrupt {crash.exception - 16}" if crash.exception > 15 else str(crash.exception)
    name = faults.EXCEPTIONS.get(crash.exception, usual)
    unexpected = name, f"was interrupted by an exception it has no handler for ({name})", ""
    flags = [row for bit, row in CFSR.items() if crash.cfsr >> bit & 1]
    flags += [row for bit, row in HFSR.items() if crash.hfsr >> bit & 1]
    name, what, fix = flags[0] if flags else unexpected
    what = what.format(
        accessed="read or wrote",
        pc=f"0x{crash.pc:08x}",
        bfar=f"0x{crash.bfar:08x}" if crash.cfsr & faults.BFARVALID else "an address",
        mmfar=f"0x{crash.mmfar:08x}" if crash.cfsr & faults.MMARVALID else "an address",
    )
    location, caller = _places(crash, name)
    if location.function == ENTRY and name == "UNDEFINSTR":
        what, fix = "returned from main()", "There is nothing to return to: end main() in a loop."
    lost = crash.pc == crash.lr == 0
    where = f", at 0x{crash.pc:08x} (return address 0x{crash.lr:08x}); its source is not at hand"
    if str(location):
        where = f", in {location}" + (f", called from {caller}" if str(caller) else "")
    names = ", ".join(name for name, _, _ in flags) or "no flag set"
    reason = f"{faults.REASONS[name]} " if name in faults.REASONS else ""
    return CrashError(
        f"The program on the board {what}{'' if lost else where}.",
        f"{reason}The core says {names} (CFSR {crash.cfsr:#010x}, HFSR {crash.hfsr:#010x}; PM0214 "
        "section 4.4)." + " The stack pointer was not in RAM, so where it was is not known." * lost,
        f"{fix} Then build, flash and try again; the black button resets the board.".strip(),
        location,
    )


def _places(crash: Crash, name: str) -> tuple[Location, Location]:
    """Where it happened, and the caller as far as lr tells; empty without the program's file."""
    program = _program(crash.build_id)
    if program is None:
        return Location(), Location()
    caller = program.locate((crash.lr & ~1) - 2)
    if name in JUMPED:
        return caller, Location()
    location = program.locate(crash.pc - 2 * (crash.exception == SVCALL))  # which returns after it
    distinct = caller.function not in ("", location.function)
    return location, caller if distinct and location.function != ENTRY else Location()


def _program(build_id: str) -> Program | None:
    """The program of a build, where it is at hand; a file that is damaged is none."""
    for path in (path for pattern in PROGRAMS for path in build_folder().glob(pattern)):
        with suppress(KitError):
            program = Program(path)
            if build_id and program.build_id == build_id:
                return program
    return None
