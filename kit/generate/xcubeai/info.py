"""Reading network_c_info.json of ST Edge AI Core, schema 2.0."""

import json
import math
import re
from pathlib import Path
from typing import Any

import numpy as np

from kit.errors import KitError
from kit.generate.result import Layer, TensorInfo
from kit.generate.xcubeai import versions
from kit.generate.xcubeai.refusals import check_port

SCHEMA = "2.0"
_FORMAT = re.compile(r"(?:^|_)(?:(FLOAT|F)(16|32|64)?|([SU])(8|16|32|64))$")
KINDS = {"S": "int", "U": "uint"}


def read(path: Path) -> dict[str, Any]:
    """The figures in the file, by the names of the fields of `Figures`.

    Raises:
        KitError: the file is no JSON, has another schema, lacks something that is needed, or
            describes a network that the firmware does not take.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise _unreadable(path, f"It is damaged: {error}.") from error
    schema = content.get("json_schema_version") if isinstance(content, dict) else None
    if schema != SCHEMA:
        raise _unreadable(path, f"Its schema is {schema!r}, and the kit knows {SCHEMA!r}.")
    try:
        return _figures(content)
    except (KeyError, IndexError, TypeError, ValueError) as error:
        told = error if isinstance(error, ValueError) else repr(error)
        raise _unreadable(path, f"It lacks or garbles what schema 2.0 has: {told}.") from error


def _unreadable(path: Path, why: str) -> KitError:
    return KitError(
        f"{path.name} cannot be read.",
        why,
        "Use a version of ST Edge AI Core from 1.0 to 4.0, or the portable engine.",
    )


def _figures(content: dict[str, Any]) -> dict[str, Any]:
    if not content["graphs"]:
        raise KitError(
            "This network was made for another target.",
            "Its description has no graph that a processor computes, as those for the Neural-ART "
            "accelerator of the STM32N6.",
            "Generate it for stm32f4; in ST Edge AI Developer Cloud choose NUCLEO-F446RE.",
        )
    graph, sizes = content["graphs"][0], content["memory_footprint"]
    buffers = {buffer["id"]: buffer for buffer in content["buffers"]}
    layers = tuple(_layer(node, buffers) for node in graph["nodes"])
    tool = content["environment"]["tools"][0]
    return {
        "version": versions.of(versions.CORE, str(tool["version"])),
        "model_hash": _signature(tool.get("input_model", {})),
        "macs": sum(layer.macs for layer in layers),
        "weights_bytes": count(sizes["weights"]),
        "activations_bytes": count(sizes["activations"]),
        "io_bytes": sum(map(count, np.atleast_1d(sizes["io"]).tolist())),
        "input": _port("input", [buffers[number] for number in graph["inputs"]]),
        "output": _port("output", [buffers[number] for number in graph["outputs"]]),
        "layers": layers,
        **_measured(sizes),
    }


def count(value: Any) -> int:
    """A size or a number of operations: a whole number of 0 or more."""
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise ValueError(f"{value!r} is not a count")
    return value


def _measured(sizes: dict[str, Any]) -> dict[str, int]:
    """The kernels' sizes; nothing where the tool had no compiler to measure them with."""
    if not sizes.get("toolchain", True):
        return {}
    kernels = {name: sizes.get(name) for name in ("kernel_flash", "kernel_ram")}
    return {f"{name}_bytes": count(size) for name, size in kernels.items() if size is not None}


def _signature(model: dict[str, Any]) -> str | None:
    """The MD5 of the model, where it is one file."""
    files = model.get("model_files", [])
    return str(files[0]["signature"]) if len(files) == 1 and "signature" in files[0] else None


def _port(way: str, buffers: list[dict[str, Any]]) -> TensorInfo:
    tensors = [_tensor(buffer) for buffer in buffers]
    check_port(way, [tensor.dtype for tensor in tensors])
    return tensors[0]


def _tensor(buffer: dict[str, Any]) -> TensorInfo:
    """A buffer; its own size may be more than its values, as some kernels read beyond the end."""
    scales, offsets = buffer["intq"].get("scales", []), buffer["intq"].get("offsets", [])
    if len(scales) > 1:
        raise ValueError(f"{buffer['name']} has {len(scales)} scales, not one")
    shape, size = (1, *map(count, buffer["shape"])), count(buffer["size_bytes"])
    dtype = dtype_of(str(buffer["format"]))
    needed = math.prod(shape) * np.dtype(dtype).itemsize if dtype in np.sctypeDict else size
    if size < needed:
        raise ValueError(f"{buffer['name']} has {size} bytes, and its shape needs {needed}")
    return TensorInfo(
        shape,
        dtype,
        float(scales[0]) if scales else 0.0,
        int(offsets[0]) if offsets else 0,
        needed,
    )


def dtype_of(name: str) -> str:
    """The dtype of a format such as STAI_FORMAT_S8; another format is called by its own name."""
    found = _FORMAT.search(name)
    if not found:
        return name
    return f"float{found[2] or 32}" if found[1] else KINDS[found[3]] + found[4]


def _layer(node: dict[str, Any], buffers: dict[int, dict[str, Any]]) -> Layer:
    inputs = [buffers[number] for number in node["inputs"]]
    constants = [buffer for buffer in inputs if "WEIGHTS" in buffer["flags"]]
    return Layer(
        str(node["name"]),
        str(node["type"] if "type" in node else node["description"]),  # as up to Core 2.2
        count(node["macc"]),
        sum(count(buffer["size_bytes"]) for buffer in constants),
        _tensor(buffers[node["outputs"][0]]),
    )
