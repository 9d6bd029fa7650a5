"""A whole STM32F4: the core, its peripherals, their clocks and the serial line, wired together.

Nothing runs by itself: `Chip.run` executes the program until it waits for the host or the time is
over, and the next call goes on from there. The native hooks of watcher.py count, keep time and stop
the program between two blocks of code, so that no load or store is executed twice; only what ends
the program stops it at once.
"""

import gc
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import unicorn
from unicorn.arm_const import UC_ARM_REG_XPSR

from virtual_nucleo import memory_map as m
from virtual_nucleo import store, watcher
from virtual_nucleo.clocks import Rcc
from virtual_nucleo.core import THUMB, Core
from virtual_nucleo.faults import BoardFault, Problem, board_fault, core_fault
from virtual_nucleo.flash import FlashModel
from virtual_nucleo.mcus import FLASH_START, RAM_START, FlashSettings, mcu_of
from virtual_nucleo.options import Options
from virtual_nucleo.peripherals import NO_INTERRUPTS, Dwt, Estimate, Gpio, SystemControl
from virtual_nucleo.program import Program
from virtual_nucleo.registers import Bus, Registers
from virtual_nucleo.usart import Usart
from virtual_nucleo.watcher import Time, Watcher

SLICE = 200_000  # instructions between two looks at the clock, or at Ctrl-C
HANDLER_INSTRUCTIONS = 20_000_000  # how long a fault handler may run
SMALLEST_GUARD, LARGEST_GUARD = 256, 4096  # bytes above the variables that belong to nobody
INVALID = unicorn.UC_HOOK_MEM_UNMAPPED | unicorn.UC_HOOK_MEM_FETCH_PROT
LOCKED = unicorn.UC_HOOK_MEM_WRITE_PROT
LOCKED_FLASH = (
    "Flash is locked while a program runs: a real chip does not store the value and flags a "
    "programming error in FLASH_SR (RM0390, embedded flash memory)."
)
NOT_MODELED = (
    "The virtual board has RCC, PWR, GPIOA to GPIOC, USART2, the flash interface, DBGMCU and the "
    "core's own registers; a real {chip} has more ({manual} table 1)."
)
OWN_HANDLER = Problem(
    "ended in its own fault handler",
    "Vector table entries 2 to 6 lead there. A real chip goes there after a fault; here the "
    "program went by itself, perhaps because main() returned. Nothing more happens on either.",
)
OVERFLOW = (
    "A real chip has no guard there: it overwrites the variables, and the program goes wrong "
    "later, somewhere else (PM0214, memory model).",
    "Use less stack: no recursion, large arrays static. Or leave more RAM to the stack.",
)
UNWRITTEN = (
    "The RAM of a real chip has random content after power-on (RM0390 section 2.3), so the program "
    "does something else each time.",
    "Give the variable its first value.",
)
RESTART = Problem("asked for a reset", "")
SUPERVISOR_CALL = Problem("executed a supervisor call (SVC)", NO_INTERRUPTS)
AGAIN = Problem("returned from its fault handler", "A real chip executes the instruction again.")


