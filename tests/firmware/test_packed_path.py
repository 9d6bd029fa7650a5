"""Dense layers with weights of fewer bits on the virtual board: LiteRT's values, and fast."""

import numpy as np
import pytest
from packed import FEW_BITS, packed_network

from kit.board import Board, flash
from kit.checks.validate import random_inputs
from kit.compile import build_firmware
from kit.generate import generate_network
from kit.model import Reference

MOST = {"int4": 0.93, "int2": 0.94, "binary": 0.9, "ternary": 0.97, "clustered": 1.42}
"""Cycles for a multiply-accumulate of 784 -> 128, all else and the flash's wait states included, as
a share of int8's. Of sparse ones: cycles, of which each weight that is not 0 takes about 14."""
MOST["sparse"] = 1.5
ODD = [(1, 9, 31, 33, 4), (33, 1, 20, 2, 5), (31, 3, 64, 41, 8), (784, 128)]


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
def test_the_chip_gives_litert_s_values(tmp_path, packing, of_int8):
    """Odd sizes and zero points at the ends; the largest layer is counted."""
    for number, sizes in enumerate(ODD):
        zero_points = (-128, 0) if sizes[0] == 784 else ((127, -128), (-128, 127), (0, 5))[number]
        path = packed_network(tmp_path / "a.npz", packing, sizes, number, zero_points)
        made = generate_network(path, tmp_path / "network", input_range=(0, 1))
        flash("virtual://packed", build_firmware(made, tmp_path / "build").elf)
        inputs = random_inputs(path, 5)
        with Board("virtual://packed") as board:
            np.testing.assert_array_equal(board.run(inputs), Reference(path).run(inputs))
            if sizes[0] == 784:
                assert cycles(board) < MOST[packing] * (1 if packing == "sparse" else of_int8)


@pytest.mark.parametrize("packing", ["int4", "ternary", "clustered"])
def test_the_small_kernel_gives_the_same(tmp_path, packing):
    path = packed_network(tmp_path / "a.npz", packing, (33, 9, 4))
    made = generate_network(path, tmp_path / "network", optimize="flash")
    flash("virtual://small", build_firmware(made, tmp_path / "build").elf)
    inputs = random_inputs(path, 5)
    with Board("virtual://small") as board:
        np.testing.assert_array_equal(board.run(inputs), Reference(path).run(inputs))
