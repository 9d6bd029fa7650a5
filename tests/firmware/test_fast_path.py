"""Both dense kernels give what exact arithmetic gives, and the chip's fast one is fast.

Random layers go to a small program on the virtual board (virtual_nucleo/firmware/fast_dense.c).
"""

import struct
import subprocess
from dataclasses import dataclass

import numpy as np
import pytest
import serial
from bare import FLAGS, LINKER_SCRIPT, SOURCES, ZIG
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from made import firmware
from networks import Spec

from kit.board import Board, flash
from kit.compile.toolchain import environment
from kit.paths import FIRMWARE
from virtual_nucleo import store

NN = FIRMWARE / "nn"
OUTPUT_BUFFER = 24 + 8  # bytes, as in fast_dense.c
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
    output_zero_point: int
    minimum: int
    maximum: int
    input: np.ndarray  # int8 (inputs,)


def sums_of(weights, x, bias):
    """What a layer's accumulators hold, as int64: shape (outputs,)."""
    return weights.astype(np.int64) @ x.astype(np.int64) + bias


def exact(layer):
    """A layer's output by 64-bit integers, which hold each product: int8, shape (outputs,)."""
    shift = layer.shift.astype(np.int64)
    products = sums_of(layer.weights, layer.input, layer.bias) * layer.multiplier
    scaled = (products + (1 << shift - 1)) >> shift
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
    largest = max(abs(int(s)) for s in sums) * multiplier
    lowest_shift = max(1, largest.bit_length() - 30)
    if kind == "any":  # results that are not all saturated
        usual = largest.bit_length() - int(generator.integers(6, 10))
        return multiplier, min(max(lowest_shift, usual), 62)
    return multiplier, int(generator.integers(lowest_shift, 63))


kinds = st.sampled_from(("any", "any", "extremes", "lowest", "highest"))


@st.composite
def layers(draw):
    """Any shape up to 70 x 20, any numbers, both kinds of quantization, any fused activation."""
    inputs, outputs = draw(st.integers(1, 70)), draw(st.integers(1, 20))
    generator = np.random.default_rng(draw(st.integers(0, 2**32)))
    weights = numbers(generator, draw(kinds), (outputs, inputs))
    x = numbers(generator, draw(kinds), inputs)
    limit = draw(st.sampled_from((0, 1000, 2**20, 2**31 - 2**21)))
    bias = generator.integers(-limit, limit, outputs, np.int32, endpoint=True)
    sums = sums_of(weights, x, bias)
    kind = draw(st.sampled_from(("any", "any", "none", "smallest", "largest", "all shifts")))
    rows = [[s] for s in sums] if draw(st.booleans()) else [sums]
    multipliers, shifts = zip(*(scaling(generator, row, kind) for row in rows), strict=True)
    multiplier, shift = np.array(multipliers, np.int32), np.array(shifts, np.uint8)
    minimum, maximum = sorted(draw(st.tuples(st.integers(-128, 127), st.integers(-128, 127))))
    if draw(st.booleans()):
        minimum, maximum = -128, 127
    zero_point = draw(st.integers(-128, 127))
    return Dense(weights, bias, multiplier, shift, zero_point, minimum, maximum, x)


@pytest.fixture(scope="module", params=KERNELS)
def kernel(request, tmp_path_factory):
    """A kernel on a virtual board: from a layer, and the distance of its arrays from a word
    boundary, to the output buffer."""
    folder = tmp_path_factory.mktemp(request.param)
    (folder / "link.ld").write_text(LINKER_SCRIPT)
    sources = [SOURCES / "fast_dense.c", NN / "dense_int8.c", NN / "dense_int8_cortex_m4.c"]
    sources.append(FIRMWARE / "boards" / "cortex_m" / "runtime.c")
    link = [f"-Wl,-T,{folder / 'link.ld'}", "-Wl,-e,Reset_Handler", "-o", folder / "dense.elf"]
    words = [*ZIG, *FLAGS, *KERNELS[request.param], "-fno-builtin", f"-I{NN}", *link, *sources]
    subprocess.run([str(word) for word in words], check=True, env=environment())
    store.program(request.param, folder / "dense.elf")
    with serial.serial_for_url(f"virtual://{request.param}", baudrate=115200, timeout=5) as port:

        def compute(layer, off):
            outputs, inputs = layer.weights.shape
            words = (off, inputs, outputs, len(layer.shift) > 1)
            port.write(struct.pack("<4I", *words))
            port.write(struct.pack("<3i", layer.output_zero_point, layer.minimum, layer.maximum))
            for array in (layer.weights, layer.bias, layer.multiplier, layer.shift, layer.input):
                port.write(array.tobytes())
            return np.frombuffer(port.read(OUTPUT_BUFFER), np.int8)

        yield compute


@settings(
    deadline=None,
    max_examples=400,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow],
)
@given(layer=layers(), off=st.integers(0, 3))
def test_a_kernel_is_exact(kernel, layer, off):
    """Every output to the last bit, at any alignment; and nothing is written beside them."""
    expected = np.full(OUTPUT_BUFFER, UNTOUCHED, np.int8)
    expected[off : off + len(layer.weights)] = exact(layer)
    np.testing.assert_array_equal(kernel(layer, off), expected)


@pytest.mark.parametrize("per_channel", [True, False])
def test_instructions_for_a_multiply_accumulate(per_channel):
    """The fast path is in the firmware and fast: a network of the course's shape takes fewer than
    1.7 instructions for each multiply-accumulate, all else included (in plain C it is 4.7)."""
    spec = Spec(784, (128, 128, 10), "relu", True, True, per_channel, True, 0.05, 1)
    flash("virtual://counted", firmware(spec).elf)
    with Board("virtual://counted") as board:
        profile = board.profile(np.zeros((28, 28), np.uint8))
        macs = board.hello().macs
    assert macs == 784 * 128 + 128 * 128 + 128 * 10
    assert profile.estimated
    assert sum(layer.instructions for layer in profile.layers) / macs < 1.7
