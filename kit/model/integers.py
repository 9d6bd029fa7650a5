"""A network in integers of few bits, as one file (.npz): for weights that .tflite has no type for.

The file is what `numpy.load` opens: the text `network`, which is JSON, and the arrays `0.weights`,
`0.scales` and `0.bias` of layer 0, and so on; data/README.md tells its parts with an example.
LiteRT takes it as the same network with a byte for each weight: its kernels say what is right.
"""

import json
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import flatbuffers
import numpy as np
import numpy.typing as npt
from ai_edge_litert import schema_py_generated as schema

from kit.errors import KitError
from kit.paths import replacing

FORMAT = "integer network, version 1"
ODD = {-3, -1, 1, 3}
PACKINGS: Mapping[str, set[int]] = {
    "int8": {*range(-128, 128)},
    "int4": {*range(-8, 8)},
    "int2": ODD,
    "ternary": {-1, 0, 1},
    "binary": {-1, 1},
    "clustered": {*range(-128, 128)},
    "sparse": {*range(-128, 128)},
}
"""How weights lie in flash, and which integers they may be: 8, 4, 2 or 1 bits each; five of three
values in a byte; one of 16 values, by its number in 4 bits; or those that are not 0."""
CLUSTERS = 16
ARRAYS = {"weights": np.int8, "scales": np.float32, "bias": np.int32}
WEIGHTED = {"CONV_2D": 4, "FULLY_CONNECTED": 2}  # the dimensions of their weights
OPTIONS = {"CONV_2D": "Conv2DOptions", "FULLY_CONNECTED": "FullyConnectedOptions"}
OPTIONS |= {"MAX_POOL_2D": "Pool2DOptions", "MEAN": "ReducerOptions", "SOFTMAX": "SoftmaxOptions"}
VERSIONS = {"CONV_2D": 3, "FULLY_CONNECTED": 4, "MAX_POOL_2D": 2, "MEAN": 2, "SOFTMAX": 2}
Quantization = tuple[float, int]
"""Scale and zero point."""


@dataclass(frozen=True)
class IntegerLayer:
    """One layer: `operator` is CONV_2D, FULLY_CONNECTED, MAX_POOL_2D, MEAN (over the image) or
    SOFTMAX.

    Of the first two: `weights` are int8 (outputs, height, width, channels) or (outputs, inputs), an
    output's real weight is its scale times the integer, `scales` are float32 (outputs,), and `bias`
    int32 (outputs,) in steps of the input's scale times that scale. `packing` is one of `PACKINGS`.
    `output` is the scale and zero point of what comes out; None where they are those of the input.
    """

    operator: str
    name: str = ""
    weights: npt.NDArray[np.int8] | None = None
    scales: npt.NDArray[np.float32] | None = None
    bias: npt.NDArray[np.int32] | None = None
    packing: str = "int8"
    activation: str = "NONE"  # or RELU
    strides: tuple[int, int] = (1, 1)  # down, right; of CONV_2D
    padding: str = "VALID"  # or SAME; of CONV_2D
    size: tuple[int, int] = (2, 2)  # of MAX_POOL_2D, whose windows lie side by side
    output: Quantization | None = None


def save_integers(
    path: str | Path,
    layers: Sequence[IntegerLayer],
    shape: tuple[int, ...] = (28, 28),
    quantization: Quantization = (1 / 255, -128),
) -> None:
    """Write a network as a .npz file, which `kit generate` and all that takes a model reads.

    `shape` is that of its input, to which a convolution adds the one channel of a gray image, and
    `quantization` its scale and zero point; those of the course are pixels / 255. Raises KitError:
    a layer is not as `IntegerLayer` says.
    """
    path = Path(path)
    told: list[dict[str, Any]] = []
    arrays: dict[str, Any] = {}
    with _refusing(path):
        for number, layer in enumerate(layers):
            fields = dict(vars(layer))
            for name, dtype in ARRAYS.items():
                key, value = f"{number}.{name}", fields.pop(name)
                if value is not None:
                    arrays[key] = _exactly(np.asarray(value), dtype, key)
            told.append(fields)
    if len(shape) == 2 and layers and layers[0].operator == "CONV_2D":
        shape = *shape, 1
    source = {"shape": list(shape), "quantization": list(quantization)}
    text = json.dumps({"format": FORMAT, "input": source, "layers": told})
    with replacing(path) as beside:
        with beside.open("wb") as file:
            np.savez_compressed(file, network=np.array(text), **arrays)
        with _refusing(path):
            _read(beside)


