"""Requests and replies over a serial line; firmware/README.md has the page that defines them."""

import contextlib
import sys
import time

import serial

from kit.board.address import how_to_flash, kind_of
from kit.board.crash import crash_error, told_by
from kit.board.frame import Frame, FrameReader, encode
from kit.board.recording import Reply, keep_reply
from kit.board.requests import ERROR, FAULT, REPLY, WORKING, LinkError, Request, TryAgain, refusal
from kit.errors import KitError
from virtual_nucleo.errors import VirtualError

ATTEMPTS = 3
REPLY_SECONDS = 3.0  # beside what the line and the network take
GLANCE_SECONDS = 0.3  # for a request that is likely to get lost, such as a HELLO to wake a board
QUIET_SECONDS = 0.03  # longer than USB holds bytes back; the network is done by then
CYCLES_PER_MAC = 50  # far more than any kernel takes: plain float32 code is at some 10
LONGEST_WORK = 120.0  # seconds, whatever a board says of its network
LONGEST_REPLY = 1 << 18  # bytes; what babbles on is not listened to
FRAME_BYTES = 16  # around a payload, COBS included (and 1 byte in 254)
LINE_BITS = 10  # of a byte: start and stop bit, too
SAFE_BAUD = 115_200  # the rate of the firmware after a reset, and after any error on the line
FASTER_BAUDS = (921_600, 460_800, 230_400)

BROKEN: tuple[type[Exception], ...] = (serial.SerialException, OSError)
if sys.platform != "win32":
    import termios

    BROKEN += (termios.error,)  # pyserial lets it through when a device has vanished


