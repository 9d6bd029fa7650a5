"""What the fault handler on the board reports, in plain words, with the place in the C source."""

import struct
from dataclasses import dataclass

from kit.compile.program import Program
from kit.errors import KitError
from virtual_nucleo.faults import BFARVALID, CFSR, EXCEPTIONS, HFSR, MMARVALID
from virtual_nucleo.program import Location

SVCALL = 11
ENTRY = "Reset_Handler"  # the function that calls main() and ends in an undefined instruction
WITHOUT_PC = ("IACCVIOL", "IBUSERR", "INVSTATE")  # pc is where it went, not where it came from


@dataclass(frozen=True)
class Crash:
    """What the fault handler saw; registers as 32-bit values.

    `exception` is the number of the exception (3 HardFault); r0 to xpsr are the registers that the
    core pushed, all 0 when the stack pointer was not in RAM; `build_id` is that of the firmware.
    """

    build_id: str
    exception: int
    cfsr: int
    hfsr: int
    mmfar: int
    bfar: int
    r0: int
    r1: int
    r2: int
    r3: int
    r12: int
    lr: int
    pc: int
    xpsr: int

    @property
    def flags(self) -> list[tuple[str, str, str]]:
        """The bits that are set, the most telling first: name, what happened, what to do."""
        found = [text for bit, text in CFSR.items() if self.cfsr >> bit & 1]
        return found + [text for bit, text in HFSR.items() if self.hfsr >> bit & 1]


class CrashError(KitError):
    """The program on the board crashed. `location` is where, `crash` what the core said, None
    where the virtual board told the fault by itself."""

    def __init__(
        self, what: str, why: str, next_step: str, location: Location, crash: Crash | None
    ) -> None:
        super().__init__(what, why, next_step)
        self.location = location
        self.crash = crash


def parse(payload: bytes) -> Crash | None:
    """The payload of a FAULT frame, taken apart; None when it is too short."""
    form = struct.Struct("<B4I8I")
    if len(payload) < form.size:
        return None
    build_id = payload[form.size :].decode("ascii", "replace")
    return Crash(build_id, *form.unpack_from(payload))


def crash_error(payload: bytes, program: Program | None = None) -> KitError:
    """The error for a FAULT frame.

    Args:
        payload: of the frame.
        program: the one on the board with its source lines, where it is at hand.
    """
    crash = parse(payload)
    if crash is None:
        return KitError("The program on the board crashed.", "", "Press the black reset button.")
    name, what, fix = _diagnosis(crash)
    location, caller = _places(crash, program, name)
    if location.function == ENTRY and name == "UNDEFINSTR":
        what, fix = "returned from main()", "There is nothing to return to: end main() in a loop."
    text = f"The program on the board {what}{_where(crash, location, caller)}."
    after = "Then build, flash and try again; the black button resets the board."
    return CrashError(text, _evidence(crash), f"{fix} {after}".strip(), location, crash)


def _diagnosis(crash: Crash) -> tuple[str, str, str]:
    """The name of the flag that tells most, what the program did, and what to do about it."""
    if not crash.flags:
        number = crash.exception
        name = EXCEPTIONS.get(number, f"interrupt {number - 16}" if number > 15 else str(number))
        return name, f"was interrupted by an exception it has no handler for ({name})", ""
    name, what, fix = crash.flags[0]
    address = {
        "pc": f"0x{crash.pc:08x}",
        "bfar": f"0x{crash.bfar:08x}" if crash.cfsr & BFARVALID else "an address",
        "mmfar": f"0x{crash.mmfar:08x}" if crash.cfsr & MMARVALID else "an address",
    }
    return name, what.format(**address), fix


def _places(crash: Crash, program: Program | None, name: str) -> tuple[Location, Location]:
    """Where it happened, and the caller as far as lr tells."""
    if program is None:
        return Location(), Location()
    caller = program.locate((crash.lr & ~1) - 2)
    if name in WITHOUT_PC:
        return caller, Location()
    location = program.locate(crash.pc - 2 * (crash.exception == SVCALL))  # which returns after it
    distinct = caller.function not in ("", location.function)
    return location, caller if distinct and location.function != ENTRY else Location()


def _where(crash: Crash, location: Location, caller: Location) -> str:
    if str(location):
        return f", in {location}" + (f", called from {caller}" if str(caller) else "")
    if crash.pc == crash.lr == 0:
        return ""
    return f", at 0x{crash.pc:08x} (return address 0x{crash.lr:08x}); its source is not at hand"


def _evidence(crash: Crash) -> str:
    names = ", ".join(name for name, _, _ in crash.flags) or "no flag set"
    lost = crash.pc == crash.lr == 0
    text = f"The core says {names} (CFSR 0x{crash.cfsr:08x}, HFSR 0x{crash.hfsr:08x}; PM0214"
    text += " section 4.4)."
    return text + " The stack pointer was not in RAM, so where it was is not known." * lost