def as_tflite(path: Path) -> tuple[bytes, dict[int, str]]:
    """A network in integers as the bytes of a .tflite file with int8 weights; and the packing of
    each tensor of weights, by its index.

    Raises KitError: it is no such file, or a part of it is missing or not as `IntegerLayer` says.
    """
    with _refusing(path):
        return _read(path)


def _read(path: Path) -> tuple[bytes, dict[int, str]]:
    with np.load(path, allow_pickle=False) as file:
        parts = {key: file[key] for key in file.files}
    told = json.loads(str(parts["network"]))
    if told["format"] != FORMAT:
        raise ValueError(f"its format is {told['format']!r}, and the kit reads {FORMAT!r}")
    layers = [_layer(number, one, parts) for number, one in enumerate(told["layers"])]
    return _Writer(told["input"]).written(layers)


@contextmanager
def _refusing(path: Path) -> Iterator[None]:
    """What is wrong with a file, or what is to become one, as a KitError."""
    try:
        yield
    except KeyError as error:
        why = f"It has no part {error}."
    except (ValueError, TypeError, AttributeError, OSError, EOFError, zipfile.BadZipFile) as error:
        why = f"{error or type(error).__name__}."
    else:
        return
    raise KitError(
        f"{path} is not a usable integer network.",
        why[0].upper() + why[1:],
        "Write it again with kit.model.save_integers.",
    )


def _layer(
    number: int, told: dict[str, Any], parts: Mapping[str, npt.NDArray[Any]]
) -> IntegerLayer:
    """A layer as the file has it; ValueError where it cannot be."""
    layer = IntegerLayer(**told)
    if layer.operator not in OPTIONS:
        raise ValueError(f"layer {number} is {layer.operator}, none of {', '.join(OPTIONS)}")
    if layer.operator not in WEIGHTED:
        return layer
    own = {name: _exactly(parts[f"{number}.{name}"], of, f"{number}.{name}")
           for name, of in ARRAYS.items()}  # fmt: skip
    outputs = {len(array) for array in own.values() if array.ndim}
    if own["weights"].ndim != WEIGHTED[layer.operator] or len(outputs) != 1:
        shapes = ", ".join(f"{name} {array.shape}" for name, array in own.items())
        raise ValueError(f"the arrays of layer {number} do not belong together: {shapes}")
    values, packing = set(np.unique(own["weights"]).tolist()), layer.packing
    if not values <= PACKINGS[packing] or (packing == "clustered" and len(values) > CLUSTERS):
        raise ValueError(
            f"the weights of layer {number} are not {packing}: {len(values)} different ones, from "
            f"{min(values)} to {max(values)}"
        )
    return IntegerLayer(**(told | own))


def _exactly(array: npt.NDArray[Any], dtype: Any, name: str) -> npt.NDArray[Any]:
    """The array in another type that holds all its values; ValueError where that does not."""
    if array.dtype.kind not in "iuf":
        raise ValueError(f"{name} are {array.dtype}, not {np.dtype(dtype)}")
    made = array.astype(dtype)
    if np.dtype(dtype).kind == "i" and not np.array_equal(made, array):
        raise ValueError(f"{name} do not fit {np.dtype(dtype)}")
    return made


