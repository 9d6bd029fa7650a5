"""Dense networks as .tflite files, for tests: random ones, and ones put together by hand."""

import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema
from hypothesis import reject
from hypothesis import strategies as st

from kit.digits import load_mnist
from kit.errors import KitError
from kit.generate.graph import OPTIONS
from kit.model import Reference
from kit.paths import DATA
from kit.silence import quiet, tensorflow

ACTIVATIONS = (None, "relu", "relu6")
KINDS = {name.lower(): name for name in vars(schema.BuiltinOptions)}
VERSIONS = {"FULLY_CONNECTED": 4, "SOFTMAX": 2}  # the operators' versions for int8


@dataclass(frozen=True)
class Spec:
    """A network to make: `units` and `activation` of each dense layer, and what to do with it."""

    inputs: int
    units: tuple[int, ...]
    activation: str | None
    softmax: bool
    bias: bool
    per_channel: bool
    int8: bool
    spread: float  # standard deviation of the weights
    seed: int


EXAMPLE = Spec(20, (12, 5), "relu", True, True, True, True, 0.3, 1)
specs = st.builds(
    Spec,
    inputs=st.integers(1, 40),
    units=st.lists(st.integers(1, 20), min_size=1, max_size=3).map(tuple),
    activation=st.sampled_from(ACTIVATIONS),
    softmax=st.booleans(),
    bias=st.booleans(),
    per_channel=st.booleans(),
    int8=st.just(True),
    spread=st.sampled_from((0.01, 0.3, 3.0)),
    seed=st.integers(0, 2**16),
)


def make(spec: Spec, path: Path) -> Path:
    """Build the network with Keras, convert it with TensorFlow's converter, and save it."""
    tf = tensorflow()
    generator = np.random.default_rng(spec.seed)
    network = tf.keras.Sequential([tf.keras.Input((spec.inputs,))])
    for units in spec.units:
        network.add(tf.keras.layers.Dense(units, spec.activation, spec.bias))
    if spec.softmax:
        network.add(tf.keras.layers.Softmax())
    network.set_weights([generator.normal(0, spec.spread, w.shape) for w in network.get_weights()])
    converter = tf.lite.TFLiteConverter.from_keras_model(network)
    samples = None
    if spec.int8:
        samples = generator.normal(0, 1, (40, 1, spec.inputs)).astype(np.float32)
    if spec.int8 and spec.inputs == 784:  # takes images, which are trained on as pixels / 255
        samples = generator.integers(0, 256, samples.shape).astype(np.float32) / 255
    return convert(converter, samples, path, spec.per_channel)


def make_course(path: Path, quantized: bool = True) -> Path:
    """The course's network with its reference weights, converted to int8, or left in float32."""
    tf = tensorflow()
    images = load_mnist()[0][0][:200, None] / np.float32(255)
    model = tf.keras.models.load_model(DATA / "digits_reference.keras")
    return convert(
        tf.lite.TFLiteConverter.from_keras_model(model), images if quantized else None, path
    )


def any_network(spec: Spec, path: Path) -> Path:
    """As `make`, for a property of every network that LiteRT can run: with tiny weights the scale
    before a softmax may be one for which its kernels end the process."""
    try:
        Reference(make(spec, path))
    except KitError:
        reject()
    return path


def convert(converter, samples, path: Path, per_channel: bool = True) -> Path:
    """Write what TensorFlow's converter makes: int8 throughout where there are samples."""
    if samples is not None:
        tf = tensorflow()
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.representative_dataset = lambda: ([sample] for sample in samples)
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.inference_input_type = converter.inference_output_type = tf.int8
        converter._experimental_disable_per_channel_quantization_for_dense_layers = not per_channel
    with quiet(), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Statistics for quantized inputs")  # the samples give it
        path.write_bytes(converter.convert())
    return path


def having(thing: Any, **fields: Any) -> Any:
    """A thing of the schema with these fields."""
    vars(thing).update(fields)
    return thing