class Chip:
    """One microcontroller, powered on, with a program in its flash or none. `failure` is the
    program's fault, which `run` raises; `complaints` are the rules that it broke without being
    stopped, and what else went wrong without stopping a real chip: bytes lost or garbled. `led`
    says whether LD2 is lit, `led_changes` counts. Raises VirtualError for a program that is not
    for this chip."""

    def __init__(self, program: Program | None, options: Options) -> None:
        self.program, self.options = program, options
        self.mcu = mcu_of(program, options.mcu)
        self._complaints: dict[tuple[str, int], tuple[Problem, int]] = {}
        self.led, self.led_changes, self.idle = False, 0, False
        self.core = Core(self.mcu, store.flash_image(program, self.mcu) if program else b"")
        self.watcher = Watcher(self.core.uc)
        self._make_peripherals()
        # None of these where there is RAM: there it would make every store slow.
        flash, uc = self.mcu.flash_bytes, self.core.uc
        for low, high in ((0, RAM_START), (RAM_START + self.mcu.ram_bytes, 1 << 32)):
            uc.hook_add(INVALID, self._on_invalid, None, low, high - 1)
        for base in (FLASH_START, m.FLASH_ALIAS):
            uc.hook_add(LOCKED, self._on_invalid, None, base, base + flash - 1)
        self.core.uc.hook_add(unicorn.UC_HOOK_INTR, self._on_exception)
        self._guard_memory()
        self._start(m.PINRSTF)

    def _guard_memory(self) -> None:
        """Watch the free RAM above the last variable, which the stack must not reach: a page of its
        own if there is room for one, since stores to a watched page take long."""
        sections = self.program.sections if self.program else []
        kept = sum(section.bytes for section in sections if section.name == ".stack")
        ends = [section.address + section.bytes for section in sections if section.name != ".stack"]
        end = max((e for e in ends if 0 <= e - RAM_START <= self.mcu.ram_bytes), default=0)
        guard = min(max(self.core.stack_top - kept - end, SMALLEST_GUARD), LARGEST_GUARD)
        page = -(-end // watcher.PAGE) * watcher.PAGE
        if page + 2 * watcher.PAGE <= self.core.stack_top - kept:
            end, guard = page, watcher.PAGE
        if 0 < end < self.core.stack_top - guard:
            self.watcher.watch_stack(end, end + guard, self.core.ram)
        self._stack_end = self.watcher.state.stack_end
        if self.options.uninitialized:
            self.watcher.watch_ram(RAM_START, self.mcu.ram_bytes)

    def _make_peripherals(self) -> None:
        self.flash = FlashModel(self.watcher, self.mcu)
        self.time, self.dwt = Time(self.watcher.state), Dwt(self.watcher, self.flash)
        self.rcc = Rcc(self.mcu, self.options.absent)
        self.rcc.now, self.rcc.on_change = self.time.now, self._on_clock
        self.gpioa, self.gpiob, self.gpioc = (Gpio(f"GPIO{letter}") for letter in "ABC")
        self.gpioa.on_write, self.gpioc.external = self._on_pins, 1 << m.BUTTON_PIN
        self.usart = Usart(self.time, self.rcc, self._on_idle)
        self.usart.complain = self._complain
        self.system = SystemControl(self.time, self.rcc, self.dwt, self._on_restart)
        debug = Registers("DBGMCU", resets={"IDCODE": m.REVISION_A | self.mcu.device_id})
        clocks = (self.rcc, self.rcc.power, self.rcc.flash)
        others = (self.gpioa, self.gpiob, self.gpioc, self.system, self.dwt, self.usart)
        self.blocks = *clocks, *others, debug
        self._buses: dict[int, Bus] = {}  # kept: Unicorn calls them
        for block in self.blocks:
            block.report, page = self._report, block.where.base & ~0xFFF
            bus = self._buses[page] = self._buses.get(page) or Bus(self.core.uc, page, block)
            bus.clocked, bus.refuse = self.rcc.clocked, self._on_nothing
            for kilobyte in range(4) if block is self.system else [block.where.base >> 10 & 3]:
                bus.blocks[kilobyte] = block

    # The host's side

    @property
    def complaints(self) -> list[str]:
        noted = self._complaints.items()
        return [str(board_fault(what, self.program, at, lr)) for (_, at), (what, lr) in noted]

    @property
    def instructions(self) -> int:
        """How many were executed since power-on, the running block of code left out."""
        return int(self.watcher.state.instructions)

    def send(self, data: bytes) -> None:
        """Put bytes on the line to the program. Raises BoardFault where nobody will read them."""
        if self.failure and self.stopped:
            raise self.failure
        self.time.wake()
        self.usart.send(data)

    def reset(self) -> None:
        """The black button: RAM keeps its content, and what was sent stays readable."""
        self.usart.forget()
        self._start(m.PINRSTF)

    @contextmanager
    def counting_waits(self, as_if: FlashSettings | None = None) -> Iterator[None]:
        """In the block, estimates have the cycles that the core waits for the flash; `as_if` counts
        them for other settings than those of the program."""
        self.flash.count(True, as_if)
        try:
            yield
        finally:
            self.flash.count(False)

    def take_cycle_estimates(self) -> list[Estimate]:
        """For each read of CYCCNT by the program since the last call, the estimate of the cycles
        since the counter was set to zero, and how many of them the core waited for the flash."""
        estimates = self.dwt.estimates
        return [estimates.popleft() for _ in range(len(estimates))]

    def run(self, seconds: float, wanted: int = 0, polls: int = 16) -> None:
        """Execute until the program waits for the host, `wanted` bytes are out, or time is over. It
        waits for the host when it found no byte in `polls` reads of the UART's SR in a row, or
        executed WFI. Raises BoardFault when the program has failed and all that it sent is read,
        again at each call until `reset`."""
        deadline = time.monotonic() + seconds
        self.time.wake()
        self.idle, line = self.stopped, self.usart.line
        line.polls, line.poll_limit = 0, polls
        while not self.idle:
            self._slice()
            enough = wanted and len(self.usart.outgoing) >= wanted
            if enough or time.monotonic() >= deadline:
                break
        if self.idle:
            self.time.sleep()
            if self.failure and not self.usart.outgoing:
                raise self.failure.with_traceback(None)

    def close(self) -> None:
        """Give Unicorn's memory back; the chip cannot be used afterwards."""
        self.__dict__.clear()
        gc.collect()  # Unicorn and its callbacks refer to each other

    # Execution

    def _start(self, cause: int) -> None:
        """Everything but the RAM fresh. `cause` is a flag of RCC_CSR."""
        self.rcc.causes |= cause | m.PINRSTF
        self.failure: BoardFault | None = None
        self._problem: Problem | None = None
        self._invalid: tuple[int, int] | None = None  # an access: Unicorn's kind, and the address
        self.stopped = False
        self.watcher.state.stack_end = self._stack_end
        for block in self.blocks:
            block.reset()
        self._on_clock()
        self._on_pins()
        self.core.reset()

    def _slice(self) -> None:
        """Execute for about SLICE instructions and deal with the reason for the stop."""
        state = self.watcher.state
        state.budget, state.stopped = state.instructions + SLICE, False
        error = self.core.execute()
        if not (error or state.stopped or self._problem):
            self._wait()  # WFI or WFE: sleep until something happens
        self.watcher.settle(self.core.pc)
        problem = self._problem or self._caught() or (self._explain() if error else None)
        if problem is RESTART:
            self._start(m.SFTRSTF)
        elif problem or self.core.stranded():
            self._fail(problem or OWN_HANDLER)
        elif self.failure and state.instructions > self._handler_end:
            self._halt()

    def _wait(self) -> None:
        self.idle = True
        self.usart.drain()

    def _halt(self) -> None:
        self.stopped = True  # for good: no handler of its own runs
        self._wait()

    # Called during execution

    def _on_idle(self) -> None:
        self.idle = True
        self.watcher.state.budget = 0  # stop at the next block, so that none is executed in part

    def _on_restart(self) -> None:
        self._problem = RESTART
        self.core.uc.emu_stop()

    def _on_clock(self) -> None:
        self.time.set_clock(self.rcc.hz().core)
        self.flash.configure(FlashSettings.of(self.rcc.flash.values["ACR"]))
        self.usart.retune()

    def _on_pins(self) -> None:
        lit = self.gpioa.high(m.LED_PIN)
        self.led_changes += lit != self.led
        self.led = lit
        pins = tuple(self.gpioa.function(pin) == m.USART_FUNCTION for pin in (m.TX_PIN, m.RX_PIN))
        if pins != (self.usart.tx_connected, self.usart.rx_connected):
            self.usart.tx_connected, self.usart.rx_connected = pins
            self.usart.retune()

    def _on_nothing(self, address: int, verb: str) -> None:
        self._report(*self._nothing_at(address, verb)[:3])

    def _on_invalid(self, _uc: Any, access: int, address: int, *_rest: Any) -> bool:
        self._invalid = access, address
        return False

    def _on_exception(self, _uc: Any, number: int, _data: Any) -> None:
        """`number` is Unicorn's: SVC, BKPT, exception return."""
        self._problem = {
            2: SUPERVISOR_CALL,
            7: core_fault("DEBUGEVT"),
            8: AGAIN,
        }.get(number, Problem(f"raised exception {number} of the emulator", "It is not modeled."))
        self.core.uc.emu_stop()

    def _report(self, what: str, effect: str, fix: str) -> None:
        """The program breaks a rule of the chip: the end of it, unless the chip is lenient."""
        if not self.options.strict:
            self._complain(what, effect, fix)
        elif self._problem is None:
            self._problem = Problem(what, effect, fix)
            self.core.uc.emu_stop()

    def _complain(self, what: str, effect: str, fix: str) -> None:
        """Note what goes wrong without stopping a real chip, once for each place. Which line of
        the source that is takes a second to find: no program waits for that."""
        note = Problem(what, effect, fix), self.core.lr
        self._complaints.setdefault((what, self.core.pc), note)

    # Faults

    def _fail(self, problem: Problem) -> None:
        """Turn what stopped the program into the fault that calls raise until a reset. Where a real
        chip takes an exception, the program's handler runs, for a bounded time."""
        invalid, self._problem, self._invalid = self._invalid, None, None
        if self.failure is None:
            self.watcher.state.stack_end = 0  # a handler may have its stack among the variables
            at = self.core.pc - 2 * (problem is SUPERVISOR_CALL)
            self.failure = board_fault(problem, self.program, at, self.core.lr)
            self._handler_end = self.watcher.state.instructions + HANDLER_INSTRUCTIONS
            address = invalid[1] if invalid else 0
            if problem.flag and self.core.take(problem.flag, self.system, address):
                return
        self._halt()

    def _caught(self) -> Problem | None:
        """What the watcher has found; None also where a lenient chip goes on."""
        state = self.watcher.state
        kind, at, state.caught = state.caught, f"0x{state.caught_at:08x}", 0
        if kind in (watcher.UNALIGNED, watcher.FPU_OFF):
            return core_fault("NOCP" if kind == watcher.FPU_OFF else "UNALIGNED")
        if kind == watcher.OVERFLOW:
            self._report(f"wrote to {at}: the stack has overflowed into the variables", *OVERFLOW)
            state.stack_end = 0
        elif kind == watcher.UNWRITTEN:
            self._report(f"read {at}, RAM that it has never written", *UNWRITTEN)
        return self._problem

    def _explain(self) -> Problem:
        """What the program did when Unicorn could not go on, and what a real chip does about it."""
        if not self.core.uc.reg_read(UC_ARM_REG_XPSR) & THUMB:
            return core_fault("INVSTATE", address=self.core.pc)
        if self._invalid is None:
            return core_fault("UNDEFINSTR")
        access, address = self._invalid
        if access == unicorn.UC_MEM_FETCH_UNMAPPED:
            return core_fault("IBUSERR", address=address)
        if access == unicorn.UC_MEM_FETCH_PROT:
            return core_fault("IACCVIOL", address=address)
        if access == unicorn.UC_MEM_WRITE_PROT:
            return Problem(f"wrote to 0x{address:08x}, which is flash and locked", LOCKED_FLASH)
        read = access == unicorn.UC_MEM_READ_UNMAPPED
        return self._nothing_at(address, "read" if read else "wrote to")

    def _nothing_at(self, address: int, verb: str) -> Problem:
        """An access where the virtual board has nothing, and what a real chip does."""
        name, at = m.peripheral_at(address, self.mcu), f"{verb} 0x{address:08x}"
        beyond = any(low <= address < high for low, high in m.NOT_MODELED)
        if name or beyond:
            known = f"is {name}, and " * bool(name) + "the virtual board does not"
            real = {"chip": self.mcu.name.upper(), "manual": self.mcu.manual}
            return Problem(f"{at}, which {known} model", NOT_MODELED.format(**real))
        problem = core_fault("PRECISERR", verb, address)
        if RAM_START - 0x1000 <= address < RAM_START:
            return problem._replace(what=f"{at}, just below the RAM: the stack has overflowed")
        return problem
