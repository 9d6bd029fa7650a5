"""The STM32F446RE: a Cortex-M4 (Unicorn) wired to memory, peripherals and a serial line.

Nothing runs by itself: `Chip.run` executes the program until it waits for the host or the time is
over, and the next call goes on from there. Stopping is where care is needed. Unicorn stops in the
middle of a load or store, forgets it, and executes it again when it goes on; inside an IT block it
finishes the block first. Peripherals are therefore written so that an access may happen twice.
"""

import ctypes
import gc
import mmap
import signal
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from unicorn import (
    UC_ARCH_ARM,
    UC_HOOK_INTR,
    UC_HOOK_MEM_INVALID,
    UC_MEM_FETCH_UNMAPPED,
    UC_MEM_READ_UNMAPPED,
    UC_MEM_WRITE_PROT,
    UC_MODE_MCLASS,
    UC_MODE_THUMB,
    UC_PROT_EXEC,
    UC_PROT_READ,
    UC_QUERY_TIMEOUT,
    Uc,
    UcError,
)
from unicorn.arm_const import (
    UC_ARM_REG_CONTROL,
    UC_ARM_REG_D0,
    UC_ARM_REG_FPSCR,
    UC_ARM_REG_LR,
    UC_ARM_REG_PC,
    UC_ARM_REG_PRIMASK,
    UC_ARM_REG_R0,
    UC_ARM_REG_SP,
    UC_ARM_REG_XPSR,
    UC_CPU_ARM_CORTEX_M4,
)

from kit.board.virtual import memory_map as m
from kit.board.virtual.clocks import Rcc
from kit.board.virtual.counter import SLICE, Counter, Dwt
from kit.board.virtual.faults import BoardFault, board_fault
from kit.board.virtual.peripherals import Gpio, SystemControl, SysTick
from kit.board.virtual.registers import Bus, Place, Registers
from kit.board.virtual.usart import Usart, UsartBus
from kit.errors import KitError
from kit.mcu import DEFAULT, Mcu

TRANSLATION_BUFFER = 32 << 20  # bytes; Unicorn's own default reserves 1 GB for each chip
SLICE_SECONDS = 0.02  # the longest time without a look at the clock, or at Ctrl-C
NOWHERE = 0xFFFF_FFFF  # emu_start wants an address to stop at; no instruction can be there
ERASED = b"\xff" * 8
BRANCH_TO_SELF = b"\xfe\xe7"  # `b .`, encoding T2: ARMv7-M ARM section A7.7.12
FPU_REGISTERS = [UC_ARM_REG_D0 + i for i in range(16)]
UNTOUCHED = 0x7FF4_DEAD_7FA4_DEAD  # in each at reset: signaling NaNs, which no program leaves there
THUMB = 1 << 24  # in xPSR: ARMv7-M ARM section B1.4.2

BUS_FAULT = (
    "A real chip raises a BusFault there, which ends in the HardFault handler, and the program "
    "goes silent (PM0214, fault handling)."
)
USAGE_FAULT = (
    "A real chip raises a UsageFault there, which ends in the HardFault handler, and the program "
    "goes silent (PM0214, fault handling)."
)
LOCKED_FLASH = (
    "Flash is locked while a program runs: a real chip does not store the value and flags a "
    "programming error in FLASH_SR (RM0390, embedded flash memory)."
)
NO_INTERRUPTS = (
    "The virtual board models no interrupts; a real chip calls the handler in the vector table."
)
NOT_MODELED = (
    "The virtual board has RCC, PWR, GPIOA to GPIOC, USART2, the flash interface, DBGMCU and the "
    "core's own registers; a real STM32F446RE has more (RM0390 table 1)."
)
WRONG_STATE = (
    "A Cortex-M4 executes Thumb code only, and bit 0 of a jump's target says so: a real chip "
    "raises a UsageFault (INVSTATE), which ends in the HardFault handler. A null function pointer "
    "does it."
)
OWN_HANDLER = (
    "Vector table entries 2 to 6 lead there. A real chip goes there after a fault; here the "
    "program went by itself, perhaps because main() returned. Nothing more happens on either."
)
BREAKPOINT = "Without a debugger a real chip takes it as a HardFault (ARMv7-M ARM section C1.5)."
NO_FPU = (
    "Out of reset the floating-point unit is off: a real chip raises a UsageFault (NOCP) at the "
    "first such instruction. SCB->CPACR |= 0xF << 20 switches it on (PM0214, CPACR)."
)
EXCEPTIONS = {  # Unicorn's numbers of what its Cortex-M4 raises
    2: ("executed a supervisor call (SVC)", NO_INTERRUPTS),
    7: ("stopped at a breakpoint instruction (BKPT)", BREAKPOINT),
}


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


