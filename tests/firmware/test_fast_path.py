"""The chip's fast dense kernel gives what the plain C gives, and is as fast as it says.

Random layers go to a small program on the virtual board (virtual_nucleo/firmware/fast_dense.c);
the plain kernel computes the same layers on this computer.
"""

import ctypes
import struct
import subprocess
from dataclasses import dataclass

import numpy as np
import pytest
import serial
from bare import FLAGS, LINKER_SCRIPT, SOURCES, ZIG
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from networks import Spec, make

from kit.board import Board, flash
from kit.compile import build_firmware
from kit.compile.toolchain import environment, run_tool, zig
from kit.generate import generate_network
from kit.paths import FIRMWARE
from virtual_nucleo import store

NN = FIRMWARE / "nn"
OUTPUT_BUFFER = 24 + 8  # bytes, as in fast_dense.c
UNTOUCHED = 99
EXTREMES = np.array([-128, -127, -1, 0, 1, 127], np.int8)


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


class Params(ctypes.Structure):
    """nn_dense_int8_params of firmware/nn/nn.h."""

    _fields_ = (
        *((name, ctypes.c_void_p) for name in ("weights", "bias", "multiplier", "shift")),
        *((name, ctypes.c_uint32) for name in ("inputs", "outputs", "per_channel")),
        *((name, ctypes.c_int32) for name in ("output_zero_point", "minimum", "maximum")),
    )


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
    sums = weights.astype(np.int64) @ x.astype(np.int64) + bias
    kind = draw(st.sampled_from(("any", "any", "none", "smallest", "largest", "all shifts")))
    rows = [[s] for s in sums] if draw(st.booleans()) else [sums]
    pairs = [scaling(generator, row, kind) for row in rows]
    minimum, maximum = sorted(draw(st.tuples(st.integers(-128, 127), st.integers(-128, 127))))
    if draw(st.booleans()):
        minimum, maximum = -128, 127
    return Dense(
        weights,
        bias,
        np.array([multiplier for multiplier, _ in pairs], np.int32),
        np.array([shift for _, shift in pairs], np.uint8),
        draw(st.integers(-128, 127)),
        minimum,
        maximum,
        x,
    )


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    """The plain kernel, compiled for this computer: a function from a layer to its output."""
    path = tmp_path_factory.mktemp("plain") / "plain.so"
    flags = ["-O1", "-shared", "-fPIC", "-fno-sanitize=undefined", "-U__ARM_FEATURE_DSP"]
    run_tool([zig(), "cc", *flags, f"-I{NN}", NN / "dense_int8.c", "-o", path], "Compiling")
    library = ctypes.CDLL(str(path))

    def compute(layer):
        pointers = [layer.weights, layer.bias, layer.multiplier, layer.shift]
        outputs, inputs = layer.weights.shape
        params = Params(
            *(array.ctypes.data for array in pointers),
            *(inputs, outputs, len(layer.shift) > 1),
            *(layer.output_zero_point, layer.minimum, layer.maximum),
        )
        output = np.empty(outputs, np.int8)
        library.nn_dense_int8(
            ctypes.byref(params),
            ctypes.c_void_p(layer.input.ctypes.data),
            ctypes.c_void_p(output.ctypes.data),
        )
        return output

    return compute


@pytest.fixture(scope="module")
def chip(tmp_path_factory):
    """The fast kernel on a virtual board: from a layer, and the distance of its arrays from a
    word boundary, to the output buffer."""
    folder = tmp_path_factory.mktemp("fast")
    (folder / "link.ld").write_text(LINKER_SCRIPT)
    sources = [SOURCES / "fast_dense.c", NN / "dense_int8.c", NN / "dense_int8_cortex_m4.c"]
    sources.append(FIRMWARE / "boards" / "cortex_m" / "runtime.c")
    link = [f"-Wl,-T,{folder / 'link.ld'}", "-Wl,-e,Reset_Handler"]
    command = [*ZIG, *FLAGS, "-fno-builtin", f"-I{NN}", *link, *sources, "-o", folder / "fast.elf"]
    subprocess.run([str(word) for word in command], check=True, env=environment())
    store.program("fast", folder / "fast.elf")
    with serial.serial_for_url("virtual://fast", baudrate=115200, timeout=5) as port:

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
def test_the_fast_kernel_equals_the_plain_one(plain, chip, layer, off):
    """Every output to the last bit, at any alignment; and nothing is written beside them."""
    expected = np.full(OUTPUT_BUFFER, UNTOUCHED, np.int8)
    expected[off : off + len(layer.weights)] = plain(layer)
    np.testing.assert_array_equal(chip(layer, off), expected)


def test_the_plain_kernel_equals_exact_arithmetic(plain):
    """What the fast kernel is compared with is right: Python's integers are exact."""
    generator = np.random.default_rng(5)
    weights, x = numbers(generator, "any", (20, 70)), numbers(generator, "any", 70)
    bias = generator.integers(-5000, 5000, 20, np.int32)
    multiplier = generator.integers(2**30, 2**31, 20).astype(np.int32)
    shift = generator.integers(36, 44, 20).astype(np.uint8)
    expected = []
    for row, b, m, s in zip(weights.tolist(), bias.tolist(), multiplier, shift, strict=True):
        total = b + sum(w * v for w, v in zip(row, x.tolist(), strict=True))
        scaled = (total * int(m) * 2 + 2 ** int(s)) // 2 ** (int(s) + 1)
        expected.append(min(max(scaled - 3, -100), 120))
    layer = Dense(weights, bias, multiplier, shift, -3, -100, 120, x)
    np.testing.assert_array_equal(plain(layer), expected)


@pytest.mark.parametrize("per_channel", [True, False])
def test_instructions_for_a_multiply_accumulate(tmp_path, per_channel):
    """The fast path is in the firmware and fast: a network of the course's shape takes fewer than
    1.7 instructions for each multiply-accumulate, all else included (in plain C it is 4.7)."""
    spec = Spec(784, (128, 128, 10), "relu", True, True, per_channel, True, 0.05, 1)
    firmware = build_firmware(
        generate_network(make(spec, tmp_path / "m.tflite"), tmp_path / "network"), tmp_path
    )
    flash("virtual://counted", firmware.elf)
    with Board("virtual://counted") as board:
        profile = board.profile(np.zeros((28, 28), np.uint8))
        macs = board.hello().macs
    assert macs == 784 * 128 + 128 * 128 + 128 * 10
    assert profile.estimated
    assert sum(layer.instructions for layer in profile.layers) / macs < 1.7
