"""pyserial's handler of `replay://FILE`: a board that says again what a real one said.

It holds the host to the recording: a write that differs in one byte is refused, and so is another
baud rate. What the board said comes after the bytes that it followed then. Any session of the
recording may be meant; all whose bytes agree so far are kept. A refused write changes nothing, so
the request that comes next in the recording is still answered. The file is only read.
"""

import struct
import time
from typing import Any, NamedTuple

import serial
from serial import SerialBase

from kit.board import link, recording
from kit.board.link import Frame, decode
from kit.board.recording import BAUD, ESTIMATES, FROM_BOARD, TO_BOARD, Event, Session, baud_bytes
from kit.errors import KitError

REQUESTS = "HELLO LAYER RECOGNIZE RUN MEASURE WATCH RESET BAUD STATUS CHECKSUM"
NAMES = {getattr(link, name): name for name in REQUESTS.split()}


class PortError(KitError, serial.SerialException):  # type: ignore[misc]
    """The recording does not open, or does not go on like this."""

    def __init__(self, what: str, why: str, next_step: str) -> None:
        KitError.__init__(self, what, why, next_step)


class Place(NamedTuple):
    """A place in a session: in an event, behind its first `offset` bytes."""

    session: Session
    event: int = 0
    offset: int = 0

    def next(self, kind: bytes) -> bytes:
        """The bytes of an event of this kind that come next; empty where another kind does."""
        if self.event == len(self.session) or self.session[self.event].kind != kind:
            return b""
        return self.session[self.event].data[self.offset :]

    def after(self, count: int) -> "Place":
        """The place `count` bytes on, which are in the same event."""
        offset = self.offset + count
        if offset < len(self.session[self.event].data):
            return self._replace(offset=offset)
        return self._replace(event=self.event + 1, offset=0)

    def heard(self) -> "Place":
        """The place behind what the board said."""
        said = self.next(FROM_BOARD)
        return self.after(len(said)) if said else self

    def request(self) -> int:
        """The number of the request that comes next, from 1."""
        sent = [event.data for event in self.session[: self.event] if event.kind == TO_BOARD]
        begun = self.session[self.event].data[: self.offset] if self.offset else b""
        return 1 + len(_blocks(b"".join(sent) + begun))


