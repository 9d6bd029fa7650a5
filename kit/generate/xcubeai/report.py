"""Reading the tool's text report, of X-CUBE-AI 6.0 to ST Edge AI Core 4.0.

What is read are lines `label : value`, the row "RT total" of the summary, the name of the runtime
library, and the table "C-Layers". Lines that are not known are passed over, in any order; two lines
that contradict each other, and numbers written in another way, are errors.
"""

import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from kit.errors import KitError
from kit.generate.result import Layer, TensorInfo
from kit.generate.xcubeai import versions
from kit.generate.xcubeai.refusals import check_port

COUNT = r"\d{1,3}(?:,\d{3})+|\d+"
LABELS = {
    "macc": "macs",
    "weights (ro)": "weights_bytes",
    "activations (rw)": "activations_bytes",
}
DTYPES = {
    f"{short}{bits}": f"{kind}{bits}"
    for kind, names in (("int", ("int", "s", "i", "ai_i", "ai_s")), ("uint", ("uint", "u", "ai_u")))
    for short in names
    for bits in (8, 16, 32)
} | {"f32": "float32", "float": "float32", "float32": "float32", "ai_float": "float32",
     "f16": "float16", "float16": "float16"}  # fmt: skip
_LINE = re.compile(r"^\s*(\S[^:|]*?)\s*:\s+(\S.*?)\s*$")
_WORDS = "|".join(sorted(DTYPES, key=len, reverse=True))
_SHAPE = re.compile(rf"\b({_WORDS})\(([\dx]+)\)", re.IGNORECASE)
_OLD_SHAPE = re.compile(rf"\b({_WORDS})\b.*\(([\d, ]+)\)", re.IGNORECASE)
_LINEAR = re.compile(r"QLinear\(([-+.\de]+),\s*(-?\d+),")
_OLD_LINEAR = re.compile(r"\bs(?:cale)?=([-+.\de]+).*?\bz(?:p|ero(?:_point)?)=(-?\d+)")
_TOTAL = re.compile(rf"^\s*RT total\s+({COUNT})\s+[\d.]+%\s+({COUNT})\s+[\d.]+%", re.M)
_LIBRARY = re.compile(r"^\s*(NetworkRuntime\w+\.a)\s", re.M)
_ROW = re.compile(rf"^\s*\d+\s+(\S+)\s+\d+\s+(\S+)\s+({COUNT})\s+({COUNT})\s+I:", re.M)
_OUTPUT = re.compile(r"^\s*O:\s+\S+\s+(.*?)\s*$", re.M)


def read(path: Path) -> dict[str, Any]:
    """The figures in a report, by the names of the fields of `Figures`; what is not there is left
    out.

    Raises:
        KitError: the file cannot be read, a line contradicts another, a number is written in
            a way that is not known, the version is too old, or the firmware does not take such a
            network.
    """
    try:
        return parse(path.read_text(encoding="utf-8", errors="replace"))
    except (OSError, ValueError) as error:
        raise KitError(
            f"{path.name} cannot be read.",
            f"{error}.",
            "Generate again; if it stays so, use ST Edge AI Core 1.0 to 4.0 or the portable "
            "engine.",
        ) from error


def parse(text: str) -> dict[str, Any]:
    """The figures in a report's text. Raises ValueError, and KitError for what is not taken."""
    found: dict[str, Any] = {}
    if version := versions.parse(text):
        versions.check_age(version)  # before it is read: its layout is another one
        found["version"] = version
    for label, value in _lines(text):
        name, figure = _figure(label, value)
        if name and found.setdefault(name, figure) != figure:
            raise ValueError(f"{label} is {found[name]} in one line and {figure} in another")
    found |= _sizes(text)
    return found | _layers(text)


