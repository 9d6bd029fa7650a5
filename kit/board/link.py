"""Requests and replies over a serial line; firmware/README.md has the page that defines them."""

import binascii
import time
from dataclasses import dataclass

import serial
from cobs import cobs

from kit.errors import KitError

HELLO, LAYER, RECOGNIZE, RUN, MEASURE, WATCH, RESET = range(1, 8)
REPLY = 0x80
ERROR = 0xFF
ERRORS = {
    1: "the request arrived corrupted",
    2: "the request is too long for this network",
    3: "the firmware does not know this request",
    4: "the request has the wrong length for this network",
    5: "the network has no such layer",
    6: "the engine failed",
}
TRANSIENT = (1,)  # worth sending again
ATTEMPTS = 3
REPLY_SECONDS = 3.0


class LinkError(KitError):
    """The board did not answer, or answered with an error."""


@dataclass(frozen=True)
class Frame:
    """One frame: `type` and `sequence` 0 to 255, and the payload."""

    type: int
    sequence: int
    payload: bytes


def crc16(data: bytes) -> int:
    """CRC-16/IBM-3740: polynomial 0x1021, start 0xFFFF, not reflected."""
    return binascii.crc_hqx(data, 0xFFFF)


def encode(frame: Frame) -> bytes:
    """A frame as it goes over the line.

    The zero in front ends whatever noise the receiver may have collected.
    """
    body = bytes([frame.type, frame.sequence]) + frame.payload
    block: bytes = cobs.encode(body + crc16(body).to_bytes(2, "little"))
    return b"\0" + block + b"\0"


def decode(block: bytes) -> Frame | None:
    """The frame between two zero bytes, or None when it is damaged."""
    try:
        body = cobs.decode(block)
    except cobs.DecodeError:
        return None
    if len(body) < 4 or crc16(body[:-2]) != int.from_bytes(body[-2:], "little"):
        return None
    return Frame(body[0], body[1], body[2:-2])


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
    so that a late reply to an earlier request is never taken for this one's.
    """

    def __init__(self, port: serial.SerialBase, reply_seconds: float = REPLY_SECONDS) -> None:
        self.port = port
        self.reply_seconds = reply_seconds
        self._sequence = 0
        self._reader = FrameReader()
        self.last_sent = b""
        self.last_received = b""

    def request(self, kind: int, payload: bytes = b"") -> bytes:
        """Send a request and return the payload of its reply.

        Raises:
            LinkError: no usable reply came, or the board refused the request.
        """
        problem = ""
        for _ in range(ATTEMPTS):
            reply = self._exchange(kind, payload)
            if reply is None:
                problem = "no usable reply came"
            elif reply.type == ERROR:
                problem = self._refusal(reply)
            elif reply.type == kind | REPLY:
                return reply.payload
            else:
                problem = f"a reply of type {reply.type:#04x} came"
        raise LinkError(
            f"The board on {self.port.port} did not answer {ATTEMPTS} requests.",
            f"In the last try {problem}.",
            "Is this the kit's firmware and the right port? Run `kit doctor`, then "
            f"`kit flash --board {self.port.port}`.",
        )

    def _exchange(self, kind: int, payload: bytes) -> Frame | None:
        """One try: the reply, or None when none came or it was damaged."""
        self._sequence = (self._sequence + 1) % 256
        try:
            self._send(Frame(kind, self._sequence, payload))
            return self._receive()
        except KitError:  # a fault of the virtual board, which is a SerialException too
            raise
        except (serial.SerialException, OSError) as error:
            raise LinkError(
                f"The connection to {self.port.port} broke off.",
                f"{error}. The board was unplugged, or another program took the port.",
                "Plug the board in and open it again.",
            ) from error

    def _send(self, frame: Frame) -> None:
        self._reader.clear()
        self.last_sent = encode(frame)
        self.last_received = b""
        self.port.reset_input_buffer()
        self.port.write(self.last_sent)

    def _receive(self) -> Frame | None:
        """The reply to the request in flight; None when none came or it was damaged."""
        deadline = time.monotonic() + self.reply_seconds
        while time.monotonic() < deadline:
            data = self.port.read(max(1, self.port.in_waiting))
            self.last_received += data
            for frame in self._reader.feed(data):
                if frame is None:
                    return None
                if self._belongs(frame):
                    return frame
        return None

    def _belongs(self, frame: Frame) -> bool:
        """The board cannot know the sequence number of a request that it could not read."""
        unreadable = frame.type == ERROR and frame.payload[:1] == b"\0"
        return frame.sequence == self._sequence or unreadable

    @staticmethod
    def _refusal(reply: Frame) -> str:
        code = reply.payload[1] if len(reply.payload) > 1 else 0
        text = ERRORS.get(code, f"the board reported error {code}")
        if code in TRANSIENT:
            return text
        raise LinkError(f"The board refused the request: {text}.", "", _advice(code))


def _advice(code: int) -> str:
    if code == 6:
        return "Flash the firmware again; see firmware/engine/engine.h for the engine's states."
    return "The firmware on the board is for another network: `kit build`, then `kit flash`."
