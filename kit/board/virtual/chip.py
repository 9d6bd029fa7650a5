"""The STM32F446RE: a Cortex-M4 (Unicorn) wired to memory, peripherals and a serial line.

Nothing runs by itself: `Chip.run` executes the program until it waits for the host or the time is
over, and the next call goes on from there. Stopping is where care is needed. Unicorn stops in the
middle of a load or store, forgets it, and executes it again when it goes on; inside an IT block it
finishes the block first. Peripherals are therefore written so that an access may happen twice.
"""

import ctypes
import mmap
import time
from pathlib import Path
from typing import Any

from unicorn import (
    UC_ARCH_ARM,
    UC_HOOK_INTR,
    UC_HOOK_MEM_INVALID,
    UC_MEM_FETCH_UNMAPPED,
    UC_MEM_READ_UNMAPPED,
    UC_MEM_WRITE_PROT,
    UC_MEM_WRITE_UNMAPPED,
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
    UC_ARM_REG_FPSCR,
    UC_ARM_REG_LR,
    UC_ARM_REG_PC,
    UC_ARM_REG_PRIMASK,
    UC_ARM_REG_R0,
    UC_ARM_REG_S0,
    UC_ARM_REG_SP,
    UC_ARM_REG_XPSR,
    UC_CPU_ARM_CORTEX_M4,
)

from kit.board.virtual import memory_map as m
from kit.board.virtual.counter import SLICE, Counter, Dwt
from kit.board.virtual.faults import BoardFault, board_fault
from kit.board.virtual.peripherals import (
    Bus,
    FlashInterface,
    Gpio,
    Power,
    Rcc,
    Registers,
    SystemControl,
    Usart,
    UsartBus,
)
from kit.errors import KitError

TRANSLATION_BUFFER = 32 << 20  # bytes; Unicorn's own default reserves 1 GB for each chip
SLICE_SECONDS = 0.02  # the longest time without a look at the clock, or at Ctrl-C
NOWHERE = 0xFFFF_FFFF  # emu_start wants an address to stop at; no instruction can be there
ERASED = b"\xff" * 8

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
NO_INTERRUPTS = "The virtual board models no interrupts; a real chip would call the handler in the vector table."
BREAKPOINT = "Without a debugger a real chip takes it as a HardFault (ARMv7-M ARM section C1.5)."
NO_FPU = (
    "Out of reset the floating-point unit is off: a real chip raises a UsageFault (NOCP) at the "
    "first such instruction. SCB->CPACR |= 0xF << 20 switches it on (PM0214, CPACR)."
)
EXCEPTIONS = {  # Unicorn's numbers of what its Cortex-M4 raises
    2: ("executed a supervisor call (SVC)", NO_INTERRUPTS),
    7: ("stopped at a breakpoint instruction (BKPT)", BREAKPOINT),
    18: ("jumped to an address that does not have bit 0 set, as Thumb code must", USAGE_FAULT),
}


