"""firmware/boards/nucleo_64/serial.c, app/frame.c and requests.c: rates, long replies, STATUS."""

import numpy as np
import pytest
from made import firmware, network
from networks import Spec

from kit.board import Board, LinkError, Request, flash
from kit.board.link import Link
from kit.board.requests import PROTOCOL_VERSION
from kit.boards import DEFAULT
from kit.compile import HostNetwork
from kit.digits import load_mnist

URL = "virtual://serial"
SPEC = Spec(784, (12, 10), "relu", True, True, True, True, 0.05, 3)
SAFE = pytest.approx(115_200, rel=0.01)


@pytest.fixture
def board():
    flash(URL, firmware(SPEC).elf)
    with Board(URL) as board:
        yield board


@pytest.mark.parametrize(
    ("fastest", "agreed"), [(921_600, 921_600), (500_000, 460_800), (115_200, 115_200)]
)
def test_the_fastest_rate_that_is_wanted_is_agreed_on(fastest, agreed):
    """The chip's own rate is within 2 % of it, and what it says is what BRR and clock give."""
    flash(URL, firmware(SPEC).elf)
    with Board(URL, fastest=fastest) as board:
        board.hello()
        actual = board.status().baud
        assert board.link.baud == board.port.baudrate == agreed
    assert actual == pytest.approx(agreed, rel=0.02)
    assert actual == round(DEFAULT.apb1_hz / round(DEFAULT.apb1_hz / agreed))


@pytest.mark.parametrize("wanted", [0, 1, 500, 50_000_000, 2**32 - 1])
def test_a_rate_that_the_clock_cannot_make_is_refused(board, wanted):
    with pytest.raises(LinkError, match="baud rate"):
        board.link.request(Request.BAUD, wanted.to_bytes(4, "little"))
    assert board.status().baud == SAFE


def test_a_damaged_frame_brings_both_ends_back_to_the_safe_rate(board):
    """The request after it works at once, and the chip has counted."""
    board.hello()
    board.port.write(b"\0\x03\x01\x07\x05\xff\0")
    board.port.read(100)
    status = board.status()
    assert status.damaged_frames >= 1 and status.baud == SAFE
    assert board.link.baud == board.port.baudrate == 115_200


def test_a_board_left_at_a_fast_rate_is_found_again(board):
    """As after a killed kernel: the next program opens the port at 115200."""
    board.hello()
    assert board.link.baud == 921_600
    board.port.baudrate = 115_200
    payload = Link(board.port, 1.0).request(Request.HELLO)
    assert payload[0] == PROTOCOL_VERSION


def test_a_reset_and_closing_lead_to_the_safe_rate(board):
    """After a reset a fast one is agreed on again; `slow_down` is what closing does."""
    board.hello()
    board.reset()
    assert board.link.baud == 115_200
    assert board.described.mcu == DEFAULT.name and board.link.baud == 921_600
    board.link.slow_down()
    assert board.status().baud == SAFE and board.port.baudrate == 115_200


def test_the_status_knows_the_chip_the_stack_and_the_button(board):
    status = board.status()
    assert status.device_id & 0xFFF == DEFAULT.device_id
    assert 0 < status.stack_used < status.stack_reserved and status.stack_reserved >= 0x1000
    assert not status.button and "power on" in status.reset_causes
    board.port.press_button(True)
    assert board.status().button


def test_the_stack_mark_only_rises(board):
    """Recognizing takes more stack than saying hello, and afterwards the mark stays."""
    before = board.status().stack_used
    board.recognize(load_mnist()[1][0][0])
    after = board.status().stack_used
    board.hello()
    assert before < after == board.status().stack_used


def test_a_reply_has_any_length_and_takes_no_memory():
    """A layer of 3,000 outputs comes whole; beside the arena and the frame of an input, the
    program needs no more RAM than one whose layers are small."""
    narrow, wide = (Spec(16, (n, 5), None, True, True, True, True, 0.3, 2) for n in (5, 3000))
    made, program = network(wide), firmware(wide)
    assert program.memory.ram_bytes - made.arena_bytes == pytest.approx(
        firmware(narrow).memory.ram_bytes - network(narrow).arena_bytes, abs=16
    )
    one = np.random.default_rng(1).integers(-128, 128, 16, np.int8)
    flash(URL, program.elf)
    with Board(URL) as board:
        np.testing.assert_array_equal(board.watch(0, one), HostNetwork(made).layers(one)[0])
