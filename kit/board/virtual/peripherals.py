"""The register blocks a program on the STM32F446RE talks to.

Unicorn may run a load or store a second time when it was stopped during the first (see chip.py), so
every access here has the same effect whether it happens once or twice. The UART gets that from the
way the real one works: DR keeps its byte until the next one moves in.
"""

import time
from collections import deque
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from kit.board.virtual import memory_map as m


class Registers:
    """A block of registers that remember what was written; unknown ones read as zero."""

    def __init__(self, resets: dict[int, int] | None = None) -> None:
        self.resets = resets or {}
        self.values = dict(self.resets)

    def reset(self) -> None:
        """Reset values, as after power-on."""
        self.values = dict(self.resets)

    def read(self, offset: int) -> int:
        """The 32-bit value at a word offset."""
        return self.values.get(offset, 0)

    def write(self, offset: int, value: int) -> None:
        """A 32-bit store at a word offset."""
        self.values[offset] = value


class Rcc(Registers):
    """Clock control (RM0390 chapter 6): ready bits follow at once, SWS follows SW."""

    def __init__(self) -> None:
        super().__init__(m.RCC_RESETS)
        self.on_change: Callable[[], None] = lambda: None

    def write(self, offset: int, value: int) -> None:
        for on, ready in m.RCC_READY.get(offset, ()):
            value = value & ~(1 << ready) | (value >> on & 1) << ready
        if offset == m.RCC_CFGR:
            value = value & ~0b1100 | (value & 0b11) << 2
        super().write(offset, value)
        self.on_change()

    def clocked(self, enable: int, bit: int) -> bool:
        """Whether a peripheral's clock is on; without it its registers do not work."""
        return bool(self.values.get(enable, 0) >> bit & 1)

    def system_hz(self) -> int:
        """SYSCLK in Hz: RM0390 sections 6.3.2 (PLLCFGR) and 6.3.3 (CFGR)."""
        source = self.values.get(m.RCC_CFGR, 0) & 0b11
        if source < 2:
            return (m.HSI_HZ, m.HSE_HZ)[source]
        pll = self.values[m.RCC_PLLCFGR]
        vco_in = (m.HSE_HZ if pll >> 22 & 1 else m.HSI_HZ) / max(pll & 0x3F, 1)
        vco = vco_in * (pll >> 6 & 0x1FF)
        divider = 2 * (pll >> 16 & 0b11) + 2 if source == 2 else max(pll >> 28 & 0b111, 1)
        return round(vco / divider)

    def core_hz(self) -> int:
        """HCLK in Hz, the clock of the core: SYSCLK through the HPRE prescaler."""
        hpre = self.values.get(m.RCC_CFGR, 0) >> 4 & 0xF
        return self.system_hz() // (1, 2, 4, 8, 16, 64, 128, 256, 512)[max(hpre - 7, 0)]

    def apb1_hz(self) -> int:
        """PCLK1 in Hz, the clock of USART2: HCLK through the PPRE1 prescaler."""
        ppre1 = self.values.get(m.RCC_CFGR, 0) >> 10 & 0b111
        return self.core_hz() // (1, 2, 4, 8, 16)[max(ppre1 - 3, 0)]


class Power(Registers):
    """Power control (RM0390 chapter 5): regulator and over-drive are ready when asked for."""

    def __init__(self) -> None:
        super().__init__(m.PWR_RESETS)

    def read(self, offset: int) -> int:
        if offset == m.PWR_CSR:
            return m.VOSRDY | self.values[m.PWR_CR] & m.OD_BITS
        return super().read(offset)


class FlashInterface(Registers):
    """Flash interface (RM0390 chapter 3): latency is remembered, CR stays locked."""

    def write(self, offset: int, value: int) -> None:
        if offset != m.FLASH_CR:
            super().write(offset, value)


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


def sampled(byte: int, ratio: float) -> int:
    """What a receiver reads whose bits are `ratio` times as long as the sender's, 8N1.

    It samples the middle of each of its bits on the sender's waveform: a start bit (0), eight bits
    from the lowest, then the idle line (1). Where a small error happens to hit every bit, the last
    one is taken as missed: it is the one the drift reaches first.
    """
    line = [0, *(byte >> bit & 1 for bit in range(8)), 1]
    read = sum(line[min(int((bit + 1.5) * ratio), 9)] << bit for bit in range(8))
    return read if read != byte else byte ^ 0x80


@lru_cache
def garbling(sender: float, receiver: float) -> bytes | None:
    """How each byte arrives between two baud rates; None when they match closely enough."""
    if not (sender and receiver) or abs(sender - receiver) <= m.BAUD_TOLERANCE * receiver:
        return None
    return bytes(sampled(byte, sender / receiver) for byte in range(256))


