"""USART2, wired to the host through the ST-LINK, with bytes that take their time.

A byte from the host is complete ten bits at the host's baud rate after the one before it; what the
program sends leaves at its own. Both run on virtual time. A program that polls for either finds
time moved to the next event, so that no waiting is emulated. Bytes wait on the host's side until
the program looks for them the first time after a reset, as if the board had been running for long
when it was opened. All this is done by usart.c; here is what depends on the configuration, the
host's side, and the words for what goes wrong.
"""

import ctypes
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Any

from unicorn import UC_PROT_READ
from unicorn.unicorn_py3.unicorn import MMIO_READ_CFUNC, MMIO_WRITE_CFUNC

from virtual_nucleo import memory_map as m
from virtual_nucleo.clocks import Rcc
from virtual_nucleo.registers import QUIET, Entrance, Registers
from virtual_nucleo.watcher import Time, fields, native

READY = m.SR_TXE | m.SR_TC  # nothing is being sent
KEPT = 4096  # bytes
TELL = ctypes.CFUNCTYPE(None, ctypes.c_uint32)

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
def garbling(sender: float, receiver: float) -> ctypes.Array[ctypes.c_uint16] | None:
    """How each byte arrives between two baud rates, and in the high byte the flags of SR; None when
    they match closely enough."""
    if not (sender and receiver) or abs(sender - receiver) <= m.BAUD_TOLERANCE * receiver:
        return None
    pairs = (sampled(byte, sender / receiver) for byte in range(256))
    return (ctypes.c_uint16 * 256)(*(byte | flag << 8 for byte, flag in pairs))


class _Line(ctypes.Structure):
    """`usart` of usart.c, where each field is explained."""

    _fields_ = (
        ("time", ctypes.POINTER(Time)),
        *fields("arrival sent due host_frame frame", ctypes.c_double),
        *fields("from_host to_host", ctypes.POINTER(ctypes.c_uint16)),
        *fields("incoming", ctypes.c_void_p),
        *fields("waiting sr received", ctypes.c_uint32),
        ("holding", ctypes.c_int32),
        *fields("seen repeats polls poll_limit clocked", ctypes.c_uint32),
        *fields("receives mute listens kept", ctypes.c_uint32),
        ("outgoing", ctypes.c_uint8 * KEPT),
        ("tell", TELL),
        ("read", MMIO_READ_CFUNC),
        ("write", MMIO_WRITE_CFUNC),
    )


