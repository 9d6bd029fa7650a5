"""What a network takes of a chip: flash, variables, and the stack at its deepest.

The compilers say what each function takes of the stack (-fstack-usage), an assembly file says it in
its first line; of the functions that a compiler brings along, such as those for double, the machine
code says it, and of all who calls whom. So the figure is a bound, not a measurement.
"""

import re
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

from capstone import arm

from kit.compile.program import Program
from kit.errors import KitError
from kit.paths import FIRMWARE
from virtual_nucleo.timing import JUMPS, accessed, disassemble

START = "Reset_Handler"
STATED = re.compile(r"/\* stack: (\d+) bytes \*/")
MADE = re.compile(r"^\s*(?:\.type|[A-Z]\w*)\s+(nn_\w+)", re.MULTILINE)
"""An assembly file's functions: it gives their type, or a macro in capitals makes them."""
FIXED = ("static", "dynamic,bounded")  # kinds of stack usage that have a bound
PUSHES = re.compile(r"(v)?push")
RAISES = re.compile(r"v?pop|v?ldm(?!db)|ldr.*\], #\d|add.*, #")
"""How code lowers the stack pointer by so many registers, and how it raises it again."""
POINTER = -1
RETURNS = re.compile(r"bx(..)? lr|pop|ldm\S* sp|ldr\S* pc, \[sp|tb[bh] ")
"""How code returns, and jumps by a table within its function."""


@dataclass(frozen=True)
class Footprint:
    """What a bare program takes, in bytes: all of its flash; its variables, which are the arena and
    little else; and the stack at its deepest, where the functions of `deepest` call each other."""

    flash_bytes: int
    variables_bytes: int
    stack_bytes: int
    deepest: tuple[str, ...]

    @property
    def ram_bytes(self) -> int:
        """Variables and stack."""
        return self.variables_bytes + self.stack_bytes

    def __str__(self) -> str:
        return (
            f"alone on a chip: flash {self.flash_bytes:,} bytes, RAM {self.ram_bytes:,} bytes "
            f"(variables {self.variables_bytes:,}, stack at most {self.stack_bytes:,}: "
            f"{' > '.join(self.deepest)})"
        )


def footprint_of(program: Program, built: Path, sources: Path = FIRMWARE) -> Footprint:
    """The footprint of a bare program that was built in the folder `built` of `sources`.

    Raises KitError where the stack has no bound: a recursion, a call through a pointer, a variable
    on the stack whose size is not known, or a function of which nobody says what it takes.
    """
    stack, deepest = _Stack(program, _assembly(sources) | _compiled(built)).of(START)
    memory = program.memory
    return Footprint(memory.flash_bytes, memory.ram_bytes, stack, deepest)


def _compiled(built: Path) -> dict[str, int]:
    """Bytes by function, as the compiler wrote them; the largest of those that have one name."""
    found: dict[str, int] = {}
    for path in built.rglob("*.su"):
        for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
            place, size, kind = line.rsplit("\t", 2)
            name = place.rpartition(":")[2].partition(".")[0]
            if kind not in FIXED:
                raise _unbounded(f"{name} has a variable there whose size is not known", place)
            found[name] = max(found.get(name, 0), int(size))
    return found


def _assembly(sources: Path) -> dict[str, int]:
    """Bytes by function, as the assembly files state them, each for all its functions."""
    found: dict[str, int] = {}
    for path in sources.glob("nn/*.S"):
        text = path.read_text(encoding="utf-8")
        if stated := STATED.match(text):
            found |= {name: max(found.get(name, 0), int(stated[1])) for name in MADE.findall(text)}
    return found


