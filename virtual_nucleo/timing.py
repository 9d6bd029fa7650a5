"""How many cycles instructions take on a Cortex-M4: an estimate from its manual.

The figures are those of the Cortex-M4 Technical Reference Manual (100166): table 3-1 and section
3.3.2 "Load/store timings" for the core, section 7.2.3 for the FPU. They hold for memories without
wait states, and the model is simpler than the processor:

- A taken branch costs REFILL cycles more than one that is not taken. The manual says 1 to 3.
- A division takes DIVISION cycles. The manual says 2 to 12, fewer for small quotients.
- A load takes 2 cycles, 1 right behind another load or when its data is not its address; LDM and
  its kind take one more than there are words.
- An instruction that an IT block skips is charged as if it were executed.
- The wait states of the flash and accesses that are made in parts are counted where they are asked
  for: flash.py has that model, and states what it assumes.
- Not modeled: the bus shared with others, folded IT instructions.

No chip has been compared yet. So every number made from this is called an estimate wherever it is
shown; `kit selftest` on a real board prints both.
"""

import threading
from collections.abc import Iterator
from typing import Any, NamedTuple

import capstone
from capstone import arm

MODE = capstone.CS_MODE_THUMB | capstone.CS_MODE_MCLASS
OWN = threading.local()  # each thread's: capstone works on one thing at a time
FPU = "fpu"
REFILL = 2  # cycles to fill the pipeline again: P in table 3-1, 1 to 3
DIVISION = 7  # cycles of UDIV and SDIV: 2 to 12

CYCLES = {
    **dict.fromkeys(("udiv", "sdiv"), DIVISION),
    **dict.fromkeys(("mrs", "msr", "cps", "tbb", "tbh", "ldrex", "ldrexb", "ldrexh"), 2),
    **dict.fromkeys(("strex", "strexb", "strexh"), 2),
    "isb": 1 + REFILL,
    **dict.fromkeys(("vdiv", "vsqrt"), 14),
    **dict.fromkeys(("vmla", "vmls", "vnmla", "vnmls", "vfma", "vfms", "vfnma", "vfnms"), 3),
}
LOADS = {"ldr", "ldrb", "ldrh", "ldrsb", "ldrsh", "ldrt", "ldrbt", "ldrht", "ldrsbt", "ldrsht"}
STORES = {"str", "strb", "strh", "strt", "strbt", "strht"}
LISTS = {"ldm", "ldmdb", "stm", "stmdb", "vldmia", "vldmdb", "vstmia", "vstmdb"}
OTHERS = {"ldrd", "strd", "vldr", "vstr"}
MULTIPLE = LISTS | OTHERS | {"push", "pop", "vpush", "vpop"}
ALIGNED = LISTS | OTHERS | {"ldrex", "strex"}  # ARMv7-M ARM section A3.2.1
# Their result comes a cycle later when the next instruction wants it.
LATE = {name for name in CYCLES if name[0] == "v"} | {"vadd", "vsub", "vmul", "vnmul", "vcvt"}
FLOATING = {arm.ARM_GRP_VFP2, arm.ARM_GRP_VFP3, arm.ARM_GRP_VFP4}
REG, CORE = arm.ARM_OP_REG, range(arm.ARM_REG_R0, arm.ARM_REG_R12 + 1)
MOST_FIRST = 4  # guards of a block
ALWAYS = {arm.ARM_CC_INVALID, arm.ARM_CC_AL}
JUMPS = {arm.ARM_GRP_JUMP, arm.ARM_GRP_CALL, arm.ARM_GRP_BRANCH_RELATIVE}


Guard = tuple[int, str]
"""An instruction to watch, by its address, and the register in which it needs an address of whole
words, or FPU where it needs the floating-point unit."""


class Block(NamedTuple):
    """A stretch of code without branches but at its end, where a taken one costs `branch` more.
    `cycles[address]` is the estimate from its start to the instruction at `address`; the keys are
    the addresses of its instructions in order, then its end. `guards` are to be watched.
    `first` are those whose register has the value with which the block begins: it is looked at
    then, and they are watched only if it has no whole words. A `steady` block leaves it so."""

    cycles: dict[int, int]
    branch: int
    guards: tuple[Guard, ...]
    first: tuple[Guard, ...]
    steady: bool


