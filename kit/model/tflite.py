"""A .tflite file as a plain description: tensors, operators, scales and zero points.

Source of the format: TensorFlow Lite's `schema.fbs`; LiteRT ships Python classes made from it.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
from ai_edge_litert import schema_py_generated as schema

from kit.errors import KitError
from kit.model.reference import Reference, not_a_model, read_bytes

T = TypeVar("T")
TYPES = {code: name.lower() for name, code in vars(schema.TensorType).items() if type(code) is int}
ITEM_BYTES = {  # of the types that numpy has too
    name: np.dtype(name).itemsize
    for name in ("float16", "float32", "float64", "bool", "int8", "int16", "int32", "int64",
                 "uint8", "uint16", "uint32", "uint64", "complex64", "complex128")
}  # fmt: skip
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
    (per channel), or none (not quantized). `data` is the constant's value, or None; where numpy has
    no such type ("int4"), its bytes.
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
        """Its size in memory; KitError for a type that numpy does not have."""
        if self.dtype not in ITEM_BYTES:
            raise KitError(
                f"The size of tensor {self.name!r} is not known: its values are {self.dtype}.",
                "The kit knows types of whole bytes.",
                "Convert the model to int8, as notebook 02-quantize does.",
            )
        return self.elements * ITEM_BYTES[self.dtype]

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


def _constant(raw: Any, dtype: str, shape: tuple[int, ...], buffers: Any) -> Any:
    content = buffers[raw.buffer].data
    if content is None or not len(content):
        return None
    values = np.asarray(content, np.uint8)
    if raw.sparsity is not None:
        raise ValueError("its weights are sparse; convert without EXPERIMENTAL_SPARSITY")
    if dtype not in ITEM_BYTES:
        return values
    return values.view(np.dtype(dtype).newbyteorder("<")).reshape(shape)


def _tensor(index: int, raw: Any, buffers: Any) -> Tensor:
    dtype = TYPES.get(raw.type, "unknown")
    shape = tuple(int(size) for size in _array(raw.shape, np.int64))
    quantization = raw.quantization
    return Tensor(
        index,
        _text(raw.name),
        shape,
        dtype,
        _array(quantization and quantization.scale, np.float32),
        _array(quantization and quantization.zeroPoint, np.int64),
        int(quantization.quantizedDimension) if quantization else 0,
        _constant(raw, dtype, shape, buffers),
    )


def _at(tensors: list[Tensor], index: int) -> Tensor:
    if not 0 <= index < len(tensors):
        raise ValueError(f"there is no tensor {index}")
    return tensors[index]


def _operator(raw: Any, codes: Any, tensors: list[Tensor]) -> Operator:
    code = codes[raw.opcodeIndex]
    number = max(code.builtinCode, code.deprecatedBuiltinCode)
    name = _text(code.customCode) if code.customCode else OPERATORS.get(number, str(number))
    options = raw.builtinOptions
    return Operator(
        name,
        tuple(None if i == -1 else _at(tensors, i) for i in _array(raw.inputs, np.int64)),
        tuple(_at(tensors, i) for i in _array(raw.outputs, np.int64)),
        ACTIVATIONS.get(getattr(options, "fusedActivationFunction", 0), "unknown"),
        float(getattr(options, "beta", 0.0)),  # as LiteRT: without options it is 0
        options,
    )


def _each(what: str, raws: Any, make: Callable[[int, Any], T]) -> list[T]:
    """Describe all tensors or operators; an error says which one it was."""
    made = []
    for number, raw in enumerate(raws):
        try:
            made.append(make(number, raw))
        except Exception as error:  # the generated classes raise whatever a wrong offset leads to
            raise ValueError(f"{what} {number}: {error}") from error
    return made


def _describe(path: Path, content: bytes) -> Model:
    raw = schema.ModelT.InitFromPackedBuf(content, 0)
    if len(raw.subgraphs) != 1:
        raise not_a_model(path, f"It has {len(raw.subgraphs)} subgraphs; the kit reads one.")
    graph = raw.subgraphs[0]
    tensors = _each("tensor", graph.tensors, lambda i, one: _tensor(i, one, raw.buffers))
    codes = raw.operatorCodes
    operators = _each("operator", graph.operators, lambda _, one: _operator(one, codes, tensors))
    return Model(
        path,
        len(content),
        tuple(tensors),
        tuple(operators),
        tuple(_at(tensors, i) for i in graph.inputs),
        tuple(_at(tensors, i) for i in graph.outputs),
    )


def read_model(path: str | Path) -> Model:
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
        raise not_a_model(path, f"It cannot be read: {error or type(error).__name__}.") from error
