"""The C on the chip: clocks, serial port, button, and what it says when it crashes.

It runs on the virtual board; crashes run in QEMU, whose exception entry is that of a real core.
"""

import binascii
import re
import shutil
from itertools import groupby

import numpy as np
import pytest
from made import VIRTUAL
from networks import Spec, make, make_course
from test_second_opinion import board_in_qemu, needs_qemu

from kit import boards as mcu
from kit.board import Board, LinkError, Request, flash
from kit.board.crash import CrashError
from kit.board.link import Link
from kit.board.requests import PROTOCOL_VERSION
from kit.compile import build_firmware
from kit.compile import firmware as firmware_module
from kit.compile.program import Program
from kit.digits import load_mnist
from kit.generate import generate_network
from kit.model import Reference, pixels_to_input, read_model
from kit.paths import FIRMWARE, ROOT
from virtual_nucleo import clocks, peripherals, supply
from virtual_nucleo import memory_map as m

URL = "virtual://firmware"
SPEC = Spec(784, (12, 10), "relu", True, True, True, True, 0.05, 3)
HSERDY, PLLRDY, SWS, ODRDY, ODSWRDY = 1 << 17, 1 << 25, 0b1100, 1 << 16, 1 << 17


@pytest.fixture(scope="module")
def network(tmp_path_factory):
    folder = tmp_path_factory.mktemp("firmware-network")
    return generate_network(make(SPEC, folder / "small.tflite"), folder / "network")


@pytest.fixture(scope="module", params=VIRTUAL, ids=lambda chip: chip.name)
def program(request, network, tmp_path_factory):
    """The firmware for each board: its chip and its ELF."""
    chip = request.param
    return chip, build_firmware(network, tmp_path_factory.mktemp(chip.name), chip).elf


@pytest.fixture(scope="module")
def f446(network, tmp_path_factory):
    return build_firmware(network, tmp_path_factory.mktemp("f446")).elf


@pytest.fixture
def board(f446):
    flash(URL, f446)
    with Board(URL) as board:
        yield board


# --- Clocks --------------------------------------------------------------------------------------


def hide(monkeypatch, block, offset, bits):
    """Make bits of a register read as 0, as if what they stand for never became ready."""
    read_model = block.read
    monkeypatch.setattr(
        block, "read", lambda self, at: read_model(self, at) & ~(bits if at == offset else 0)
    )


def test_each_chip_runs_at_its_full_speed(program):
    """From the ST-LINK's 8 MHz through the PLL; the bus and the flash within their limits."""
    chip, elf = program
    flash(URL, elf)
    with Board(URL) as board:
        status = board.status()
        assert board.hello().mcu == chip.name and board.hello().core_hz == chip.core_hz
    assert (status.clock_source, status.core_hz) == ("PLL from HSE", chip.core_hz)
    assert status.apb1_hz == chip.apb1_hz
    assert status.flash_wait_states == chip.flash_wait_states


def test_without_the_st_links_clock_the_internal_one_feeds_the_pll(board, monkeypatch):
    hide(monkeypatch, clocks.Rcc, m.RCC_CR, HSERDY)
    with Board(URL) as board:
        status = board.status()
    assert (status.clock_source, status.core_hz) == ("PLL from HSI", mcu.DEFAULT.core_hz)


@pytest.mark.parametrize(
    ("block", "offset", "bits"),
    [
        (clocks.Rcc, m.RCC_CR, PLLRDY),
        (clocks.Rcc, m.RCC_CFGR, SWS),
        (supply.Power, m.PWR_CSR, ODRDY),
        (supply.Power, m.PWR_CSR, ODSWRDY),
        (supply.FlashInterface, 0x00, 0b111),
    ],
    ids=["PLL", "switch", "over-drive", "over-drive switch", "wait states"],
)
def test_what_does_not_become_ready_leaves_the_chip_at_16_mhz(
    board, monkeypatch, block, offset, bits
):
    """The firmware gives up in a bounded time, says so, and works; the serial rates fit HSI."""
    hide(monkeypatch, block, offset, bits)
    with Board(URL) as board:
        status = board.status()
        assert board.hello().core_hz == status.core_hz == status.apb1_hz == 16_000_000
        assert (status.clock_source, status.flash_wait_states) == ("HSI", 0)
        assert board.link.baud == 460_800  # 921,600 would be 2.1 % off
        rcc, power = board.port._chip.rcc, board.port._chip.rcc.power
        assert not rcc.read(m.RCC_CR) & (1 << 24 | 1 << 16) and not power.read(m.PWR_CR) >> 16


# --- The serial port -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fastest", "agreed"), [(921_600, 921_600), (500_000, 460_800), (115_200, 115_200)]
)
def test_the_fastest_rate_that_is_wanted_is_agreed_on(f446, fastest, agreed):
    """The chip's own rate is within 2 % of it, and what it says is what BRR and clock give."""
    flash(URL, f446)
    with Board(URL, fastest=fastest) as board:
        board.hello()
        actual = board.status().baud
        assert board.link.baud == board.port.baudrate == agreed
    assert actual == pytest.approx(agreed, rel=0.02)
    assert actual == round(45_000_000 / round(45_000_000 / agreed))


