"""A .tflite file as a plain description: tensors, operators, scales and zero points.

Source of the format: TensorFlow Lite's `schema.fbs`; LiteRT ships Python classes made from it.
"""

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from ai_edge_litert import schema_py_generated as schema

from kit.errors import KitError
from kit.model.reference import Reference, not_a_model, read_bytes

DTYPES = {
    schema.TensorType.FLOAT32: "float32",
    schema.TensorType.FLOAT16: "float16",
    schema.TensorType.INT8: "int8",
    schema.TensorType.UINT8: "uint8",
    schema.TensorType.INT16: "int16",
    schema.TensorType.INT32: "int32",
    schema.TensorType.INT64: "int64",
    schema.TensorType.BOOL: "bool",
}
OPERATORS = {
    code: name for name, code in vars(schema.BuiltinOperator).items() if isinstance(code, int)
}
ACTIVATIONS = {
    code: name for name, code in vars(schema.ActivationFunctionType).items() if type(code) is int
}


@dataclass(frozen=True)
class Tensor:
    """One tensor; real value = scale * (stored value - zero point).

    `scales` and `zero_points` hold one value (per tensor), one for each slice along `axis`
    (per channel), or none (not quantized). `data` is the constant's value, or None.
    """

    index: int
    name: str
    shape: tuple[int, ...]
    dtype: str
    scales: npt.NDArray[np.float32] = field(repr=False)
    zero_points: npt.NDArray[np.int64] = field(repr=False)
    axis: int = 0
    data: npt.NDArray[Any] | None = field(default=None, repr=False)

    @property
    def elements(self) -> int:
        return int(np.prod(self.shape, dtype=np.int64))

    @property
    def bytes(self) -> int:
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
    """One operator, e.g. FULLY_CONNECTED. An absent optional input is None."""

    name: str
    inputs: tuple[Tensor | None, ...]
    outputs: tuple[Tensor, ...]
    activation: str = "NONE"
    beta: float = 1.0
    options: Any = field(default=None, repr=False)


@dataclass(frozen=True)
class Model:
    """A .tflite file: its tensors, and its operators in the order in which they run."""

    path: Path
    bytes: int
    tensors: tuple[Tensor, ...]
    operators: tuple[Operator, ...]
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]

    @cached_property
    def input(self) -> Tensor:
        return self.inputs[0]

    @cached_property
    def output(self) -> Tensor:
        return self.outputs[0]


def _text(value: bytes | None) -> str:
    return (value or b"").decode("utf-8", "replace")


def _array(value: Any, dtype: Any) -> npt.NDArray[Any]:
    return np.asarray([] if value is None else value, dtype=dtype).ravel()


def _tensor(index: int, raw: Any, buffers: Any) -> Tensor:
    dtype = DTYPES.get(raw.type, "unknown")
    shape = tuple(int(size) for size in _array(raw.shape, np.int64))
    quantization = raw.quantization
    content = buffers[raw.buffer].data
    data = None
    if content is not None and len(content) and dtype != "unknown":
        data = np.asarray(content, np.uint8).view(np.dtype(dtype).newbyteorder("<")).reshape(shape)
    return Tensor(
        index,
        _text(raw.name),
        shape,
        dtype,
        _array(quantization and quantization.scale, np.float32),
        _array(quantization and quantization.zeroPoint, np.int64),
        int(quantization.quantizedDimension) if quantization else 0,
        data,
    )


def _operator(raw: Any, codes: Any, tensors: list[Tensor]) -> Operator:
    code = codes[raw.opcodeIndex]
    number = max(code.builtinCode, code.deprecatedBuiltinCode)
    name = _text(code.customCode) if code.customCode else OPERATORS.get(number, str(number))
    options = raw.builtinOptions
    return Operator(
        name,
        tuple(tensors[i] if i >= 0 else None for i in _array(raw.inputs, np.int64)),
        tuple(tensors[i] for i in _array(raw.outputs, np.int64)),
        ACTIVATIONS.get(getattr(options, "fusedActivationFunction", 0), "unknown"),
        float(getattr(options, "beta", 1.0)),
        options,
    )


def _describe(path: Path, content: bytes) -> Model:
    raw = schema.ModelT.InitFromPackedBuf(content, 0)
    if len(raw.subgraphs) != 1:
        raise not_a_model(path, f"It has {len(raw.subgraphs)} subgraphs; the kit reads one.")
    graph = raw.subgraphs[0]
    tensors = [_tensor(i, tensor, raw.buffers) for i, tensor in enumerate(graph.tensors)]
    return Model(
        path,
        len(content),
        tuple(tensors),
        tuple(_operator(op, raw.operatorCodes, tensors) for op in graph.operators),
        tuple(tensors[i] for i in graph.inputs),
        tuple(tensors[i] for i in graph.outputs),
    )


def read(path: str | Path) -> Model:
    """Read a .tflite file.

    Raises:
        KitError: the file is missing, truncated, or not a .tflite model.
    """
    path = Path(path)
    content = read_bytes(path)
    Reference(path)  # LiteRT verifies the whole flatbuffer; the Python classes do not
    try:
        return _describe(path, content)
    except KitError:
        raise
    except Exception as error:  # the generated classes raise whatever a wrong offset leads to
        raise not_a_model(path, f"It cannot be read: {error}.") from error