class _Writer:
    """The schema's objects of a .tflite file, layer by layer."""

    def __init__(self, source: Mapping[str, Any]) -> None:
        self.graph, self.model = schema.SubGraphT(), schema.ModelT()
        vars(self.graph).update(tensors=[], operators=[])
        vars(self.model).update(version=3, subgraphs=[self.graph], operatorCodes=[])
        self.model.buffers, self.packings = [schema.BufferT()], dict[int, str]()
        self.quantization: Quantization = (float(source["quantization"][0]),
                                           int(source["quantization"][1]))  # fmt: skip
        self.shape = (1, *map(int, source["shape"]))
        self.last = self.tensor("input", self.shape, *self.quantization)

    def written(self, layers: Sequence[IntegerLayer]) -> tuple[bytes, dict[int, str]]:
        self.graph.inputs = [self.last]
        for number, layer in enumerate(layers):
            self.layer(layer, layer.name or f"layer_{number}")
        self.graph.outputs = [self.last]
        builder = flatbuffers.Builder(1024)
        builder.Finish(self.model.Pack(builder), b"TFL3")
        return bytes(builder.Output()), self.packings

    def layer(self, layer: IntegerLayer, name: str) -> None:
        inputs, scale = [self.last], self.quantization[0]
        if layer.operator in WEIGHTED:
            assert layer.weights is not None and layer.scales is not None and layer.bias is not None
            at = self.tensor(f"{name}/weights", layer.weights.shape, layer.scales, 0, layer.weights)
            self.packings[at] = layer.packing
            scales = np.float32(scale) * layer.scales
            bias = self.tensor(f"{name}/bias", layer.bias.shape, scales, 0, layer.bias, "INT32")
            inputs += [at, bias]
        if layer.operator == "MEAN":
            axes = np.array([1, 2], np.int32)
            inputs.append(self.tensor(f"{name}/axes", axes.shape, data=axes, dtype="INT32"))
        self.shape, options = self._made(layer)
        self.quantization = layer.output or self.quantization
        self.last = self.tensor(f"{name}/output", self.shape, *self.quantization)
        self._operator(layer.operator, inputs, options)

    def _made(self, layer: IntegerLayer) -> tuple[tuple[int, ...], dict[str, Any]]:
        """The shape that a layer makes, and its options as the schema calls them."""
        kind, weights, image = layer.operator, layer.weights, self.shape[1:3]
        options: dict[str, Any] = {}
        if kind == "SOFTMAX":
            return self.shape, {"beta": 1.0}
        if kind == "MEAN":
            return (1, *self.shape[3:]), {}
        if layer.activation not in ("NONE", "RELU"):
            raise ValueError(f"{kind} has the activation {layer.activation}, not NONE or RELU")
        options["fusedActivationFunction"] = getattr(
            schema.ActivationFunctionType, layer.activation
        )
        if kind == "FULLY_CONNECTED":
            assert weights is not None
            return (1, len(weights)), options
        pools, same = kind == "MAX_POOL_2D", layer.padding == "SAME" and kind == "CONV_2D"
        (down, right), window = layer.size if pools else layer.strides, layer.size
        if weights is not None:
            window = weights.shape[1], weights.shape[2]
        if min(down, right, *window) < 1 or len(self.shape) != 4:
            raise ValueError(f"{kind} has strides or a size below 1, or no image to work on")
        options |= {"strideH": down, "strideW": right, "padding": int(not same)}
        if pools:
            options |= {"filterHeight": window[0], "filterWidth": window[1]}
        else:
            options |= {"dilationHFactor": 1, "dilationWFactor": 1}
        sizes = [
            -(-(size - (0 if same else reach - 1)) // step)
            for size, reach, step in zip(image, window, (down, right), strict=True)
        ]
        if min(sizes) < 1:
            reach, has = ("{} x {}".format(*sides) for sides in (window, image))
            raise ValueError(f"the window of {kind}, {reach}, is larger than its image, {has}")
        channels = self.shape[3] if weights is None else len(weights)
        return (1, *sizes, channels), options

    def tensor(
        self,
        name: str,
        shape: Sequence[int],
        scale: Any = (),
        zero_point: int = 0,
        data: npt.NDArray[Any] | None = None,
        dtype: str = "INT8",
    ) -> int:
        """Add a tensor; its index."""
        made, scales = schema.TensorT(), np.atleast_1d(np.float32(scale))
        vars(made).update(name=name, shape=list(shape), buffer=0)
        made.type = getattr(schema.TensorType, dtype)
        if data is not None:
            made.buffer = len(self.model.buffers)
            buffer = schema.BufferT()
            buffer.data = np.frombuffer(data.tobytes(), np.uint8)
            self.model.buffers.append(buffer)
        if scales.size:
            made.quantization = schema.QuantizationParametersT()
            made.quantization.scale = scales
            made.quantization.zeroPoint = np.full(scales.shape, zero_point, np.int64)
        self.graph.tensors.append(made)
        return len(self.graph.tensors) - 1

    def _operator(self, name: str, inputs: list[int], options: dict[str, Any]) -> None:
        code, made = schema.OperatorCodeT(), schema.OperatorT()
        code.builtinCode = code.deprecatedBuiltinCode = getattr(schema.BuiltinOperator, name)
        code.version = VERSIONS[name]
        made.inputs, made.outputs, made.opcodeIndex = inputs, [self.last], len(self.graph.operators)
        made.builtinOptionsType = getattr(schema.BuiltinOptions, OPTIONS[name])
        made.builtinOptions = getattr(schema, f"{OPTIONS[name]}T")()
        vars(made.builtinOptions).update(options)
        self.model.operatorCodes.append(code)
        self.graph.operators.append(made)
