"""The kit's requests are the firmware's (kit.board.requests), each error with its words, and
replies are taken apart as firmware/app/requests.c puts them together."""

import re
import struct

import pytest

from kit.board import requests
from kit.board.requests import (
    ERRORS,
    REFUSALS,
    BoardLayer,
    BoardTensor,
    Checksum,
    Request,
    Status,
    take_apart,
)
from kit.paths import FIRMWARE


def test_every_number_of_the_firmware_is_known_here():
    """The header is read as a person reads it: no entry is overlooked, each error has its words."""
    header = (FIRMWARE / "app" / "requests.h").read_text(encoding="utf-8")
    names = set(re.findall(r"\b(?:REQUEST|ERROR)_\w+(?= = )", header))
    assert names == {f"REQUEST_{kind.name}" for kind in Request} | {
        f"ERROR_{name}" for name in ERRORS.values()
    }
    assert set(ERRORS.values()) == set(REFUSALS)
    assert (requests.REPLY, requests.FAULT, requests.ERROR) == (0x80, 0xFE, 0xFF)
    assert (Request.HELLO, Request.CHECKSUM, requests.PROTOCOL_VERSION) == (1, 10, 4)


TENSOR = struct.pack("<BIIfi", 1, 10, 12, 0.5, -128)


def test_replies_are_taken_apart_by_their_layout():
    """Texts with their length in front, numbers with the low byte first, bits as names."""
    layer = b"\x05dense\x00" + struct.pack("<I", 7) + TENSOR
    output = BoardTensor("int8", 10, 12, 0.5, -128)
    assert take_apart(BoardLayer, layer) == BoardLayer("dense", "", 7, output)
    sent = struct.pack("<IBIIBIIIIIIBB", 0x421, 2, 9, 8, 5, 7, 6, 5, 4, 3, 2, 1 << 3 | 1 << 2, 1)
    status = take_apart(Status, sent)
    assert (status.clock_source, status.damaged_frames) == ("PLL from HSE", 2)
    assert status.reset_causes == ("power on", "reset pin") and status.button is True


@pytest.mark.parametrize(
    ("layout", "payload", "said"),
    [
        (Checksum, b"1234567", "7 bytes, which is too short"),
        (BoardLayer, b"\x05den", "too short"),
        (BoardLayer, b"", "too short"),
        (BoardLayer, bytes(6) + b"\x09" + TENSOR[1:], "9 is no type"),
    ],
)
def test_what_is_no_reply_is_told(layout, payload, said):
    with pytest.raises(ValueError, match=said):
        take_apart(layout, payload)
