"""The same scores from another emulator, another compiler and another chip.

The virtual board and zig are what everybody has; were one of them wrong in a way that its own tests
share, these would tell. Each is left out, with the reason, where its program is not installed.
"""

import numpy as np
import pytest
from graphs import graphs, random_values
from hypothesis import HealthCheck, given, settings
from qemu import board_in_qemu, needs_qemu

from kit.board import Board, flash
from kit.boards import MCUS
from kit.checks import validate
from kit.compile import HostNetwork, Program, build_firmware
from kit.compile.toolchain import find_gcc
from kit.digits import load_mnist
from kit.generate import generate_network
from kit.model import Reference, read_model

IMAGES = 300
pytestmark = pytest.mark.deep
needs_gcc = pytest.mark.skipif(not find_gcc(), reason="arm-none-eabi-gcc is not installed")


def scores_on_virtual(elf, images):
    flash("virtual://second-opinion", elf)
    with Board("virtual://second-opinion") as board:
        return board.scores(images)


@pytest.fixture(scope="module")
def images():
    return load_mnist()[1][0][:IMAGES]


@pytest.fixture(scope="module")
def reference(road):
    """The scores of LiteRT's reference kernels, shape (IMAGES, 10)."""
    model = road["build"] / "digits_int8.tflite"
    return Reference(model).run(validate.mnist_inputs(model, IMAGES)).reshape(IMAGES, -1)


@needs_qemu
def test_qemu_gives_the_same_scores(road, images, reference):
    """The course's own ELF in QEMU: the first test images, against LiteRT and the virtual board."""
    elf = road["build"] / "firmware.elf"
    with board_in_qemu(elf) as board:
        in_qemu = board.scores(images)
    np.testing.assert_array_equal(in_qemu, reference)
    np.testing.assert_array_equal(scores_on_virtual(elf, images), in_qemu)


@needs_qemu
@settings(
    max_examples=5,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
@given(network=graphs(most=10))
def test_qemu_computes_any_graph_as_this_computer_does(network, tmp_path, quick_trials):
    """Random networks, built by either compiler, to the last bit."""
    model = read_model(network.write(tmp_path / "random.tflite"))
    made, inputs = generate_network(model.path, tmp_path / "network"), random_values(model.input)
    expected = HostNetwork(made).run_all(inputs)
    for compiler in ("zig", "gcc") if find_gcc() else ("zig",):
        elf = build_firmware(made, tmp_path / compiler, compiler=compiler).elf
        with board_in_qemu(elf) as board:
            for ours, theirs in zip(board.run_all(inputs), expected, strict=True):
                np.testing.assert_array_equal(ours, theirs.reshape(ours.shape), err_msg=compiler)


@pytest.mark.parametrize(
    ("chip", "compiler"),
    [
        pytest.param("stm32f446re", "gcc", marks=needs_gcc),
        pytest.param("stm32f401re", "gcc", marks=needs_gcc),
        ("stm32f401re", "zig"),
    ],
)
def test_another_chip_or_compiler_gives_the_same_scores(
    road, images, reference, tmp_path, chip, compiler
):
    """The course's network, on a virtual board with the chip's limits: the first test images."""
    made = build_firmware(road["build"] / "network", tmp_path, MCUS[chip], compiler)
    assert made.mcu == Program(made.elf).mcu == MCUS[chip]
    np.testing.assert_array_equal(scores_on_virtual(made.elf, images), reference)
