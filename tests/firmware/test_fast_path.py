"""All dense kernels give what exact arithmetic gives, and the chip's fast ones are fast.

Random layers go to a small program on the virtual board (virtual_nucleo/firmware/fast_dense.c).
"""

import struct
import subprocess
from dataclasses import dataclass

import numpy as np
import pytest
import serial
from bare import FLAGS, LINKER_SCRIPT, SOURCES, ZIG
from depth import first
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from networks import make_course

from kit.board import Board, flash
from kit.compile import build_firmware
from kit.compile.toolchain import environment
from kit.digits import load_mnist
from kit.generate import GOALS, generate_network
from kit.generate.packed import LEAST_SHIFT, TURN, fill, pack
from kit.paths import FIRMWARE
from virtual_nucleo import store

NN = FIRMWARE / "nn"
BUFFER = 256  # bytes of output, as in fast_dense.c
UNTOUCHED = 99
EXTREMES = np.array([-128, -127, -1, 0, 1, 127], np.int8)
KERNELS = {"plain": ["-U__ARM_FEATURE_DSP"], "fast": []}


@dataclass(frozen=True)
class Dense:
    """A layer and its input, as the fields of nn_dense_int8_params."""

    weights: np.ndarray  # int8 (outputs, inputs)
    bias: np.ndarray  # int32 (outputs,)
    multiplier: np.ndarray  # int32 (outputs,), or (1,) per tensor
    shift: np.ndarray  # uint8, the same
    groups_at_once: int
    input_zero_point: int
    output_zero_point: int
    minimum: int
    maximum: int
    input: np.ndarray  # int8 (rows, inputs)


def sums_of(weights, x, zero_point, bias):
    """What a layer's accumulators hold, as int64: shape (rows, outputs)."""
    return (x.astype(np.int64) - zero_point) @ weights.astype(np.int64).T + bias


def exact(layer):
    """A layer's output by 64-bit integers, which hold each product: shape (rows, outputs)."""
    shift = layer.shift.astype(np.int64)
    sums = sums_of(layer.weights, layer.input, layer.input_zero_point, layer.bias)
    scaled = (sums * layer.multiplier + (1 << shift - 1)) >> shift
    return np.clip(scaled + layer.output_zero_point, layer.minimum, layer.maximum)


def numbers(generator, kind, shape):
    """int8 values: any, only the extremes, or all the lowest or highest."""
    if kind == "any":
        return generator.integers(-128, 128, shape, np.int8)
    if kind == "extremes":
        return generator.choice(EXTREMES, shape)
    return np.full(shape, -128 if kind == "lowest" else 127, np.int8)


def scaling(generator, sums, kind):
    """A multiplier and a shift for these sums, whose result fits 32 bits as LiteRT demands."""
    multiplier = {"none": 0, "smallest": 1, "largest": 2**31 - 1}.get(kind)
    if multiplier is None:
        multiplier = int(generator.integers(2**30, 2**31))
    largest = int(np.abs(sums).max()) * multiplier
    lowest_shift = max(1, largest.bit_length() - 30)
    if kind == "any":  # results that are not all saturated
        usual = largest.bit_length() - int(generator.integers(6, 10))
        return multiplier, min(max(lowest_shift, usual), 62)
    return multiplier, int(generator.integers(lowest_shift, 63))


kinds = st.sampled_from(("any", "any", "extremes", "lowest", "highest"))


