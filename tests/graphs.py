"""Random networks as .tflite files: any graph of the operators that the engine can do.

`EXAMPLES` has one line an operator: how to put one with random settings behind a tensor. `graphs`
draws networks of them: branches that join again, tensors of several uses, several outputs.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from ai_edge_litert.interpreter import Interpreter, OpResolverType
from hypothesis import assume
from hypothesis import strategies as st
from networks import Tflite, packed

from kit.generate.operators import OPERATORS

INPUTS = 6  # to a network
WIDEST, LARGEST = 9, 500  # pixels or channels; elements of a tensor
STEPS = 60  # of an int8 tensor: the spread around its zero point that scales are chosen for
BORDERS = ("QUANTIZE", "DEQUANTIZE")


class Network:
    """A network as the content of a .tflite file; shown as the operators in it."""

    def __init__(self, content: bytes, operators: list[str]) -> None:
        self.content, self.operators = content, operators

    def __repr__(self):
        return ", ".join(self.operators)

    def write(self, path: Path) -> Path:
        path.write_bytes(self.content)
        return path

    def by_litert(self, inputs, indices):
        """What the reference kernels leave in these tensors: {index: (n, ...)}."""
        interpreter = Interpreter(
            model_content=self.content,
            experimental_op_resolver_type=OpResolverType.BUILTIN_REF,
            experimental_preserve_all_tensors=True,
        )
        interpreter.allocate_tensors()
        found = {index: [] for index in indices}
        for one in inputs:
            interpreter.set_tensor(interpreter.get_input_details()[0]["index"], one[None])
            interpreter.invoke()
            for index, values in found.items():
                values.append(interpreter.get_tensor(index)[0])
        return {index: np.stack(values) for index, values in found.items()}


def random_values(tensor, count=INPUTS):
    """Inputs over the whole range of the type, float32 over that of most int8 tensors here."""
    rng, shape = np.random.default_rng(1), (count, *tensor.shape[1:])
    if tensor.dtype == "float32":
        return rng.normal(0, 1.2, shape).astype(np.float32)
    limits = np.iinfo(tensor.dtype)
    return rng.integers(limits.min, limits.max, shape, tensor.dtype, endpoint=True)


@dataclass(frozen=True)
class Value:
    """A tensor that is computed."""

    index: int
    shape: tuple[int, ...]
    scale: float
    zero_point: int

    @property
    def spread(self) -> float:
        """About the standard deviation of its real values."""
        return self.scale * STEPS


class Graph:
    """A network that grows by random operators; `draw` is hypothesis' own."""

    def __init__(self, draw) -> None:
        self.draw, self.made, self.names = draw, Tflite(), []
        self.random = np.random.default_rng(draw(st.integers(0, 2**32)))
        self.values, self.used = [], set()

    def choose(self, *options):
        return self.draw(st.sampled_from(options))

    def size(self, least=1, most=WIDEST):
        return self.draw(st.integers(least, most))

    def value(self, shape, spread=1.0, like=None, dtype="int8") -> Value:
        """A tensor of plausible scale and zero point for real numbers of this spread, or those of
        another tensor."""
        scale = spread / STEPS * self.random.uniform(0.7, 1.4)
        scale = self.choose(scale, scale, float(2.0 ** np.round(np.log2(scale))))
        scale, zero = np.float32(scale), self.choose(0, -128, *range(-40, 41, 10))
        if like is not None:
            scale, zero = like.scale, like.zero_point
        return self.fixed(shape, scale, zero, dtype)

    def fixed(self, shape, scale, zero_point, dtype="int8") -> Value:
        index = self.made.tensor(shape, dtype, scale, zero_point + 128 * (dtype == "uint8"))
        return Value(index, tuple(shape), float(scale), zero_point)

    def constant(self, values, dtype="int32", scale=None) -> int:
        return self.made.tensor(np.shape(values), dtype, scale, data=values)

    def apply(self, name, inputs, y: Value, **options) -> Value:
        """Put an operator behind `inputs`, values or the indices of constants."""
        self.used |= {x.index for x in inputs if isinstance(x, Value)}
        indices = [x.index if isinstance(x, Value) else x for x in inputs]
        self.made.operator(name, indices, [y.index], **options)
        self.names.append(name)
        self.values.append(y)
        return y

    def weights(self, shape, x: Value, axis):
        """`x` and random weights and a bias for it; and the spread of the sums."""
        channels = shape[axis]
        scales = np.float32(self.random.uniform(0.5, 2.0, channels) * 2.0**-8)
        scales = scales if self.choose(True, True, False) else scales[:1]
        table = self.random.integers(-127, 128, shape)
        if self.choose(True, False, False, False):
            table[self.random.random(shape) < 0.5] = 0
        w = self.constant(table, "int8", scales)
        self.made.graph.tensors[w].quantization.quantizedDimension = axis
        fan_in = table.size / channels
        spread = 73 * float(scales.mean()) * fan_in**0.5 * x.spread
        if len(shape) == 4 or self.choose(True, True, False):  # LiteRT wants it in convolutions
            largest = 1 + spread / (x.scale * float(scales.mean()))
            bias = np.int32(self.random.normal(0, largest / 2, channels))
            if self.choose(False, False, True):  # a channel that training left unused
                scales[-1], bias[-1] = 1e-10, self.choose(-1, 1) * (2**30 - self.size(0, 64))
            return [x, w, self.constant(bias, "int32", scales * np.float32(x.scale))], spread
        return [x, w], spread

    def activation(self) -> int:
        """A fused one: NONE, RELU, RELU_N1_TO_1 or RELU6."""
        return self.choose(0, 0, 1, 3, 2)

    def image(self, x: Value) -> Value:
        """`x` as (1, height, width, channels)."""
        if len(x.shape) == 4:
            return x
        channels = self.choose(*(n for n in range(1, 10) if x.shape[-1] % n == 0))
        pixels = x.shape[-1] // channels
        height = self.choose(*(n for n in range(1, 10) if pixels % n == 0))
        return self.reshaped(x, (1, height, pixels // height, channels))

    def flat(self, x: Value) -> Value:
        return x if len(x.shape) == 2 else self.reshaped(x, (1, int(np.prod(x.shape))))

    def reshaped(self, x: Value, shape) -> Value:
        return self.apply("RESHAPE", [x, self.constant(shape)], self.value(shape, like=x))

    def other(self, x: Value) -> Value:
        """The second input of a sum or product: computed or constant, of the shape of `x` or of one
        that is repeated."""
        shape = tuple(self.choose(n, n, 1) for n in x.shape)
        shape = self.choose(x.shape, shape, shape, x.shape[-1:], (1,))
        if self.choose(True, False):
            spread = x.spread * self.choose(0.3, 1, 2)
            y = self.value(shape, spread)
            data = self.random.integers(-128, 128, shape)
            index = self.made.tensor(shape, "int8", y.scale, y.zero_point, data)
            return Value(index, shape, y.scale, y.zero_point)
        if shape == x.shape or shape[0] != 1 or len(shape) < len(x.shape):
            return self.beside(x)
        flat = self.flat(x)
        inputs, spread = self.weights((int(np.prod(shape)), flat.shape[1]), flat, 0)
        y = self.value((1, int(np.prod(shape))), spread)
        return self.reshaped(self.apply("FULLY_CONNECTED", inputs, y), shape)

    def beside(self, x: Value, like=None) -> Value:
        """Another tensor of the shape of `x`: one that is there, or a layer behind it."""
        others = [v for v in self.values if v.shape == x.shape and v != x]
        if like is not None:
            others = [v for v in others if (v.scale, v.zero_point) == (like.scale, like.zero_point)]
        if others and self.choose(True, True, False):
            return self.choose(*others)
        if len(x.shape) == 4 and "CONV_2D" in OPERATORS:
            inputs, spread = self.weights((x.shape[3], 1, 1, x.shape[3]), x, 0)
            y = self.value(x.shape, spread, like)
            options = {"strideH": 1, "strideW": 1, "padding": 0}
            return self.apply("CONV_2D", inputs, y, **options)
        flat = self.flat(x)
        inputs, spread = self.weights((flat.shape[1],) * 2, flat, 0)
        y = self.apply("FULLY_CONNECTED", inputs, self.value(flat.shape, spread, like))
        return y if len(x.shape) == 2 else self.reshaped(y, x.shape)

    def windows(self, x: Value, dilates=True):
        """A kernel's size, its options, and the output's height and width."""
        size = [self.size(1, 4), self.size(1, 4)]
        steps = [self.size(1, 3), self.size(1, 3)]
        gaps = [self.choose(1, 1, 1, 2, 3), self.choose(1, 1, 1, 2, 3)] if dilates else [1, 1]
        reach = [(n - 1) * gap + 1 for n, gap in zip(size, gaps, strict=True)]
        padding = self.choose(0, 1)
        if any(n > there for n, there in zip(reach, x.shape[1:3], strict=True)):
            padding = 0
        ends = zip(x.shape[1:3], reach, steps, strict=True)
        outs = [-(-(there - (n - 1) * padding) // step) for there, n, step in ends]
        options = {"strideH": steps[0], "strideW": steps[1], "padding": padding}
        if dilates:
            options |= {"dilationHFactor": gaps[0], "dilationWFactor": gaps[1]}
        return size, options, outs


def fully_connected(graph, x):
    x = graph.flat(x)
    rows = graph.size(1, 20)
    inputs, spread = graph.weights((rows, x.shape[1]), x, 0)
    y, activation = graph.value((1, rows), spread), graph.activation()
    return graph.apply("FULLY_CONNECTED", inputs, y, fusedActivationFunction=activation)


def conv_2d(graph, x):
    x = graph.image(x)
    (height, width), options, outs = graph.windows(x)
    inputs, spread = graph.weights((graph.size(), height, width, x.shape[3]), x, 0)
    y = graph.value((1, *outs, graph.made.graph.tensors[inputs[1]].shape[0]), spread)
    return graph.apply("CONV_2D", inputs, y, **options, fusedActivationFunction=graph.activation())


def depthwise_conv_2d(graph, x):
    x = graph.image(x)
    (height, width), options, outs = graph.windows(x)
    times = graph.choose(1, 1, 1, 2, 3)
    inputs, spread = graph.weights((1, height, width, x.shape[3] * times), x, 3)
    y = graph.value((1, *outs, x.shape[3] * times), spread)
    options |= {"depthMultiplier": times, "fusedActivationFunction": graph.activation()}
    return graph.apply("DEPTHWISE_CONV_2D", inputs, y, **options)


def pooled(name):
    def example(graph, x):
        x = graph.image(x)
        (height, width), options, outs = graph.windows(x, dilates=False)
        options |= {"filterHeight": height, "filterWidth": width}
        options |= {"fusedActivationFunction": graph.activation()}
        y = graph.value((1, *outs, x.shape[3]), like=x)
        return graph.apply(name, [x], y, **options)

    return example


def mean(graph, x):
    x, keeps = graph.image(x), graph.choose(False, True)
    axes = graph.constant(graph.choose([1, 2], [2, 1], [-3, -2]))
    shape = (1, 1, 1, x.shape[3]) if keeps else (1, x.shape[3])
    steps = abs(x.zero_point) + STEPS / np.prod(x.shape[1:3]) ** 0.5
    return graph.apply("MEAN", [x, axes], graph.value(shape, x.scale * steps), keepDims=keeps)


def add(graph, x):
    other = graph.other(x)
    inputs = graph.choose([x, other], [other, x])
    y = graph.value(x.shape, max(x.spread, other.spread) * 1.4)
    return graph.apply("ADD", inputs, y, fusedActivationFunction=graph.activation())


def mul(graph, x):
    other = graph.other(x)
    inputs = graph.choose([x, other], [other, x])
    y = graph.value(x.shape, x.spread * other.spread)
    return graph.apply("MUL", inputs, y, fusedActivationFunction=graph.activation())


def concatenation(graph, x):
    inputs = [x, *(graph.beside(x, like=x) for _ in range(graph.size(1, 2)))]
    axis = graph.choose(*range(1, len(x.shape)))
    shape = np.array(x.shape)
    shape[axis] *= len(inputs)
    axis -= graph.choose(0, len(shape))
    return graph.apply("CONCATENATION", inputs, graph.value(shape.tolist(), like=x), axis=axis)


def padded(name):
    def example(graph, x):
        deep = graph.choose(0, 0, 1, 2)
        sides = [[graph.size(0, 2), graph.size(0, 2)] for _ in x.shape[1:]]
        sides[-1] = [graph.size(0, deep), graph.size(0, deep)] if len(sides) == 3 else sides[-1]
        widths = [[0, 0], *sides]
        shape = np.add(x.shape, np.sum(widths, axis=1)).tolist()
        y, value = graph.value(shape, like=x), []
        if name == "PADV2":
            number = graph.random.integers(-128, 128, 1)
            value = [graph.made.tensor((1,), "int8", x.scale, x.zero_point, number)]
        return graph.apply(name, [x, graph.constant(widths), *value], y)

    return example


def reshape(graph, x):
    return graph.image(x) if len(x.shape) == 2 else graph.flat(x)


def shares(name, scale, zero_point, **options):
    """An operator whose output's scale is given."""

    def example(graph, x):
        return graph.apply(name, [x], graph.fixed(x.shape, scale, zero_point), **options)

    return example


def elementwise(name, **options):
    def example(graph, x):
        drawn = {key: graph.choose(*values) for key, values in options.items()}
        return graph.apply(name, [x], graph.value(x.shape, x.spread), **drawn)

    return example


EXAMPLES = {
    "ADD": add,
    "AVERAGE_POOL_2D": pooled("AVERAGE_POOL_2D"),
    "CONCATENATION": concatenation,
    "CONV_2D": conv_2d,
    "DEPTHWISE_CONV_2D": depthwise_conv_2d,
    "FULLY_CONNECTED": fully_connected,
    "HARD_SWISH": elementwise("HARD_SWISH"),
    "LEAKY_RELU": elementwise("LEAKY_RELU", alpha=(0.1, 0.3, 0.0, 1.5, -0.2)),
    "LOGISTIC": shares("LOGISTIC", 1 / 256, -128),
    "MAX_POOL_2D": pooled("MAX_POOL_2D"),
    "MEAN": mean,
    "MUL": mul,
    "PAD": padded("PAD"),
    "PADV2": padded("PADV2"),
    "QUANTIZE": elementwise("QUANTIZE"),
    "RELU": elementwise("RELU"),
    "RELU6": elementwise("RELU6"),
    "RELU_N1_TO_1": elementwise("RELU_N1_TO_1"),
    "RESHAPE": reshape,
    "SOFTMAX": shares("SOFTMAX", 1 / 256, -128, beta=1.0),
    "TANH": shares("TANH", 1 / 128, 0),
}
"""An operator of random settings behind a tensor, in int8."""


def begin(graph, operators):
    """The input: int8, or uint8 or float32 before a QUANTIZE."""
    shape = graph.choose((1, graph.size(1, 40)), (1, graph.size(), graph.size(), graph.size(1, 4)))
    kinds = ("int8", "int8", "uint8", "float32") if "QUANTIZE" in operators else ("int8",)
    dtype = graph.choose(*kinds)
    stored = graph.value(shape)
    if dtype == "int8":
        graph.values.append(stored)
        return stored.index
    if dtype == "float32":
        source = graph.made.tensor(shape, dtype)
    else:
        source = graph.fixed(shape, stored.scale, stored.zero_point, dtype).index
    graph.apply("QUANTIZE", [source], stored)
    return source


def end(graph, x, operators):
    """An output: int8, or behind it uint8 by QUANTIZE or float32 by DEQUANTIZE."""
    kinds = {"uint8": "QUANTIZE", "float32": "DEQUANTIZE"}
    kinds = {dtype: name for dtype, name in kinds.items() if name in operators}
    dtype = graph.choose("int8", "int8", *kinds)
    if dtype == "int8":
        return x.index
    if dtype == "float32":
        y = Value(graph.made.tensor(x.shape, dtype), x.shape, 0, 0)
    else:
        y = graph.fixed(x.shape, x.scale, x.zero_point, dtype)
    return graph.apply(kinds[dtype], [x], y).index


@st.composite
def graphs(draw, operators=(*OPERATORS, "RESHAPE"), most=6, one=None):
    """A Network of up to `most` of these operators, `one` for sure, and what they bring along."""
    graph = Graph(draw)
    source = begin(graph, operators)
    names = [name for name in EXAMPLES if name in operators]
    chosen = draw(st.lists(st.sampled_from(names), max_size=most - 1))
    chosen.insert(draw(st.integers(0, len(chosen))), one or draw(st.sampled_from(names)))
    for name in chosen:
        small = [value for value in graph.values if np.prod(value.shape) <= LARGEST]
        x = graph.choose(*small[::-1])
        EXAMPLES[name](graph, x)
    assume(graph.names.count("RESHAPE") < len(graph.names))  # else it computes nothing
    last = [value for value in graph.values if value.index not in graph.used]
    outputs = [end(graph, value, operators) for value in last]
    graph.made.graph.inputs, graph.made.graph.outputs = [source], outputs
    return Network(packed(graph.made.model), graph.names)
