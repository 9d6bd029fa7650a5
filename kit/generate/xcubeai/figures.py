"""What the tool says about a network, in network_c_info.json (schema 2.0, from Core 1.0 on) and a
text report (X-CUBE-AI 6.0 to ST Edge AI Core 4.0): read, and compared.

Lines of the report that are not known are passed over, in any order; two lines that contradict each
other, and numbers written in another way, are errors.
"""

import json
import math
import re
from collections.abc import Callable, Sequence
from dataclasses import MISSING, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

from kit.errors import KitError
from kit.generate.result import Layer, TensorInfo
from kit.generate.xcubeai.versions import AGAIN, CORE, FOR_BOARD, Version, version_in
from kit.model import Model

SCHEMA = "2.0"
TAKEN = ("int8", "float32")
KINDS = {"f": "float", "u": "uint", "s": "int", "i": "int"}
APART = "The tool's description of the network contradicts"
COUNT = r"(?:\d{1,3}(?:,\d{3})+|\d+)"
TYPE = r"(?:ai_)?(?:(?:u?int|[usi])(?:8|16|32)|f(?:loat)?(?:16|32)|float)"
_FORMAT = re.compile(r"(?:^|_)(float|f|u?int|[usi])(8|16|32|64)?$", re.I)
_SHAPES = [  # int8(1x14), 14 Bytes; older: ai_i8, …, (1, 1, 14)
    re.compile(rf"\b({TYPE})\(([\dx]+)\)", re.I),
    re.compile(rf"\b({TYPE})\b.*\(([\d, ]+)\)", re.I),
]
_LINEAR = re.compile(  # QLinear(0.19,-8,int8); older: scale=0.19, zero=-8
    r"(?:QLinear\(|\bs(?:cale)?=)([-+.\de]+)(?:,|.*?\bz(?:p|ero(?:_point)?)=)(-?\d+)"
)
_ROW = re.compile(rf"^\s*\d+\s+(\S+)\s+\d+\s+(\S+)\s+({COUNT})\s+({COUNT})\s+I:", re.M)


@dataclass(frozen=True)
class Figures:
    """A network as the tool describes it. Sizes in bytes; None: it does not say.

    `kernel_flash_bytes` and `kernel_ram_bytes` are the runtime's own code and data, with that of
    the compiler's library, which the tool knows only where it finds arm-none-eabi-gcc; `library` is
    the file it measured. `model_hash` is "0x" and, from Core 9.0 on, the MD5 of the model file.
    """

    macs: int
    weights_bytes: int
    activations_bytes: int
    io_bytes: int
    input: TensorInfo
    output: TensorInfo
    layers: tuple[Layer, ...]
    version: Version | None = None
    kernel_flash_bytes: int | None = None
    kernel_ram_bytes: int | None = None
    library: str | None = None
    model_hash: str | None = None


def gather_figures(
    folders: list[Path], verb: str, model: Model | None = None, ran: Version | None = None
) -> Figures:
    """The figures from the JSON file and the report of a `verb` ("analyze", "generate" or
    "validate") in `folders` or further in: versions differ in what they write and where. Raises
    KitError: a file is damaged or of an unknown layout; something is missing, or contradicts the
    `model` or the version that `ran`; it is too old, or the firmware takes no such network."""
    report = _find_file(folders, f"*_{verb}*_report.txt")
    told = read_description(report) if report else {}
    older = "version" in told and told["version"].tool != CORE  # its JSON is not documented
    info = None if older else _find_file(folders, "*_c_info.json")
    if not (report or info):
        raise KitError(
            "The tool left no description of the network.",
            f"Neither a report nor *_c_info.json is in {' and '.join(map(str, folders))}.",
            AGAIN,
        )
    if info:
        layers = {"layers": told["layers"]} if "layers" in told else {}  # with their size in flash
        what = f"{APART} itself: not one run wrote it."
        told = _merged(what, {"the report": told, "the JSON file": read_description(info)}) | layers
    needed = (field.name for field in fields(Figures) if field.default is MISSING)
    if missing := [name.replace("_", " ") for name in needed if name not in told]:
        raise KitError(
            f"The tool's description of the network lacks: {', '.join(missing)}.",
            "The file is cut off, or of a version with another layout.",
            AGAIN,
        )
    parts = {"macs": sum(layer.macs for layer in told["layers"])}
    _merged(f"{APART} itself.", {"the total": told, "the layers": parts})
    if ran and told.get("version", ran).number[:2] != ran.number[:2]:
        _merged(f"{APART} the tool.", {"the tool": {"version": ran}, "its files": told})
    if model:  # a report rounds the scales, or is silent
        exact = {"input": TensorInfo.of(model.input), "output": TensorInfo.of(model.output)}
        sides = {"what the tool made": told, model.path.name: exact}
        advice = "Generate again from this model, or name the model it was made from."
        told = _merged(f"What the tool made is not {model.path.name}.", sides, advice)
    return Figures(**told)


