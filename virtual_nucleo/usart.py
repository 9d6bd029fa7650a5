"""USART2, wired to the host through the ST-LINK, with bytes that take their time.

A byte from the host is complete ten bits at the host's baud rate after the one before it; what the
program sends leaves at its own. Both run on virtual time. A program that polls for either finds
time moved to the next event, so that no waiting is emulated. Bytes wait on the host's side until
the program looks for them the first time after a reset, as if the board had been running for long
when it was opened.
"""

import math
from collections import deque
from collections.abc import Callable, Iterable
from functools import lru_cache

from virtual_nucleo import memory_map as m
from virtual_nucleo.clocks import Rcc
from virtual_nucleo.registers import QUIET, Registers
from virtual_nucleo.watcher import Time

READY = m.SR_TXE | m.SR_TC  # nothing is being sent
ERRORS = m.SR_FE | m.SR_NF | m.SR_ORE

LOST = (
    "lost a byte from the host: the next one was complete before it had read this one",
    "A real chip has room for one byte only, sets ORE in USART_SR and drops the byte that does not "
    "fit (RM0390 section 25.4.3, overrun error).",
    "Read DR as soon as RXNE is set, more often than bytes come in.",
)
OVERWRITTEN = (
    "wrote USART_DR while TXE was 0: the byte that was waiting there is lost",
    "A real chip keeps one byte in DR until the shift register is free (RM0390 section 25.4.2).",
    "Wait for TXE in USART_SR before each byte.",
)
MUTE = (
    "Nothing leaves a real chip then, and nothing complains (RM0390 section 25.4.2).",
    "Before the first byte: PA2 in alternate function 7 (GPIOA_MODER, GPIOA_AFRL), USART2_BRR, "
    "then UE and TE in USART2_CR1.",
)


def sampled(byte: int, ratio: float) -> tuple[int, int]:
    """What a receiver reads whose bits are `ratio` times as long as the sender's, 8N1. It samples
    the middle of each of its bits on the sender's waveform: a start bit (0), eight bits from the
    lowest, then the idle line (1). Where a small error happens to hit every bit, the last one is
    taken as missed: it is the one the drift reaches first. The second number is the flag of SR: FE
    where the stop bit is not found, else NF."""
    line = [0, *(byte >> bit & 1 for bit in range(8)), 1]
    *bits, stop = (line[min(int((bit + 1.5) * ratio), 9)] for bit in range(9))
    read = sum(value << bit for bit, value in enumerate(bits))
    return read if read != byte else byte ^ 0x80, m.SR_NF if stop else m.SR_FE


@lru_cache
def garbling(sender: float, receiver: float) -> tuple[tuple[int, int], ...] | None:
    """How each byte arrives between two baud rates; None when they match closely enough."""
    if not (sender and receiver) or abs(sender - receiver) <= m.BAUD_TOLERANCE * receiver:
        return None
    return tuple(sampled(byte, sender / receiver) for byte in range(256))


