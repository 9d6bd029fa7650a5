"""float32, int16 and dynamic-range operators give what LiteRT's reference kernels give: integers to
the last bit, float32 within rounding. Every operator of a network is one of its outputs."""

from dataclasses import dataclass

import mutants
import numpy as np
import pytest
from ai_edge_litert.schema_py_generated import TensorType
from depth import many
from graphs import random_values
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from networks import Tflite

from kit.board import Board, flash
from kit.compile import HostNetwork, build_firmware
from kit.compile.toolchain import find_gcc
from kit.generate import generate_network
from kit.model import Reference, read_model

SAME, VALID = 0, 1
FUSED = {"NONE": 0, "RELU": 1, "RELU_N1_TO_1": 2, "RELU6": 3}
slow = settings(
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)


@dataclass(frozen=True)
class Image:
    """An image and the windows over it; sizes, strides and dilations are (height, width)."""

    size: tuple[int, int]
    channels: int
    outputs: int
    kernel: tuple[int, int]
    stride: tuple[int, int]
    dilation: tuple[int, int]
    padding: int
    activation: str
    seed: int

    def shape(self, channels, dilation=(1, 1)):
        """Of what comes out; without elements where the kernel does not fit."""
        spans = [(k - 1) * d + 1 for k, d in zip(self.kernel, dilation, strict=True)]
        return (1, *(
            max(0, -(-(n if self.padding == SAME else n - span + 1) // s))
            for n, span, s in zip(self.size, spans, self.stride, strict=True)
        ), channels)  # fmt: skip

    @property
    def options(self):
        options = {"strideH": self.stride[0], "strideW": self.stride[1], "padding": self.padding}
        return options | {"fusedActivationFunction": FUSED[self.activation]}

    @property
    def dilations(self):
        return {"dilationHFactor": self.dilation[0], "dilationWFactor": self.dilation[1]}


def pairs(most):
    return st.tuples(st.integers(1, most), st.integers(1, most))


images = st.builds(
    Image,
    size=pairs(9),
    channels=st.integers(1, 5),
    outputs=st.integers(1, 4),
    kernel=pairs(4),
    stride=pairs(3),
    dilation=pairs(3),
    padding=st.sampled_from((SAME, VALID)),
    activation=st.sampled_from(sorted(FUSED)),
    seed=st.integers(0, 2**16),
).filter(lambda image: min(image.shape(1, image.dilation)) > 0)


def compared(made, inputs, ends, folder):
    """What comes out of the C and out of LiteRT: a list of pairs, an output each."""
    path = made.write(folder / "model.tflite", [0], ends)
    ours = HostNetwork(generate_network(path, folder / "network")).run_all(inputs)
    return list(zip(ours, Reference(path).run_all(inputs), strict=True))


def near(made, inputs, ends, folder):
    for ours, theirs in compared(made, inputs, ends, folder):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-5)


def convolution(made, name, image, weights, bias, ends):
    """Add one to input 0; `weights` and `bias` are arguments of `Tflite.tensor` without shape."""
    outputs = image.outputs * (image.channels if name != "CONV_2D" else 1)
    last = image.channels if name == "CONV_2D" else outputs
    shape = (outputs if name == "CONV_2D" else 1, *image.kernel, last)
    data = made.tensor(shape, *weights(shape)), made.tensor((outputs,), *bias(outputs))
    y = made.tensor(image.shape(outputs, image.dilation), *ends)
    more = {"depthMultiplier": image.outputs} if name != "CONV_2D" else {}
    made.operator(name, [0, *data], [y], **image.options, **image.dilations, **more)
    return y


@settings(slow, max_examples=many(4, 25))
@given(image=images)
def test_any_float_window_is_near_the_reference(image, tmp_path):
    """Convolutions, poolings and the mean, of any shape, with what is fused."""
    generator, made = np.random.default_rng(image.seed), Tflite()
    shape = (1, *image.size, image.channels)
    made.tensor(shape, "float32")

    def real(shape):
        return "float32", None, 0, generator.normal(0, 1, shape)

    ends = [convolution(made, name, image, real, real, ("float32",))
            for name in ("CONV_2D", "DEPTHWISE_CONV_2D")]  # fmt: skip
    sides = {"filterHeight": image.kernel[0], "filterWidth": image.kernel[1]}
    for name in ("MAX_POOL_2D", "AVERAGE_POOL_2D"):
        if min(image.shape(1)) > 0:
            ends.append(made.tensor(image.shape(image.channels), "float32"))
            made.operator(name, [0], ends[-1:], **image.options, **sides)
    axes = made.tensor((2,), "int32", data=[1, 2])
    ends.append(made.tensor((1, image.channels), "float32"))
    made.operator("MEAN", [0, axes], ends[-1:])
    near(made, generator.normal(0, 2, (4, *shape[1:])).astype(np.float32), ends, tmp_path)


def test_float_functions_are_near_the_reference(tmp_path):
    """Over the whole range, where exponentials overflow and where they are 1."""
    made = Tflite()
    values = np.concatenate([np.linspace(-9, 9, 1000), np.geomspace(1e-30, 1e30, 200)])
    values = np.concatenate([values, -values[1000:]]).astype(np.float32).reshape(1, 50, -1)
    made.tensor(values.shape, "float32")
    ends = []
    names = ("LOGISTIC", "TANH", "RELU", "RELU6", "RELU_N1_TO_1", "HARD_SWISH")
    names += ("LEAKY_RELU", "SOFTMAX")
    for name in names:
        ends.append(made.tensor(values.shape, "float32"))
        options = {"LEAKY_RELU": {"alpha": 0.3}, "SOFTMAX": {"beta": 0.7}}.get(name, {})
        made.operator(name, [0], ends[-1:], **options)
    near(made, values, ends, tmp_path)


def test_float_pairs_are_near_the_reference(tmp_path):
    """Sums and products of tensors and of constants, repeated along a dimension; PAD and
    CONCATENATION, which move bytes."""
    generator, made = np.random.default_rng(1), Tflite()
    shape = (1, 3, 5, 4)
    made.tensor(shape, "float32")
    ends = []
    for name in ("ADD", "MUL"):
        for other in (shape, (1, 1, 1, 4), (1, 3, 5, 1)):
            second = made.tensor(other, "float32", None, 0, generator.normal(0, 1, other))
            ends.append(made.tensor(shape, "float32"))
            made.operator(name, [second, 0], ends[-1:], fusedActivationFunction=FUSED["RELU6"])
        ends.append(made.tensor(shape, "float32"))
        made.operator(name, [0, ends[0]], ends[-1:])
    sides = made.tensor((4, 2), "int32", data=[[0, 0], [1, 0], [2, 1], [0, 0]])
    ends += [made.tensor((1, 4, 8, 4), "float32"), made.tensor((1, 3, 5, 8), "float32")]
    made.operator("PAD", [0, sides], ends[-2:-1])
    made.operator("CONCATENATION", [0, ends[1]], ends[-1:], axis=3)
    near(made, generator.normal(0, 2, (6, *shape[1:])).astype(np.float32), ends, tmp_path)


def scales_of(generator, outputs, per_channel):
    """Scales of weights, among them ones that meet halves."""
    drawn = (
        generator.uniform(0.002, 0.02, outputs) if generator.integers(2) else [0.0078125] * outputs
    )
    return list(drawn) if per_channel else [drawn[0]]


@settings(slow, max_examples=many(4, 25))
@given(image=images, is_short=st.booleans(), per_channel=st.booleans())
def test_any_int16_convolution_is_exact(image, is_short, per_channel, tmp_path):
    """With a bias of 64 bits and with one of 32, which rounds otherwise."""
    generator, made = np.random.default_rng(image.seed), Tflite()
    made.tensor((1, *image.size, image.channels), "int16", 2.0**-13)
    scales = scales_of(generator, image.outputs, per_channel)
    y_scale = float(generator.choice((2.0**-14, 0.0003, 0.01)))

    def weights(shape):
        return "int8", scales, 0, generator.integers(-127, 128, shape)

    def bias(count):
        values = generator.integers(-(2**20), 2**20, count)
        return ("int32" if is_short else "int64"), list(2.0**-13 * np.array(scales)), 0, values

    y = convolution(made, "CONV_2D", image, weights, bias, ("int16", y_scale))
    kind = TensorType.INT32 if is_short else TensorType.INT64
    made.graph.operators[-1].builtinOptions.quantizedBiasType = kind
    inputs = generator.integers(-(2**15), 2**15, (20, *image.size, image.channels), np.int16)
    ((ours, theirs),) = compared(made, inputs, [y], tmp_path)
    np.testing.assert_array_equal(ours, theirs)


dense_layers = {
    "rows": st.integers(1, 3),
    "columns": st.integers(1, 300),
    "outputs": st.integers(1, 20),
    "per_channel": st.booleans(),
    "has_bias": st.booleans(),
    "activation": st.sampled_from(sorted(FUSED)),
    "seed": st.integers(0, 2**16),
}


def dense(made, rows, columns, outputs, scales, activation, ends, bias=None, **options):
    """Add a FULLY_CONNECTED of int8 weights between tensors of the type `ends`."""
    generator = np.random.default_rng(outputs)
    made.tensor((1, rows, columns), *ends[0])
    table = generator.integers(-127, 128, (outputs, columns))
    w = made.tensor(table.shape, "int8", scales, data=table)
    b = None if bias is None else made.tensor((outputs,), *bias)
    y = made.tensor((1, rows, outputs), *ends[1])
    options |= {"fusedActivationFunction": FUSED[activation], "keepNumDims": True}
    made.dense(0, w, y, b, **options)
    return y


@settings(slow, max_examples=many(4, 25))
@given(**dense_layers, is_short=st.booleans())
def test_any_int16_dense_layer_is_exact(
    tmp_path, rows, columns, outputs, per_channel, has_bias, activation, seed, is_short
):
    """Where scales are powers of two, and halves are met, as elsewhere; then a softmax of it."""
    generator, made = np.random.default_rng(seed), Tflite()
    scales = scales_of(generator, outputs, per_channel)
    y_scale = float(generator.choice((2.0**-12, 0.0003, 0.01)))
    kind = TensorType.INT32 if is_short else TensorType.INT64
    limit = 2**20 if is_short else 2**36
    values = generator.integers(-limit, limit, outputs)
    bias = (("int32" if is_short else "int64"), None, 0, values) if has_bias else None
    ends = ("int16", 2.0**-13), ("int16", y_scale)
    y = dense(made, rows, columns, outputs, scales, activation, ends, bias, quantizedBiasType=kind)
    share = made.tensor((1, rows, outputs), "int16", 2.0**-15)
    made.operator("SOFTMAX", [y], [share], beta=1.0)
    span = 2**11 if is_short else 2**15
    inputs = generator.integers(-span, span, (20, rows, columns), np.int16)
    for ours, theirs in compared(made, inputs, [y, share], tmp_path):
        np.testing.assert_array_equal(ours, theirs)


@settings(slow, max_examples=many(4, 25))
@given(**dense_layers, asymmetric=st.booleans())
def test_any_dynamic_range_dense_layer_equals_the_reference(
    tmp_path, rows, columns, outputs, per_channel, has_bias, activation, seed, asymmetric
):
    """The input is quantized as there, also where a range's middle is a half: then every output is
    the same float32."""
    generator, made = np.random.default_rng(seed), Tflite()
    scales = scales_of(generator, outputs, per_channel)
    bias = ("float32", None, 0, generator.normal(0, 1, outputs)) if has_bias else None
    y = dense(made, rows, columns, outputs, scales, activation, (("float32",), ("float32",)), bias,
              asymmetricQuantizeInputs=asymmetric)  # fmt: skip
    inputs = generator.normal(generator.choice((-2, 0, 0, 2)), 1, (20, rows, columns))
    inputs[:5] = np.clip(inputs[:5], -1, 1)
    inputs[5:8] = np.round(inputs[5:8] * 4) / 4
    inputs[8] = 0
    inputs[9:12] = 255 * np.round(inputs[9:12]) / 2
    ((ours, theirs),) = compared(made, inputs.astype(np.float32), [y], tmp_path)
    np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("name", ["float32", "int16", "dynamic_range"])
def test_they_run_on_the_virtual_board(name, tmp_path):
    """The chip's machine code, of both compilers in the deep run."""
    (tmp_path / "model.tflite").write_bytes(getattr(mutants, name)())
    network = generate_network(tmp_path / "model.tflite", tmp_path / "network")
    inputs = random_values(read_model(tmp_path / "model.tflite").input, 20)
    expected = Reference(tmp_path / "model.tflite").run(inputs)
    tolerance = 0 if expected.dtype == np.int16 else 1e-4
    for compiler in ("zig", "gcc") if find_gcc() and many(0, 1) else ("zig",):
        built = build_firmware(network, tmp_path / compiler, compiler=compiler)
        flash("virtual://real", built.elf)
        with Board("virtual://real") as board:
            np.testing.assert_allclose(board.run(inputs), expected, rtol=tolerance, atol=1e-6)
