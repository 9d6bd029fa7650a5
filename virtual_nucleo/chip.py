"""The STM32F446RE: a Cortex-M4 (Unicorn) wired to memory, peripherals and a serial line.

Nothing runs by itself: `Chip.run` executes the program until it waits for the host or the time is
over, and the next call goes on from there. The native hooks of watcher.py count, keep time and stop
the program between two blocks of code, so that no load or store is executed twice; only what ends
the program stops it at once.
"""

import ctypes
import gc
import mmap
import random
import signal
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
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
    UC_ARM_REG_SP,
    UC_ARM_REG_XPSR,
    UC_CPU_ARM_CORTEX_M4,
)

from virtual_nucleo import exceptions, faults
from virtual_nucleo import memory_map as m
from virtual_nucleo.clocks import Rcc
from virtual_nucleo.counter import Dwt
from virtual_nucleo.exceptions import BRANCH_TO_SELF, THUMB
from virtual_nucleo.faults import BoardFault, Problem, board_fault
from virtual_nucleo.mcus import FLASH_START, RAM_START, Mcu
from virtual_nucleo.peripherals import NO_INTERRUPTS, Gpio, SystemControl, SysTick
from virtual_nucleo.program import Program
from virtual_nucleo.registers import Bus, Place, Registers
from virtual_nucleo.usart import Usart, UsartBus
from virtual_nucleo.watcher import Time, Watcher

TRANSLATION_BUFFER = 32 << 20  # bytes; Unicorn's own default reserves 1 GB for each chip
SLICE = 200_000  # instructions between two looks at the clock, or at Ctrl-C
HANDLER_INSTRUCTIONS = 20_000_000  # how long a fault handler may run
NOWHERE = 0xFFFF_FFFF  # emu_start wants an address to stop at; no instruction can be there
ERASED = b"\xff" * 8
SMALLEST_GUARD, LARGEST_GUARD = 256, 4096  # bytes above the variables that belong to nobody
POWER_ON_SEED = 446