def _lines(text: str) -> Iterator[tuple[str, str]]:
    """Label and value of each line, with the lines that continue it (indented ten or more)."""
    label, value = "", ""
    for line in text.splitlines():
        if re.match(r" {10,}\S", line) and label:
            value += " " + line.strip().removeprefix(": ")
            continue
        if label:
            yield label, value
        label, value = _LINE.match(line).groups() if _LINE.match(line) else ("", "")  # type: ignore[union-attr]
    if label:
        yield label, value


def _figure(label: str, value: str) -> tuple[str, Any]:
    """The field of `Figures` that a line is about and its value; "" for other lines."""
    if label in LABELS:
        return LABELS[label], number(value)
    if label == "model_hash":
        return label, value
    if label == "ram (total)" and "=" in value:
        parts = [number(part.strip()) for part in value.partition("=")[2].split("+")]
        return "io_bytes", sum(parts[1:])
    port = re.fullmatch(r"(input|output)( (\d+)/(\d+))?", label)
    if port and port[4] not in (None, "1"):
        check_port(port[1], [""] * int(port[4]))
    return (port[1], _port(port[1], value)) if port else ("", None)


def number(text: str) -> int:
    """The number at the start of a value: "3,508 B (3.43 KiB)" is 3508. Raises ValueError."""
    found = re.match(rf"({COUNT})(?![\d.,])", text)
    if not found:
        raise ValueError(f"{text!r} does not begin with a whole number")
    return int(found[1].replace(",", ""))


def _port(way: str, value: str) -> TensorInfo:
    tensor = _tensor(value)
    if tensor is None:
        raise ValueError(f"{value!r} does not describe an {way} in a known way")
    check_port(way, [tensor.dtype])
    return tensor


def _tensor(text: str) -> TensorInfo | None:
    """A tensor: "int8(1x14), 14 Bytes, QLinear(0.19,-8,int8)"; older: "ai_i8, ..., (1, 1, 14)"."""
    found = _SHAPE.search(text) or _OLD_SHAPE.search(text)
    if not found:
        return None
    dtype = DTYPES[found[1].lower()]
    shape = tuple(int(size) for size in re.findall(r"\d+", found[2]))
    linear = _LINEAR.search(text) or _OLD_LINEAR.search(text)
    scale, zero_point = (float(linear[1]), int(linear[2])) if linear else (0.0, 0)
    size = math.prod(shape) * np.dtype(dtype).itemsize
    return TensorInfo(shape, dtype, scale, zero_point, size)


def _sizes(text: str) -> dict[str, Any]:
    """The runtime's own code and data, and the library they were measured with."""
    totals = {tuple(map(number, found)) for found in _TOTAL.findall(text)}
    libraries = set(_LIBRARY.findall(text))
    if len(totals) > 1 or len(libraries) > 1:
        raise ValueError(f"it holds several: {totals if len(totals) > 1 else libraries}")
    found: dict[str, Any] = {}
    for flash, ram in totals:
        found |= {"kernel_flash_bytes": flash, "kernel_ram_bytes": ram}
    return found | ({"library": libraries.pop()} if libraries else {})


def _layers(text: str) -> dict[str, tuple[Layer, ...]]:
    """The rows of the table "C-Layers"; their scales are not in the report."""
    table = text.partition("C-Layers (")[2]
    rows = list(_ROW.finditer(table))
    told = re.match(r"(\d+)\)", table)
    if not table or told is None:
        return {}
    if len(rows) != int(told[1]):
        raise ValueError(f"the table of C-Layers has {len(rows)} rows, not {told[1]}")
    ends = [row.start() for row in rows[1:]] + [len(table)]
    return {
        "layers": tuple(
            Layer(row[1], row[2], number(row[3]), number(row[4]), _output(table[row.end() : end]))
            for row, end in zip(rows, ends, strict=True)
        )
    }


def _output(rows: str) -> TensorInfo | None:
    """Shape and type of a layer's output; None where they are not said, as are its scale."""
    found = _OUTPUT.search(rows)
    tensor = _tensor(found[1].rpartition("(")[0] or found[1]) if found else None
    return tensor if tensor and tensor.dtype == "float32" else None