class _Stack:
    """The functions of a program by their address, and what they take of the stack together."""

    def __init__(self, program: Program, taken: dict[str, int]) -> None:
        self.program, self.functions, self.taken = program, program.functions(), taken
        self.known: dict[int, tuple[int, tuple[str, ...]]] = {}

    def of(self, name: str) -> tuple[int, tuple[str, ...]]:
        """As `below`, of the function of a name."""
        return self.below(next(at for at, one in self.functions.items() if one.name == name))

    def below(self, at: int, callers: tuple[int, ...] = ()) -> tuple[int, tuple[str, ...]]:
        """The most that a function takes with all that it calls, and the calls that lead there."""
        name = self.functions[at].name
        if at in callers:
            round_trip = (self.functions[one].name for one in (*callers, at))
            raise _unbounded(f"{name} calls itself", " > ".join(round_trip))
        if at not in self.known:
            instructions, called = self._called(at)
            own = self.taken.get(name.partition(".")[0])
            if own is None:
                own = sum(_pushed(one, name) for one in instructions)
            deeper = [self.below(one, (*callers, at)) for one in called]
            most, further = max(deeper, default=(0, ()))
            self.known[at] = own + most, (name, *further)
        return self.known[at]

    def _called(self, at: int) -> tuple[list[Any], set[int]]:
        """The instructions of a function, and the address of each one that it calls or goes on in.
        A jump through a pointer is to what stands in the same function: one of others (`a ? f : g`)
        or a place in it."""
        name, place, code = self.functions[at]
        pieces = (disassemble(piece, low) for low, piece in code)
        instructions = [one for _, one in chain.from_iterable(pieces) if one]
        jumps = set(map(_target, instructions))
        inside = (place, place[1:])  # a call in there is of a part of it, one to its start is not
        targets = {to for to, is_call in jumps if to and to not in inside[is_call]}
        if POINTER in targets:
            known = self._addresses(instructions) & {*self.functions, *place}
            if not known:
                raise _unbounded(f"{name} calls through a pointer", "Any function may be there")
            targets |= known.difference(place)
        return instructions, {self._around(to) for to in targets - {POINTER}}

    def _addresses(self, instructions: list[Any]) -> set[int]:
        """The addresses of code that are loaded: a literal, half by half, or from here."""
        found, lower = set(), dict[int, int]()
        for one in instructions:
            operands, here = one.operands, one.address + 4 & ~3
            if one.mnemonic.startswith("movw"):
                lower[operands[0].reg] = operands[1].imm
            elif one.mnemonic.startswith("movt"):
                found.add(operands[1].imm << 16 | lower.get(operands[0].reg, 0))
            elif one.mnemonic.startswith("adr"):
                found.add(here + operands[1].imm)
            elif one.mnemonic.startswith("add") and _is_pc(operands[1]):
                found.add(here + operands[-1].imm)
            elif one.mnemonic.startswith("ldr") and _is_pc(operands[1]):
                found.add(self.program.word(here + operands[1].mem.disp))
        return {address - 1 for address in found}

    def _around(self, address: int) -> int:
        """The function that an address lies in."""
        return next(at for at, one in self.functions.items() if address in one.place)


def _is_pc(operand: Any) -> bool:
    """Whether it is PC, or memory beside it."""
    register = operand.mem.base if operand.type == arm.ARM_OP_MEM else operand.reg
    return bool(operand.type != arm.ARM_OP_IMM and register == arm.ARM_REG_PC)


def _pushed(instruction: Any, name: str) -> int:
    """The bytes by which an instruction of a function lowers the stack pointer; KitError where that
    does not stand in it. All of them together are a bound: none is in a loop without its undoing.
    """
    text = f"{instruction.mnemonic} {instruction.op_str}"
    if arm.ARM_REG_SP not in instruction.regs_access()[True] or RAISES.match(text):
        return 0
    last = instruction.operands[-1]
    if listed := PUSHES.match(text):
        return len(instruction.operands) * (8 if listed[1] else 4)
    if text.endswith("]!") and last.mem.disp < 0:
        return int(-last.mem.disp)
    if instruction.mnemonic.startswith("sub") and last.type == arm.ARM_OP_IMM:
        return int(last.imm)
    why = f"At 0x{instruction.address:08x} is `{text}`, and neither compiler nor assembly says more"
    raise _unbounded(f"what {name} takes is not known", why)


def _target(instruction: Any) -> tuple[int, bool]:
    """Where an instruction jumps to, or POINTER, or 0: to the next one or back to the caller; and
    whether it calls."""
    groups, operands = set(instruction.groups), instruction.operands
    if JUMPS & groups and operands[-1].type == arm.ARM_OP_IMM:
        return operands[-1].imm, arm.ARM_GRP_CALL in groups
    written = instruction.reg_name(arm.ARM_REG_PC) in accessed(instruction, written=True)
    returns = RETURNS.match(f"{instruction.mnemonic} {instruction.op_str}")
    return (POINTER if (JUMPS & groups or written) and not returns else 0), True


def _unbounded(what: str, why: str) -> KitError:
    return KitError(
        f"The stack that the network needs at most cannot be told: {what}.",
        f"{why}.",
        "Kernels have no recursion, no calls through pointers and no arrays of variable size.",
    )