class Usart(Registers):
    """USART2 (RM0390 chapter 25), 8N1: `incoming` is on its way from the host, `outgoing` was sent.
    `poll_limit` reads of SR in a row with nothing on its way mean that the program waits for the
    host: `on_idle` is called. `complain` takes what goes wrong without stopping a real chip."""

    merges = False  # reading DR has an effect

    def __init__(self, time: Time, rcc: Rcc, on_idle: Callable[[], None]):
        super().__init__("USART2")
        self.time, self.rcc, self.on_idle, self.complain = time, rcc, on_idle, QUIET
        self.incoming: deque[int] = deque()
        self.outgoing = bytearray()
        self.host_baud = 115_200
        self.polls, self.poll_limit = 0, 16
        self.tx_connected = self.rx_connected = True
        time.next_event = lambda: self.due
        self.reset()

    def reset(self) -> None:
        """Out of reset it neither receives nor sends; a byte waiting in DR is lost."""
        super().reset()
        self.sr, self.received, self.holding = READY, 0, -1
        self.arrival = self.sent = 0.0  # when the next byte is complete, and the last one is out
        self.due = math.inf  # the earlier of the two, if either will come
        self.plain = False  # whether a byte is to come that is not garbled
        self.seen, self.repeats = 0, 0  # SR as read last, since DR was used, and how often
        self.listens = False  # whether the program has looked for bytes since it can receive them
        self.retune()

    def retune(self) -> None:
        """Work out again what depends on the clocks, the pins and the configuration."""
        cr1, baud = self.values["CR1"], self.baud()
        needs = {
            "it has no baud rate (USART2_BRR is 0)": baud > 0,
            "it is off (UE in USART2_CR1)": cr1 & m.CR1_UE,
            "its transmitter is off (TE in USART2_CR1)": cr1 & m.CR1_TE,
            "PA2 does not belong to it (alternate function 7)": self.tx_connected,
        }
        self.mute = next((why for why, met in needs.items() if not met), "")
        self.receives = baud > 0 and cr1 & m.CR1_UE and cr1 & m.CR1_RE and self.rx_connected
        # A frame, in seconds: start bit, eight data bits, stop bit.
        self.from_host, self.host_frame = garbling(self.host_baud, baud), 10 / self.host_baud
        self.to_host, self.frame = garbling(baud, self.host_baud), 10 / (baud or 1.0)
        self._plan()

    def baud(self) -> float:
        """Bits per second: RM0390 section 25.4.4, f_CK / (8 (2 - OVER8) USARTDIV)."""
        brr = self.values["BRR"]
        if self.values["CR1"] & m.CR1_OVER8:
            brr = (brr >> 4) * 8 + (brr & 0b111)
        return self.rcc.hz().apb1 / brr if brr else 0.0

    def send(self, data: Iterable[int]) -> None:
        if not self.incoming:
            self.arrival = max(self.arrival, self.time.now()) + self.host_frame
        self.incoming.extend(data)
        self._plan()

    def forget(self) -> None:
        self.incoming.clear()
        self._plan()

    def drain(self) -> None:
        """Time passes until everything that was written is on the line."""
        while not self.sr & m.SR_TC:
            self.time.move_to(self.sent)
            self._happen(self.sent)

    def _plan(self) -> None:
        coming = self.incoming and self.receives and self.listens
        self.due = self.arrival if coming else math.inf
        self.plain = bool(coming) and not self.from_host
        if not self.sr & m.SR_TC:
            self.due = min(self.due, self.sent)

    def _happen(self, now: float) -> None:
        while self.due <= now:
            if self.sr & m.SR_TC or self.sent > self.due:
                self._arrived()
            elif self.holding >= 0:  # the shift register is empty: the byte in DR moves there
                self._shift(self.holding, self.sent)
                self.holding = -1
                self.sr |= m.SR_TXE
            else:
                self.sr |= m.SR_TC
            self._plan()

    def _catch_up(self) -> float:
        now = self.time.now()
        if now >= self.due:
            self._happen(now)
        return now

    def _shift(self, byte: int, start: float) -> None:
        self.outgoing.append(self.to_host[byte][0] if self.to_host else byte)
        self.sent = start + self.frame
        if self.to_host:
            self._mismatch("sent")

    def _arrived(self) -> None:
        byte, flag = self.incoming.popleft(), 0
        self.arrival += self.host_frame
        if self.from_host:
            byte, flag = self.from_host[byte]
            self._mismatch("received")
        if self.sr & m.SR_RXNE:
            self.sr |= m.SR_ORE
            self.complain(*LOST)
        else:
            self.received = byte
            self.sr |= m.SR_RXNE | flag

    def _mismatch(self, verb: str) -> None:
        what = f"{verb} at {self.baud():.0f} baud, and the host's rate is {self.host_baud}"
        effect = "More than 2 % apart, no byte arrives as it was sent (RM0390 section 25.4.5)."
        fix = "Set USART_BRR from the clock of APB1 and the host's rate, or open the port with it."
        self.complain(what, effect, fix)

    def read_sr(self) -> int:
        """SR. A program that waits finds time moved to what it waits for."""
        if self.plain and self.sr == READY and self._next_byte():
            return self.sr
        due, now = self.due, self._catch_up()
        if now < due and self._waits():
            if self.receives and not self.listens:
                self.listens = True
                self.arrival = max(self.arrival, now + self.host_frame)
                self._plan()
            if self.due < math.inf:
                self.time.move_to(self.due)
                self._happen(self.due)
            elif not self.sr & m.SR_RXNE:
                self.polls += 1
                if self.polls >= self.poll_limit:
                    self.on_idle()
        self.repeats = self.repeats + 1 if self.sr == self.seen else 0
        self.seen = self.sr
        return self.sr

    def _next_byte(self) -> bool:
        """The short way, for speed; false where more than one byte is complete."""
        time = self.time
        late = time.base + (time.state.cycles - time.mark) / time.hz - self.due
        if late >= self.host_frame:
            return False
        if late < 0.0:
            time.base -= late
        self.received = self.incoming.popleft()
        self.due = self.arrival = self.arrival + self.host_frame
        if not self.incoming:
            self._plan()
        self.sr = self.seen = READY | m.SR_RXNE
        self.repeats = 0
        return True

    def _waits(self) -> bool:
        """Whether reading SR again can only mean to wait for its next change. A program may look
        several times before it reads a byte, and once more than it needs while one is leaving."""
        if self.sr & m.SR_RXNE:
            return not self.sr & m.SR_TC and self.repeats > 2
        leaving = self.sr & READY == m.SR_TXE
        return not leaving or self.sr == self.seen

    def read_dr(self) -> int:
        """DR: the byte received last. This clears the errors that SR has shown before."""
        self._catch_up()
        self.sr &= ~(m.SR_RXNE | self.seen & ERRORS)
        self.seen, self.polls = 0, 0
        return self.received

    def write(self, offset: int, value: int) -> None:
        super().write(offset, value)
        if self.words[offset] not in ("SR", "DR"):
            self.retune()

    def write_dr(self, _old: int, value: int) -> int:
        now = self._catch_up()
        self.seen, self.polls = 0, 0
        if self.mute:
            self.complain(f"sent a byte through USART2 while {self.mute}", *MUTE)
        elif self.sr & m.SR_TC:
            self._shift(value & 0xFF, now)
            self.sr &= ~m.SR_TC
        else:
            if self.holding >= 0:
                self.report(*OVERWRITTEN)
            self.holding = value & 0xFF
            self.sr &= ~m.SR_TXE
        self._plan()
        return 0
