"""kit/checks/prediction.py: what a chip counts stands beside what the virtual board estimated."""

import json

import made
import pytest
from networks import Spec
from real_board import line  # noqa: F401

from kit.board import Board, flash
from kit.boards import find_mcu
from kit.checks import prediction
from kit.checks.prediction import KEYS, LayerCycles, compare_cycles
from kit.compile import build_firmware
from kit.paths import DATA

SPEC = Spec(784, (12, 10), "relu", True, True, True, True, 0.05, 1)


@pytest.fixture
def elf(tmp_path, monkeypatch):
    """firmware.elf of the user's build folder."""
    program = made.own_build(monkeypatch, tmp_path) / "firmware.elf"
    program.write_bytes(made.firmware(SPEC).elf.read_bytes())
    flash("virtual://same", program)
    with Board("virtual://same") as board:
        board.hello()  # native code is compiled by now: the board behind the line answers in time
    return program


def compared(board):
    image = prediction.an_image(board.described.input.elements)
    return compare_cycles(board, board.profile(image), "kit 1.0")


def test_each_layer_of_a_real_board_stands_beside_its_prediction(elf, line):  # noqa: F811
    """Behind a network port there is no estimate: CYCCNT is taken as the chip's cycles. (The board
    that plays it counts instructions there, so that the prediction is far off, and said to be.)"""
    with Board(line(elf)) as board:
        found = compared(board)
        hello = board.described
    with Board("virtual://same") as board:
        same = board.profile(prediction.an_image(hello.input.elements))
    assert [layer.predicted for layer in found.layers] == [layer.cycles for layer in same.layers]
    assert [layer.measured for layer in found.layers] == [x.instructions for x in same.layers]
    assert same.waits > 0 and found.predicted == same.cycles
    assert "more than 5%" in str(found) and f"predicted {same.cycles:,}" in str(found)
    block = json.loads(found.block())
    assert set(block) == KEYS and block["mcu"] == "stm32f446re" and block["wait_states"] == 5
    assert block["layers"][0]["predicted"] == same.layers[0].cycles


def test_within_five_percent_nothing_is_remarked():
    for measured, remark in ((1000, False), (953, False), (952, True), (1052, False), (1054, True)):
        told = str(LayerCycles("dense", 7, measured, 1000))
        assert ("more than 5%" in told) == remark and told.startswith(f"dense: {measured:,} cycles")


@pytest.mark.parametrize("what", ["gone", "no virtual chip"])
def test_without_a_prediction_what_was_measured_stays(elf, line, what):  # noqa: F811
    """The reason is said; nothing is made up."""
    url = line(elf)
    if what == "gone":
        elf.unlink()
    else:
        other = build_firmware(
            made.network(SPEC).folder, elf.parent / "l4", find_mcu("stm32l476rg")
        )
        elf.write_bytes(other.elf.read_bytes())
    with Board(url) as board:
        found = compared(board)
    assert found.predicted is None and found.measured > 0 and "no prediction: " in str(found)
    assert all(layer["predicted"] is None for layer in json.loads(found.block())["layers"])


def test_the_boards_that_owners_told_of_are_blocks():
    """data/boards.json is collected by hand."""
    for block in json.loads((DATA / "boards.json").read_text(encoding="utf-8")):
        assert set(block) == KEYS
        layers = [LayerCycles(**layer) for layer in block["layers"]]
        assert layers and all(layer.measured > 0 for layer in layers)