@pytest.mark.parametrize("wanted", [0, 1, 500, 50_000_000, 2**32 - 1])
def test_a_rate_that_the_clock_cannot_make_is_refused(board, wanted):
    with pytest.raises(LinkError, match="baud rate"):
        board.link.request(Request.BAUD, wanted.to_bytes(4, "little"))
    assert board.status().baud == pytest.approx(115_200, rel=0.01)


def test_a_damaged_frame_brings_both_ends_back_to_the_safe_rate(board):
    """The request after it works at once, and the chip has counted."""
    board.hello()
    board.port.write(b"\0\x03\x01\x07\x05\xff\0")
    board.port.read(100)
    status = board.status()
    assert status.damaged_frames >= 1 and status.baud == pytest.approx(115_200, rel=0.01)
    assert board.link.baud == board.port.baudrate == 115_200


def test_a_board_left_at_a_fast_rate_is_found_again(board):
    """As after a killed kernel: the next program opens the port at 115200."""
    board.hello()
    assert board.link.baud == 921_600
    board.port.baudrate = 115_200
    payload = Link(board.port, 1.0).request(Request.HELLO, waking=True)
    assert payload[0] == PROTOCOL_VERSION


def test_closing_leaves_the_board_at_the_safe_rate(board):
    board.hello()
    board.link.slow_down()
    assert board.status().baud == pytest.approx(115_200, rel=0.01)
    assert board.port.baudrate == 115_200


def test_a_reset_starts_over_at_the_safe_rate(board):
    board.hello()
    board.reset()
    assert board.link.baud == 115_200
    assert board.described.mcu == "stm32f446re" and board.link.baud == 921_600


def test_the_status_knows_the_chip_the_stack_and_the_button(board):
    status = board.status()
    assert status.device_id & 0xFFF == mcu.DEFAULT.device_id
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


def test_the_checksum_is_that_of_the_file(program):
    """Worked out by the chip over its own flash: the ELF's image, to the last byte."""
    _, elf = program
    flash(URL, elf)
    image = Program(elf).flash_image
    with Board(URL) as board:
        found = board.checksum()
    assert (found.bytes, found.crc32) == (len(image), binascii.crc32(image))


# --- The button ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def course(tmp_path_factory):
    """The course's network with its reference weights: its int8 .tflite and its program."""
    folder = tmp_path_factory.mktemp("course")
    path = make_course(folder / "digits.tflite")
    return path, build_firmware(generate_network(path, folder / "network"), folder).elf


def picture():
    """The built-in digit as it stands in sample.c: uint8, shape (28, 28)."""
    text = (FIRMWARE / "app" / "sample.c").read_text()
    rows = re.findall(r'^    "(.*)",$', text, re.MULTILINE)
    return np.array([[{" ": 0, ".": 85, "+": 170, "#": 255}[c] for c in row] for row in rows])


def watch_led(monkeypatch, board):
    """Let each look at the timer be a tick; the list gets the LED's state at each."""
    seen = []
    read_model = peripherals.SysTick.read

    def tick(self, offset):
        value = read_model(self, offset)
        if offset == m.SYST_CSR:
            seen.append(board.port.led)
            value |= m.COUNTFLAG
        return value

    monkeypatch.setattr(peripherals.SysTick, "read", tick)
    return seen


def ticks(board, seen, count):
    end = len(seen) + count
    while len(seen) < end:
        board.port.read(1)


def blinks(seen):
    """How long the LED was lit each time between two dark seconds, in ticks."""
    phases = [(lit, len(list(run))) for lit, run in groupby(seen)]
    dark = [i for i, (lit, length) in enumerate(phases) if not lit and length >= 14]
    return [length for lit, length in phases[dark[0] : dark[1]] if lit]


def test_the_built_in_digit_is_drawn_as_mnist_is():
    """28 x 28, about 20 pixels high, its center of mass in the middle."""
    image = picture()
    assert image.shape == (28, 28)
    rows, columns = np.nonzero(image)
    assert 18 <= max(np.ptp(rows), np.ptp(columns)) + 1 <= 20
    for axis in (0, 1):
        assert np.average(np.arange(28), weights=image.sum(1 - axis)) == pytest.approx(13.5, abs=1)


def test_the_button_blinks_the_built_in_digit(course, monkeypatch):
    """The network reads the picture, in LiteRT and on the board, and the LED tells the digit."""
    path, elf = course
    image = picture().astype(np.uint8)
    scores = Reference(path).run(pixels_to_input(image[None], read_model(path).input))
    flash(URL, elf)
    with Board(URL) as board:
        answer = board.recognize(image)
        np.testing.assert_array_equal(answer.scores, scores[0])
        assert answer.digit == 3
        seen = watch_led(monkeypatch, board)
        ticks(board, seen, 40)
        board.port.press_button(True)
        ticks(board, seen, 120)
    assert len(blinks(seen)) == answer.digit and max(blinks(seen)) <= 5


