"""Pins, the system timer, the cycle counter and the core's own registers."""

from collections import deque
from collections.abc import Callable

from virtual_nucleo import memory_map as m
from virtual_nucleo.registers import Registers
from virtual_nucleo.watcher import Time, Watcher

Count = tuple[int, int]  # executed instructions, and the estimate of their cycles
ESTIMATES_KEPT = 65_536
NO_INTERRUPTS = (
    "The virtual board models no interrupts; a real chip calls the handler in the vector table."
)


class Gpio(Registers):
    """A port of 16 pins (RM0390 chapter 7). `external` has the level of each input pin."""

    def __init__(self, name: str, resets: dict[int, int] | None = None, external: int = 0) -> None:
        super().__init__(name, resets)
        self.external = external
        self.on_change: Callable[[], None] = lambda: None

    def mode(self, pin: int) -> int:
        """0 input, 1 output, 2 alternate function, 3 analog."""
        return self.read(m.GPIO_MODER) >> 2 * pin & 0b11

    def function(self, pin: int) -> int:
        """Of pins 0 to 7, or -1 when the pin is not in that mode."""
        return self.read(m.GPIO_AFRL) >> 4 * pin & 0xF if self.mode(pin) == 2 else -1

    def high(self, pin: int) -> bool:
        return self.mode(pin) == 1 and bool(self.read(m.GPIO_ODR) >> pin & 1)

    def read(self, offset: int) -> int:
        if offset == m.GPIO_IDR:
            outputs = sum((self.mode(pin) == 1) << pin for pin in range(16))
            return super().read(m.GPIO_ODR) & outputs | self.external & ~outputs
        return 0 if offset == m.GPIO_BSRR else super().read(offset)

    def write(self, offset: int, value: int) -> None:
        if offset == m.GPIO_BSRR:  # bits 31:16 reset, 15:0 set, and set wins
            old = super().read(m.GPIO_ODR)
            offset, value = m.GPIO_ODR, old & ~(value >> 16) | value & 0xFFFF
        super().write(offset, value)
        self.on_change()


class Dwt(Registers):
    """CTRL and CYCCNT of the data watchpoint unit (ARMv7-M ARM section C1.8). CYCCNT counts
    executed instructions, exactly: a read gives those since it was zero, up to the read itself.
    Those that an IT block skips count, as they take their turn in the pipeline. Beside each number
    that a program reads, `estimates` has the estimate of its cycles (see timing.py)."""

    def __init__(self, watcher: Watcher) -> None:
        super().__init__("DWT")
        self.watcher = watcher
        self.estimates: deque[int] = deque(maxlen=ESTIMATES_KEPT)
        self.reset()

    def reset(self) -> None:
        super().reset()
        self._counting = self._traced = False
        self._stopped_at = self._zero = (0, 0)

    def _value(self, after: bool = False) -> Count:
        """What CYCCNT has for the running instruction, or for the one `after` it."""
        return self._since(self._zero, after) if self._counting else self._stopped_at

    def _set(self, value: Count) -> None:
        """CYCCNT is `value` for the instruction after the running store."""
        self._stopped_at = value
        self._zero = self._since(value, after=True)

    def _since(self, start: Count, after: bool) -> Count:
        instructions, cycles = self.watcher.position(after)
        return instructions - start[0], cycles - start[1]

    def trace(self, on: bool) -> None:
        """DEMCR.TRCENA, without which nothing counts."""
        self._traced = on
        self._switch()

    def _switch(self) -> None:
        on = bool(self._traced and self.values.get(m.DWT_CTRL, 0) & m.CYCCNTENA)
        if on != self._counting:
            self._set(self._value(after=True))
            self._counting = on

    def read(self, offset: int) -> int:
        if offset == m.DWT_CYCCNT:
            instructions, cycles = self._value()
            self.estimates.append(cycles)
            return instructions & 0xFFFF_FFFF
        return super().read(offset) | (m.DWT_NUMCOMP if offset == m.DWT_CTRL else 0)

    def write(self, offset: int, value: int) -> None:
        if offset == m.DWT_CYCCNT:
            self._set((value, value))
        else:
            super().write(offset, value & m.CYCCNTENA)
            self._switch()


class SysTick(Registers):
    """The system timer (PM0214 section 4.5) without its interrupt, on virtual time."""

    def __init__(self, time: Time, clock_hz: Callable[[], int]) -> None:
        super().__init__("SCS")
        self.time, self.clock_hz = time, clock_hz
        self._start()

    def _start(self) -> None:
        divider = 1 if self.read(m.SYST_CSR) & m.CLKSOURCE else 8
        self.hz, self.started, self.wraps = self.clock_hz() / divider, self.time.now(), 0

    def read(self, offset: int) -> int:
        value = super().read(offset)
        if offset not in (m.SYST_CSR, m.SYST_CVR):
            return value
        if not super().read(m.SYST_CSR) & m.SYSTICK_ENABLE:
            return value if offset == m.SYST_CSR else 0
        self.time.look()
        reload = super().read(m.SYST_RVR) & 0xFF_FFFF
        wraps, passed = divmod(int((self.time.now() - self.started) * self.hz), reload + 1)
        if offset == m.SYST_CVR:
            return reload - passed
        flag = m.COUNTFLAG if wraps > self.wraps else 0
        self.wraps = wraps
        return value | flag

    def write(self, offset: int, value: int) -> None:
        super().write(offset, value)
        self._start()


class SystemControl(Registers):
    """The core's own registers (PM0214 chapter 4): identity, reset, FPU access, fault status.
    `on_reset` is called when the program asks for a reset."""

    def __init__(self, systick: SysTick, dwt: Dwt, on_reset: Callable[[], None]) -> None:
        super().__init__("SCS", m.SCS_RESETS)
        self.systick, self.dwt, self.on_reset = systick, dwt, on_reset

    def reset(self) -> None:
        super().reset()
        self.systick.reset()
        self.dwt.watcher.switch_fpu(False)

    def read(self, offset: int) -> int:
        timer = m.SYST_CSR <= offset <= m.SYST_CALIB
        return self.systick.read(offset) if timer else super().read(offset)

    def write(self, offset: int, value: int) -> None:
        if m.SYST_CSR <= offset <= m.SYST_CALIB:
            self.systick.write(offset, value)
        elif offset in (m.CFSR, m.HFSR, m.DFSR):  # a one clears its bit
            super().write(offset, self.read(offset) & ~value)
        elif offset not in (m.CPUID, m.AIRCR):
            super().write(offset, value)
        if offset == m.AIRCR and value >> 16 == m.AIRCR_KEY and value & m.SYSRESETREQ:
            self.on_reset()
        elif offset == m.DEMCR:
            self.dwt.trace(bool(value & m.TRCENA))
        elif offset == m.CPACR:
            self.dwt.watcher.switch_fpu(value & m.FPU_FULL_ACCESS == m.FPU_FULL_ACCESS)
        elif (offset in m.NVIC_ISER and value) or (offset == m.SYST_CSR and value & m.TICKINT):
            self.report("enabled an interrupt, and the virtual board has none", NO_INTERRUPTS, "")