class Link:
    """Requests over an open pyserial port at SAFE_BAUD, each answered or an error.

    A request that got lost or damaged on the way is sent again, `ATTEMPTS` times in all: every
    request can be repeated without harm. A try waits `reply_seconds`, beside the time of the bytes
    on the line and of the network's work. A reply counts only with the request's sequence number
    and type, so that a late reply to an earlier request is never taken for this one's. After any
    failure the line goes on at SAFE_BAUD, as it does on the board's side. A port that is gone is
    closed, and each later try opens it again; who answers then is `unknown`, as before the first
    HELLO, which whoever asks it notes. What a program that died may have left on the line does not
    count: until a first reply has come, each try clears the line, and nothing else ends it.
    `estimates` are what a virtual board estimated last: cycles, and those of them that it waited.
    """

    def __init__(self, port: serial.SerialBase, reply_seconds: float = REPLY_SECONDS) -> None:
        self.port, self.url = port, str(port.port)
        self.reply_seconds = reply_seconds
        self.baud = SAFE_BAUD
        self.unknown = True
        self.estimates: list[tuple[int, int]] | None = None
        self.last_sent = self.last_received = b""
        self._work_seconds = 0.0  # of an inference
        self._limit = reply_seconds
        self._lost = self._in_step = False
        self._sequence = 0

    def expect_work(self, macs: int, core_hz: int) -> None:
        """Allow the time that a network of `macs` may take on a core of `core_hz`."""
        self._work_seconds = min(CYCLES_PER_MAC * macs / max(core_hz, 1), LONGEST_WORK)

    def request(self, kind: int, payload: bytes = b"") -> bytes:
        """Send a request and return the payload of its reply. LinkError when no usable reply came
        in time, or the board refused the request; CrashError when its program crashed."""
        for tries_left in reversed(range(ATTEMPTS)):
            # A board that gets a HELLO may be at another baud rate, or just starting
            short = kind == Request.HELLO and tries_left
            try:
                reply = self.exchange(kind, payload, GLANCE_SECONDS if short else REPLY_SECONDS)
                return self._answer(kind, payload, reply)
            except TryAgain:
                if not self._lost:
                    self._settle()
                    self.fall_back()
                if not tries_left:
                    raise
        raise AssertionError("a last try returns or raises")

    def _answer(self, kind: int, asked: bytes, reply: Frame | None) -> bytes:
        """The payload of a reply that is one, which is noted together with what a virtual board
        tells beside it; TryAgain where it is none, else the error that it tells."""
        if reply is None:
            raise self._silence(f"no usable reply came within {self._limit:.1f} seconds")
        refused = refusal(reply.payload) if reply.type == ERROR else None
        if isinstance(refused, TryAgain):
            raise refused
        inside = getattr(self.port, "inside", None)
        estimates = inside.take_cycle_estimates() if inside else []
        self.estimates = estimates or self.estimates
        keep_reply(self.url, kind, asked, Reply(reply.type, reply.payload.hex(), estimates))
        if reply.type == FAULT:
            failure = getattr(inside, "failure", None)
            raise told_by(failure, self.url) if failure else crash_error(reply.payload)
        if refused:
            raise refused
        return reply.payload

    def exchange(
        self, kind: int, payload: bytes = b"", at_most: float = REPLY_SECONDS
    ) -> Frame | None:
        """One try: the reply, or None when none came within `at_most` seconds (`reply_seconds`, if
        that is less) and the time of the work and the line, or it was damaged."""
        self._sequence = (self._sequence + 1) % 256
        self._limit = min(at_most, self.reply_seconds) + self._wire(len(payload))
        self._limit += self._work_seconds if kind in WORKING else 0.0
        try:
            if self._lost:
                self.port.baudrate = self.baud = SAFE_BAUD
                self.port.open()
                self._lost, self.unknown, self._in_step = False, True, False
            if not self._in_step:
                self._clear()
            self._send(Frame(kind, self._sequence, payload))
            return self._receive(kind)
        except VirtualError as error:
            raise told_by(error, self.url) from None
        except serial.SerialTimeoutException as error:
            raise self._stuck(len(payload)) from error
        except BROKEN as error:
            raise self._broken(error) from error

    def _send(self, frame: Frame) -> None:
        self.last_sent, self.last_received = encode(frame), b""
        self.port.reset_input_buffer()
        needed, allowed = 2 * self._wire(len(frame.payload)), self.port.write_timeout
        if allowed and needed > allowed:
            self.port.write_timeout = needed
        self.port.write(self.last_sent)

    def _clear(self) -> None:
        """End what the board has of another program's request, and let pass what it says to that.
        At a faster rate the first zero is an error, which brings it to SAFE_BAUD for the next."""
        self.port.write(b"\0\0")
        self._settle()

    def _receive(self, kind: int) -> Frame | None:
        """The reply to the request in flight, or that the program crashed; else the error of a
        request that was unreadable, which may have been an earlier one; None when nothing came in
        time, or a damaged frame."""
        reader, deadline = FrameReader(), time.monotonic() + self._limit
        told: Frame | None = None
        while time.monotonic() < deadline + self._wire(min(len(self.last_received), LONGEST_REPLY)):
            data = self.port.read(max(1, self.port.in_waiting))
            self.last_received += data
            came = reader.feed(data)
            whole = [frame for frame in came if frame]
            if ours := [frame for frame in whole if self._answers(frame, kind)]:
                self._in_step = True
                return ours[0]
            unreadable = [f for f in whole if f.type == ERROR and f.payload[:1] == b"\0"]
            told = next(iter(unreadable), told)
            if (unreadable or None in came) and self._in_step:
                break
        return told

    def _answers(self, frame: Frame, kind: int) -> bool:
        """Whether it is the reply to the request in flight, of this kind, or tells of a crash."""
        about = frame.payload[:1] if frame.type == ERROR else bytes([frame.type ^ REPLY])
        ours = (frame.sequence, about) == (self._sequence, bytes([kind]))
        return ours or frame.type == FAULT

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

    # Baud rates

    def speed_up(self, fastest: int) -> None:
        """Agree with the board on the fastest rate, up to `fastest`, at which a HELLO works."""
        for baud in (baud for baud in FASTER_BAUDS if baud <= fastest):
            reply = self.exchange(Request.BAUD, baud.to_bytes(4, "little"), GLANCE_SECONDS)
            if reply and reply.type == ERROR:
                continue
            with contextlib.suppress(*BROKEN, ValueError):  # of a port that cannot
                if reply:
                    self.baud = self.port.baudrate = baud
                    hello = self.exchange(Request.HELLO, at_most=GLANCE_SECONDS)
                    if hello and hello.type == Request.HELLO | REPLY:
                        return
            self.fall_back()
            self._in_step = False  # the board may be at the rate that failed
            self.request(Request.HELLO)

    def slow_down(self) -> None:
        """Leave the board at SAFE_BAUD, for whoever opens the port next; failing is no matter."""
        if self.baud != SAFE_BAUD:
            with contextlib.suppress(KitError):
                self.exchange(Request.BAUD, SAFE_BAUD.to_bytes(4, "little"), GLANCE_SECONDS)
            self.fall_back()

    def fall_back(self) -> None:
        """Go on at SAFE_BAUD; the board does so when it sees bytes at another rate than its own."""
        if self.baud != SAFE_BAUD:
            self.baud = SAFE_BAUD
            with contextlib.suppress(*BROKEN, ValueError):
                self.port.baudrate = SAFE_BAUD

    # The port

    def close(self) -> None:
        """Leave the board at SAFE_BAUD, and give the port back for good."""
        self.slow_down()
        self._lost = False
        with contextlib.suppress(*BROKEN):
            self.port.close()

    def _broken(self, error: Exception) -> LinkError:
        """The error; the port is given back, for a device keeps its name while a port is open."""
        if isinstance(error, serial.PortNotOpenError):
            return LinkError(
                f"This board on {self.url} was closed.",
                "close() or the end of its `with` block closes a board, and so does opening "
                "another one at the same address.",
                f'Open it again: `board = kit.Board("{self.url}")`.',
            )
        self._lost, self.baud = True, SAFE_BAUD
        with contextlib.suppress(*BROKEN):
            self.port.close()
        why, next_step = kind_of(self.url).gone
        return TryAgain(f"The connection to {self.url} broke off.", f"{error}. {why}", next_step)

    def _stuck(self, length: int) -> LinkError:
        """The error; what did not go out must not go out before the next request."""
        with contextlib.suppress(*BROKEN):
            self.port.reset_output_buffer()
        return TryAgain(
            f"The port {self.url} takes no more bytes.",
            f"A request of {length:,} bytes did not go out within {self.port.write_timeout:.1f} "
            "seconds: nobody reads at the other end.",
            "Unplug the board, plug it in again, and run this again.",
        )

    def _silence(self, problem: str) -> LinkError:
        complaints = getattr(getattr(self.port, "inside", None), "complaints", ())
        last = f" The virtual board noted: {complaints[-1]}" if complaints else ""
        return TryAgain(
            f"The board on {self.url} did not answer {ATTEMPTS} requests.",
            f"In the last try {problem}.{last}",
            "Is this the right port (`kit boards` lists them), and does the kit's firmware run? "
            f"{how_to_flash(self.url)}",
        )
