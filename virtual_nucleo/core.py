"""The Cortex-M4: Unicorn with the chip's memories; its reset, and how it takes a fault (ARMv7-M ARM
sections B1.5.5, B1.5.6 and B1.5.14). Only faults are taken, there are no interrupts; and a program
that uses the process stack is not followed."""

import ctypes
import mmap
import random
import signal
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import unicorn
from unicorn import Uc, UcError
from unicorn import arm_const as arm

from virtual_nucleo import memory_map as m
from virtual_nucleo.faults import HARD, cause
from virtual_nucleo.mcus import FLASH_START, RAM_START, Mcu
from virtual_nucleo.registers import Registers

TRANSLATION_BUFFER = 32 << 20  # bytes; Unicorn's own default reserves 1 GB for each chip
POWER_ON_SEED = 446
NOWHERE = 0xFFFF_FFFF  # emu_start wants an address to stop at; no instruction can be there
THUMB = 1 << 24  # in xPSR: ARMv7-M ARM section B1.4.2
SPSEL, FPCA = 1 << 1, 1 << 2  # in CONTROL: section B1.4.4
REALIGNED = 1 << 9  # in the xPSR that is saved: the stack pointer was moved by a word
FORCED = 1 << 30  # in HFSR
BRANCH_TO_SELF = b"\xfe\xe7"  # `b .`, encoding T2: ARMv7-M ARM section A7.7.12
LOW = [arm.UC_ARM_REG_R0 + i for i in range(13)]  # R0 to R12
SAVED = [*LOW[:4], LOW[12], arm.UC_ARM_REG_LR, arm.UC_ARM_REG_PC]
CLEARED = (*LOW, arm.UC_ARM_REG_CONTROL, arm.UC_ARM_REG_PRIMASK, arm.UC_ARM_REG_FPSCR)


