"""What a program did wrong, in words, with the function and line of its C source."""

from pathlib import Path
from typing import NamedTuple

from virtual_nucleo.errors import PortError
from virtual_nucleo.program import Location, Program

POINTER = "Check the pointers and array indices there."
JUMP = "Check function pointers, and arrays on the stack: a return address may be overwritten."
STACK = "Give the stack more room (STACK_SIZE in firmware/CMakeLists.txt), or use less of it."
SWITCH_ON = "Switch it on first: SCB->CPACR |= 0xF << 20, then DSB and ISB."
ALIGN = "Align the data (_Alignas(4)), or copy it with memcpy() instead of casting its pointer."

# Bits of CFSR, the first that is set is told: name, what the program did, how to put it right.
# Sources: PM0214 section 4.4.10, ARMv7-M ARM section B3.2.15.
CFSR = {
    4: ("MSTKERR", "ran out of stack", STACK),
    12: ("STKERR", "ran out of stack", STACK),
    0: ("IACCVIOL", "jumped to {pc}, where no code may be", JUMP),
    1: ("DACCVIOL", "{accessed} {mmfar}, which is not allowed", POINTER),
    8: ("IBUSERR", "jumped to {pc}, where there is no code", JUMP),
    9: ("PRECISERR", "{accessed} {bfar}, where this chip has nothing", POINTER),
    10: ("IMPRECISERR", "wrote where this chip has nothing, a few instructions earlier", POINTER),
    16: ("UNDEFINSTR", "executed an instruction that this chip does not have", JUMP),
    17: ("INVSTATE", "jumped to {pc}, an even address, which Thumb code cannot be at", JUMP),
    18: ("INVPC", "returned from an exception in a wrong way", JUMP),
    19: ("NOCP", "used the floating-point unit while it was off", SWITCH_ON),
    24: ("UNALIGNED", "accessed several words, or a float, at no multiple of 4", ALIGN),
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
HARD, MEMORY, BUS, USAGE = 3, 4, 5, 6  # those that are
JUMPED = ("IACCVIOL", "IBUSERR", "INVSTATE")  # pc is where it went, not where it came from
REASONS = {  # beyond what the words above say
    "IACCVIOL": "From 0x40000000 on there is no code (ARMv7-M ARM section B3.1).",
    "INVSTATE": "A Cortex-M4 executes Thumb code only, and bit 0 of a jump's target says so; a "
    "null function pointer has none.",
    "NOCP": "Out of reset the floating-point unit is off (PM0214, CPACR).",
    "UNALIGNED": "LDR, STR and their halfword forms take any address; loads and stores of two or "
    "more words, of floats and LDREX do not (ARMv7-M ARM section A3.2.1).",
    "DEBUGEVT": "There is no debugger that would take it (ARMv7-M ARM section C1.5).",
}


class BoardFault(PortError):
    """The program on the virtual board did what would stop a real chip, or what spoils its work.
    `location` is where, `address` the program counter there. It stays until the board is reset."""

    def __init__(self, what: str, why: str, next_step: str, location: Location, address: int):
        super().__init__(what, why, next_step)
        self.location, self.address = location, address


class Problem(NamedTuple):
    """What the program did, what a real chip does then, and how to put it right, unless the code
    itself must tell; `flag` names the core's flag of a fault, for which it raises an exception."""

    what: str
    effect: str
    fix: str = ""
    flag: str = ""


def core_fault(flag: str, accessed: str = "", address: int = 0) -> Problem:
    """The problem that the core has a flag for; `address` is what was jumped to or accessed."""
    _, what, fix = next(row for row in (*CFSR.values(), *HFSR.values()) if row[0] == flag)
    at = f"0x{address:08x}"
    kind = {MEMORY: "MemManage fault", BUS: "BusFault", USAGE: "UsageFault"}.get(cause(flag)[0])
    taken = f"{kind} ({flag}), which ends in the HardFault handler" if kind else "HardFault"
    effect = f"{REASONS.get(flag, '')} A real chip raises a {taken} (PM0214, fault handling)."
    return Problem(what.format(accessed=accessed, pc=at, bfar=at), effect.strip(), fix, flag)


def cause(flag: str) -> tuple[int, int, int]:
    """The number of the exception that a flag raises, and the bits it sets in CFSR and in HFSR."""
    bit = next((bit for bit, row in CFSR.items() if row[0] == flag), None)
    if bit is None:
        return HARD, 0, next(1 << bit for bit, row in HFSR.items() if row[0] == flag)
    valid = BFARVALID if flag == "PRECISERR" else 0
    return MEMORY if bit < 8 else BUS if bit < 16 else USAGE, 1 << bit | valid, 0


def board_fault(problem: Problem, program: Program | None, address: int, link: int) -> BoardFault:
    """The error for a problem at `address`. `link` is the link register: the caller's address as
    long as the function has not called another one. After a jump to nowhere only it tells where the
    program came from."""
    if problem.flag in JUMPED:
        address, link = (link & ~1) - 2, 0
    locate = program.locate if program else lambda _: Location()
    location, caller = locate(address), locate((link & ~1) - 2)
    place = str(location) or f"code at 0x{address:08x}, of which the source is not known"
    text = f"The program on the virtual board {problem.what}, in {place}"
    if caller.function and caller.function != location.function:
        text += f", called from {caller}"
    look = f"Look at line {location.line} of {Path(location.file).name}"
    look = look if location.line else "Compile with -g, so that the line is known"
    fix = f"{problem.fix} {look}; then build, flash and open the board again (or reset it)."
    return BoardFault(text + ".", problem.effect, fix.strip(), location, address)
