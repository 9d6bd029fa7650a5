"""Reading network_c_info.json of ST Edge AI Core, schema 2.0."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np

from kit.errors import KitError
from kit.generate.result import Layer, TensorInfo
from kit.generate.xcubeai import versions

SCHEMA = "2.0"
_FORMAT = re.compile(r"(?:^|_)(?:(FLOAT|F)(32)?|([SU])(8|16|32))$")
KINDS = {"S": "int", "U": "uint"}


def read(path: Path) -> dict[str, Any]:
    """The figures in the file, by the names of the fields of `Figures`.

    Raises:
        KitError: the file is no JSON, has another schema, lacks something that is needed, or
            describes a network with several inputs or outputs.
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
        raise _unreadable(path, f"It lacks or garbles what schema 2.0 has: {error!r}.") from error


def _unreadable(path: Path, why: str) -> KitError:
    return KitError(
        f"{path.name} cannot be read.",
        why,
        "Use a version of ST Edge AI Core from 1.0 to 4.0, or the portable engine.",
    )


def _figures(content: dict[str, Any]) -> dict[str, Any]:
    graph, sizes = content["graphs"][0], content["memory_footprint"]
    buffers = {buffer["id"]: buffer for buffer in content["buffers"]}
    layers = tuple(_layer(node, buffers) for node in graph["nodes"])
    tool = content["environment"]["tools"][0]
    number, _, rest = str(tool["version"]).partition("-")
    return {
        "version": versions.of_core(number, f"-{rest}" if rest else ""),
        "macs": sum(layer.macs for layer in layers),
        "weights_bytes": count(sizes["weights"]),
        "activations_bytes": count(sizes["activations"]),
        "io_bytes": sum(map(count, np.atleast_1d(sizes["io"]).tolist())),
        "input": _tensor(buffers[_only(graph["inputs"])]),
        "output": _tensor(buffers[_only(graph["outputs"])]),
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


def _only(numbers: list[int]) -> int:
    if len(numbers) != 1:
        raise ValueError(f"{len(numbers)} inputs or outputs; the kit's networks have one")
    return numbers[0]


def _tensor(buffer: dict[str, Any]) -> TensorInfo:
    scales, offsets = buffer["intq"].get("scales", []), buffer["intq"].get("offsets", [])
    if len(scales) > 1:
        raise ValueError(f"{buffer['name']} has {len(scales)} scales, not one")
    return TensorInfo(
        (1, *map(count, buffer["shape"])),
        _dtype(str(buffer["format"])),
        float(scales[0]) if scales else 0.0,
        int(offsets[0]) if offsets else 0,
        count(buffer["size_bytes"]),
    )


def _dtype(name: str) -> str:
    found = _FORMAT.search(name)
    if not found:
        raise ValueError(f"format {name}")
    return "float32" if found[1] else KINDS[found[3]] + found[4]


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
