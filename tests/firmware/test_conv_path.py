"""The convolution kernels give what LiteRT's reference kernels give, and the fast ones are fast.

Random layers go to a small program on the virtual board (virtual_nucleo/firmware/fast_conv.c).
"""

import re
import struct
import subprocess

import numpy as np
import pytest
import serial
from ai_edge_litert.interpreter import Interpreter, OpResolverType
from bare import FLAGS, LINKER_SCRIPT, SOURCES, ZIG
from depth import many
from hypothesis import HealthCheck, given, reject, settings
from hypothesis import strategies as st
from networks import Tflite

from kit.compile.toolchain import environment
from kit.generate.operators.conv_2d import FEWEST, FOUR, TWO, lower, with_pooling
from kit.generate.step import Refusal, Step
from kit.model import read_model
from kit.paths import FIRMWARE
from virtual_nucleo import store

NN = FIRMWARE / "nn"
COMPILERS = {
    "zig": [*ZIG, *FLAGS],
    "gcc": ["arm-none-eabi-gcc", "-mthumb", "-mcpu=cortex-m4", *FLAGS[1:]],
}
KERNELS = {"plain": ("zig", "-U__ARM_FEATURE_DSP"), "zig": ("zig", "-O2"), "gcc": ("gcc", "-O2")}
UNTOUCHED = 99


def parameters(step, header):
    """The bytes of a step's parameter struct, the first of a header; its pointers are 0."""

    def first(name):
        struct_ = re.search(r"^typedef struct \{\n(.*?)^\}", (NN / name).read_text(), re.M | re.S)[
            1
        ]
        return re.findall(r"^    (?:const )?(\w+) (\*?)(\w+);", struct_, re.MULTILINE)

    kinds = {"uint16_t": "H", "uint32_t": "I", "int32_t": "i"}
    window, *rest = first(header)
    assert window == ("nn_window", "", "window")
    content = b"".join(
        struct.pack(kinds[kind], step.fields["window"][name]) for kind, _, name in first("window.h")
    )
    for kind, pointer, name in rest:
        content += bytes(4) if pointer else struct.pack(kinds[kind], step.fields[name])
    return content


def convolution(path, generator, shape, filters, window, scales, activation=0, pool=None):
    """A .tflite of one CONV_2D, and a MAX_POOL_2D behind it. `filters` are (channels, height,
    width), `window` (padding, strides, dilations), `scales` those of input, weights and output,
    and the zero points of input and output."""
    x_scale, w_scale, y_scale, x_zero, y_zero = scales
    channels, *kernel = filters
    padding, strides, dilations = window
    made = Tflite()
    x = made.tensor((1, *shape), "int8", x_scale, x_zero)
    table = generator.integers(-128, 128, (channels, *kernel, shape[2]))
    w = made.tensor(table.shape, "int8", w_scale, data=table)
    reach = 128 * int(np.prod(table.shape[1:]))
    bias = generator.integers(-reach, reach + 1, channels)
    b = made.tensor((channels,), "int32", x_scale * np.float64(w_scale), data=bias)
    sides = zip(shape, kernel, strides, dilations, strict=False)
    size = [
        -(-(side - (k - 1) * dilation * padding) // stride) for side, k, stride, dilation in sides
    ]
    if min(size) < 1:
        reject()
    y = made.tensor((1, *size, channels), "int8", y_scale, y_zero)
    options = {"padding": padding, "strideH": strides[0], "strideW": strides[1]}
    options |= {"dilationHFactor": dilations[0], "dilationWFactor": dilations[1]}
    made.operator("CONV_2D", [x, w, b], [y], fusedActivationFunction=activation, **options)
    if pool:
        if min(size) < max(pool):
            reject()
        sizes = [side // p for side, p in zip(size, pool, strict=True)]
        z = made.tensor((1, *sizes, channels), "int8", y_scale, y_zero)
        options = {"padding": 1, "strideH": pool[0], "strideW": pool[1]}
        options |= {"filterHeight": pool[0], "filterWidth": pool[1]}
        made.operator("MAX_POOL_2D", [y], [z], **options)
        y = z
    return made.write(path, [x], [y])


def step_of(path, goal="time"):
    """The one step of such a model."""
    first, *rest = read_model(path).operators
    step = lower(first, goal)
    return with_pooling(step, Step("", rest[0], {}, {}), goal) if rest else step


def reference(path, x):
    interpreter = Interpreter(
        str(path), experimental_op_resolver_type=OpResolverType.BUILTIN_REF, num_threads=1
    )
    interpreter.allocate_tensors()
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], x[None])
    interpreter.invoke()
    return interpreter.get_tensor(interpreter.get_output_details()[0]["index"])[0]