class Chip:
    """One microcontroller with a given flash content, powered on.

    Args:
        flash: FLASH_SIZE bytes.
        elf: the program's ELF for source lines in faults; it may be missing.
    """

    def __init__(self, flash: bytes, elf: Path) -> None:
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
        self._uc.mem_map(m.RAM_BASE, m.RAM_SIZE)

    def _make_peripherals(self) -> None:
        self.counter = Counter(self._uc)
        self.rcc = Rcc()
        self.gpioa, self.gpiob = Gpio(m.GPIOA_RESETS), Gpio(m.GPIOB_RESETS)
        self.gpioc = Gpio(external=1 << m.BUTTON_PIN)
        self.usart = Usart(self.rcc.apb1_hz, self._on_idle)
        self.system = SystemControl(self._refuse, self._on_restart, self._on_trace)
        self.dwt = Dwt(self.counter, self._on_trace)
        self.power, self.flash_interface = Power(), FlashInterface(m.FLASH_RESETS)
        self._led = False
        self.rcc.on_change = self.usart.retune
        self.gpioa.on_change = self._on_pins

    def _map_peripherals(self) -> None:
        """Each 4 KB page with its register blocks: KB number, start in the page, clock enable."""
        ports = (self.gpioa, self.gpiob, self.gpioc)
        gpio = {i: (port, i << 10, (m.RCC_AHB1ENR, i)) for i, port in enumerate(ports)}
        core = {kilobyte: (self.system, 0, None) for kilobyte in range(4)}
        pages: dict[int, dict[int, Any]] = {
            m.USART2 & ~0xFFF: {1: (self.usart, 0x400, (m.RCC_APB1ENR, 17))},
            m.PWR: {0: (self.power, 0, (m.RCC_APB1ENR, 28))},
            m.GPIOA: gpio,
            m.RCC & ~0xFFF: {2: (self.rcc, 0x800, None), 3: (self.flash_interface, 0xC00, None)},
            m.DBGMCU: {0: (Registers(m.DBGMCU_RESETS), 0, None)},
            m.DWT: {0: (self.dwt, 0, None)},
            m.SCS: core,
        }
        for page, blocks in pages.items():
            kind = UsartBus if page == m.USART2 & ~0xFFF else Bus
            bus = kind(page, blocks, self.rcc, self._refuse)
            self._uc.mmio_map(page, 0x1000, bus.read, None, bus.write, None)

    # The host's side

    @property
    def led(self) -> bool:
        """Whether LD2 is lit."""
        return self._led

    def press_button(self, pressed: bool) -> None:
        """B1 pulls PC13 low."""
        self.gpioc.external = 0 if pressed else 1 << m.BUTTON_PIN

    def reset(self) -> None:
        """As after power-on, but RAM keeps its content: vectors to SP and PC, peripherals fresh.

        What the program had sent stays readable.
        """
        self.usart.transmit()
        if self.counter.counting:
            self.counter.remove()
        self.failure, self._refusal, self._invalid = None, "", None
        blocks = (self.rcc, self.gpioa, self.gpiob, self.gpioc, self.power, self.flash_interface)
        for block in (*blocks, self.system, self.dwt, self.usart, self.counter):
            block.reset()
        self._on_pins()
        self._reset_core()

    def _reset_core(self) -> None:
        """ARMv7-M ARM section B1.5.5: what reset does to the registers."""
        uc, vectors = self._uc, self._flash[:8]
        for register in (UC_ARM_REG_CONTROL, UC_ARM_REG_PRIMASK, UC_ARM_REG_FPSCR):
            uc.reg_write(register, 0)
        for i in range(13):
            uc.reg_write(UC_ARM_REG_R0 + i, 0)
        for i in range(32):
            uc.reg_write(UC_ARM_REG_S0 + i, 0)
        uc.reg_write(UC_ARM_REG_XPSR, 1 << 24)
        uc.reg_write(UC_ARM_REG_LR, 0xFFFF_FFFF)
        uc.reg_write(UC_ARM_REG_SP, int.from_bytes(vectors[:4], "little"))
        self._pc = int.from_bytes(vectors[4:], "little") & ~1

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
        del self._uc, self.counter, self.dwt, self.rcc.on_change, self.gpioa.on_change
        del self.usart, self.system

    # One stretch of execution

    def _slice(self, seconds: float) -> None:
        """Execute for at most SLICE_SECONDS and deal with the reason for the stop."""
        self.usart.fresh = False
        error = self._execute(min(max(seconds, 0.001), SLICE_SECONDS))
        if not self.usart.fresh:  # else the store may run again and must not send twice
            self.usart.transmit()
        self._pc = self._uc.reg_read(UC_ARM_REG_PC)
        if error or self._refusal:
            self._fail(error)
        elif self._restart:
            self._restart = False
            self.reset()
        else:
            self._count_or_not()

    def _execute(self, seconds: float) -> UcError | None:
        """Counting stops by itself after SLICE instructions: only so it stays exact."""
        counting = self.counter.counting
        self.counter.budget = self.counter.completed + SLICE
        try:
            self._uc.emu_start(self._pc | 1, NOWHERE, 0 if counting else int(seconds * 1e6))
        except UcError as error:
            return error
        asked = self.idle or self._restart or self._retrace or self._refusal or counting
        if not asked and not self._uc.query(UC_QUERY_TIMEOUT):
            self.idle = True  # WFI or WFE: sleep until something happens
        return None

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

    def _on_pins(self) -> None:
        lit = self.gpioa.high(m.LED_PIN)
        self.led_changes += lit != self._led
        self._led = lit
        self.usart.tx_connected = self.gpioa.function(m.TX_PIN) == m.USART_FUNCTION
        self.usart.rx_connected = self.gpioa.function(m.RX_PIN) == m.USART_FUNCTION
        self.usart.retune()

    def _on_invalid(self, _uc: Any, access: int, address: int, size: int, *_rest: Any) -> bool:
        self._invalid = access, address, size
        return False

    def _on_exception(self, _uc: Any, number: int, _data: Any) -> None:
        what, effect = EXCEPTIONS.get(number, (f"raised exception {number}", USAGE_FAULT))
        self._refuse(what, effect)

    def _refuse(self, what: str, effect: str = "") -> None:
        self._refusal, self._effect = what, effect
        self._uc.emu_stop()

    # Faults

    def _fail(self, error: UcError | None) -> None:
        what, effect = (self._refusal, self._effect) if self._refusal else self._explain(error)
        self.usart.transmit()
        address, link = self._pc, self._uc.reg_read(UC_ARM_REG_LR)
        if "SVC" in what:
            address -= 2
        if self._invalid and self._invalid[0] == UC_MEM_FETCH_UNMAPPED:
            address, link = (link & ~1) - 2, 0  # the code that called or jumped is all we know
        self.failure = board_fault(what, effect, self.elf, address, link)

    def _explain(self, error: UcError | None) -> tuple[str, str]:
        """What the program did, and what a real chip does about it."""
        if self._invalid is None:
            return "executed an undefined instruction (UDF, or bytes that are no code)", USAGE_FAULT
        access, address, size = self._invalid
        if access == UC_MEM_WRITE_PROT:
            return f"wrote to 0x{address:08x}, which is flash and locked", LOCKED_FLASH
        if access == UC_MEM_FETCH_UNMAPPED:
            return f"jumped to 0x{address:08x}, where there is no code", BUS_FAULT
        verb = {UC_MEM_READ_UNMAPPED: "read", UC_MEM_WRITE_UNMAPPED: "wrote"}.get(access, "used")
        where = "below the RAM: the stack has overflowed"
        stack = self._uc.reg_read(UC_ARM_REG_SP)
        if not (stack - 0x1000 <= address < m.RAM_BASE and stack < m.RAM_BASE + 0x1000):
            where = "where this chip has nothing"
        return f"{verb} {size} bytes at 0x{address:08x}, {where}", BUS_FAULT


__all__ = ["BoardFault", "Chip"]