class Usart(Registers):
    """USART2 (RM0390 chapter 25), 8N1, wired to the host through the ST-LINK.

    `incoming` has what the host sent and the program has not read: nothing is lost however late the
    program reads. `outgoing` has what the program sent. `poll_limit` reads of SR in a row without a
    byte waiting mean that the program waits for the host: `on_idle` is called.
    """

    def __init__(self, clock_hz: Callable[[], int], on_idle: Callable[[], None]) -> None:
        super().__init__()
        self.clock_hz, self.on_idle = clock_hz, on_idle
        self.incoming: deque[int] = deque()
        self.outgoing = bytearray()
        self.host_baud = 115_200
        self.polls, self.poll_limit = 0, 16
        self.tx_connected = self.rx_connected = True
        self.reset()

    def reset(self) -> None:
        super().reset()
        self.taken, self.sending, self.fresh = False, -1, False
        self.retune()

    def retune(self) -> None:
        """Work out again what depends on the clocks, the pins and the configuration."""
        cr1 = self.values.get(m.USART_CR1, 0)
        on = bool(cr1 & m.CR1_UE) and self.baud() > 0
        self.sends = on and bool(cr1 & m.CR1_TE) and self.tx_connected
        self.receives = on and bool(cr1 & m.CR1_RE) and self.rx_connected
        self.from_host = garbling(self.host_baud, self.baud())
        self.to_host = garbling(self.baud(), self.host_baud)

    def baud(self) -> float:
        """Bits per second: RM0390 section 25.4.4, f_CK / (8 (2 - OVER8) USARTDIV)."""
        brr = self.values.get(m.USART_BRR, 0)
        if self.values.get(m.USART_CR1, 0) & m.CR1_OVER8:
            brr = (brr >> 4) * 8 + (brr & 0b111)
        return self.clock_hz() / brr if brr else 0.0

    def read(self, offset: int) -> int:
        if offset == m.USART_SR:
            return self.status()
        return self.data() if offset == m.USART_DR else super().read(offset)

    def status(self) -> int:
        """SR. Here, and only here, the next byte moves into DR and a written one leaves."""
        if self.taken:
            self.taken = False
            self.incoming.popleft()
        if self.sending >= 0:
            self.transmit()
        if self.incoming and self.receives:
            return m.SR_TXE | m.SR_TC | m.SR_RXNE
        self.polls += 1
        if self.polls >= self.poll_limit:
            self.on_idle()
        return m.SR_TXE | m.SR_TC

    def data(self) -> int:
        """DR: the byte received last; the next one moves in when SR is read."""
        self.polls = 0
        if self.incoming and self.receives and not self.taken:
            byte = self.incoming[0]
            self.values[m.USART_DR] = self.from_host[byte] if self.from_host else byte
            self.taken = True
        return self.values.get(m.USART_DR, 0)

    def write(self, offset: int, value: int) -> None:
        if offset == m.USART_DR:
            self.polls = 0
            if self.sends:
                self.sending, self.fresh = value & 0xFF, True
        elif offset != m.USART_SR:
            super().write(offset, value)
            self.retune()

    def transmit(self) -> None:
        """The byte in the transmit register, if any, goes out on the line."""
        if self.sending >= 0:
            byte, self.sending = self.sending, -1
            self.outgoing.append(self.to_host[byte] if self.to_host else byte)


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


class Bus:
    """One 4 KB page of the peripheral address space, as Unicorn's two MMIO callbacks.

    `blocks` maps the number of each KB to a register block, and to the RCC enable register and bit
    it needs, if any. Where there is no block, `refuse` is called with the address and "read" or
    "wrote to".
    """

    def __init__(
        self,
        page: int,
        blocks: dict[int, tuple[Registers, int, tuple[int, int] | None]],
        rcc: Rcc,
        refuse: Callable[[int, str], None],
    ) -> None:
        self.page, self.blocks, self.rcc, self.refuse = page, blocks, rcc, refuse

    def find(self, offset: int, verb: str) -> tuple[Registers | None, int]:
        """The block and the word offset within it; no block when its clock is off."""
        entry = self.blocks.get(offset >> 10)
        if entry is None:
            self.refuse(self.page + offset, verb)
            return None, 0
        block, start, gate = entry
        if gate and not self.rcc.clocked(*gate):
            return None, 0
        return block, offset - start & ~3

    def read(self, _uc: Any, offset: int, size: int, _data: Any) -> int:
        """Unicorn's read callback; bytes and halfwords are parts of the word."""
        block, word = self.find(offset, "read")
        value = block.read(word) if block else 0
        return value if size == 4 else value >> 8 * (offset & 3) & (1 << 8 * size) - 1

    def write(self, _uc: Any, offset: int, size: int, value: int, _data: Any) -> None:
        """Unicorn's write callback."""
        block, word = self.find(offset, "wrote to")
        if block is None:
            return
        if size != 4 and not isinstance(block, Usart):
            shift, mask = 8 * (offset & 3), (1 << 8 * size) - 1
            value = block.read(word) & ~(mask << shift) | (value & mask) << shift
        block.write(word, value)


class UsartBus(Bus):
    """The page of USART2, with a short way to the two registers that every byte goes through."""

    def serve(self, usart: Usart) -> None:
        """Name the port that the short way leads to."""
        self.usart = usart

    def read(self, uc: Any, offset: int, size: int, data: Any) -> int:
        """Unicorn's read callback."""
        if self.rcc.values.get(m.RCC_APB1ENR, 0) & 1 << 17:
            if offset == 0x400:
                return self.usart.status()
            if offset == 0x404:
                return self.usart.data()
        return super().read(uc, offset, size, data)
