"""USART2, wired to the host through the ST-LINK.

Every access has the same effect whether it happens once or twice (see registers.py): DR keeps its
byte until the next one moves in, as that of the real one does.
"""

from collections import deque
from collections.abc import Callable
from functools import lru_cache
from typing import Any

from kit.board.virtual import memory_map as m
from kit.board.virtual.registers import Bus, Registers


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

    merges = False  # reading DR has an effect

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


class UsartBus(Bus):
    """The page of USART2, with a short way to the two registers that every byte goes through."""

    def serve(self, usart: Usart) -> None:
        """Name the port that the short way leads to."""
        self.usart = usart

    def read(self, uc: Any, offset: int, size: int, data: Any) -> int:
        """Unicorn's read callback."""
        if size > 1 and self.clocked(m.RCC_APB1ENR, 17):
            if offset == 0x400:
                return self.usart.status()
            if offset == 0x404:
                return self.usart.data()
        return super().read(uc, offset, size, data)