class Serial(SerialBase):  # type: ignore[misc]
    """The port of a board that is played; `serial.serial_for_url` makes one.

    Beyond pyserial it has `recording`, and `counts`: what the board's cycle counter counts.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.is_open = False
        self._places: list[Place] = []
        self._baudrate = self._rate = 0
        super().__init__(*args, **kwargs)

    def open(self) -> None:
        """Read the recording. Raises PortError when there is none, or it is damaged."""
        if self._port is None:
            raise serial.SerialException("Port must be configured before it can be used.")
        if self.is_open:
            raise serial.SerialException("Port is already open.")
        try:
            self._path = recording.file_of(self._port)
            self.recording = recording.read(self._path)
        except KitError as error:
            raise PortError(error.what, error.why, error.next_step) from None
        self.counts = self.recording.counts
        if self.counts == "instructions":  # Board.profile takes a board without for a chip
            self.take_cycle_estimates = self._take_cycle_estimates
        self._places = [Place(session) for session in self.recording.sessions]
        self._rate = self._baudrate
        self.is_open = True

    def close(self) -> None:
        """Stop playing."""
        self.is_open = False
        self._places = []

    def _reconfigure_port(self) -> None:
        wanted, self._baudrate = self._baudrate, self._rate
        if wanted != self._rate:
            self._follow(BAUD, baud_bytes(wanted))
            self._rate = self._baudrate = wanted

    # Data

    def write(self, data: Any) -> int:
        """Compare bytes with those of the recording. Raises PortError where they differ."""
        content = serial.to_bytes(data)
        if content:
            self._follow(TO_BOARD, content)
        return len(content)

    def _take_cycle_estimates(self) -> list[int]:
        """What a virtual board estimated at this place of the recording."""
        places = (place.heard() for place in self._opened())
        data = next(filter(None, (place.next(ESTIMATES) for place in places)), b"none")
        self._follow(ESTIMATES, data)
        return [estimate for (estimate,) in struct.iter_unpack("<Q", data)][1:]

    def _follow(self, kind: bytes, data: bytes) -> None:
        """Go on in the sessions in which the host did this, too."""
        places = [place.heard() for place in self._opened()]
        agreeing = [place for place in places if place.next(kind).startswith(data)]
        if not agreeing:
            raise self._differs(places, kind, data)
        self._places = [place.after(len(data)) for place in agreeing]

    def _opened(self) -> list[Place]:
        if not self.is_open:
            raise serial.PortNotOpenError
        return self._places

    def read(self, size: int = 1) -> bytes:
        """Up to `size` bytes of the board; fewer when it said no more before the next request."""
        data = self._waiting()[:size]
        if data:
            agreeing = [p for p in self._places if p.next(FROM_BOARD).startswith(data)]
            self._places = [place.after(len(data)) for place in agreeing]
        else:
            time.sleep(self._timeout or 0)
        return data

    def _waiting(self) -> bytes:
        """What the board said next, in the first of the sessions where it said something."""
        return next(filter(None, (place.next(FROM_BOARD) for place in self._opened())), b"")

    @property
    def in_waiting(self) -> int:
        """Bytes of the board that can be read."""
        return len(self._waiting())

    def reset_input_buffer(self) -> None:
        """Nothing: bytes that the host threw away are not in a recording."""

    def reset_output_buffer(self) -> None:
        """Nothing: every byte has arrived."""

    def flush(self) -> None:
        """Nothing: every byte has arrived."""

    # Refusals

    def _differs(self, places: list[Place], kind: bytes, data: bytes) -> PortError:
        """The error for the session that agreed with most of `data`, or has most requests."""
        place = max(places, key=lambda p: (_alike(p.next(kind), data), p.request()))
        return PortError(
            f"The recording {self._path.name} does not go on like this.",
            _difference(place, Event(kind, data)),
            "A recording answers what was asked when it was made, and in that order. Run the "
            "notebook unchanged from the top (Kernel > Restart), or record again: "
            f"`kit record --board PORT {self._path.name}`.",
        )


def _difference(place: Place, here: Event) -> str:
    """What the recording has, and what the host did instead."""
    number = place.request()
    if place.event == len(place.session):
        return f"It ends after {number - 1} requests; here {_told(here)}."
    there = Event(place.session[place.event].kind, place.next(place.session[place.event].kind))
    if here.kind != there.kind or here.kind != TO_BOARD:
        return f"After {number - 1} requests, {_told(there)} in it; here {_told(here)}."
    if _told(here) == _told(there):
        name = _name(here.data)
        return f"Request {number} in it is {name}, too, but {_other(there.data, here.data)}."
    differs = _byte(there.data, here.data)
    return f"Request {number}: {_told(there)} in it; here {_told(here)} ({differs})."


def _told(event: Event) -> str:
    """What the host did, in words."""
    if event.kind == BAUD:
        return f"{int.from_bytes(event.data, 'little')} baud were set"
    return f"{_name(event.data)} was asked" if event.kind == TO_BOARD else "estimates were read"


def _other(recorded: bytes, data: bytes) -> str:
    """What differs in two requests of one type."""
    there, here = _frame(recorded), _frame(data)
    if there and here and there.payload == here.payload:
        numbers = f"{there.sequence}, here it is {here.sequence}"
        return f"with the sequence number {numbers}: something else was asked before"
    return f"with another payload ({_byte(recorded, data)})"


def _alike(one: bytes, other: bytes) -> int:
    """How many bytes at the start are the same."""
    pairs = enumerate(zip(one, other, strict=False))
    return next((at for at, (a, b) in pairs if a != b), min(len(one), len(other)))


def _byte(recorded: bytes, data: bytes) -> str:
    """The first byte that differs, counted from 1."""
    at = _alike(recorded, data)
    there, here = (f"0x{one[at]:02x}" if at < len(one) else "none" for one in (recorded, data))
    return f"byte {at + 1} is the first that differs: {there} in it, {here} here"


def _blocks(data: bytes) -> list[bytes]:
    return [block for block in data.split(b"\0") if block]


def _frame(data: bytes) -> Frame | None:
    """The first frame in these bytes, if there is one."""
    return next(map(decode, _blocks(data)), None)


def _name(data: bytes) -> str:
    """What the first frame in these bytes asks."""
    frame = _frame(data)
    if frame is None:
        return "something that is no request"
    return NAMES.get(frame.type, f"a request of type {frame.type:#04x}")
