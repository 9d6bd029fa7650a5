"""The bytes of a .tflite file and its parts: what is checked before LiteRT computes with them."""

from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from ai_edge_litert import schema_py_generated as schema

from kit.errors import KitError
from kit.model.integers import as_tflite

KERAS = (b"PK\x03\x04", b"\x89HDF")  # .keras is a zip archive, .h5 is HDF5


def names_of(enumeration: type) -> dict[int, str]:
    """What the schema calls each number of an enumeration."""
    return {code: name for name, code in vars(enumeration).items() if isinstance(code, int)}


TYPES = {code: name.lower() for code, name in names_of(schema.TensorType).items()}
OF_NUMPY = {name for name in TYPES.values() if hasattr(np, name)}  # of whole bytes


def not_a_model(path: Path, why: str) -> KitError:
    """The error for a file that is there and cannot be used."""
    return KitError(
        f"{path} is not a usable .tflite model.",
        why,
        "Export it again with tf.lite.TFLiteConverter, as notebook 02-quantize does.",
    )


def read_content(path: Path) -> bytes:
    """The bytes of a .tflite file; of an integer network (.npz) as one.

    Raises KitError: the file is missing, cannot be read, or lacks the identifier TFL3.
    """
    if path.is_dir():
        next_step = "Name the file: the converter's result, written with write_bytes."
        raise KitError(f"{path} is a folder, not a .tflite file.", next_step=next_step)
    if not path.is_file():
        next_step = "Check the name, or make the model with notebook 02-quantize."
        raise KitError(f"There is no file {path}.", next_step=next_step)
    try:
        content = path.read_bytes()
    except OSError as error:
        why = f"{error.strerror or error}."
        raise KitError(f"{path} cannot be read.", why, "Change its permissions.") from error
    if path.suffix == ".npz":
        return as_tflite(path)[0]
    if content.startswith(KERAS):
        raise KitError(
            f"{path} is a Keras model, not a .tflite file.",
            "LiteRT and the open engine read what the converter makes of it.",
            "Convert it, as notebook 02-quantize does; or generate from it with ST's tool: "
            "--engine xcubeai.",
        )
    if content[4:8] != b"TFL3":
        empty = "" if content else " It is empty."
        raise not_a_model(path, f"It does not carry the identifier TFL3 of .tflite files.{empty}")
    return content


def array_of(values: Any, dtype: Any) -> npt.NDArray[Any]:
    """A list of the schema's, which may be absent, as an array of one dimension."""
    return np.asarray([] if values is None else values, dtype=dtype).ravel()


def builtin_code(raw: schema.OperatorCodeT) -> int:
    """An operator's number: newer files give it in another field, and older ones leave that 0."""
    return int(max(raw.builtinCode, raw.deprecatedBuiltinCode))


def unpack(path: Path, content: bytes) -> schema.ModelT:
    """The parts of a .tflite file whose bytes LiteRT has verified; the Python classes do not.

    LiteRT trusts some numbers of a damaged file and, by them, writes over memory of the process,
    which dies much later or computes with it. Raises KitError for such a file: an input, or what
    an operator makes, is a constant or made twice; a constant has not the size of its shape; an
    input or output is no tensor; a RESHAPE makes another type than it takes.
    """
    try:
        raw = schema.ModelT.InitFromPackedBuf(content, 0)
        codes = list(map(builtin_code, raw.operatorCodes))
        for graph in raw.subgraphs:
            _check_tensors(graph, raw.buffers)
            _check_reshapes(graph, codes)
        return raw
    except Exception as error:  # the generated classes raise whatever a wrong offset leads to
        raise not_a_model(path, f"It cannot be read: {error or type(error).__name__}.") from error


def _check_tensors(graph: schema.SubGraphT, buffers: list[schema.BufferT]) -> None:
    constants = set()
    for index, tensor in enumerate(graph.tensors):
        data, dtype = buffers[tensor.buffer].data, TYPES.get(tensor.type)
        if data is None or not len(data):
            continue
        constants.add(index)
        size = prod(array_of(tensor.shape, np.int64).tolist())
        needed = size * np.dtype(dtype).itemsize if dtype in OF_NUMPY else len(data)
        if needed != len(data) and tensor.sparsity is None:
            raise ValueError(f"tensor {index} has {len(data)} bytes of data and needs {needed}")
    inputs, outputs = (array_of(one, np.int64) for one in (graph.inputs, graph.outputs))
    written = [index for one in graph.operators for index in array_of(one.outputs, np.int64)]
    filled = set(constants)
    for index in [*inputs, *written]:
        if index in filled and index >= 0:
            what = "is a constant and is written, too" if index in constants else "is written twice"
            raise ValueError(f"tensor {index} {what}")
        filled.add(index)
    for index in [*inputs, *outputs]:
        if not 0 <= index < len(graph.tensors):
            raise ValueError(f"it has no tensor {index}, which is an input or output")


def _check_reshapes(graph: schema.SubGraphT, codes: list[int]) -> None:
    """The one operator that copies all bytes of its input without a look at the types."""
    types = [TYPES.get(tensor.type, "unknown") for tensor in graph.tensors]
    for number, one in enumerate(graph.operators):
        if codes[one.opcodeIndex] == schema.BuiltinOperator.RESHAPE:
            ends = types[one.inputs[0]], types[one.outputs[0]]
            if ends[0] != ends[1]:
                raise ValueError(f"operator {number}, RESHAPE, makes {ends[1]} of {ends[0]}")