def _find_file(folders: list[Path], name: str) -> Path | None:
    found = (path for folder in folders for path in sorted(folder.rglob(name)) if path.is_file())
    return next(found, None)


def _merged(what: str, sides: dict[str, dict[str, Any]], next_step: str = AGAIN) -> dict[str, Any]:
    """The fields of `Figures` that two sides tell, the second counting; KitError where they say
    different things of one. (The hash need not be of the same: see engine.py.)"""
    one, other = sides.values()
    for name in one:
        if name in other and name != "model_hash" and not _same(one[name], other[name]):
            said = ", ".join(f"{_words(told[name])} in {side}" for side, told in sides.items())
            raise KitError(what, f"{name.replace('_', ' ').capitalize()}: {said}.", next_step)
    return one | other


def _same(one: Any, other: Any) -> bool:
    """Of versions the numbers count, of layers the MACs; of tensors neither dimensions of 1 nor a
    scale that one side does not say (0), and a report rounds a scale to nine decimals."""
    if isinstance(one, Version):
        return bool(one.number == other.number)
    if isinstance(one, tuple):
        return [layer.macs for layer in one] == [layer.macs for layer in other]
    if not isinstance(one, TensorInfo):
        return bool(one == other)
    alike = [
        (tensor.dtype, [size for size in tensor.shape if size != 1]) for tensor in (one, other)
    ]
    linear = not (one.scale and other.scale) or (
        math.isclose(one.scale, other.scale, rel_tol=1e-5, abs_tol=6e-10)
        and one.zero_point == other.zero_point
    )
    return alike[0] == alike[1] and linear


def _words(told: Any) -> str:
    """A figure as a learner reads it."""
    if isinstance(told, TensorInfo):
        linear = f", scale {told.scale:.9g}, zero point {told.zero_point}" if told.scale else ""
        return f"{told.dtype} {' x '.join(map(str, told.shape))}{linear}"
    if isinstance(told, tuple):
        return ", ".join(f"{layer.name} {layer.macs:,}" for layer in told)
    return str(told)


def read_description(path: Path) -> dict[str, Any]:
    """The figures in one of the two files, by the names of the fields of `Figures`; without what it
    omits. Raises KitError as `gather_figures`."""
    parse = parse_info if path.suffix == ".json" else parse_report
    try:
        return parse(path.read_text(encoding="utf-8", errors="replace"))
    except (OSError, ValueError, KeyError, IndexError, TypeError, AttributeError) as error:
        told = error if isinstance(error, OSError | ValueError) else f"it lacks {error!r}"
        raise KitError(
            f"{path.name} cannot be read.",
            f"It is damaged, or lacks or garbles something: {told}.",
            AGAIN,
        ) from error


def dtype_of(name: str) -> str:
    """The dtype of STAI_FORMAT_S8, ai_i8, f32 and the like; another type keeps its own name."""
    found = _FORMAT.search(name)
    return KINDS[found[1][0].lower()] + (found[2] or "32") if found else name