@st.composite
def layers(draw):
    """Any shape up to 3 x 150 x 20, any numbers, both kinds of quantization, any activation."""
    inputs, outputs = draw(st.integers(1, 70) | st.integers(1, 150)), draw(st.integers(1, 20))
    generator = np.random.default_rng(draw(st.integers(0, 2**32)))
    weights = numbers(generator, draw(kinds), (outputs, inputs))
    x = numbers(generator, draw(kinds), (draw(st.integers(1, 3)), inputs))
    zero_point = draw(st.sampled_from((0, -128, 127, -5)))
    x[np.repeat(generator.random((len(x), inputs // 4 + 1)), 4, 1)[:, :inputs] < draw(shares)] = (
        zero_point
    )
    limit = draw(st.sampled_from((0, 1000, 2**20, 2**31 - 2**23)))
    bias = generator.integers(-limit, limit, outputs, np.int32, endpoint=True)
    sums = sums_of(weights, x, zero_point, bias)
    kind = draw(st.sampled_from(("any", "any", "none", "smallest", "largest", "all shifts")))
    columns = sums.T if draw(st.booleans()) else [sums]
    multipliers, shifts = zip(*(scaling(generator, c, kind) for c in columns), strict=True)
    minimum, maximum = sorted(draw(st.tuples(st.integers(-128, 127), st.integers(-128, 127))))
    if draw(st.booleans()):
        minimum, maximum = -128, 127
    return Dense(
        weights,
        bias,
        np.array(multipliers, np.int32),
        np.array(shifts, np.uint8),
        draw(st.sampled_from((1024, 1024, 16, 32))),
        zero_point,
        draw(st.integers(-128, 127)),
        minimum,
        maximum,
        x,
    )


shares = st.sampled_from((0, 0.2, 0.4, 0.7, 1))


@pytest.fixture(scope="module", params=KERNELS)
def kernel(request, tmp_path_factory):
    """The kernels on a virtual board: from a goal and a layer to the output buffer, and the words
    around the scratch."""
    folder = tmp_path_factory.mktemp(request.param)
    (folder / "link.ld").write_text(LINKER_SCRIPT)
    sources = [SOURCES / "fast_dense.c", *sorted(NN.glob("dense_*.[cS]"))]
    sources.append(FIRMWARE / "boards" / "cortex_m" / "runtime.c")
    link = [f"-Wl,-T,{folder / 'link.ld'}", "-Wl,-e,Reset_Handler", "-o", folder / "dense.elf"]
    words = [*ZIG, *FLAGS, *KERNELS[request.param], "-fno-builtin", f"-I{NN}", *link, *sources]
    subprocess.run([str(word) for word in words], check=True, env=environment())
    store.program(request.param, folder / "dense.elf")
    with serial.serial_for_url(f"virtual://{request.param}", baudrate=115200, timeout=5) as port:

        def compute(goal, layer):
            zero_point, bias = layer.input_zero_point, layer.bias
            if goal in ("ram", "flash"):
                bias = sums_of(layer.weights, np.zeros_like(layer.input[:1]), zero_point, bias)[0]
                zero_point = 0
            (rows, inputs), outputs = layer.input.shape, len(bias)
            block = 8 if goal == "data" else 4
            packed = pack(layer.weights.astype(np.int64), block)
            if goal == "flash":
                size = packed["weights"].size - layer.weights.size
                packed["weights"] = np.pad(layer.weights.ravel(), (0, size))
            words = GOALS.index(goal), rows, inputs, outputs, block, layer.groups_at_once
            words += int(min(layer.shift) < LEAST_SHIFT), len(layer.shift) > 1
            port.write(struct.pack("<8I", *words))
            words = zero_point, layer.output_zero_point, layer.minimum, layer.maximum
            port.write(struct.pack("<4i", *words))
            arrays = bias.astype(np.int32), layer.multiplier, layer.shift
            arrays = packed["weights"], packed["pairs"], *(fill(x, 4) for x in arrays)
            for array in (*arrays, layer.input):
                port.write(array.tobytes())
            return np.frombuffer(port.read(BUFFER), np.int8), port.read(8)

        yield compute


def check(kernel, goal, layer):
    """Every output to the last bit, and nothing written beside them and the scratch."""
    expected = np.full(BUFFER, UNTOUCHED, np.int8)
    values = exact(layer).ravel()
    expected[8 : 8 + values.size] = values
    output, around = kernel(goal, layer)
    np.testing.assert_array_equal(output, expected)
    assert around == bytes([UNTOUCHED] * 8)


@pytest.mark.parametrize("goal", GOALS)
@settings(
    deadline=None,
    max_examples=60,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow],
)
@given(layer=layers())
def test_a_kernel_is_exact(kernel, goal, layer):
    """Of any layer, plain and fast, all in one piece or in sections."""
    rows, inputs = layer.input.shape
    assume(rows == 1 or goal in ("time", "data") or (goal == "ram" and inputs % 4 == 0))
    check(kernel, goal, layer)


@pytest.mark.parametrize("goal", ["time", "ram"])
@pytest.mark.parametrize("sign", [-1, 1])
def test_rows_that_take_more_than_24_bits_are_exact(kernel, goal, sign):
    """The largest weights and inputs there are: their sums fit only in sections."""
    weights = np.full((8, 1000), sign * 127, np.int8)
    weights[1::2] = -128
    bias = np.zeros(8, np.int32)
    x = np.full((1, 1000), 127, np.int8)
    scale = np.array([2**30], np.int32), np.array([50], np.uint8)
    check(kernel, goal, Dense(weights, bias, *scale, TURN, -128, 0, -128, 127, x))


MUSTS = {"time": 1.00, "ram": 1.08, "data": 0.42}
"""Instructions for a multiply-accumulate, all else included; of "data" the mean over images."""


@pytest.mark.parametrize("goal", first(2, MUSTS))
def test_instructions_for_a_multiply_accumulate(tmp_path, goal):
    """The course's network on the chip is as fast as promised, whatever else changes; "data" on any
    image: at worst as slow as "time" may be, where no input is zero."""
    path = make_course(tmp_path / "course.tflite")
    made = generate_network(path, tmp_path / "network", optimize=goal)
    flash("virtual://counted", build_firmware(made, tmp_path).elf)
    images = load_mnist()[1][0][:200] if goal == "data" else load_mnist()[1][0][:1]
    with Board("virtual://counted") as board:

        def count(image):
            return sum(layer.instructions for layer in board.profile(image).layers) / made.macs

        assert made.macs == 784 * 128 + 128 * 128 + 128 * 10
        assert np.mean([count(image) for image in images]) < MUSTS[goal]
        assert count(np.full((28, 28), 100, np.uint8)) < MUSTS["ram" if goal == "ram" else "time"]
