"""firmware/app/sample.c, pixels.c and light.c: the button, and what the LED answers."""

import re

import numpy as np
import pytest
from led import blinks, ticks, watch_led
from made import firmware
from networks import Spec, make_course

from kit.board import Board, flash
from kit.compile import build_firmware
from kit.generate import generate_network
from kit.model import Reference, pixels_to_input, read_model
from kit.paths import FIRMWARE

URL = "virtual://button"


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
    gray = {" ": 0, ".": 85, "+": 170, "#": 255}
    return np.array([[gray[c] for c in row] for row in rows], np.uint8)


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
    image = picture()
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


def test_a_network_that_takes_no_picture_flickers(monkeypatch):
    """There is nothing to show it: 16 short flashes, and the board goes on."""
    flash(URL, firmware(Spec(20, (5,), None, True, True, True, True, 0.3, 1)).elf)
    with Board(URL) as board:
        seen = watch_led(monkeypatch, board)
        ticks(board, seen, 5)
        board.port.press_button(True)
        ticks(board, seen, 120)
        assert len(blinks(seen)) == 16 and board.hello().input.elements == 20