def check_port(way: str, dtypes: Sequence[str]) -> None:
    """Raise KitError where the firmware does not take a network with inputs or outputs (`way`) of
    such dtypes: there is not exactly one, or it is neither int8 nor float32."""
    if len(dtypes) != 1:
        raise KitError(
            f"The network has {len(dtypes)} {way}s.",
            f"One {way} is needed: the program on the board takes one image and gives one answer.",
            f"Make a model with one {way}, and generate again.",
        )
    if dtypes[0] not in TAKEN:
        raise KitError(
            f"The network's {way} is {dtypes[0]}.",
            f"The program on the board takes {' and '.join(TAKEN)}; it would prepare the image "
            "wrongly for any other type.",
            f"Convert the model with inference_{way}_type = tf.int8, as notebook 02-quantize does, "
            f"leave the type of the {way} to ST's tool, and generate again.",
        )


def _count(value: Any) -> int:
    """A whole number of 0 or more; in a report with commas and a unit: "3,508 B (3.43 KiB)"."""
    if type(value) is int and value >= 0:
        return value
    found = re.match(rf"({COUNT})(?![\d.,])", value) if isinstance(value, str) else None
    if not found:
        raise ValueError(f"{value!r} does not begin with a whole number")
    return int(found[1].replace(",", ""))


def _tensor(
    shape: tuple[int, ...], name: str, linear: tuple[float, int], size: int = 0
) -> TensorInfo:
    """A tensor of a type of ST's; `size` counts where that is not known."""
    dtype = dtype_of(name)
    known = math.prod(shape) * np.dtype(dtype).itemsize if dtype in np.sctypeDict else size
    return TensorInfo(shape, dtype, *linear, known)


def parse_info(text: str) -> dict[str, Any]:
    """The figures in the text of network_c_info.json."""
    content = json.loads(text)
    schema = content.get("json_schema_version") if isinstance(content, dict) else None
    if schema != SCHEMA:
        raise ValueError(f"its schema is {schema!r}, and the kit knows {SCHEMA!r}")
    if not content["graphs"]:
        raise KitError(
            "This network was made for another target.",
            "Its description has no graph that a processor computes, as those for the Neural-ART "
            "accelerator of the STM32N6.",
            FOR_BOARD,
        )
    graph, sizes = content["graphs"][0], content["memory_footprint"]
    buffers = {buffer["id"]: buffer for buffer in content["buffers"]}
    layers = tuple(_json_layer(node, buffers) for node in graph["nodes"])
    tool = content["environment"]["tools"][0]
    told = {
        "version": Version(CORE, str(tool["version"])),
        "macs": sum(layer.macs for layer in layers),
        "weights_bytes": _count(sizes["weights"]),
        "activations_bytes": _count(sizes["activations"]),
        "io_bytes": sum(map(_count, np.atleast_1d(sizes["io"]).tolist())),
        "layers": layers,
    }
    for way in ("input", "output"):
        tensors = [_json_tensor(buffers[number]) for number in graph[f"{way}s"]]
        check_port(way, [tensor.dtype for tensor in tensors])
        told[way] = tensors[0]
    for name in ("kernel_flash", "kernel_ram"):  # measured, where it had a compiler for it
        if sizes.get("toolchain", True) and sizes.get(name) is not None:
            told[f"{name}_bytes"] = _count(sizes[name])
    files = tool.get("input_model", {}).get("model_files", [])
    if len(files) == 1 and "signature" in files[0]:
        told["model_hash"] = files[0]["signature"]
    return told


def _json_tensor(buffer: dict[str, Any]) -> TensorInfo:
    """A buffer; its own size may be more than its values, as some kernels read beyond the end."""
    scales, offsets = buffer["intq"].get("scales"), buffer["intq"].get("offsets")
    if scales and len(scales) > 1:
        raise ValueError(f"{buffer['name']} has {len(scales)} scales, not one")
    linear = (float(scales[0]) if scales else 0.0, int(offsets[0]) if offsets else 0)
    size = _count(buffer["size_bytes"])
    tensor = _tensor((1, *map(_count, buffer["shape"])), str(buffer["format"]), linear, size)
    if size < tensor.bytes:
        raise ValueError(f"{buffer['name']} has {size} bytes, and its shape needs {tensor.bytes}")
    return tensor