@pytest.fixture(scope="module", params=KERNELS)
def kernel(request, tmp_path_factory):
    """A kernel on a virtual board: from a step and its input to the output, what lies behind it and
    behind the scratch, and the instructions."""
    folder = tmp_path_factory.mktemp(request.param)
    (folder / "link.ld").write_text(LINKER_SCRIPT)
    sources = [SOURCES / "fast_conv.c", *NN.glob("conv_2d_*int8*.[cS]"), NN / "conv_2d_cortex_m4.c"]
    sources.append(FIRMWARE / "boards" / "cortex_m" / "runtime.c")
    compiler, flag = KERNELS[request.param]
    link = [f"-Wl,-T,{folder / 'link.ld'}", "-Wl,-e,Reset_Handler", "-o", folder / "conv.elf"]
    words = [*COMPILERS[compiler], flag, "-fno-builtin", f"-I{NN}", *link, *sources]
    subprocess.run([str(word) for word in words], check=True, env=environment())
    store.program(request.param, folder / "conv.elf")
    with serial.serial_for_url(f"virtual://{request.param}", baudrate=115200, timeout=20) as port:

        def compute(step, x):
            elements = step.output.elements
            weights, channels = step.arrays["weights"], step.arrays["channels"]
            sizes = weights.nbytes, x.nbytes, elements, step.scratch, channels.nbytes
            port.write(struct.pack("<6I", [TWO, FOUR, FEWEST].index(step.kernel), *sizes))
            port.write(parameters(step, "conv_2d.h"))
            port.write(weights.tobytes() + channels.tobytes() + x.tobytes())
            content = np.frombuffer(port.read(elements + 16), np.int8)
            return content[:elements], content[elements:], struct.unpack("<I", port.read(4))[0]

        compute.name = request.param
        yield compute


@pytest.fixture(autouse=True, scope="module")
def no_trial():
    """A model need not be tried in a process of its own first: LiteRT runs it here."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("kit.model.reference._try_out", lambda *_: None)
        yield


PROJECT = settings(
    deadline=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)
side = st.integers(1, 3)


@settings(PROJECT, max_examples=many(20, 300))
@given(data=st.data())
def test_a_convolution_is_exact(kernel, tmp_path, data):
    """Every output to the last bit: any window, stride, dilation, padding and activation, scales a
    channel or one, alone and with a pooling behind it; and nothing is written beside the output."""
    draw = data.draw
    generator = np.random.default_rng(draw(st.integers(0, 2**32)))
    shape = draw(
        st.tuples(st.integers(1, 9), st.integers(1, 9), st.sampled_from((1, 1, 2, 3, 4, 8, 13)))
    )
    filters = (
        draw(st.integers(1, 9)),
        draw(st.sampled_from((1, 2, 3, 3, 5))),
        draw(st.sampled_from((1, 2, 3, 3, 4))),
    )
    window = draw(st.tuples(st.integers(0, 1), st.tuples(side, side), st.tuples(side, side)))
    if draw(st.booleans()):
        window = (window[0], (1, 1), (1, 1))
    typical = 2.0 ** -draw(st.integers(0, 14))
    w_scale = typical * generator.choice((1.0, 0.5, 0.3, 1 / 3), filters[0])
    w_scale = w_scale if draw(st.booleans()) else w_scale[0]
    zeros = draw(st.tuples(st.integers(-128, 127), st.integers(-128, 127)))
    scales = (0.5, w_scale, draw(st.sampled_from((0.5, 0.75, 3.0))), *zeros)
    pool = draw(st.sampled_from((None, (2, 2), (1, 2), (3, 3))))
    path = tmp_path / "conv.tflite"
    activation, goal = draw(st.integers(0, 3)), draw(st.sampled_from(("time", "time", "ram")))
    convolution(path, generator, shape, filters, window, scales, activation, pool)
    try:
        step = step_of(path, goal)
    except Refusal as refusal:
        assert "32 bits" in refusal.what
        return
    if step is None:
        reject()
    x = generator.integers(-128, 128, shape, np.int8)
    ours, beside, _ = kernel(step, x)
    np.testing.assert_array_equal(ours.reshape(step.output.shape[1:]), reference(path, x))
    assert (beside == UNTOUCHED).all()


ONE = ((1, 1), (1, 1))
FAST = {  # instructions for a multiply-accumulate, of layers as in a network for MNIST: by four
    # windows at a time they are more than by two, and the cycles fewer
    "few taps, pooled": ((28, 28, 1), (8, 3, 3), (1, *ONE), (2, 2), 1.55),
    "few taps, padded": ((28, 28, 1), (8, 3, 3), (0, *ONE), (2, 2), 1.65),
    "many taps, pooled": ((13, 13, 8), (16, 3, 3), (1, *ONE), (2, 2), 0.85),
    "many taps": ((13, 13, 16), (16, 3, 3), (1, *ONE), None, 0.96),
    "5 x 5, pooled": ((28, 28, 1), (8, 5, 5), (1, *ONE), (2, 2), 1.35),
    "1 x 1": ((8, 8, 64), (32, 1, 1), (1, *ONE), None, 0.96),
}


@pytest.mark.parametrize("layer", FAST)
def test_instructions_for_a_multiply_accumulate(kernel, tmp_path, layer):
    """The fast path is in the firmware and fast, with both compilers, and not by computing less."""
    *shape, pool, most = FAST[layer]
    generator = np.random.default_rng(1)
    scales = (0.5, 0.002, 1.0, -128, -128)
    path = convolution(tmp_path / "c.tflite", generator, *shape, scales, activation=1, pool=pool)
    step, x = step_of(path), generator.integers(-128, 128, shape[0], np.int8)
    ours, _, instructions = kernel(step, x)
    np.testing.assert_array_equal(ours.reshape(step.output.shape[1:]), reference(path, x))
    assert kernel.name == "plain" or instructions / step.macs < most
