"""Requests and replies over a serial line; firmware/README.md has the page that defines them."""

import binascii
import contextlib
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

import serial
from cobs import cobs

from kit.board.address import NETWORK, how_to_flash, scheme
from kit.board.crash import CrashError, crash_error
from kit.board.engine_errors import explain
from kit.errors import KitError
from virtual_nucleo.errors import EmptyFlashError, VirtualError
from virtual_nucleo.faults import BoardFault

HELLO, LAYER, RECOGNIZE, RUN, MEASURE, WATCH, RESET, BAUD, STATUS, CHECKSUM = range(1, 11)
REPLY = 0x80
FAULT = 0xFE
ERROR = 0xFF
ERRORS = {
    1: "the request arrived corrupted",
    2: "the request is too long for this network",
    3: "the firmware does not know this request",
    4: "the request has the wrong length for this network",
    5: "the network has no such layer",
    6: "the engine failed",
    7: "the board's clock cannot make that baud rate",
    8: "how its network wants its pixels is not known",
}
ADVICE = {
    1: "The line is noisy: try another cable or USB port.",
    3: "The firmware is of another version of the kit: `kit build`, then `kit flash`.",
    5: "Count from 0: `board.hello().layers` is how many there are.",
    6: "Flash the firmware again; see firmware/engine/engine.h for the engine's states.",
    7: "Choose a rate of `kit.board.link.FASTER_BAUDS`.",
    8: "`kit generate` with --input-range, such as `--input-range 0 1`; then build and flash.",
}
SIZES = (
    "Compare what was sent with `board.hello().input`. If another network was to be on the board: "
    "`kit generate`, `kit build`, then `kit flash`."
)
ENGINE = 6
WORKING = (RECOGNIZE, RUN, MEASURE, WATCH)  # the network runs before the reply
TRANSIENT = (1, 2)  # worth sending again: a damaged frame may look too long, too
ATTEMPTS = 3
REPLY_SECONDS = 3.0  # beside what the line and the network take
GLANCE_SECONDS = 0.3  # for a request that is likely to get lost, such as the first one
QUIET_SECONDS = 0.03  # longer than USB holds bytes back; the network is done by then
CYCLES_PER_MAC = 50  # far more than any kernel takes: plain float32 code is at some 10
LONGEST_WORK = 120.0  # seconds, whatever a board says of its network
FRAME_BYTES = 16  # around a payload, COBS included (and 1 byte in 254)
LINE_BITS = 10  # of a byte: start and stop bit, too
SAFE_BAUD = 115_200  # the rate of the firmware after a reset, and after any error on the line
FASTER_BAUDS = (921_600, 460_800, 230_400)

BROKEN: tuple[type[Exception], ...] = (serial.SerialException, OSError)
if sys.platform != "win32":
    import termios

    BROKEN += (termios.error,)  # pyserial lets it through when a device has vanished
REFUSED: tuple[type[Exception], ...] = (*BROKEN, ValueError)  # of a baud rate


class LinkError(KitError):
    """The board did not answer, or answered with an error."""


class BrokenLine(LinkError):
    """The port is gone: unplugged, or the server has ended."""


class StuckLine(LinkError):
    """The port is there, and took no more bytes within the time that they take."""


@dataclass(frozen=True)
class Frame:
    """One frame: `type` and `sequence` 0 to 255, and the payload."""

    type: int
    sequence: int
    payload: bytes


def _told(error: VirtualError, url: str) -> KitError:
    """What a port itself says, as an error of the kit: the program's fault, or why it has none."""
    if isinstance(error, BoardFault):
        return CrashError(error.what, error.why, error.next_step, error.location, None)
    empty = isinstance(error, EmptyFlashError)
    return KitError(error.what, error.why, how_to_flash(url) if empty else error.next_step)


def crc32(data: bytes) -> int:
    """CRC-32/ISO-HDLC, the one of Ethernet (IEEE 802.3 section 3.2.9) and of zlib."""
    return binascii.crc32(data)


