"""The same scores from another emulator, another compiler and another chip.

The virtual board and zig are what everybody has; were one of them wrong in a way that its own tests
share, these would tell. Each is left out, with the reason, where its program is not installed.
"""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from networks import any_network, specs
from qemu import board_in_qemu, needs_qemu

from kit.board import Board, flash
from kit.boards import MCUS
from kit.checks import validate
from kit.compile import HostNetwork, Program, build_firmware
from kit.compile.toolchain import find_gcc
from kit.digits import load_mnist
from kit.generate import generate_network
from kit.model import Reference

IMAGES = 1_000
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
    """The scores of LiteRT's reference kernels, shape (1000, 10)."""
    model = road["build"] / "digits_int8.tflite"
    return Reference(model).run(validate.mnist_inputs(model, IMAGES)).reshape(IMAGES, -1)


@needs_qemu
def test_qemu_gives_the_same_scores(road, images, reference):
    """The course's own ELF in QEMU: 1,000 test images, against LiteRT and the virtual board."""
    elf = road["build"] / "firmware.elf"
    with board_in_qemu(elf) as board:
        in_qemu = board.scores(images)
    np.testing.assert_array_equal(in_qemu, reference)
    np.testing.assert_array_equal(scores_on_virtual(elf, images), in_qemu)


@needs_gcc
@settings(max_examples=5, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(spec=specs, int8=st.booleans())
def test_both_compilers_agree_on_random_networks(tmp_path_factory, spec, int8):
    """int8 and float32 networks of any shape, to the last bit; and this computer agrees."""
    folder = tmp_path_factory.mktemp("both")
    model = any_network(replace(spec, int8=int8), folder / "random.tflite")
    network = generate_network(model, folder / "network")
    inputs = validate.random_inputs(model, 50)
    here = HostNetwork(network).run(inputs).reshape(len(inputs), -1)
    for compiler in ("zig", "gcc"):
        flash("virtual://both", build_firmware(network, folder / compiler, compiler=compiler).elf)
        with Board("virtual://both") as board:
            np.testing.assert_array_equal(board.run(inputs), here, err_msg=compiler)


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
    """The course's network, on a virtual board with the chip's limits: 1,000 test images."""
    made = build_firmware(road["build"] / "network", tmp_path, MCUS[chip], compiler)
    assert made.mcu == Program(made.elf).mcu == MCUS[chip]
    np.testing.assert_array_equal(scores_on_virtual(made.elf, images), reference)
