"""A .tflite file as a plain description: tensors, operators, scales and zero points.

Source of the format: TensorFlow Lite's `schema.fbs`; LiteRT ships Python classes made from it.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from ai_edge_litert import schema_py_generated as schema

from kit.errors import KitError
from kit.model.content import OF_NUMPY, TYPES, array_of, builtin_code, names_of, not_a_model
from kit.model.integers import as_tflite
from kit.model.reference import Reference

OPERATORS = names_of(schema.BuiltinOperator)
ACTIVATIONS = names_of(schema.ActivationFunctionType)


@dataclass(frozen=True)
class Tensor:
    """One tensor; real value = scale * (stored value - zero point).

    `scales` and `zero_points` hold one value (per tensor), one for each slice along `axis`
    (per channel), or none (not quantized). `data` is the constant's value, or None; where numpy has
    no such type, its bytes. `packing` is how a constant lies in the chip's flash: one of
    `kit.model.integers.PACKINGS`, "float16", or "" as in memory. An int4 constant of a .tflite file
    is read as int8 that is packed.
    """

    index: int
    name: str
    shape: tuple[int, ...]
    dtype: str
    scales: npt.NDArray[np.float32] = field(repr=False)
    zero_points: npt.NDArray[np.int64] = field(repr=False)
    axis: int = 0
    data: npt.NDArray[Any] | None = field(default=None, repr=False)
    packing: str = ""

    @property
    def elements(self) -> int:
        return int(np.prod(self.shape, dtype=np.int64))

    @property
    def bytes(self) -> int:
        """Its size in memory; KitError for a type that numpy does not have."""
        if self.dtype not in OF_NUMPY:
            raise KitError(
                f"The size of tensor {self.name!r} is not known: its values are {self.dtype}.",
                "The kit knows types of whole bytes.",
                "Convert the model to int8, as notebook 02-quantize does.",
            )
        return self.elements * np.dtype(self.dtype).itemsize

    @property
    def scale(self) -> float:
        """The scale of a per-tensor quantized tensor; 0.0 where there is none."""
        return float(self.scales[0]) if self.scales.size else 0.0

    @property
    def zero_point(self) -> int:
        """The zero point of a per-tensor quantized tensor; 0 where there is none."""
        return int(self.zero_points[0]) if self.zero_points.size else 0


@dataclass(frozen=True)
class Operator:
    """One operator, e.g. FULLY_CONNECTED. An absent optional input is None; `options` are what the
    schema calls stride_w, padding (0 SAME, 1 VALID), beta and so on, and `kind` is the schema's
    class that they came in, such as "Conv2DOptions", or ""."""

    name: str
    inputs: tuple[Tensor | None, ...]
    outputs: tuple[Tensor, ...]
    options: Mapping[str, Any] = field(default_factory=dict)
    kind: str = ""

    @property
    def activation(self) -> str:
        """The fused activation, such as "RELU", or "NONE"."""
        return ACTIVATIONS.get(self.options.get("fused_activation_function", 0), "unknown")


@dataclass(frozen=True)
class Model:
    """A .tflite file: its tensors, and its operators in the order in which they run."""

    path: Path
    tensors: tuple[Tensor, ...]
    operators: tuple[Operator, ...]
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]

    @property
    def input(self) -> Tensor:
        return self.inputs[0]

    @property
    def output(self) -> Tensor:
        return self.outputs[0]


def read_model(path: str | Path) -> Model:
    """Read a .tflite file, or an integer network (.npz). Raises KitError: it is missing, damaged,
    or none of these."""
    path = Path(path)
    raw = Reference(path).parts  # it refuses what LiteRT cannot compute with
    try:
        if len(raw.subgraphs) != 1:
            raise ValueError(f"it has {len(raw.subgraphs)} subgraphs; the kit reads one")
        graph = raw.subgraphs[0]
        packings = as_tflite(path)[1] if path.suffix == ".npz" else {}
        tensors = [
            _tensor(i, one, raw.buffers, packings.get(i, "")) for i, one in enumerate(graph.tensors)
        ]
        operators = [_operator(one, raw.operatorCodes, tensors) for one in graph.operators]
        inputs, outputs = _listed(graph.inputs, tensors), _listed(graph.outputs, tensors)
        return Model(path, tuple(tensors), tuple(operators), inputs, outputs)
    except Exception as error:  # the generated classes raise whatever a wrong offset leads to
        raise not_a_model(path, f"It cannot be read: {error or type(error).__name__}.") from error


def _tensor(index: int, raw: Any, buffers: Any, packing: str) -> Tensor:
    dtype, shape = TYPES.get(raw.type, "unknown"), array_of(raw.shape, np.int64).tolist()
    quantization = raw.quantization or schema.QuantizationParametersT()
    data = array_of(buffers[raw.buffer].data, np.uint8)
    if data.size and raw.sparsity is not None:
        raise ValueError(
            f"the weights of tensor {index} are sparse; convert without EXPERIMENTAL_SPARSITY"
        )
    if data.size and dtype == "int4":
        dtype, packing = "int8", "int4"
        data = _nibbles(data)[: int(np.prod(shape))].reshape(shape)
    elif data.size and dtype in OF_NUMPY:
        data = data.view(np.dtype(dtype).newbyteorder("<")).reshape(shape)
    return Tensor(
        index,
        _text(raw.name),
        tuple(shape),
        dtype,
        array_of(quantization.scale, np.float32),
        array_of(quantization.zeroPoint, np.int64),
        int(quantization.quantizedDimension),
        data if data.size else None,
        packing,
    )


def _nibbles(data: npt.NDArray[np.uint8]) -> npt.NDArray[np.int8]:
    """Two int4 of each byte, the lower half first (LiteRT, UnpackDenseInt4IntoInt8)."""
    pairs = np.stack([data << 4, data & 0xF0], axis=-1).astype(np.uint8)
    return pairs.ravel().view(np.int8) >> 4


def _operator(raw: Any, codes: Any, tensors: list[Tensor]) -> Operator:
    code, options = codes[raw.opcodeIndex], raw.builtinOptions
    number = builtin_code(code)
    return Operator(
        _text(code.customCode) or OPERATORS.get(number, str(number)),
        _listed(raw.inputs, [*tensors, None]),  # -1, the last: an optional input that is absent
        _listed(raw.outputs, tensors),
        {_snake(name): value for name, value in vars(options).items()} if options else {},
        type(options).__name__.removesuffix("T") if options else "",
    )


def _listed(indices: Any, tensors: list[Any]) -> tuple[Any, ...]:
    return tuple(tensors[i] for i in array_of(indices, np.int64))


def _snake(name: str) -> str:
    """The schema's strideW is stride_w."""
    return re.sub("(?<=.)([A-Z])", r"_\1", name).lower()


def _text(value: bytes | None) -> str:
    return (value or b"").decode("utf-8", "replace")