def disassemble(code: bytes, address: int) -> Iterator[tuple[int, Any]]:
    """Address and capstone's view of each instruction; None for one that capstone does not know. An
    instruction has 32 bits when the top five bits of its first halfword are 11101, 11110 or 11111
    (ARMv7-M ARM section A5.1), else 16."""
    if not hasattr(OWN, "capstone"):
        OWN.capstone = capstone.Cs(capstone.CS_ARCH_ARM, MODE)
        OWN.capstone.detail = True
    position = 0
    while position < len(code):
        for known in OWN.capstone.disasm(code[position:], address + position):
            yield address + position, known
            position += known.size
        if position < len(code):
            yield address + position, None
            position += 4 if code[position + 1] >> 3 >= 0b11101 else 2


def decode(code: bytes, address: int) -> Block:
    """What there is to know about the block of `code` at `address`."""
    cycles, total, before = {}, 0, None
    guards: list[Guard] = []
    first: list[Guard] = []
    checked: set[str] = set()
    written: set[str] = {FPU}
    for at, instruction in disassemble(code, address):
        cycles[at] = total
        total += estimate(instruction, before)
        for guard in _guards(instruction, checked):
            early = guard[1] not in written and len(first) < MOST_FIRST
            (first if early else guards).append(guard)
        written |= accessed(instruction, written=True) if instruction else set()
        before = instruction
    cycles[address + len(code)] = total
    jumps = before and (JUMPS & set(before.groups) or "pc" in accessed(before, written=True))
    branch = REFILL if jumps else 0
    steady = checked >= {base for _, base in first}
    return Block(cycles, branch, tuple(guards), tuple(first), steady)


def estimate(instruction: Any, before: Any) -> int:
    """Cycles of an instruction right behind another one (or None), a taken branch not counted."""
    name = instruction.insn_name() if instruction else ""
    previous = before.insn_name() if before else ""
    read = accessed(instruction) if instruction else set()
    late = previous in LATE and bool(accessed(before, written=True) & read)
    if name in MULTIPLE:
        return 1 + _words(instruction, name) + late
    overlaps = previous in LOADS and name in LOADS | STORES
    if overlaps and before.reg_name(before.operands[0].reg) not in read:
        return 1
    if name in LOADS:
        return 2
    if name in STORES:
        return 2 if _memory(instruction).index else 1
    if name == "vmov" and sum(o.reg in CORE for o in instruction.operands if o.type == REG) == 2:
        return 2
    return CYCLES.get(name, 1) + late


def _words(instruction: Any, name: str) -> int:
    registers = [o.reg for o in instruction.operands if o.type == REG]
    registers = registers[1:] if name in LISTS else registers  # the first is the address
    return sum(2 if instruction.reg_name(r)[0] == "d" else 1 for r in registers)


def accessed(instruction: Any, written: bool = False) -> set[str]:
    """The registers that an instruction reads, or those that it writes."""
    return {instruction.reg_name(register) for register in instruction.regs_access()[written]}


def _memory(instruction: Any) -> Any:
    """The operand in brackets, if there is one."""
    return next((o.mem for o in instruction.operands if o.type == arm.ARM_OP_MEM), None)


def _guards(instruction: Any, checked: set[str]) -> list[Guard]:
    """What to watch at an instruction; once in a block is enough. `checked` has the registers that
    were looked at and have moved by whole words only since, and FPU when a floating-point
    instruction came before. Offsets in these instructions are whole words. What is in an IT block
    is not watched: it may be skipped."""
    if not instruction or instruction.cc not in ALWAYS:
        return []
    wanted, base = [FPU] if FLOATING & set(instruction.groups) else [], ""
    if instruction.insn_name() in ALIGNED:
        address = _memory(instruction)
        base = instruction.reg_name(address.base if address else instruction.operands[0].reg)
        wanted += [base] if base not in ("sp", "pc") else []
    found = [(instruction.address, each) for each in wanted if each not in checked]
    checked.update(wanted)
    checked -= accessed(instruction, written=True) - ({base} if instruction.writeback else set())
    return found