def test_while_the_answer_blinks_the_board_answers_requests(course, monkeypatch):
    """And they do not disturb the blinking; holding the button counts as one press."""
    flash(URL, course[1])
    with Board(URL) as board:
        board.hello()
        seen = watch_led(monkeypatch, board)
        ticks(board, seen, 5)
        board.port.press_button(True)
        end = len(seen) + 150
        while len(seen) < end:
            assert board.hello().network == "digits.tflite"
    assert len(blinks(seen)) == 3


def test_a_network_that_takes_no_picture_flickers(tmp_path, monkeypatch):
    """There is nothing to show it: 16 short flashes, and the board goes on."""
    spec = Spec(20, (5,), None, True, True, True, True, 0.3, 1)
    made = generate_network(make(spec, tmp_path / "x.tflite"), tmp_path / "network")
    flash(URL, build_firmware(made, tmp_path).elf)
    with Board(URL) as board:
        seen = watch_led(monkeypatch, board)
        ticks(board, seen, 5)
        board.port.press_button(True)
        ticks(board, seen, 120)
        assert len(blinks(seen)) == 16 and board.hello().input.elements == 20


# --- Crashes -------------------------------------------------------------------------------------

CRASHES = {  # the n of crashes.h, what is said, and whether the place is known
    "read_nothing": (0, r"read or wrote 0xa0000000, where this chip has nothing"),
    "undefined": (1, "an instruction that this chip does not have"),
    "call_null": (2, "jumped to 0x00000000, an even address"),
    "jump_nowhere": (3, "jumped to 0xa0000000"),
    "overflow": (4, "ran out of stack"),
    "unaligned": (5, "at no multiple of 4"),
    "float_off": (6, "floating-point unit while it was off"),
    "supervisor_call": (7, r"no handler for \(SVCall\)"),
    "wipe": (8, "an instruction that this chip does not have"),
    "lose_stack": (9, "ran out of stack"),
}
NOWHERE = ("overflow", "lose_stack")  # the core could not save where it was
MARKS = ROOT / "tests" / "virtual_nucleo" / "firmware" / "crashes.h"


@pytest.fixture(scope="module")
def crashing(network, tmp_path_factory):
    """The firmware with crashes.h in it, in the build folder, so that its source is at hand."""
    copy = tmp_path_factory.mktemp("crashing") / "firmware"
    shutil.copytree(FIRMWARE, copy)
    shutil.copy(MARKS, copy / "app")
    main = (copy / "app" / "main.c").read_text()
    for old, new in {
        '#include "requests.h"': '#include "requests.h"\n#include "crashes.h"',
        "requests_answer(": "crash_or_answer(",
        "for (;;) {": "while (!leave) {",
        "        serve();\n    }": "        serve();\n    }\n    return 0;",
    }.items():
        assert old in main
        main = main.replace(old, new)
    (copy / "app" / "main.c").write_text(main)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(firmware_module, "FIRMWARE", copy)
        return build_firmware(network, "exercises/crashing").elf


def crash(board, number):
    with pytest.raises(CrashError) as caught:
        board.link.request(Request.LAYER, bytes([200 + number]))
    return caught.value


def marked_line(function):
    lines = MARKS.read_text().splitlines()
    return next(i for i, text in enumerate(lines, 1) if f"/* line: {function} */" in text)


@pytest.mark.deep
@needs_qemu
@pytest.mark.parametrize("function", CRASHES)
def test_a_crash_is_told_with_its_place_and_ends_with_a_reset(crashing, function):
    """Whatever the program did to memory and stack: kind, function, line; then RESET works."""
    number, said = CRASHES[function]
    with board_in_qemu(crashing) as board:
        board.hello()
        error = crash(board, number)
        assert re.search(said, error.what) and error.why and error.next_step
        if function not in NOWHERE:
            place = (error.location.function, error.location.line)
            wipe_starts = function == "wipe" and place[0] == "wipe"  # one statement, many lines
            assert place == (function, marked_line(function)) or wipe_starts
        with pytest.raises(CrashError, match=re.escape(error.what)):
            board.hello()
        board.reset()
        assert board.hello().mcu == "stm32f446re"


@pytest.mark.deep
@needs_qemu
def test_a_crash_names_the_caller(crashing):
    with board_in_qemu(crashing) as board:
        assert "called from crash_or_answer() (crashes.h, line" in crash(board, 1).what


@pytest.mark.deep
@needs_qemu
def test_returning_from_main_is_told(crashing):
    with board_in_qemu(crashing) as board:
        error = crash(board, 10)
        assert "returned from main(), in Reset_Handler() (startup.c" in error.what