def _json_layer(node: dict[str, Any], buffers: dict[int, dict[str, Any]]) -> Layer:
    inputs = [buffers[number] for number in node["inputs"]]
    kind = str(node["type"] if "type" in node else node["description"])  # as up to Core 2.2
    weights = sum(_count(one["size_bytes"]) for one in inputs if "WEIGHTS" in one["flags"])
    return Layer(str(node["name"]), kind, _count(node["macc"]), weights, None)


def parse_report(text: str) -> dict[str, Any]:
    """The figures in a report's text. Raises ValueError, and KitError for what is not taken."""
    found: dict[str, Any] = {}
    if version := version_in(text):
        version.check_age()  # before it is read: its layout is another one
        found["version"] = version
    text = "\n".join(text.splitlines())
    text = re.sub(r"\n {10,}(?:: +)?(?=\S)", " ", text)  # so far in, a line continues another
    for name, (pattern, read) in LINES.items():
        for line in re.finditer(pattern, text, re.M):
            figure = read(*line.groups())
            if found.setdefault(name, figure) != figure:
                raise ValueError(f"{name} is {found[name]} in one line and {figure} in another")
    if table := re.search(r"C-Layers \((\d+)\)", text):
        rows = _ROW.findall(text[table.end() :])
        if len(rows) != int(table[1]):
            raise ValueError(f"the table of C-Layers has {len(rows)} rows, not {table[1]}")
        found["layers"] = tuple(
            Layer(name, kind, _count(macs), _count(weights), None)
            for name, kind, macs, weights in rows
        )
    return found


def _outside(sizes: str) -> int:
    """Input and output of "748 + 14 + 5", where they are not within the activations."""
    return sum(_count(size.strip()) for size in sizes.split("+")[1:])


def _report_port(way: str, count: str | None, text: str) -> TensorInfo:
    found = _SHAPES[0].search(text) or _SHAPES[1].search(text)
    if not found:
        raise ValueError(f"{text!r} does not describe a tensor in a known way")
    linear = _LINEAR.search(text)
    told = (float(linear[1]), int(linear[2])) if linear else (0.0, 0)
    tensor = _tensor(tuple(map(int, re.findall(r"\d+", found[2]))), found[1], told)
    check_port(way, [tensor.dtype] * int(count or 1))
    return tensor


_LINE = r"^[ \t]*{}[ \t]*:[ \t]+(\S.*?)[ \t]*$"
_PORT = r"({})(?: \d+/(\d+))?"
LINES: dict[str, tuple[str, Callable[..., Any]]] = {
    "macs": (_LINE.format("macc"), _count),
    "weights_bytes": (_LINE.format(r"weights \(ro\)"), _count),
    "activations_bytes": (_LINE.format(r"activations \(rw\)"), _count),
    "io_bytes": (r"^[ \t]*ram \(total\)[ \t]*:[^=\n]+=(.*)", _outside),
    "input": (_LINE.format(_PORT.format("input")), _report_port),
    "output": (_LINE.format(_PORT.format("output")), _report_port),
    "kernel_flash_bytes": (rf"^\s*RT total\s+({COUNT})\s+[\d.]+%\s+{COUNT}\s+[\d.]+%", _count),
    "kernel_ram_bytes": (rf"^\s*RT total\s+{COUNT}\s+[\d.]+%\s+({COUNT})\s+[\d.]+%", _count),
    "library": (r"^\s*(NetworkRuntime\w+\.a)\s", str),
    "model_hash": (_LINE.format("model_hash"), str),
}
"""In a report, by the fields of `Figures`: the pattern of a line, and what reads its groups."""
