"""Random dense networks as .tflite files, for tests."""

import warnings
from dataclasses import dataclass
from pathlib import Path

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema
from hypothesis import strategies as st

from kit.digits import load
from kit.lesson.quiet import quiet, tensorflow
from kit.paths import DATA

ACTIVATIONS = (None, "relu", "relu6")


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
    layers = [tf.keras.Input((spec.inputs,))]
    layers += [
        tf.keras.layers.Dense(n, activation=spec.activation, use_bias=spec.bias) for n in spec.units
    ]
    if spec.softmax:
        layers.append(tf.keras.layers.Softmax())
    network = tf.keras.Sequential(layers)
    network.set_weights(
        [
            generator.normal(0, spec.spread, w.shape).astype(np.float32)
            for w in network.get_weights()
        ]
    )
    converter = tf.lite.TFLiteConverter.from_keras_model(network)
    if spec.int8:
        _quantize(tf, converter, spec, generator)
    with quiet(), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Statistics for quantized inputs")  # the samples give it
        path.write_bytes(converter.convert())
    return path


def make_course(path: Path) -> Path:
    """The course's network with its reference weights, converted to int8."""
    tf = tensorflow()
    images = load()[0][0][:200]
    converter = tf.lite.TFLiteConverter.from_keras_model(
        tf.keras.models.load_model(DATA / "digits_reference.keras")
    )
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = lambda: ([x[None] / np.float32(255)] for x in images)
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = converter.inference_output_type = tf.int8
    with quiet(), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Statistics for quantized inputs")  # the images give it
        path.write_bytes(converter.convert())
    return path


def _quantize(tf, converter, spec: Spec, generator: np.random.Generator) -> None:
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    samples = generator.normal(0, 1, (40, 1, spec.inputs)).astype(np.float32)
    if spec.inputs == 784:  # takes images, which are trained on as pixels / 255
        samples = generator.integers(0, 256, samples.shape).astype(np.float32) / 255
    converter.representative_dataset = lambda: ([sample] for sample in samples)
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = converter.inference_output_type = tf.int8
    converter._experimental_disable_per_channel_quantization_for_dense_layers = not spec.per_channel


def quantizing(path: Path, scale: float, zero_point: int) -> Path:
    """A model of nothing but LiteRT's QUANTIZE: 256 float32 numbers to int8."""
    codes = schema.BuiltinOperator.QUANTIZE
    tensors = [
        schema.TensorT(shape=[1, 256], name="real", type=schema.TensorType.FLOAT32, buffer=0)
    ]
    tensors += []
    tensors[1].quantization = schema.QuantizationParametersT(scale=[scale], zeroPoint=[zero_point])
    operator = schema.OperatorT(opcodeIndex=0, inputs=[0], outputs=[1])
    graph = schema.SubGraphT(tensors=tensors, inputs=[0], outputs=[1], operators=[operator])
    code = schema.OperatorCodeT(builtinCode=codes, deprecatedBuiltinCode=codes, version=1)
    model = schema.ModelT(version=3, operatorCodes=[code], subgraphs=[graph])
    model.buffers = [schema.BufferT()]
    builder = flatbuffers.Builder()
    builder.Finish(model.Pack(builder), b"TFL3")
    path.write_bytes(bytes(builder.Output()))
    return path
