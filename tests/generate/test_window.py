"""firmware/nn/window.h: what 16 bits hold is computed as by LiteRT; what they do not is told."""

import re

import numpy as np
import pytest
from depth import first
from networks import Tflite

from kit.checks.validate import random_inputs
from kit.compile import HostNetwork
from kit.errors import KitError
from kit.generate import generate_network
from kit.generate.operators import conv_2d
from kit.model import Reference
from kit.paths import FIRMWARE

WIDEST = 65_535
ONE = {"padding": 1, "strideH": 1, "strideW": 1}
OPERATORS = ("CONV_2D", "MAX_POOL_2D", "DEPTHWISE_CONV_2D", "AVERAGE_POOL_2D")
LONG = {  # of a layer over a row of pixels: its kernel's width, and what else is not 1
    "a small kernel": (3, {}),
    "a wide kernel": (WIDEST, {}),
    "a wide dilation": (3, {"dilationWFactor": 32_767}),  # LiteRT takes no wider one, nor a step
    "a wide step": (1, {"strideW": 32_767}),
    "a wide padding": (WIDEST, {"padding": 0, "strideW": 32_767}),
}


def convolution(path, shape, kernel, name="CONV_2D", **options):
    """A .tflite of one convolution of as many filters as channels, its kernel (height, width)."""
    made, generator, channels = Tflite(), np.random.default_rng(1), shape[2]
    x, options = made.tensor((1, *shape), "int8", 0.5, -3), ONE | options
    table = (channels, *kernel, channels) if name == "CONV_2D" else (1, *kernel, channels)
    w = made.tensor(table, "int8", 0.01, data=generator.integers(-2, 3, table))
    b = made.tensor((channels,), "int32", 0.005, data=generator.integers(-99, 99, channels))
    gaps = 1, options.get("dilationWFactor", 1)
    spans = [((n - 1) * gap) * options["padding"] for n, gap in zip(kernel, gaps, strict=True)]
    steps = options["strideH"], options["strideW"]
    size = [-(-(n - s) // step) for n, s, step in zip(shape, spans, steps, strict=False)]
    y = made.tensor((1, *size, channels), "int8", 0.5, 4)
    made.operator(name, [x, w, b], [y], **options)
    return made.write(path, [x], [y])


def pooling(path, shape, kernel, name, **options):
    """A .tflite of one pooling."""
    made, options = Tflite(), ONE | options
    x = made.tensor((1, *shape), "int8", 0.5, 4)
    spans = [(n - 1) * options["padding"] for n in kernel]
    steps = options["strideH"], options["strideW"]
    size = [-(-(n - s) // step) for n, s, step in zip(shape, spans, steps, strict=False)]
    y = made.tensor((1, *size, shape[2]), "int8", 0.5, 4)
    made.operator(name, [x], [y], filterHeight=kernel[0], filterWidth=kernel[1], **options)
    return made.write(path, [x], [y])


def check(path, folder, goal="time"):
    """The C gives what LiteRT's reference kernels give."""
    network, inputs = generate_network(path, folder, optimize=goal), random_inputs(path, 3)
    np.testing.assert_array_equal(HostNetwork(network).run(inputs), Reference(path).run(inputs))
    return network


@pytest.mark.parametrize("case", LONG)
@pytest.mark.parametrize("name", first(2, OPERATORS))
def test_the_largest_numbers_are_computed(tmp_path, name, case):
    """Every member of nn_window up to 65,535, in every operator that has one."""
    width, options = LONG[case]
    make = pooling if "POOL" in name else convolution
    if make is pooling and "dilationWFactor" in options:
        pytest.skip("poolings have no dilation")
    path = make(tmp_path / "long.tflite", (1, WIDEST, 1), (1, width), name, **options)
    goals = ("time", "flash") if name == "CONV_2D" else ("time",)
    for goal in goals:
        check(path, tmp_path / goal, goal)


@pytest.mark.parametrize("goal", ["time", "flash"])
@pytest.mark.parametrize("side", [255, 256])
def test_an_image_of_more_pixels_than_a_row_holds(tmp_path, side, goal):
    """A 1 x 1 convolution is computed as of one row where its pixels fit one."""
    path = convolution(tmp_path / "square.tflite", (side, side, 3), (1, 1))
    text = (check(path, tmp_path / "network", goal).folder / "network.c").read_text()
    one_row = side == 255 and goal != "flash"
    assert f".input_height = {1 if one_row else side}," in text


@pytest.mark.parametrize("name", ["CONV_2D", "MAX_POOL_2D"])
@pytest.mark.parametrize("shape", [(1, WIDEST + 1, 1), (WIDEST + 1, 1, 1)])
def test_what_is_larger_is_refused(tmp_path, name, shape):
    """By the shape, and with the limit."""
    make = pooling if "POOL" in name else convolution
    path = make(tmp_path / "long.tflite", shape, (1, 1), name)
    with pytest.raises(KitError, match=r"65536") as said:
        generate_network(path, tmp_path / "network")
    assert "65,535" in said.value.why


def test_every_member_is_given(tmp_path):
    """C would take one that is left out for 0."""
    path = convolution(tmp_path / "c.tflite", (5, 6, 2), (3, 2))
    text = (generate_network(path, tmp_path / "network").folder / "network.c").read_text()
    window = re.search(r"    \.window = \{\n(.*?)    \},\n", text, re.DOTALL)[1]
    header = (FIRMWARE / "nn" / "window.h").read_text()
    struct = re.search(r"typedef struct \{\n(.*?)\} nn_window;", header, re.DOTALL)[1]
    given = re.findall(r"\.(\w+) = \d+,", window)
    assert sorted(given) == sorted(re.findall(r"uint16_t (\w+);", struct))


@pytest.mark.parametrize(
    ("size", "passes", "copied"),
    [(448, 144, 448), (1024, 20, 1024), (1026, 20, 0), (448, 4, 0), (448, 5, 448), (448, 1, 0)],
)
def test_weights_are_copied_where_that_takes_fewer_cycles(size, passes, copied):
    """A word takes 4 cycles once; 16 bytes that are read from the flash again wait 5 cycles. So it
    pays from the fifth pass on, for as much RAM as a layer may take."""
    assert conv_2d._copied(size, passes) == copied