class Usart(Registers):
    """USART2 (RM0390 chapter 25), 8N1: `incoming` is on its way from the host, `outgoing` was sent.
    `line` is shared with the native code: its `poll_limit` reads of SR in a row with nothing on its
    way mean that the program waits for the host, and `on_idle` is called. `complain` takes what
    goes wrong without stopping a real chip."""

    perms = UC_PROT_READ  # for speed loads have the PC of the block of code
    merges = False  # reading DR has an effect

    def __init__(self, time: Time, rcc: Rcc, on_idle: Callable[[], None]):
        super().__init__("USART2")
        self.time, self.rcc, self.complain = time, rcc, QUIET
        self.host_baud = 115_200
        self.tx_connected = self.rx_connected = True
        self._outgoing = bytearray()
        self.line = _Line(ctypes.pointer(time), poll_limit=16, tell=TELL(self._told))
        self._shared = ctypes.c_void_p(ctypes.addressof(self.line))
        self._tales = (  # in the order of the enum of usart.c
            on_idle,
            lambda: self.outgoing,
            lambda: self.complain(*LOST),
            lambda: self.report(*OVERWRITTEN),
            lambda: self.complain(f"sent a byte through USART2 while {self.mute}", *MUTE),
            lambda: self._mismatch("sent"),
            lambda: self._mismatch("received"),
        )
        time.next_event = lambda: self.line.due
        self.reset()

    def _told(self, what: int) -> None:
        """Called by usart.c for what is rare."""
        self._tales[what]()

    def entrance(self, read: Any, write: Any) -> Entrance:
        """Of usart.c; the others are called for what it does not do."""
        self.line.read, self.line.write = read, write
        functions = native().usart_read, native().usart_write
        return *functions, ctypes.addressof(self.line)

    def reset(self) -> None:
        """Out of reset it neither receives nor sends; a byte waiting in DR is lost."""
        super().reset()
        line = self.line
        line.sr, line.received, line.holding = READY, 0, -1
        line.arrival = line.sent = 0.0
        line.seen, line.repeats, line.listens = 0, 0, False
        self.retune()

    def retune(self) -> None:
        """Work out again what depends on the clocks, the pins and the configuration."""
        cr1, baud, line = self.values["CR1"], self.baud(), self.line
        needs = {
            "it has no baud rate (USART2_BRR is 0)": baud > 0,
            "it is off (UE in USART2_CR1)": cr1 & m.CR1_UE,
            "its transmitter is off (TE in USART2_CR1)": cr1 & m.CR1_TE,
            "PA2 does not belong to it (alternate function 7)": self.tx_connected,
        }
        self.mute = next((why for why, met in needs.items() if not met), "")
        listening = cr1 & m.CR1_UE and cr1 & m.CR1_RE and self.rx_connected
        line.mute, line.receives = bool(self.mute), bool(baud > 0 and listening)
        line.clocked = self.rcc.clocked("APB1ENR", 17)
        # A frame, in seconds: start bit, eight data bits, stop bit.
        line.from_host, line.host_frame = garbling(self.host_baud, baud), 10 / self.host_baud
        line.to_host, line.frame = garbling(baud, self.host_baud), 10 / (baud or 1.0)
        native().usart_plan(self._shared)

    def baud(self) -> float:
        """Bits per second: RM0390 section 25.4.4, f_CK / (8 (2 - OVER8) USARTDIV)."""
        brr = self.values["BRR"]
        if self.values["CR1"] & m.CR1_OVER8:
            brr = (brr >> 4) * 8 + (brr & 0b111)
        return self.rcc.hz().apb1 / brr if brr else 0.0

    @property
    def incoming(self) -> bytes:
        """What the program has not received yet."""
        return ctypes.string_at(self.line.incoming, self.line.waiting)

    @property
    def outgoing(self) -> bytearray:
        """All that was sent and not removed from here."""
        self._outgoing += memoryview(self.line.outgoing)[: self.line.kept]
        self.line.kept = 0
        return self._outgoing

    def send(self, data: Iterable[int]) -> None:
        line = self.line
        if not line.waiting:
            line.arrival = max(line.arrival, self.time.now()) + line.host_frame
        self._queue(self.incoming + bytes(data))

    def forget(self) -> None:
        self._queue(b"")

    def _queue(self, data: bytes) -> None:
        self._queued = ctypes.create_string_buffer(data)  # as long as usart.c reads it
        self.line.incoming, self.line.waiting = ctypes.addressof(self._queued), len(data)
        native().usart_plan(self._shared)

    def drain(self) -> None:
        """Time passes until everything that was written is on the line."""
        native().usart_drain(self._shared)

    def _mismatch(self, verb: str) -> None:
        what = f"{verb} at {self.baud():.0f} baud, and the host's rate is {self.host_baud}"
        effect = "More than 2 % apart, no byte arrives as it was sent (RM0390 section 25.4.5)."
        fix = "Set USART_BRR from the clock of APB1 and the host's rate, or open the port with it."
        self.complain(what, effect, fix)

    def write(self, offset: int, value: int) -> None:
        super().write(offset, value)
        if self.words[offset] not in ("SR", "DR"):
            self.retune()

    def read_sr(self) -> int:
        """SR. A program that waits finds time moved to what it waits for."""
        return int(native().usart_read_sr(self._shared))

    def read_dr(self) -> int:
        """DR: the byte received last."""
        return int(native().usart_read_dr(self._shared))

    def write_dr(self, _old: int, value: int) -> int:
        native().usart_write_dr(self._shared, value)
        return 0
