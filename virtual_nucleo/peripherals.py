"""Pins, the system timer, the cycle counter and the core's own registers."""

from collections import deque
from collections.abc import Callable
from typing import NamedTuple

from virtual_nucleo import memory_map as m
from virtual_nucleo.clocks import Rcc
from virtual_nucleo.flash import FlashModel
from virtual_nucleo.registers import Registers
from virtual_nucleo.watcher import Time, Watcher


class Estimate(NamedTuple):
    """Estimated cycles, and how many of them the core waited for the flash."""

    cycles: int
    waits: int


Count = tuple[int, int, int]  # executed instructions, and the two numbers of an Estimate
ESTIMATES_KEPT = 65_536
NO_INTERRUPTS = (
    "The virtual board models no interrupts; a real chip calls the handler in the vector table."
)


class Gpio(Registers):
    """A port of 16 pins (RM0390 chapter 7). `external` has the level of each input pin."""

    external = 0

    def mode(self, pin: int) -> int:
        """0 input, 1 output, 2 alternate function, 3 analog."""
        return self.values["MODER"] >> 2 * pin & 0b11

    def function(self, pin: int) -> int:
        """Of pins 0 to 7, or -1 when the pin is not in that mode."""
        return self.values["AFRL"] >> 4 * pin & 0xF if self.mode(pin) == 2 else -1

    def high(self, pin: int) -> bool:
        return self.mode(pin) == 1 and bool(self.values["ODR"] >> pin & 1)

    def read_idr(self) -> int:
        outputs = sum((self.mode(pin) == 1) << pin for pin in range(16))
        return self.values["ODR"] & outputs | self.external & ~outputs

    def write_bsrr(self, _old: int, value: int) -> int:
        """Bits 31:16 reset, 15:0 set, and set wins."""
        self.values["ODR"] = self.values["ODR"] & ~(value >> 16) | value & 0xFFFF
        return 0


class Dwt(Registers):
    """CTRL and CYCCNT of the data watchpoint unit (ARMv7-M ARM section C1.8). CYCCNT counts
    executed instructions, exactly: a read gives those since it was zero, up to the read itself.
    Those that an IT block skips count, as they take their turn in the pipeline. Beside each number
    that a program reads, `estimates` has that of its cycles (see timing.py and flash.py)."""

    def __init__(self, watcher: Watcher, flash: FlashModel) -> None:
        super().__init__("DWT")
        self.watcher, self.flash, self.on_write = watcher, flash, self._switch
        self.estimates: deque[Estimate] = deque(maxlen=ESTIMATES_KEPT)
        self.reset()

    def reset(self) -> None:
        super().reset()
        self._counting = self._traced = False
        self._stopped_at = self._zero = (0, 0, 0)

    def _value(self, after: bool = False) -> Count:
        """What CYCCNT has for the running instruction, or for the one `after` it."""
        return self._since(self._zero, after) if self._counting else self._stopped_at

    def _set(self, value: Count) -> None:
        """CYCCNT is `value` for the instruction after the running store."""
        self._stopped_at = value
        self._zero = self._since(value, after=True)

    def _since(self, start: Count, after: bool) -> Count:
        now = (*self.watcher.position(after), self.flash.waits)
        return now[0] - start[0], now[1] - start[1], now[2] - start[2]

    def trace(self, on: bool) -> None:
        """DEMCR.TRCENA, without which nothing counts."""
        self._traced = on
        self._switch()

    def _switch(self) -> None:
        on = bool(self._traced and self.values["CTRL"] & m.CYCCNTENA)
        if on != self._counting:
            self._set(self._value(after=True))
            self._counting = on

    def read_ctrl(self) -> int:
        return self.values["CTRL"] | m.DWT_NUMCOMP

    def write_ctrl(self, _old: int, value: int) -> int:
        return value & m.CYCCNTENA

    def read_cyccnt(self) -> int:
        instructions, *estimate = self._value()
        self.estimates.append(Estimate(*estimate))
        return instructions & 0xFFFF_FFFF

    def write_cyccnt(self, _old: int, value: int) -> int:
        self._set((value, value, 0))
        return value


class SystemControl(Registers):
    """The core's own registers (PM0214 chapter 4): identity, reset, FPU access, fault status, and
    the system timer without its interrupt, on virtual time (section 4.5). `on_reset` is called when
    the program asks for a reset."""

    def __init__(self, time: Time, rcc: Rcc, dwt: Dwt, on_reset: Callable[[], None]) -> None:
        super().__init__("SCS")
        self.time, self.rcc, self.dwt, self.on_reset = time, rcc, dwt, on_reset
        self._start_timer()

    def reset(self) -> None:
        super().reset()
        self.dwt.watcher.switch_fpu(False)

    def _start_timer(self) -> None:
        divider = 1 if self.values["SYST_CSR"] & m.CLKSOURCE else 8
        self.hz, self.started, self.wraps = self.rcc.hz().core / divider, self.time.now(), 0

    def _timer(self) -> tuple[int, int]:
        """How often the timer has wrapped, and what it has."""
        if not self.values["SYST_CSR"] & m.SYSTICK_ENABLE:
            return self.wraps, 0
        self.time.look()
        reload = self.values["SYST_RVR"] & 0xFF_FFFF
        wraps, passed = divmod(int((self.time.now() - self.started) * self.hz), reload + 1)
        return wraps, reload - passed

    def read_syst_csr(self) -> int:
        before, (self.wraps, _) = self.wraps, self._timer()
        return self.values["SYST_CSR"] | m.COUNTFLAG * (self.wraps > before)

    def read_syst_cvr(self) -> int:
        return self._timer()[1]

    def write(self, offset: int, value: int) -> None:
        super().write(offset, value)
        if offset in m.SYST:
            self._start_timer()
        elif offset in m.NVIC_ISER and value:
            self._has_no_interrupts()

    def _has_no_interrupts(self) -> None:
        self.report("enabled an interrupt, and the virtual board has none", NO_INTERRUPTS, "")

    def write_syst_csr(self, _old: int, value: int) -> int:
        if value & m.TICKINT:
            self._has_no_interrupts()
        return value

    def write_cfsr(self, old: int, value: int) -> int:
        """A one clears its bit."""
        return old & ~value

    write_hfsr = write_dfsr = write_cfsr

    def write_cpuid(self, old: int, _value: int) -> int:
        return old

    def write_aircr(self, old: int, value: int) -> int:
        if value >> 16 == m.AIRCR_KEY and value & m.SYSRESETREQ:
            self.on_reset()
        return old

    def write_demcr(self, _old: int, value: int) -> int:
        self.dwt.trace(bool(value & m.TRCENA))
        return value

    def write_cpacr(self, _old: int, value: int) -> int:
        self.dwt.watcher.switch_fpu(value & m.FPU_FULL_ACCESS == m.FPU_FULL_ACCESS)
        return value