class Core:
    """The CPU with a given flash content; `uc` is Unicorn's."""

    def __init__(self, mcu: Mcu, flash: bytes) -> None:
        self.uc = Uc(unicorn.UC_ARCH_ARM, unicorn.UC_MODE_THUMB | unicorn.UC_MODE_MCLASS)
        self.uc.ctl_set_cpu_model(arm.UC_CPU_ARM_CORTEX_M4)
        self.uc.ctl_set_tcg_buffer_size(TRANSLATION_BUFFER)
        self._flash = mmap.mmap(-1, mcu.flash_bytes)  # Unicorn needs it page-aligned
        self._flash.write(flash.ljust(mcu.flash_bytes, b"\xff"))
        self._pinned = ctypes.c_char.from_buffer(self._flash)
        access = unicorn.UC_PROT_READ | unicorn.UC_PROT_EXEC
        for base in (FLASH_START, m.FLASH_ALIAS):  # one flash at its two addresses
            pointer = ctypes.addressof(self._pinned)
            self.uc.mem_map_ptr(base, mcu.flash_bytes, access, pointer)
        self._ram = mmap.mmap(-1, mcu.ram_bytes)
        self._ram.write(random.Random(POWER_ON_SEED).randbytes(mcu.ram_bytes))
        self._ram_pinned = ctypes.c_char.from_buffer(self._ram)
        self.ram = ctypes.addressof(self._ram_pinned)
        self.uc.mem_map_ptr(RAM_START, mcu.ram_bytes, unicorn.UC_PROT_ALL, self.ram)
        # The first vectors: initial stack pointer, reset, NMI to UsageFault (PM0214 table 17).
        self.stack_top, self._entry, *faults = struct.unpack_from("<7I", self._flash)
        self._handlers = {address & ~1 for address in faults if address & 1}

    @property
    def pc(self) -> int:
        return int(self.uc.reg_read(arm.UC_ARM_REG_PC))

    @property
    def lr(self) -> int:
        return int(self.uc.reg_read(arm.UC_ARM_REG_LR))

    def reset(self) -> None:
        """Vectors to SP and PC; the RAM keeps its content."""
        write = self.uc.reg_write
        write(arm.UC_ARM_REG_XPSR, THUMB)
        for register in CLEARED:
            write(register, 0)
        write(arm.UC_ARM_REG_LR, 0xFFFF_FFFF)
        write(arm.UC_ARM_REG_SP, self.stack_top)
        write(arm.UC_ARM_REG_PC, self._entry)

    def execute(self) -> UcError | None:
        """Go on until somebody calls emu_stop(), WFI, or an error, which is returned."""
        try:
            with holding_back_interrupts():
                self.uc.emu_start(self.pc | 1, NOWHERE)
            return None
        except UcError as error:
            return error

    def stranded(self) -> bool:
        """Whether PC is at a branch to itself within the first instructions of a fault handler."""
        near = any(handler <= self.pc < handler + 8 for handler in self._handlers)
        return near and self.uc.mem_read(self.pc, 2) == BRANCH_TO_SELF

    def take(self, flag: str, system: Registers, address: int) -> bool:
        """Take the exception of a fault; false where that leads to no handler that does anything.
        `system` has the fault status registers; `address` is what was accessed. Unless its handler
        is enabled in SHCSR, or while PRIMASK is set, a fault escalates to HardFault."""
        (number, cfsr, hfsr), read, write = cause(flag), self.uc.reg_read, self.uc.reg_write
        enabled = system.values["SHCSR"] >> 16 + number - HARD - 1 & 1
        if number != HARD and (not enabled or read(arm.UC_ARM_REG_PRIMASK) & 1):
            number, hfsr = HARD, FORCED
        system.values["CFSR"] |= cfsr
        system.values["HFSR"] |= hfsr
        if flag == "PRECISERR":
            system.values["BFAR"] = address
        try:
            vector = self.uc.mem_read(system.values["VTOR"] + 4 * number, 4)
            handler = int.from_bytes(vector, "little")
            idle = BRANCH_TO_SELF in bytes(self.uc.mem_read(handler & ~1, 8))
            control = read(arm.UC_ARM_REG_CONTROL)
            if not handler & 1 or idle or control & SPSEL or read(arm.UC_ARM_REG_IPSR):
                return False
            self._save(bool(control & FPCA))
        except UcError:  # no memory where the vector, the handler or the stack should be
            return False
        write(arm.UC_ARM_REG_CONTROL, control & ~FPCA)
        write(arm.UC_ARM_REG_LR, 0xFFFF_FFE9 if control & FPCA else 0xFFFF_FFF9)  # EXC_RETURN
        write(arm.UC_ARM_REG_XPSR, THUMB | number)
        write(arm.UC_ARM_REG_PC, handler)
        return True

    def _save(self, floating: bool) -> None:
        """Push 8 words; with FPCA S0 to S15, FPSCR and a reserved word more."""
        read, stack = self.uc.reg_read, self.uc.reg_read(arm.UC_ARM_REG_SP)
        words = 8 + 18 * floating
        bottom = stack - 4 * words & ~7
        status = read(arm.UC_ARM_REG_XPSR) & ~REALIGNED | bool(stack & 4) * REALIGNED
        saved = [*map(read, SAVED), status]
        if floating:
            saved += [read(arm.UC_ARM_REG_S0 + i) for i in range(16)]
            saved += [read(arm.UC_ARM_REG_FPSCR), 0]
        self.uc.mem_write(bottom, struct.pack(f"<{words}I", *saved))
        self.uc.reg_write(arm.UC_ARM_REG_SP, bottom)


@contextmanager
def holding_back_interrupts() -> Iterator[None]:
    """Ctrl-C waits until the block ends: raised inside a callback from C it would be lost."""
    before = signal.getsignal(signal.SIGINT)
    if before is None or threading.current_thread() is not threading.main_thread():
        yield
        return
    came: list[int] = []
    signal.signal(signal.SIGINT, lambda number, _frame: came.append(number))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
        if came:
            signal.raise_signal(signal.SIGINT)