class Tflite:
    """A .tflite file put together tensor by tensor, so that every scale can be chosen.

    Quick beside a converter, and it makes what no converter would.
    """

    def __init__(self) -> None:
        self.graph = having(schema.SubGraphT(), tensors=[], operators=[])
        self.model = having(schema.ModelT(), version=3, subgraphs=[self.graph])
        having(self.model, operatorCodes=[], buffers=[schema.BufferT()])

    def tensor(self, shape, dtype="int8", scale=None, zero_point=0, data=None, name=None) -> int:
        """Add a tensor; a list of scales is per channel. Its index."""
        made = having(schema.TensorT(), shape=list(shape), buffer=0)
        made.name = f"tensor_{len(self.graph.tensors)}" if name is None else name
        made.type = getattr(schema.TensorType, dtype.upper())
        if data is not None:
            made.buffer = len(self.model.buffers)
            content = np.frombuffer(np.asarray(data, dtype).tobytes(), np.uint8)
            self.model.buffers.append(having(schema.BufferT(), data=content))
        if scale is not None:
            scales = np.atleast_1d(np.float32(scale))
            zeros = np.full(scales.shape, zero_point, np.int64)
            numbers = {"scale": scales, "zeroPoint": zeros}
            made.quantization = having(schema.QuantizationParametersT(), **numbers)
        self.graph.tensors.append(made)
        return len(self.graph.tensors) - 1

    def operator(self, name, inputs, outputs, **options) -> None:
        """Add an operator, e.g. "SOFTMAX" with beta=1.0; `inputs` are tensors' indices."""
        code = having(schema.OperatorCodeT(), builtinCode=getattr(schema.BuiltinOperator, name))
        code.deprecatedBuiltinCode, code.version = min(code.builtinCode, 127), VERSIONS.get(name, 1)
        made = having(schema.OperatorT(), inputs=list(inputs), outputs=list(outputs))
        made.opcodeIndex = len(self.model.operatorCodes)
        kind = KINDS.get(OPTIONS.get(name, f"{name.replace('_', '')}Options").lower())
        if kind:
            made.builtinOptionsType = getattr(schema.BuiltinOptions, kind)
            made.builtinOptions = having(getattr(schema, f"{kind}T")(), **options)
        self.model.operatorCodes.append(code)
        self.graph.operators.append(made)

    def dense(self, x, weights, y, bias=None, **options) -> None:
        """Add a FULLY_CONNECTED, with or without bias."""
        inputs = [x, weights] if bias is None else [x, weights, bias]
        self.operator("FULLY_CONNECTED", inputs, [y], **options)

    def write(self, path: Path, inputs, outputs) -> Path:
        """Save it with these tensors as inputs and outputs."""
        self.graph.inputs, self.graph.outputs = list(inputs), list(outputs)
        path.write_bytes(packed(self.model))
        return path


def dense(made, x, rows, columns, scales=0.01, bias=False, **options):
    """Add a dense layer with weights of its own to an input of scale 0.1. Its output's index."""
    table = np.random.default_rng(rows).integers(-127, 128, (rows, columns))
    w = made.tensor(table.shape, "int8", scales, data=table)
    b = None
    if bias:
        values = np.arange(rows) * 100
        b = made.tensor((rows,), "int32", 0.1 * np.float32(scales), data=values)
    y = made.tensor((1, rows), "int8", 0.1, 7)
    made.dense(x, w, y, b, **options)
    return y


def packed(model: Any) -> bytes:
    """A schema's ModelT as the bytes of a .tflite file."""
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def quantizing(path: Path, scale: float, zero_point: int) -> Path:
    """A model of nothing but LiteRT's QUANTIZE: 256 float32 numbers to int8."""
    model = Tflite()
    real = model.tensor((1, 256), "float32")
    stored = model.tensor((1, 256), scale=scale, zero_point=zero_point)
    model.operator("QUANTIZE", [real], [stored])
    return model.write(path, [real], [stored])
