"""Pins, the system timer and the core's own registers."""

import time
from collections.abc import Callable

from kit.board.virtual import memory_map as m
from kit.board.virtual.registers import Registers


class Gpio(Registers):
    """A port of 16 pins (RM0390 chapter 7). `external` has the level of each input pin."""

    def __init__(self, resets: dict[int, int] | None = None, external: int = 0) -> None:
        super().__init__(resets)
        self.external = external
        self.on_change: Callable[[], None] = lambda: None

    def mode(self, pin: int) -> int:
        """0 input, 1 output, 2 alternate function, 3 analog."""
        return self.read(m.GPIO_MODER) >> 2 * pin & 0b11

    def function(self, pin: int) -> int:
        """The alternate function of pins 0 to 7, or -1 when the pin is not in that mode."""
        return self.read(m.GPIO_AFRL) >> 4 * pin & 0xF if self.mode(pin) == 2 else -1

    def high(self, pin: int) -> bool:
        """Whether the program drives the pin high."""
        return self.mode(pin) == 1 and bool(self.read(m.GPIO_ODR) >> pin & 1)

    def read(self, offset: int) -> int:
        if offset == m.GPIO_IDR:
            return self._levels()
        return 0 if offset == m.GPIO_BSRR else super().read(offset)

    def _levels(self) -> int:
        levels = 0
        for pin in range(16):
            source = super().read(m.GPIO_ODR) if self.mode(pin) == 1 else self.external
            levels |= source & 1 << pin
        return levels

    def write(self, offset: int, value: int) -> None:
        if offset == m.GPIO_BSRR:  # bits 31:16 reset, 15:0 set, and set wins
            old = super().read(m.GPIO_ODR)
            offset, value = m.GPIO_ODR, old & ~(value >> 16) | value & 0xFFFF
        super().write(offset, value)
        self.on_change()


class SysTick(Registers):
    """The system timer (PM0214 section 4.5) without its interrupt.

    It follows the host's clock, not the instructions executed, so that a heartbeat beats at its
    pace; when the CPU is stopped right in the read that clears COUNTFLAG, one beat is lost.
    """

    def __init__(self, clock_hz: Callable[[], int]) -> None:
        super().__init__()
        self.clock_hz = clock_hz
        self._start()

    def _start(self) -> None:
        divider = 1 if self.read(m.SYST_CSR) & m.CLKSOURCE else 8
        self.hz, self.started, self.wraps = self.clock_hz() / divider, time.monotonic(), 0

    def read(self, offset: int) -> int:
        value = super().read(offset)
        if offset not in (m.SYST_CSR, m.SYST_CVR):
            return value
        if not super().read(m.SYST_CSR) & m.SYSTICK_ENABLE:
            return value if offset == m.SYST_CSR else 0
        wraps, position = self._count()
        if offset == m.SYST_CVR:
            return position
        flag = m.COUNTFLAG if wraps > self.wraps else 0
        self.wraps = wraps
        return value | flag

    def _count(self) -> tuple[int, int]:
        """How often it went through zero, and where it is on its way down."""
        reload = super().read(m.SYST_RVR) & 0xFF_FFFF
        wraps, passed = divmod(int((time.monotonic() - self.started) * self.hz), reload + 1)
        return wraps, reload - passed

    def write(self, offset: int, value: int) -> None:
        super().write(offset, value)
        self._start()


class SystemControl(Registers):
    """The core's own registers (PM0214 chapter 4): identity, reset, FPU access, fault status.

    The callbacks tell the chip that the program enables an interrupt, asks for a reset, switches
    the trace unit, is about to switch the FPU.
    """

    def __init__(
        self,
        systick: SysTick,
        on_interrupt: Callable[[], None],
        on_reset: Callable[[], None],
        on_trace: Callable[[], None],
        on_fpu: Callable[[], None],
    ) -> None:
        super().__init__(m.SCS_RESETS)
        self.systick, self.on_interrupt, self.on_reset = systick, on_interrupt, on_reset
        self.on_trace, self.on_fpu = on_trace, on_fpu

    def reset(self) -> None:
        super().reset()
        self.systick.reset()

    def read(self, offset: int) -> int:
        timer = m.SYST_CSR <= offset <= m.SYST_CALIB
        return self.systick.read(offset) if timer else super().read(offset)

    def fpu_on(self) -> bool:
        """Whether CPACR gives full access to coprocessors 10 and 11."""
        return self.read(m.CPACR) & m.FPU_FULL_ACCESS == m.FPU_FULL_ACCESS

    def write(self, offset: int, value: int) -> None:
        if offset == m.CPACR:
            self.on_fpu()
        if offset == m.AIRCR:
            if value >> 16 == m.AIRCR_KEY and value & m.SYSRESETREQ:
                self.on_reset()
        elif m.SYST_CSR <= offset <= m.SYST_CALIB:
            self.systick.write(offset, value)
        elif offset != m.CPUID:
            super().write(offset, value)
        if offset == m.DEMCR:
            self.on_trace()
        if (offset in m.NVIC_ISER and value) or (offset == m.SYST_CSR and value & m.TICKINT):
            self.on_interrupt()