BUS_FAULT = (
    "A real chip raises a BusFault there, which ends in the HardFault handler, and the program "
    "goes no further (PM0214, fault handling)."
)
USAGE_FAULT = (
    "A real chip raises a UsageFault there, which ends in the HardFault handler, and the program "
    "goes no further (PM0214, fault handling)."
)
LOCKED_FLASH = (
    "Flash is locked while a program runs: a real chip does not store the value and flags a "
    "programming error in FLASH_SR (RM0390, embedded flash memory)."
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
    "Out of reset the floating-point unit is off: a real chip raises a UsageFault (NOCP) at this "
    "instruction and goes to the HardFault handler (PM0214, CPACR)."
)
ENABLE_FPU = "Put SCB->CPACR |= 0xF << 20 and then DSB and ISB at the start of Reset_Handler."
UNALIGNED = (
    "LDR, STR and their halfword forms take any address; loads and stores of two or more words, of "
    "floats and LDREX do not: a real chip raises a UsageFault (UNALIGNED), which ends in the "
    "HardFault handler (ARMv7-M ARM section A3.2.1)."
)
ALIGN = "Align the data (_Alignas(4)), or copy it with memcpy() instead of casting its pointer."
OVERFLOW = (
    "A real chip has no guard there: it overwrites the variables, and the program goes wrong "
    "later, somewhere else (PM0214, memory model)."
)
LESS_STACK = "Use less stack: no recursion, large arrays static. Or leave more RAM to the stack."
UNWRITTEN = (
    "The RAM of a real chip has random content after power-on (RM0390 section 2.3), so the program "
    "does something else each time."
)
NOT_EXECUTABLE = (
    "From 0x40000000 on there is no code: a real chip raises a MemManage fault (IACCVIOL), which "
    "ends in the HardFault handler (ARMv7-M ARM section B3.1)."
)
SUPERVISOR_CALL, PREFETCH_ABORT = 2, 3
EXCEPTIONS = {  # Unicorn's numbers of what its Cortex-M4 raises
    SUPERVISOR_CALL: Problem("executed a supervisor call (SVC)", NO_INTERRUPTS),
    PREFETCH_ABORT: Problem("", NOT_EXECUTABLE, "", faults.NO_EXECUTION, jumped=True),
    7: Problem("stopped at a breakpoint instruction (BKPT)", BREAKPOINT, "", faults.BREAKPOINT),
    8: Problem("returned from its fault handler", "A real chip executes the instruction again."),
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


def variables_and_stack(program: Program | None, ram_bytes: int) -> tuple[int, int]:
    """The address behind the last variable in RAM, and the bytes that are kept for the stack.

    Both are 0 without a program.
    """
    sections = program.sections if program else []
    stack = sum(section.bytes for section in sections if section.name == ".stack")
    ends = [section.address + section.bytes for section in sections if section.name != ".stack"]
    return max((end for end in ends if 0 <= end - RAM_START <= ram_bytes), default=0), stack


class Chip:
    """One microcontroller with a given flash content, powered on.

    Args:
        mcu: which chip it is.
        flash: the content of its flash, as far as it is programmed.
        program: what `flash` came from, for source lines in faults.
        strict: stop where the program breaks a rule of the chip. Otherwise the chip does what
            silicon does, and the rule goes to `complaints`.
        uninitialized: refuse loads from RAM that was never stored to.
        absent: what on it never becomes ready: "hse", "pll", "overdrive".
    """

    def __init__(
        self,
        mcu: Mcu,
        flash: bytes,
        program: Program | None = None,
        strict: bool = True,
        uninitialized: bool = False,
        absent: frozenset[str] = frozenset(),
    ) -> None:
        self.mcu, self.absent = mcu, absent
        self.program, self.empty, self.strict = program, flash[:8] in (b"", ERASED), strict
        self.failure: BoardFault | None = None
        self.complaints: list[str] = []
        self._complained: set[tuple[str, int]] = set()
        self.led_changes = 0
        self.idle = self._restart = self._halted = False
        self._problem: Problem | None = None
        self._invalid: tuple[int, int, int] | None = None
        self._uc = Uc(UC_ARCH_ARM, UC_MODE_THUMB | UC_MODE_MCLASS)
        self._uc.ctl_set_cpu_model(UC_CPU_ARM_CORTEX_M4)
        self._uc.ctl_set_tcg_buffer_size(TRANSLATION_BUFFER)
        self._map_memory(flash)
        self.watcher = Watcher(self._uc)
        self._make_peripherals()
        self._map_peripherals()
        self._uc.hook_add(UC_HOOK_MEM_INVALID, self._on_invalid)
        self._uc.hook_add(UC_HOOK_INTR, self._on_exception)
        self._guard_memory(uninitialized)
        self.reset()

    # Wiring

    def _map_memory(self, flash: bytes) -> None:
        """RAM with what it has at power-on, and one flash at its two addresses."""
        self._flash = mmap.mmap(-1, self.mcu.flash_bytes)  # Unicorn needs it page-aligned
        self._flash.write(flash.ljust(self.mcu.flash_bytes, b"\xff"))
        self._pinned = ctypes.c_char.from_buffer(self._flash)
        pointer = ctypes.addressof(self._pinned)
        for base in (FLASH_START, m.FLASH_ALIAS):
            self._uc.mem_map_ptr(base, self.mcu.flash_bytes, UC_PROT_READ | UC_PROT_EXEC, pointer)
        size = self.mcu.ram_bytes
        self._uc.mem_map(RAM_START, size)
        self._uc.mem_write(RAM_START, random.Random(POWER_ON_SEED).randbytes(size))
        vectors = struct.unpack_from("<5I", self._flash, 8)  # NMI to UsageFault: PM0214 table 17
        self._handlers = {address & ~1 for address in vectors if address & 1}

    def _guard_memory(self, uninitialized: bool) -> None:
        end, kept = variables_and_stack(self.program, self.mcu.ram_bytes)
        top = int.from_bytes(self._flash[:4], "little")
        guard = min(max(top - kept - end, SMALLEST_GUARD), LARGEST_GUARD)
        if 0 < end < top - guard:
            self.watcher.watch_stack(end, end + guard)
        self._stack_end = self.watcher.state.stack_end
        if uninitialized:
            self.watcher.watch_ram(RAM_START, self.mcu.ram_bytes)

    def _make_peripherals(self) -> None:
        self.time = Time(self.watcher)
        self.dwt = Dwt(self.watcher)
        self.rcc = Rcc(self.mcu, self.absent)
        self.rcc.now = self.time.now
        self.gpioa, self.gpiob = Gpio(m.GPIOA_RESETS), Gpio(m.GPIOB_RESETS)
        self.gpioc = Gpio(external=1 << m.BUTTON_PIN)
        self.usart = Usart(self.time, self.rcc.apb1_hz, self._on_idle)
        systick = SysTick(self.time, self.rcc.core_hz)
        self.system = SystemControl(
            systick, self._on_restart, self._on_trace, self.watcher.switch_fpu
        )
        self.power, self.flash_interface = self.rcc.power, self.rcc.flash
        self._led = False
        self.rcc.on_change = self._on_clock
        self.gpioa.on_change = self._on_pins
        self.usart.complain = self._complain

    def _blocks(self) -> tuple[Registers, ...]:
        ports = (self.gpioa, self.gpiob, self.gpioc)
        clocks = (self.rcc, self.power, self.flash_interface)
        return (*clocks, *ports, self.system, self.dwt, self.usart)

    def _map_peripherals(self) -> None:
        """Each 4 KB page with the register blocks in it."""
        blocks: dict[str, Registers] = {
            "USART2": self.usart,
            "PWR": self.power,
            "GPIOA": self.gpioa,
            "GPIOB": self.gpiob,
            "GPIOC": self.gpioc,
            "RCC": self.rcc,
            "FLASH": self.flash_interface,
            "DBGMCU": Registers({m.DBGMCU_IDCODE: m.REVISION_A | self.mcu.device_id}),
            "DWT": self.dwt,
            "SCS": self.system,
        }
        pages: dict[int, dict[int, Place]] = {}
        for name, block in blocks.items():
            place = Place(name, block, self.mcu.absent.get(name, ""))
            block.report = self._report
            pages.setdefault(place.where.base & ~0xFFF, {})[place.start >> 10] = place
        pages[m.SCS] = dict.fromkeys(range(4), pages[m.SCS][0])
        for page, places in pages.items():
            self._map_page(page, places)

    def _map_page(self, page: int, places: dict[int, Place]) -> None:
        if page == m.USART2 & ~0xFFF:
            self._usart_bus = UsartBus(page, places, self.rcc.clocked, self._on_unknown)
            self._usart_bus.serve(self._uc, self.usart)
        else:
            bus = Bus(page, places, self.rcc.clocked, self._on_unknown)
            self._uc.mmio_map(page, 0x1000, bus.read, None, bus.write, None)

    # The host's side

    @property
    def led(self) -> bool:
        """Whether LD2 is lit."""
        return self._led

    def press_button(self, pressed: bool) -> None:
        """B1 pulls PC13 low."""
        self.gpioc.external = 0 if pressed else 1 << m.BUTTON_PIN

    def send(self, data: bytes) -> None:
        """Put bytes on the line to the program."""
        self.time.wake()
        self.usart.send(data)

    def reset(self, cause: int = m.PINRSTF) -> None:
        """As after power-on, but RAM keeps its content: vectors to SP and PC, peripherals fresh.

        What the program had sent stays readable. `cause` is a flag of RCC_CSR.
        """
        self.rcc.causes |= cause | m.PINRSTF
        self.failure, self._problem, self._invalid = None, None, None
        self._restart = self._halted = False
        self.watcher.state.stack_end = self._stack_end
        for block in self._blocks():
            block.reset()
        self._on_clock()
        self._on_pins()
        self._reset_core()

    def _reset_core(self) -> None:
        """ARMv7-M ARM section B1.5.5: what reset does to the registers."""
        uc, vectors = self._uc, self._flash[:8]
        uc.reg_write(UC_ARM_REG_XPSR, THUMB)
        for register in (UC_ARM_REG_CONTROL, UC_ARM_REG_PRIMASK, UC_ARM_REG_FPSCR):
            uc.reg_write(register, 0)
        for i in range(13):
            uc.reg_write(UC_ARM_REG_R0 + i, 0)
        uc.reg_write(UC_ARM_REG_LR, 0xFFFF_FFFF)
        uc.reg_write(UC_ARM_REG_SP, int.from_bytes(vectors[:4], "little"))
        uc.reg_write(UC_ARM_REG_PC, int.from_bytes(vectors[4:], "little"))

    def run(self, seconds: float, wanted: int = 0, polls: int = 16) -> None:
        """Execute until the program waits for the host, `wanted` bytes are out, or time is over.

        It waits for the host when it found no byte in `polls` reads of the UART's SR in a row, or
        executed WFI. Raises BoardFault when the program has failed and all that it sent is read,
        again at each call until `reset`.
        """
        deadline = time.monotonic() + seconds
        self.time.wake()
        self.idle, self.usart.polls, self.usart.poll_limit = self._halted, 0, polls
        while not self.idle:
            self._slice()
            enough = wanted and len(self.usart.outgoing) >= wanted
            if enough or time.monotonic() >= deadline:
                break
        if self.idle:
            self.time.sleep()
            if self.failure and not self.usart.outgoing:
                raise self.failure.with_traceback(None)

    @property
    def stopped(self) -> bool:
        """Whether the program has failed for good: no handler of its own runs."""
        return self._halted

    def take_cycle_estimates(self) -> list[int]:
        """For each read of CYCCNT by the program since the last call, the estimated cycles since
        the counter was set to zero."""
        taken = list(self.dwt.estimates)
        self.dwt.estimates.clear()
        return taken

    def close(self) -> None:
        """Give Unicorn's memory back; the chip cannot be used afterwards."""
        self.__dict__.clear()
        gc.collect()  # Unicorn and its callbacks refer to each other

    # One stretch of execution

    def _slice(self) -> None:
        """Execute for about SLICE instructions and deal with the reason for the stop."""
        error = self._execute()
        self._pc = self._uc.reg_read(UC_ARM_REG_PC)
        self.watcher.settle(self._pc)
        self.watcher.add_guards()
        problem = self._problem or self._caught() or (self._explain() if error else None)
        if self._restart:
            self.reset(m.SFTRSTF)
        elif problem:
            self._fail(problem)
        elif self._stranded():
            self._fail(Problem("ended in its own fault handler", OWN_HANDLER))
        elif self.failure and self.watcher.state.instructions > self._handler_end:
            self._halt()

    def _execute(self) -> UcError | None:
        state = self.watcher.state
        state.budget, state.stopped = state.instructions + SLICE, False
        here = self._uc.reg_read(UC_ARM_REG_PC)  # not remembered: Ctrl-C may have ended a slice
        try:
            with holding_back_interrupts():
                self._uc.emu_start(here | 1, NOWHERE)
        except UcError as error:
            return error
        if not (state.stopped or self._problem or self._restart):
            self.idle = True  # WFI or WFE: sleep until something happens
            self.usart.drain()
        return None

    def _stranded(self) -> bool:
        """Whether PC is at a branch to itself within the first instructions of a fault handler."""
        near = any(handler <= self._pc < handler + 8 for handler in self._handlers)
        return near and self._uc.mem_read(self._pc, 2) == BRANCH_TO_SELF

    # Called during execution

    def _on_idle(self) -> None:
        self.idle = True
        self.watcher.stop_soon()

    def _on_restart(self) -> None:
        self._restart = True
        self._uc.emu_stop()

    def _on_trace(self, on: bool) -> None:
        self.dwt.traced = on
        self.dwt.switch()

    def _on_clock(self) -> None:
        self.time.set_clock(self.rcc.core_hz())
        self._usart_bus.on = self.rcc.clocked(m.RCC_APB1ENR, 17)
        self.usart.retune()

    def _on_unknown(self, address: int, verb: str) -> None:
        where, effect, _ = self._nothing_at(address)
        self._report(f"{verb} 0x{address:08x}, {where}", effect, "")

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
        problem = EXCEPTIONS.get(number, Problem(f"raised exception {number}", USAGE_FAULT))
        if number == PREFETCH_ABORT:
            what = (
                f"jumped to 0x{self._uc.reg_read(UC_ARM_REG_PC):08x}, which is no memory for code"
            )
            problem = problem._replace(what=what)
        self._problem = problem
        self._uc.emu_stop()

    def _report(self, what: str, effect: str, fix: str) -> None:
        """The program breaks a rule of the chip: the end of it, unless the chip is lenient."""
        if not self.strict:
            self._complain(what, effect, fix)
        elif self._problem is None:
            self._problem = Problem(what, effect, fix)
            self._uc.emu_stop()

    def _complain(self, what: str, effect: str, fix: str) -> None:
        """Note what goes wrong without stopping a real chip, once for each place."""
        address = self._uc.reg_read(UC_ARM_REG_PC)
        if (what, address) not in self._complained:
            self._complained.add((what, address))
            self.complaints.append(str(self._fault(Problem(what, effect, fix), address)))

    # Faults

    def _fault(self, problem: Problem, address: int) -> BoardFault:
        return board_fault(problem, self.program, address, self._uc.reg_read(UC_ARM_REG_LR))

    def _fail(self, problem: Problem) -> None:
        """Turn what stopped the program into the fault that calls raise until a reset.

        Where a real chip takes an exception, the program's handler runs, for a bounded time.
        """
        self._problem, invalid, self._invalid = None, self._invalid, None
        supervisor_call = problem is EXCEPTIONS[SUPERVISOR_CALL]
        if self.failure is None:
            self.watcher.state.stack_end = 0  # a handler may have its stack among the variables
            self.failure = self._fault(problem, self._pc - 2 * supervisor_call)
            self._handler_end = self.watcher.state.instructions + HANDLER_INSTRUCTIONS
            address = invalid[1] if invalid else 0
            if problem.cause and exceptions.enter(self._uc, self.system, problem.cause, address):
                return
        self._halt()

    def _halt(self) -> None:
        self._halted = self.idle = True
        self.usart.drain()

    def _caught(self) -> Problem | None:
        """What the watcher's guards have found."""
        state, problem = self.watcher.state, None
        if state.unaligned:
            what = "accessed more than one word, or a float, at an address that is no multiple of 4"
            problem = Problem(what, UNALIGNED, ALIGN, faults.UNALIGNED)
        elif state.fpu_off:
            what = "used the floating-point unit while it was off"
            problem = Problem(what, NO_FPU, ENABLE_FPU, faults.NO_COPROCESSOR)
        elif state.overflow:
            at = f"0x{state.overflow:08x}"
            self._report(
                f"wrote to {at}: the stack has overflowed into the variables", OVERFLOW, LESS_STACK
            )
            state.stack_end = 0
        elif state.unwritten:
            what = f"read 0x{state.unwritten:08x}, RAM that it has never written"
            self._report(what, UNWRITTEN, "Give the variable its first value.")
        state.unaligned = state.fpu_off = state.overflow = state.unwritten = 0
        return problem or self._problem

    def _explain(self) -> Problem:
        """What the program did when Unicorn could not go on, and what a real chip does about it."""
        if not self._uc.reg_read(UC_ARM_REG_XPSR) & THUMB:
            what = f"jumped to 0x{self._pc:08x}, an even address"
            return Problem(what, WRONG_STATE, "", faults.WRONG_STATE, jumped=True)
        if self._invalid is None:
            what = "executed an instruction this CPU does not have"
            return Problem(what, USAGE_FAULT, "", faults.UNDEFINED)
        access, address, size = self._invalid
        if access == UC_MEM_FETCH_UNMAPPED:
            what = f"jumped to 0x{address:08x}, where there is no code"
            return Problem(what, BUS_FAULT, "", faults.BAD_FETCH, jumped=True)
        if access == UC_MEM_WRITE_PROT:
            return Problem(f"wrote to 0x{address:08x}, which is flash and locked", LOCKED_FLASH)
        verb = "read" if access == UC_MEM_READ_UNMAPPED else "wrote"
        where, effect, cause = self._nothing_at(address)
        return Problem(f"{verb} {size} bytes at 0x{address:08x}, {where}", effect, "", cause)

    def _nothing_at(self, address: int) -> tuple[str, str, faults.Cause | None]:
        """What is at an address where the virtual board has nothing, and what a real chip does."""
        name = m.peripheral_at(address, self.mcu)
        if name:
            return f"which is {name}, and the virtual board does not model it", NOT_MODELED, None
        if any(low <= address < high for low, high in m.NOT_MODELED):
            return "which the virtual board does not model", NOT_MODELED, None
        if RAM_START - 0x1000 <= address < RAM_START:
            return "just below the RAM: the stack has overflowed", BUS_FAULT, faults.BAD_DATA
        return "where this chip has nothing", BUS_FAULT, faults.BAD_DATA


__all__ = ["BoardFault", "Chip"]