class Chip:
    """One microcontroller with a given flash content, powered on.

    Args:
        flash: FLASH_SIZE bytes.
        elf: the program's ELF for source lines in faults; it may be missing.
        strict: stop where the program breaks a rule of the chip. Otherwise the chip does what
            silicon does, and the rule goes to `complaints`.
        mcu: which chip it is.
        absent: what on it never becomes ready: "hse", "pll", "overdrive".
    """

    def __init__(
        self,
        flash: bytes,
        elf: Path,
        strict: bool = True,
        uninitialized: str = "allow",
        mcu: Mcu = DEFAULT,
        absent: frozenset[str] = frozenset(),
    ) -> None:
        self.strict, self.mcu, self.absent = strict, mcu, absent
        self.complaints: list[str] = []
        self.elf, self.empty = elf, flash[:8] == ERASED
        self.failure: KitError | None = None
        self.led_changes = 0
        self.idle = self._restart = self._retrace = False
        self._refusal = ""
        self._invalid: tuple[int, int, int] | None = None
        self._uc = Uc(UC_ARCH_ARM, UC_MODE_THUMB | UC_MODE_MCLASS)
        self._uc.ctl_set_cpu_model(UC_CPU_ARM_CORTEX_M4)
        self._uc.ctl_set_tcg_buffer_size(TRANSLATION_BUFFER)
        self._map_memory(flash)
        self._make_peripherals()
        self._map_peripherals()
        self._uc.hook_add(UC_HOOK_MEM_INVALID, self._on_invalid)
        self._uc.hook_add(UC_HOOK_INTR, self._on_exception)
        self.reset()

    # Wiring

    def _map_memory(self, flash: bytes) -> None:
        """RAM, and one flash at its two addresses; Unicorn needs it page-aligned."""
        self._flash = mmap.mmap(-1, m.FLASH_SIZE)
        self._flash.write(flash)
        self._pinned = ctypes.c_char.from_buffer(self._flash)
        pointer = ctypes.addressof(self._pinned)
        for base in (m.FLASH_BASE, m.FLASH_ALIAS):
            self._uc.mem_map_ptr(base, m.FLASH_SIZE, UC_PROT_READ | UC_PROT_EXEC, pointer)
        self._uc.mem_map(m.RAM_BASE, self.mcu.ram_bytes)
        vectors = struct.unpack_from("<5I", flash, 8)  # NMI to UsageFault: PM0214 table 17
        self._handlers = {address & ~1 for address in vectors if address & 1}

    def _make_peripherals(self) -> None:
        self.counter = Counter(self._uc)
        self.rcc = Rcc(self.mcu, self.absent)
        self.gpioa, self.gpiob = Gpio(m.GPIOA_RESETS), Gpio(m.GPIOB_RESETS)
        self.gpioc = Gpio(external=1 << m.BUTTON_PIN)
        self.usart = Usart(self.rcc.apb1_hz, self._on_idle)
        self.system = SystemControl(
            SysTick(self.rcc.core_hz),
            self._on_interrupt,
            self._on_restart,
            self._on_trace,
            self._on_fpu,
        )
        self.dwt = Dwt(self.counter, self._on_trace)
        self.power, self.flash_interface = self.rcc.power, self.rcc.flash
        self._led = False
        self.rcc.on_change = self.usart.retune
        self.gpioa.on_change = self._on_pins

    def _blocks(self) -> tuple[Registers, ...]:
        ports = (self.gpioa, self.gpiob, self.gpioc)
        clocks = (self.rcc, self.power, self.flash_interface)
        return (*clocks, *ports, self.system, self.dwt, self.usart)

    def _map_peripherals(self) -> None:
        """Each 4 KB page with the register blocks in it."""
        identity = {m.DBGMCU_IDCODE: m.REVISION_A | self.mcu.device_id}
        blocks: dict[str, Registers] = {
            "USART2": self.usart,
            "PWR": self.power,
            "GPIOA": self.gpioa,
            "GPIOB": self.gpiob,
            "GPIOC": self.gpioc,
            "RCC": self.rcc,
            "FLASH": self.flash_interface,
            "DBGMCU": Registers(identity),
            "DWT": self.dwt,
            "SCS": self.system,
        }
        pages: dict[int, dict[int, Place]] = {}
        for name, block in blocks.items():
            place = Place(name, block, self.rcc.limits.absent.get(name, ""))
            block.report = self._refuse
            pages.setdefault(place.where.base & ~0xFFF, {})[place.start >> 10] = place
        pages[m.SCS] = dict.fromkeys(range(4), pages[m.SCS][0])
        for page, places in pages.items():
            bus = Bus(page, places, self.rcc.clocked, self._on_unknown)
            if page == m.USART2 & ~0xFFF:
                bus = UsartBus(page, places, self.rcc.clocked, self._on_unknown)
                bus.serve(self.usart)
            self._uc.mmio_map(page, 0x1000, bus.read, None, bus.write, None)

    # The host's side

    @property
    def led(self) -> bool:
        """Whether LD2 is lit."""
        return self._led

    def press_button(self, pressed: bool) -> None:
        """B1 pulls PC13 low."""
        self.gpioc.external = 0 if pressed else 1 << m.BUTTON_PIN

    def reset(self, cause: int = m.PINRSTF) -> None:
        """As after power-on, but RAM keeps its content: vectors to SP and PC, peripherals fresh.

        What the program had sent stays readable. `cause` is a flag of RCC_CSR.
        """
        self.rcc.causes |= cause | m.PINRSTF
        self.usart.transmit()
        if self.counter.counting:
            self.counter.remove()
        self.failure, self._refusal, self._invalid = None, "", None
        for block in self._blocks():
            block.reset()
        self.counter.reset()
        self._on_pins()
        self._reset_core()

    def _reset_core(self) -> None:
        """ARMv7-M ARM section B1.5.5: what reset does to the registers."""
        uc, vectors = self._uc, self._flash[:8]
        for register in (UC_ARM_REG_CONTROL, UC_ARM_REG_PRIMASK, UC_ARM_REG_FPSCR):
            uc.reg_write(register, 0)
        for i in range(13):
            uc.reg_write(UC_ARM_REG_R0 + i, 0)
        for register in FPU_REGISTERS:
            uc.reg_write(register, UNTOUCHED)
        uc.reg_write(UC_ARM_REG_XPSR, THUMB)
        uc.reg_write(UC_ARM_REG_LR, 0xFFFF_FFFF)
        uc.reg_write(UC_ARM_REG_SP, int.from_bytes(vectors[:4], "little"))
        uc.reg_write(UC_ARM_REG_PC, int.from_bytes(vectors[4:], "little"))

    def run(self, seconds: float, wanted: int = 0, polls: int = 16) -> None:
        """Execute until the program waits for the host, `wanted` bytes are out, or time is over.

        It waits for the host when it found no byte in `polls` reads of the UART's SR in a row, or
        executed WFI. Raises BoardFault, again at each call until `reset`.
        """
        deadline = time.monotonic() + seconds
        self.idle, self.usart.polls, self.usart.poll_limit = False, 0, polls
        while True:
            if self.failure:
                raise self.failure.with_traceback(None)
            self._slice(deadline - time.monotonic())
            enough = wanted and len(self.usart.outgoing) >= wanted
            if not self.failure and (self.idle or enough or time.monotonic() >= deadline):
                return

    def close(self) -> None:
        """Give Unicorn's memory back; the chip cannot be used afterwards."""
        self.__dict__.clear()
        gc.collect()  # Unicorn and its callbacks refer to each other

    # One stretch of execution

    def _slice(self, seconds: float) -> None:
        """Execute for at most SLICE_SECONDS and deal with the reason for the stop."""
        self.usart.fresh = False
        error = self._execute(min(max(seconds, 0.001), SLICE_SECONDS))
        if not self.usart.fresh:  # else the store may run again and must not send twice
            self.usart.transmit()
        self._pc = self._uc.reg_read(UC_ARM_REG_PC)
        if not self.system.fpu_on():
            self._on_fpu()
        if self._stranded():
            self._refuse("ended in its own fault handler", OWN_HANDLER)
        if error or self._refusal:
            self._fail(error)
        elif self._restart:
            self._restart = False
            self.reset(m.SFTRSTF)
        else:
            self._count_or_not()

    def _execute(self, seconds: float) -> UcError | None:
        """Counting stops by itself after SLICE instructions: only so it stays exact."""
        counting = self.counter.counting
        self.counter.budget = self.counter.completed + SLICE
        here = self._uc.reg_read(UC_ARM_REG_PC)  # not remembered: Ctrl-C may have ended a slice
        try:
            with holding_back_interrupts():
                self._uc.emu_start(here | 1, NOWHERE, 0 if counting else int(seconds * 1e6))
        except UcError as error:
            return error
        asked = self.idle or self._restart or self._retrace or self._refusal
        over = self.counter.completed > self.counter.budget or self._uc.query(UC_QUERY_TIMEOUT)
        if not (asked or over):
            self.idle = True  # WFI or WFE: sleep until something happens
        return None

    def _stranded(self) -> bool:
        """Whether PC is at a branch to itself within the first instructions of a fault handler."""
        near = any(handler <= self._pc < handler + 8 for handler in self._handlers)
        return near and self._uc.mem_read(self._pc, 2) == BRANCH_TO_SELF

    def _count_or_not(self) -> None:
        if self.counter.counting:
            self.counter.settle(self._pc)
        if self._retrace:
            self._retrace = False
            if self.counter.counting:
                self.counter.remove()
            else:
                self.counter.install(self._pc)

    # Called during execution

    def _on_idle(self) -> None:
        self.idle = True
        self._uc.emu_stop()

    def _on_restart(self) -> None:
        self._restart = True
        self._uc.emu_stop()

    def _on_trace(self) -> None:
        enabled = self.dwt.read(m.DWT_CTRL) & m.CYCCNTENA
        if self.counter.switched(bool(enabled and self.system.read(m.DEMCR) & m.TRCENA)):
            self._retrace = True
            self._uc.emu_stop()

    def _on_interrupt(self) -> None:
        self._refuse("enabled an interrupt, and the virtual board has none", NO_INTERRUPTS)

    def _on_unknown(self, address: int, verb: str) -> None:
        where, effect = self._nothing_at(address)
        self._refuse(f"{verb} 0x{address:08x}, {where}", effect)

    def _on_fpu(self) -> None:
        """Unicorn's FPU is always on, but its registers tell whether the program used it."""
        used = any(self._uc.reg_read(register) != UNTOUCHED for register in FPU_REGISTERS)
        if used and not self.system.fpu_on():
            self._refuse("used the floating-point unit while it was off, here or earlier", NO_FPU)

    def _on_pins(self) -> None:
        lit = self.gpioa.high(m.LED_PIN)
        self.led_changes += lit != self._led
        self._led = lit
        pins = tuple(self.gpioa.function(pin) == m.USART_FUNCTION for pin in (m.TX_PIN, m.RX_PIN))
        if pins != (self.usart.tx_connected, self.usart.rx_connected):
            self.usart.tx_connected, self.usart.rx_connected = pins
            self.usart.retune()

    def _on_invalid(self, _uc: Any, access: int, address: int, size: int, *_rest: Any) -> bool:
        self._invalid = access, address, size
        return False

    def _on_exception(self, _uc: Any, number: int, _data: Any) -> None:
        what, effect = EXCEPTIONS.get(number, (f"raised exception {number}", USAGE_FAULT))
        self._refuse(what, effect)

    def _refuse(self, what: str, effect: str, fix: str = "") -> None:
        """A rule is broken: stop, or go on as silicon does and keep the sentences."""
        if not self.strict:
            self._complain(f"The program {what}. {effect} {fix}".rstrip())
            return
        if self._refusal:  # the first is the cause
            return
        self._refusal, self._effect, self._fix = what, effect, fix
        self._uc.emu_stop()

    def _complain(self, sentence: str) -> None:
        if sentence not in self.complaints:  # a store may be executed twice
            self.complaints.append(sentence)

    # Faults

    def _fail(self, error: UcError | None) -> None:
        """Turn what stopped the program into the fault that every call raises until a reset."""
        link = self._uc.reg_read(UC_ARM_REG_LR)
        if self._refusal:
            (what, effect, fix), jumped = (self._refusal, self._effect, self._fix), False
        else:
            (what, effect, jumped), fix = self._explain(), ""
        address = self._pc - 2 if effect == NO_INTERRUPTS and "SVC" in what else self._pc
        if jumped:  # where the program came from is known by the return address only
            address, link = (link & ~1) - 2, 0
        self.usart.transmit()
        self.failure = board_fault(what, effect, fix, self.elf, address, link)

    def _explain(self) -> tuple[str, str, bool]:
        """What the program did, what a real chip does about it, and whether PC is of no use."""
        if not self._uc.reg_read(UC_ARM_REG_XPSR) & THUMB:
            return f"jumped to 0x{self._pc:08x}, an even address", WRONG_STATE, True
        if self._invalid is None:
            return "executed an instruction this CPU does not have", USAGE_FAULT, False
        access, address, size = self._invalid
        if access == UC_MEM_FETCH_UNMAPPED:
            return f"jumped to 0x{address:08x}, where there is no code", BUS_FAULT, True
        if access == UC_MEM_WRITE_PROT:
            return f"wrote to 0x{address:08x}, which is flash and locked", LOCKED_FLASH, False
        verb = "read" if access == UC_MEM_READ_UNMAPPED else "wrote"
        where, effect = self._nothing_at(address)
        return f"{verb} {size} bytes at 0x{address:08x}, {where}", effect, False

    def _nothing_at(self, address: int) -> tuple[str, str]:
        """What is at an address where the virtual board has nothing, and what a real chip does."""
        name = m.peripheral_at(address, self.mcu.name)
        if name:
            return f"which is {name}, and the virtual board does not model it", NOT_MODELED
        if any(low <= address < high for low, high in m.NOT_MODELED):
            return "which the virtual board does not model", NOT_MODELED
        if m.RAM_BASE - 0x1000 <= address < m.RAM_BASE:
            return "just below the RAM: the stack has overflowed", BUS_FAULT
        return "where this chip has nothing", BUS_FAULT


__all__ = ["BoardFault", "Chip"]
