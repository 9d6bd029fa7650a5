"""Frames on a serial line, as in firmware/app/frame.c: COBS, and a CRC-32 that closes each."""

from binascii import crc32  # CRC-32/ISO-HDLC: IEEE 802.3 section 3.2.9, and zlib
from dataclasses import dataclass

from cobs import cobs


@dataclass(frozen=True)
class Frame:
    """One frame: `type` and `sequence` 0 to 255, and the payload."""

    type: int
    sequence: int
    payload: bytes


def encode(frame: Frame) -> bytes:
    """A frame as it goes over the line; the zero in front ends whatever noise the receiver may have
    collected."""
    body = bytes([frame.type, frame.sequence]) + frame.payload
    block: bytes = cobs.encode(body + crc32(body).to_bytes(4, "little"))
    return b"\0" + block + b"\0"


def decode(block: bytes) -> Frame | None:
    """The frame between two zero bytes, or None when it is damaged."""
    try:
        body = cobs.decode(block)
    except cobs.DecodeError:
        return None
    whole = len(body) >= 6 and crc32(body[:-4]) == int.from_bytes(body[-4:], "little")
    return Frame(body[0], body[1], body[2:-4]) if whole else None


class FrameReader:
    """Collects bytes and gives back the frames in them; None stands for a damaged one."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> list[Frame | None]:
        *blocks, self._rest = (self._rest + data).split(b"\0")
        return [decode(block) for block in blocks if block]
