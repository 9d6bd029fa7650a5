"""What the tool says about a network, complete, and said the same wherever it is said."""

from dataclasses import dataclass, fields, replace
from math import isclose
from pathlib import Path
from typing import Any

from kit.errors import KitError
from kit.generate.result import Layer, TensorInfo
from kit.generate.xcubeai.description import read_description
from kit.generate.xcubeai.versions import AGAIN, Version
from kit.model import Model

APART = "The tool's description of the network contradicts"
NEEDED = ("macs", "weights_bytes", "activations_bytes", "io_bytes", "input", "output", "layers")


@dataclass(frozen=True)
class Figures:
    """A network as the tool describes it. Sizes in bytes; None: it does not say.

    `kernel_flash_bytes` and `kernel_ram_bytes` are the runtime's own code and data, which the tool
    knows only where it finds arm-none-eabi-gcc; `library` is the file it measured them with. The
    compiler's own library, which the JSON gives once more as "toolchain", is within them.
    `model_hash` is "0x" and 32 hexadecimal digits: from Core 9.0 on the MD5 of the model file.
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
    "validate") in `folders` or further in: versions differ in what they write and where. What they
    both say must be the same, as must the input and output of `model` and the version that `ran`.

    The JSON file of the older stm32ai has no schema that is documented; there the report is read
    alone. Raises KitError: a file is damaged or of an unknown layout, something is missing or
    contradicts, the tool is too old, or the firmware does not take such a network.
    """
    report = _find_file(folders, f"*_{verb}*_report.txt")
    told = read_description(report) if report else {}
    older = "version" in told and not told["version"].is_core
    info = None if older else _find_file(folders, "*_c_info.json")
    if not (report or info):
        raise KitError(
            "The tool left no description of the network.",
            f"Neither a report nor *_c_info.json is in {' and '.join(map(str, folders))}.",
            AGAIN,
        )
    told = _combined(read_description(info), told) if info else told
    if missing := [name.replace("_", " ") for name in NEEDED if name not in told]:
        raise KitError(
            f"The tool's description of the network lacks: {', '.join(missing)}.",
            "The file is cut off, or of a version with another layout.",
            AGAIN,
        )
    parts = sum(layer.macs for layer in told["layers"])
    _agree(f"{APART} itself.", "macs", {"the total": told["macs"], "the layers": parts})
    if ran and told.get("version", ran).number[:2] != ran.number[:2]:
        _agree(f"{APART} the tool.", "version", {"the tool": ran, "its files": told["version"]})
    return Figures(**told | _exact(told, model) if model else told)


def _find_file(folders: list[Path], name: str) -> Path | None:
    found = (path for folder in folders for path in sorted(folder.rglob(name)) if path.is_file())
    return next(found, None)


def _combined(info: dict[str, Any], report: dict[str, Any]) -> dict[str, Any]:
    """What both say, once: the layers of the JSON, which says their outputs, with the weights that
    the report says."""
    for name in (field.name for field in fields(Figures) if field.name in info.keys() & report):
        if name != "model_hash":  # which need not be of the same: see zipped.py
            sides = {"the JSON file": info[name], "the report": report[name]}
            _agree(f"{APART} itself: not one run wrote it.", name, sides)
    layers = [
        replace(one, weights_bytes=other.weights_bytes)
        for one, other in zip(info["layers"], report.get("layers", info["layers"]), strict=True)
    ]
    return report | info | {"layers": tuple(layers)}


def _exact(told: dict[str, Any], model: Model) -> dict[str, TensorInfo]:
    """Input and output of the .tflite: the tool keeps them, and its report rounds the scales or is
    silent."""
    exact: dict[str, TensorInfo] = {}
    for name, tensor in (("input", model.input), ("output", model.output)):
        own = TensorInfo(tensor.shape, tensor.dtype, tensor.scale, tensor.zero_point, tensor.bytes)
        exact[name] = own
        sides = {"what the tool made": told[name], model.path.name: own}
        advice = "Generate again from this model, or name the model it was made from."
        _agree(f"What the tool made is not {model.path.name}.", name, sides, advice)
    return exact


def _agree(what: str, name: str, sides: dict[str, Any], next_step: str = AGAIN) -> None:
    """Raise KitError where two sides say different things of a field of `Figures`."""
    if not _same(*sides.values()):
        said = ", ".join(f"{_words(told)} in {side}" for side, told in sides.items())
        raise KitError(what, f"{name.replace('_', ' ').capitalize()}: {said}.", next_step)


def _same(one: Any, other: Any) -> bool:
    """Of versions the numbers count, of layers the MACs; of tensors neither dimensions of 1 nor a
    scale that one side does not say (0), and a report rounds a scale to nine decimals."""
    if isinstance(one, Version):
        return bool(one.number == other.number)
    if isinstance(one, tuple):
        return [layer.macs for layer in one] == [layer.macs for layer in other]
    if not isinstance(one, TensorInfo):
        return bool(one == other)
    if (
        one.scale
        and other.scale
        and not (
            isclose(one.scale, other.scale, rel_tol=1e-5, abs_tol=6e-10)
            and one.zero_point == other.zero_point
        )
    ):
        return False
    alike = [(t.dtype, t.bytes, [size for size in t.shape if size != 1]) for t in (one, other)]
    return alike[0] == alike[1]


def _words(told: Any) -> str:
    """A figure as a learner reads it."""
    if isinstance(told, TensorInfo):
        linear = f", scale {told.scale:.9g}, zero point {told.zero_point}" if told.scale else ""
        return f"{told.dtype} {' x '.join(map(str, told.shape))}{linear}"
    if isinstance(told, tuple):
        return ", ".join(f"{layer.name} {layer.macs:,}" for layer in told)
    return str(told)
