"""Dense layers with weights of fewer bits on the virtual board: LiteRT's values, and fast."""

import numpy as np
import pytest
from depth import first, many
from packed import FEW_BITS, packed_network

from kit.board import Board, flash, run_bare
from kit.checks.validate import random_inputs
from kit.compile import build_firmware
from kit.generate import generate_network
from kit.model import Reference

MOST = {"int4": 0.93, "int2": 0.94, "binary": 0.9, "ternary": 0.97, "clustered": 1.42}
"""Cycles for a multiply-accumulate of 784 -> 128, all else and the flash's wait states included, as
a share of int8's. Of sparse ones: cycles, of which each weight that is not 0 takes about 14."""
MOST["sparse"] = 1.5
ODD = {(1, 9, 31, 33, 4): (127, -128), (33, 1, 20, 2, 5): (-128, 127), (31, 3, 64, 41, 8): (0, 5)}
"""Sizes of networks, and zero points: some at the ends."""


@pytest.fixture(autouse=True)
def no_trial(monkeypatch):
    """A model need not be tried in a process of its own first: LiteRT runs it here."""
    monkeypatch.setattr("kit.model.reference._try_out", lambda *_: None)


def check(path, folder, goal="time"):
    """A bare program gives what LiteRT gives."""
    made, inputs = generate_network(path, folder / "network", optimize=goal), random_inputs(path, 5)
    elf = build_firmware(made, folder / "build", bare=True).elf
    on_board = run_bare(f"virtual://?elf={elf}", made, inputs)
    np.testing.assert_array_equal(on_board, Reference(path).run(inputs))


def cycles(board):
    """Estimated, for a multiply-accumulate of the only layer."""
    (layer,) = board.profile(np.full((28, 28), 100, np.uint8)).layers
    return layer.cycles / (784 * 128)


@pytest.fixture(scope="module")
def of_int8(tmp_path_factory):
    """What int8 weights take, by which the others are measured."""
    folder = tmp_path_factory.mktemp("int8")
    path = packed_network(folder / "a.npz", "int8", (784, 128))
    made = generate_network(path, folder / "network", input_range=(0, 1))
    flash("virtual://packed", build_firmware(made, folder / "build").elf)
    with Board("virtual://packed") as board:
        return cycles(board)


@pytest.mark.parametrize("packing", FEW_BITS)
def test_the_chip_gives_litert_s_values(tmp_path, packing):
    for number, (sizes, zero_points) in enumerate(list(ODD.items())[: many(1, 3)]):
        check(packed_network(tmp_path / "a.npz", packing, sizes, number, zero_points), tmp_path)


@pytest.mark.parametrize("packing", first(3, FEW_BITS))
def test_a_layer_as_in_the_course_is_right_and_fast(tmp_path, packing, of_int8):
    path = packed_network(tmp_path / "a.npz", packing, (784, 128), 3, (-128, 0))
    made = generate_network(path, tmp_path / "network", input_range=(0, 1))
    flash("virtual://packed", build_firmware(made, tmp_path / "build").elf)
    inputs = random_inputs(path, 5)
    with Board("virtual://packed") as board:
        np.testing.assert_array_equal(board.run(inputs), Reference(path).run(inputs))
        assert cycles(board) < MOST[packing] * (1 if packing == "sparse" else of_int8)


@pytest.mark.parametrize("packing", ["int4", "ternary", "clustered"])
def test_the_small_kernel_gives_the_same(tmp_path, packing):
    check(packed_network(tmp_path / "a.npz", packing, (33, 9, 4)), tmp_path, "flash")
