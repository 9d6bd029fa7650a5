"""The depthwise kernels give what LiteRT's reference kernels give, and the chip's is fast.

Random layers go to a small program on the virtual board (virtual_nucleo/firmware/fast_depthwise.c).
"""

import struct
import subprocess

import numpy as np
import pytest
import serial
from bare import LINKER_SCRIPT, SOURCES
from hypothesis import given, reject, settings
from hypothesis import strategies as st
from networks import Tflite
from test_conv_path import (
    COMPILERS,
    KERNELS,
    NN,
    PROJECT,
    UNTOUCHED,
    no_trial,
    parameters,
    reference,
)

from kit.compile.toolchain import environment
from kit.generate.operators.depthwise_conv_2d import lower
from kit.generate.step import Refusal
from kit.model import read_model
from kit.paths import FIRMWARE
from virtual_nucleo import store

__all__ = ["no_trial"]
SQUARE = (3, 3, 1, 1)  # a kernel's height, width and dilations


def layer(
    path, generator, shape, kernel, strides, padding, scales, zeros, activation=1, largest=3000
):
    """A .tflite of one DEPTHWISE_CONV_2D. `scales` are those of weights, in steps of the output,
    `zeros` the zero points of input and output, and `largest` bounds the biases."""
    made, channels = Tflite(), scales.size
    x = made.tensor((1, *shape), "int8", 0.5, zeros[0])
    table = generator.integers(-128, 128, (1, *kernel[:2], scales.size))
    w = made.tensor(table.shape, "int8", scales, data=table)
    made.graph.tensors[w].quantization.quantizedDimension = 3
    values = generator.integers(-largest, largest, channels)
    b = made.tensor((channels,), "int32", 0.5 * np.float64(scales), data=values)
    spans = [(kernel[i] - 1) * kernel[2 + i] * padding for i in (0, 1)]
    size = [-(-(shape[i] - spans[i]) // strides[i]) for i in (0, 1)]
    if min(size) < 1:
        reject()
    y = made.tensor((1, *size, channels), "int8", 0.5, zeros[1])
    options = {"padding": padding, "strideH": strides[0], "strideW": strides[1]}
    options |= {"dilationHFactor": kernel[2], "dilationWFactor": kernel[3]}
    options["depthMultiplier"] = channels // shape[2]
    made.operator(
        "DEPTHWISE_CONV_2D", [x, w, b], [y], fusedActivationFunction=activation, **options
    )
    return made.write(path, [x], [y])


@pytest.fixture(scope="module", params=KERNELS)
def kernel(request, tmp_path_factory):
    """A kernel on a virtual board: from a step and its input to the output, what lies behind it and
    behind the scratch, and the instructions."""
    folder = tmp_path_factory.mktemp(request.param)
    (folder / "link.ld").write_text(LINKER_SCRIPT)
    sources = [SOURCES / "fast_depthwise.c", *NN.glob("depthwise_conv_2d*int8*.[cS]")]
    sources.append(FIRMWARE / "boards" / "cortex_m" / "runtime.c")
    compiler, flag = KERNELS[request.param]
    link = [f"-Wl,-T,{folder / 'link.ld'}", "-Wl,-e,Reset_Handler", "-o", folder / "layer.elf"]
    words = [*COMPILERS[compiler], flag, "-fno-builtin", f"-I{NN}", *link, *sources]
    subprocess.run([str(word) for word in words], check=True, env=environment())
    store.program(f"depthwise-{request.param}", folder / "layer.elf")
    url = f"virtual://depthwise-{request.param}"
    with serial.serial_for_url(url, baudrate=115200, timeout=20) as port:

        def compute(step, x):
            elements = step.output.elements
            port.write(struct.pack("<3I", x.nbytes, elements, step.scratch or 0))
            port.write(parameters(step, "depthwise_conv_2d.h"))
            arrays = step.arrays["weights"], step.arrays["channels"], x
            port.write(b"".join(array.tobytes() for array in arrays))
            content = np.frombuffer(port.read(elements + 16), np.int8)
            return content[:elements], content[elements:], struct.unpack("<I", port.read(4))[0]

        compute.name = request.param
        yield compute


@settings(PROJECT, max_examples=60)
@given(
    shape=st.tuples(st.integers(1, 14), st.integers(1, 14), st.integers(3, 9)),
    window=st.sampled_from((SQUARE, SQUARE, SQUARE, (4, 2, 1, 2), (5, 1, 2, 1))),
    multiplier=st.sampled_from((1, 1, 1, 2)),
    strides=st.sampled_from(((1, 1), (1, 1), (2, 2), (2, 2), (1, 2), (2, 1), (3, 1))),
    padding=st.integers(0, 1),
    exponent=st.integers(-2, 16),
    zeros=st.tuples(st.sampled_from((-128, -128, 0, 127)), st.sampled_from((-128, -3, 0, 100))),
    activation=st.integers(0, 3),
    largest=st.sampled_from((3000, 3000, 2**20, 2**23, 2**29)),
    optimize=st.sampled_from(("time", "ram")),
    seed=st.integers(0, 2**16),
)
def test_a_kernel_is_exact(
    kernel,
    tmp_path,
    shape,
    window,
    multiplier,
    strides,
    padding,
    exponent,
    zeros,
    activation,
    largest,
    optimize,
    seed,
):
    """Every output to the last bit, whatever the kernel, strides, padding, scales and fused
    activation, and in strips of all heights; and nothing is written beside output and scratch."""
    generator = np.random.default_rng(seed)
    scales = 2.0**-exponent * generator.choice((1.0, 0.5, 0.3, 1 / 3), shape[2] * multiplier)
    path = tmp_path / "depthwise.tflite"
    layer(path, generator, shape, window, strides, padding, scales, zeros, activation, largest)
    try:
        step = lower(read_model(path).operators[0], optimize)
    except Refusal as refusal:
        assert "32 bits" in refusal.what
        return
    x = generator.integers(-128, 128, shape, np.int8)
    ours, beside, _ = kernel(step, x)
    np.testing.assert_array_equal(ours.reshape(step.output.shape[1:]), reference(path, x))
    assert (beside == UNTOUCHED).all()


LAYERS = {  # input, kernel, stride, and the most instructions for a multiply-accumulate
    "keyword spotting": ((25, 5, 64), SQUARE, 1, 2.0),
    "visual wake words, 48": ((48, 48, 8), SQUARE, 1, 1.8),
    "visual wake words, 48 to 24": ((48, 48, 16), SQUARE, 2, 2.1),
    "visual wake words, 24": ((24, 24, 32), SQUARE, 1, 1.85),
    "visual wake words, 24 to 12": ((24, 24, 32), SQUARE, 2, 2.3),
    "visual wake words, 12 to 6": ((12, 12, 64), SQUARE, 2, 2.5),
    "streaming wake word": ((24, 1, 128), (10, 1, 1, 1), 1, 7.5),
    "visual wake words, 6": ((6, 6, 128), SQUARE, 1, 2.4),
    "visual wake words, 6 to 3": ((6, 6, 128), SQUARE, 2, 5.0),  # what a channel takes to begin
    "visual wake words, 3": ((3, 3, 256), SQUARE, 1, 4.8),  # weighs most in 3 x 3 outputs
}


@pytest.mark.parametrize("name", LAYERS)
def test_instructions_for_a_multiply_accumulate(kernel, tmp_path, name):
    """All included: widening, padding, requantizing and loops."""
    if kernel.name == "plain":
        pytest.skip("the plain kernel need not be fast")
    shape, window, stride, most = LAYERS[name]
    path, generator = tmp_path / "depthwise.tflite", np.random.default_rng(1)
    scales = 0.001 * generator.uniform(0.5, 2, shape[2])
    layer(
        path,
        generator,
        shape,
        window,
        (stride, stride),
        int(window != SQUARE),
        scales,
        (-128, -128),
    )
    step = lower(read_model(path).operators[0], "time")
    x = generator.integers(-128, 128, shape, np.int8)
    ours, _, instructions = kernel(step, x)
    np.testing.assert_array_equal(ours.reshape(step.output.shape[1:]), reference(path, x))
    assert instructions / step.macs < most