def encode(frame: Frame) -> bytes:
    """A frame as it goes over the line.

    The zero in front ends whatever noise the receiver may have collected.
    """
    body = bytes([frame.type, frame.sequence]) + frame.payload
    block: bytes = cobs.encode(body + crc32(body).to_bytes(4, "little"))
    return b"\0" + block + b"\0"


def decode(block: bytes) -> Frame | None:
    """The frame between two zero bytes, or None when it is damaged."""
    try:
        body = cobs.decode(block)
    except cobs.DecodeError:
        return None
    if len(body) < 6 or crc32(body[:-4]) != int.from_bytes(body[-4:], "little"):
        return None
    return Frame(body[0], body[1], body[2:-4])


class FrameReader:
    """Collects bytes and gives back the frames in them; None stands for a damaged one."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> list[Frame | None]:
        *blocks, self._rest = (self._rest + data).split(b"\0")
        return [decode(block) for block in blocks if block]

    def clear(self) -> None:
        self._rest = b""


class Link:
    """Requests over an open pyserial port, each answered or an error.

    A request that got lost or damaged on the way is sent again, `ATTEMPTS` times in all: every
    request can be repeated without harm. A reply counts only with the request's sequence number,
    so that a late reply to an earlier request is never taken for this one's. After any failure the
    line goes on at SAFE_BAUD, as it does on the board's side. A port that is gone is closed, and
    each later try opens it again: a board that was plugged in again answers.

    Args:
        port: an open port at SAFE_BAUD.
        reply_seconds: how long to wait for a reply, in each try, beside the time of the bytes on
            the line and of the network's work.
        crash: makes the error of a FAULT frame's payload.
    """

    def __init__(
        self,
        port: serial.SerialBase,
        reply_seconds: float = REPLY_SECONDS,
        crash: Callable[[bytes], KitError] = crash_error,
    ) -> None:
        self.port = port
        self.reply_seconds = reply_seconds
        self.baud = SAFE_BAUD
        self.reopened = False  # whether this may be another board than the one that said hello
        self.work_seconds = 0.0  # that an inference may take; Board takes it from the HELLO
        self._limit = reply_seconds
        self._lost = False
        self._crash = crash
        self._sequence = 0
        self._reader = FrameReader()
        self.last_sent = b""
        self.last_received = b""

    def expect_work(self, macs: int, core_hz: int) -> None:
        """Allow the time that a network of `macs` may take on a core of `core_hz`."""
        self.work_seconds = min(CYCLES_PER_MAC * macs / max(core_hz, 1), LONGEST_WORK)

    def request(
        self, kind: int, payload: bytes = b"", waking: bool = False, reply_bytes: int = 0
    ) -> bytes:
        """Send a request and return the payload of its reply.

        With `waking`, when the board may be at another baud rate or just starting, the first tries
        wait for a short time only. `reply_bytes` is the length of a long reply.

        Raises:
            LinkError: no usable reply came in time, or the board refused the request.
            KitError: the program on the board crashed.
        """
        problem: LinkError | None = None
        for attempt in range(ATTEMPTS):
            short = waking and attempt < ATTEMPTS - 1
            try:
                at_most = GLANCE_SECONDS if short else None
                reply = self.exchange(kind, payload, at_most, reply_bytes)
            except (BrokenLine, StuckLine) as error:
                problem = error
                continue
            if reply is None:
                problem = self._silence(f"no usable reply came within {self._limit:.1f} seconds")
            elif reply.type == ERROR:
                problem = self._refusal(reply)
            elif reply.type == kind | REPLY:
                return reply.payload
            else:
                problem = self._silence(f"a reply of type {reply.type:#04x} came")
            self._settle()
            self.fall_back()
        raise problem or self._silence("no usable reply came")

    def exchange(
        self, kind: int, payload: bytes = b"", at_most: float | None = None, reply_bytes: int = 0
    ) -> Frame | None:
        """One try: the reply, or None when none came in time or it was damaged.

        The time is `at_most` seconds, `reply_seconds` if none are given, and what the bytes take on
        the line, in both directions, and the network.
        """
        self._sequence = (self._sequence + 1) % 256
        work = self.work_seconds if kind in WORKING else 0.0
        self._limit = min(at_most or self.reply_seconds, self.reply_seconds)
        self._limit += work + self._wire(len(payload) + reply_bytes)
        try:
            self._reconnect()
            self._send(Frame(kind, self._sequence, payload))
            return self._receive(self._limit)
        except KitError:  # a recording that differs, which is a SerialException too
            raise
        except VirtualError as error:
            raise _told(error, str(self.port.port)) from None
        except serial.SerialTimeoutException as error:
            raise self._stuck(len(payload)) from error
        except BROKEN as error:
            raise self._broken(error) from error

    def _wire(self, length: int) -> float:
        """The seconds that a payload takes on the line."""
        return LINE_BITS * (length + length // 254 + FRAME_BYTES) / self.baud

    def _settle(self) -> None:
        """Wait for a moment without a byte: a request that comes while the board is busy is lost,
        and an error that comes late would be taken for the answer to the next try."""
        quiet = time.monotonic() + QUIET_SECONDS
        deadline = quiet + self.reply_seconds
        with contextlib.suppress(*BROKEN):
            while time.monotonic() < min(quiet, deadline):
                if (waiting := self.port.in_waiting) and self.port.read(waiting):
                    quiet = time.monotonic() + QUIET_SECONDS
                else:
                    time.sleep(QUIET_SECONDS / 10)

    # The port

    def close(self) -> None:
        """Leave the board at SAFE_BAUD, and give the port back for good."""
        self.slow_down()
        self._lost = False
        with contextlib.suppress(*BROKEN):
            self.port.close()

    def _reconnect(self) -> None:
        if self._lost:
            self.port.baudrate = self.baud = SAFE_BAUD
            self.port.open()
            self._lost, self.reopened = False, True

    def _broken(self, error: Exception) -> LinkError:
        """The error; the port is given back, for a device keeps its name while a port is open."""
        if isinstance(error, serial.PortNotOpenError):
            return LinkError(
                f"This board on {self.port.port} was closed.",
                "close() or the end of its `with` block closes a board, and so does opening "
                "another one at the same address.",
                f'Open it again: `board = kit.Board("{self.port.port}")`.',
            )
        self._lost, self.baud = True, SAFE_BAUD
        with contextlib.suppress(*BROKEN):
            self.port.close()
        what = f"The connection to {self.port.port} broke off."
        if scheme(str(self.port.port)) in NETWORK:
            why = f"{error}. The program that serves the board has ended, or the network."
            return BrokenLine(what, why, "Start that program again and run this again.")
        return BrokenLine(
            what,
            f"{error}. The board was unplugged, or another program took the port.",
            "Plug the board in and run this again. If its port has another name now, open that: "
            "`kit boards` lists them.",
        )

    def _stuck(self, length: int) -> StuckLine:
        """The error; what did not go out must not go out before the next request."""
        with contextlib.suppress(*BROKEN):
            self.port.reset_output_buffer()
        return StuckLine(
            f"The port {self.port.port} takes no more bytes.",
            f"A request of {length:,} bytes did not go out within {self.port.write_timeout:.1f} "
            "seconds: nobody reads at the other end.",
            "Unplug the board, plug it in again, and run this again.",
        )

    # Baud rates

    def speed_up(self, fastest: int) -> None:
        """Agree with the board on the fastest rate, up to `fastest`, at which a HELLO works."""
        for baud in FASTER_BAUDS:
            if baud <= fastest and self._try_baud(baud):
                return

    def slow_down(self) -> None:
        """Leave the board at SAFE_BAUD, for whoever opens the port next; failing is no matter."""
        with contextlib.suppress(KitError):
            if self.baud != SAFE_BAUD:
                self.exchange(BAUD, SAFE_BAUD.to_bytes(4, "little"), GLANCE_SECONDS)
                self.fall_back()

    def _try_baud(self, baud: int) -> bool:
        reply = self.exchange(BAUD, baud.to_bytes(4, "little"), GLANCE_SECONDS)
        if reply and reply.type == ERROR:
            return False
        if reply and self._set_baud(baud):
            hello = self.exchange(HELLO, at_most=GLANCE_SECONDS)
            if hello and hello.type == HELLO | REPLY:
                return True
        self.fall_back()
        self.request(HELLO, waking=True)  # the board may be at the rate that did not work
        return False

    def fall_back(self) -> None:
        """Go on at SAFE_BAUD; the board does so when it sees bytes at another rate than its own."""
        if self.baud != SAFE_BAUD:
            self._set_baud(SAFE_BAUD)

    def _set_baud(self, baud: int) -> bool:
        """Change this end's rate; False when the port cannot."""
        try:
            self.port.baudrate = baud
        except REFUSED:
            self.baud = SAFE_BAUD
            with contextlib.suppress(*BROKEN):
                self.port.baudrate = SAFE_BAUD
            return False
        self.baud = baud
        return True

    # One exchange

    def _send(self, frame: Frame) -> None:
        self._reader.clear()
        self.last_sent = encode(frame)
        self.last_received = b""
        self.port.reset_input_buffer()
        needed, allowed = 2 * self._wire(len(frame.payload)), getattr(self.port, "write_timeout", 0)
        if allowed and needed > allowed:
            self.port.write_timeout = needed
        try:
            self.port.write(self.last_sent)
        except (
            KitError,
            VirtualError,
        ):  # played, or virtual: it did not go out
            self._sequence = (self._sequence - 1) % 256
            raise

    def _receive(self, seconds: float) -> Frame | None:
        """The reply to the request in flight; None when none came or it was damaged."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            data = self.port.read(max(1, self.port.in_waiting))
            self.last_received += data
            frames = self._reader.feed(data)
            reply = self._reply_among(frames)
            if reply or None in frames:
                return reply
        return None

    def _reply_among(self, frames: list[Frame | None]) -> Frame | None:
        """The reply to the request in flight; else the error of a request that was unreadable,
        which may have been an earlier one."""
        found = None
        for frame in filter(None, frames):
            if frame.type == FAULT:
                inside = getattr(self.port, "inside", None)
                failure = inside and inside.failure
                raise failure or self._crash(frame.payload)
            if frame.sequence == self._sequence:
                return frame
            found = found or (frame if self._belongs(frame) else None)
        return found

    def _belongs(self, frame: Frame) -> bool:
        """The board cannot know the sequence number of a request that it could not read."""
        unreadable = frame.type == ERROR and frame.payload[:1] == b"\0"
        return frame.sequence == self._sequence or unreadable

    # Errors

    def _silence(self, problem: str) -> LinkError:
        complaints = getattr(self.port, "complaints", ())
        last = f" The virtual board noted: {complaints[-1]}" if complaints else ""
        return LinkError(
            f"The board on {self.port.port} did not answer {ATTEMPTS} requests.",
            f"In the last try {problem}.{last}",
            "Is this the right port (`kit boards` lists them), and does the kit's firmware run? "
            f"{how_to_flash(str(self.port.port))}",
        )

    @staticmethod
    def _refusal(reply: Frame) -> LinkError:
        """The error of an ERROR frame, raised at once when another try cannot help."""
        code = reply.payload[1] if len(reply.payload) > 1 else 0
        text = ERRORS.get(code, f"the board reported error {code}")
        why, fix = explain(int.from_bytes(reply.payload[3:7], "little") if code == ENGINE else 0)
        advice = fix or ADVICE.get(code, SIZES)
        error = LinkError(f"The board refused the request: {text}.", why, advice)
        if code in TRANSIENT:
            return error
        raise error
