"""How the core takes a fault: registers saved on the stack, and on to the handler.

ARMv7-M ARM section B1.5.6 "Exception entry behavior" and B1.5.14 "Fault behavior". Only faults are
taken, there are no interrupts; and a program that uses the process stack is not followed.
"""

import struct

from unicorn import Uc, UcError
from unicorn.arm_const import (
    UC_ARM_REG_CONTROL,
    UC_ARM_REG_FPSCR,
    UC_ARM_REG_IPSR,
    UC_ARM_REG_LR,
    UC_ARM_REG_PC,
    UC_ARM_REG_PRIMASK,
    UC_ARM_REG_R0,
    UC_ARM_REG_R12,
    UC_ARM_REG_S0,
    UC_ARM_REG_SP,
    UC_ARM_REG_XPSR,
)

from virtual_nucleo import memory_map as m
from virtual_nucleo.faults import HARD, Cause
from virtual_nucleo.registers import Registers

THUMB = 1 << 24  # in xPSR: ARMv7-M ARM section B1.4.2
SPSEL, FPCA = 1 << 1, 1 << 2  # in CONTROL: section B1.4.4
REALIGNED = 1 << 9  # in the xPSR that is saved: the stack pointer was moved by a word
FORCED = 1 << 30  # in HFSR
BASIC, FLOATING = 8, 18  # words saved; with FPCA, S0 to S15, FPSCR and a reserved word more
BRANCH_TO_SELF = b"\xfe\xe7"  # `b .`, encoding T2: ARMv7-M ARM section A7.7.12
REGISTERS = [*(UC_ARM_REG_R0 + i for i in range(4)), UC_ARM_REG_R12, UC_ARM_REG_LR, UC_ARM_REG_PC]


def flag(system: Registers, cause: Cause, data: int) -> int:
    """Set the fault status registers and return the exception's number.

    Unless its handler is enabled in SHCSR, a fault escalates to HardFault.
    """
    values = system.values
    values[m.CFSR] = values.get(m.CFSR, 0) | cause.cfsr
    values[m.HFSR] = values.get(m.HFSR, 0) | cause.hfsr
    if cause.data:
        values[m.BFAR] = data
    enabled = values.get(m.SHCSR, 0) >> 16 + cause.exception - HARD - 1 & 1
    if cause.exception == HARD or enabled:
        return cause.exception
    values[m.HFSR] |= FORCED
    return HARD


def enter(uc: Uc, system: Registers, cause: Cause, data: int) -> bool:
    """Take the exception of a fault; false where that leads to no handler that does anything."""
    number = flag(system, cause, data)
    if number != HARD and uc.reg_read(UC_ARM_REG_PRIMASK) & 1:
        system.values[m.HFSR] |= FORCED
        number = HARD
    try:
        vector = uc.mem_read(system.read(m.VTOR) + 4 * number, 4)
        handler = int.from_bytes(vector, "little")
        idle = BRANCH_TO_SELF in bytes(uc.mem_read(handler & ~1, 8))
        control = uc.reg_read(UC_ARM_REG_CONTROL)
        if not handler & 1 or idle or control & SPSEL or uc.reg_read(UC_ARM_REG_IPSR):
            return False
        returning = _save(uc, bool(control & FPCA))
    except UcError:  # no memory where the vector, the handler or the stack should be
        return False
    uc.reg_write(UC_ARM_REG_CONTROL, control & ~FPCA)
    uc.reg_write(UC_ARM_REG_LR, returning)
    uc.reg_write(UC_ARM_REG_XPSR, THUMB | number)
    uc.reg_write(UC_ARM_REG_PC, handler)
    return True


def _save(uc: Uc, floating: bool) -> int:
    """Push the registers and return EXC_RETURN, the value that LR gets."""
    stack = uc.reg_read(UC_ARM_REG_SP)
    words = BASIC + FLOATING * floating
    bottom = stack - 4 * words & ~7
    status = uc.reg_read(UC_ARM_REG_XPSR) & ~REALIGNED | bool(stack & 4) * REALIGNED
    saved = [*map(uc.reg_read, REGISTERS), status]
    if floating:
        saved += [uc.reg_read(UC_ARM_REG_S0 + i) for i in range(16)]
        saved += [uc.reg_read(UC_ARM_REG_FPSCR), 0]
    uc.mem_write(bottom, struct.pack(f"<{words}I", *saved))
    uc.reg_write(UC_ARM_REG_SP, bottom)
    return 0xFFFF_FFE9 if floating else 0xFFFF_FFF9
