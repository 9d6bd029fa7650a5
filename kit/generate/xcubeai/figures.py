"""What the tool's two files say about a network, and that they say the same.

`network_c_info.json` (from Core 1.0 on) and the text report (every version) are read into the same
`Figures`; a number that both have must be equal in both.
"""

import math
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from kit.errors import KitError
from kit.generate.result import Layer, TensorInfo
from kit.generate.xcubeai import info, report
from kit.generate.xcubeai.drive import Driven
from kit.generate.xcubeai.versions import Version
from kit.model import Model

INFO = "c_info.json"
AGAIN = (
    "Generate again into an empty folder. If it stays so, this version of the tool is not one the "
    "kit can read: use ST Edge AI Core 4.0, or the portable engine."
)
NEEDED = ("macs", "weights_bytes", "activations_bytes", "io_bytes", "input", "output", "layers")


@dataclass(frozen=True)
class Figures:
    """A network as the tool describes it. Sizes in bytes; None: it does not say.

    `kernel_flash_bytes` and `kernel_ram_bytes` are the runtime's own code and data, which the tool
    knows only where it finds arm-none-eabi-gcc; `library` is the file it measured them with. The
    compiler's own library, which the JSON gives once more as "toolchain", is within them.
    `model_hash` is "0x" and 32 hexadecimal digits: from Core 9.0 on the MD5 of the model file.
    """

    version: Version | None = None
    macs: int | None = None
    weights_bytes: int | None = None
    activations_bytes: int | None = None
    io_bytes: int | None = None
    kernel_flash_bytes: int | None = None
    kernel_ram_bytes: int | None = None
    library: str | None = None
    model_hash: str | None = None
    input: TensorInfo | None = None
    output: TensorInfo | None = None
    layers: tuple[Layer, ...] | None = None

    @property
    def flash_bytes(self) -> int | None:
        """Weights and kernels; None where the kernels' size is not known."""
        return _sum(self.weights_bytes, self.kernel_flash_bytes)

    @property
    def ram_bytes(self) -> int | None:
        """Activations, inputs and outputs beside them, and the kernels' own data."""
        return _sum(self.activations_bytes, self.io_bytes, self.kernel_ram_bytes)


def _sum(*parts: int | None) -> int | None:
    known = [part for part in parts if part is not None]
    return sum(known) if len(known) == len(parts) else None


def gather(folders: list[Path], verb: str, model: Model | None = None) -> Figures:
    """The figures of a network from the files in `folders`, checked against each other.

    The JSON file of the older stm32ai has no schema that is documented; there the report is read
    alone.

    Args:
        folders: where to look, the first one first: versions differ in where they write.
        verb: "analyze", "generate" or "validate", which is part of the report's name.
        model: the .tflite, when there is one: its own input and output are checked against them.

    Raises:
        KitError: both files are missing or one is damaged, has a schema or layout that is not
            known, lacks a number, or contradicts the other or the model; the tool is too old, or
            the firmware does not take such a network.
    """
    text = find_file(folders, f"*_{verb}*_report.txt")
    told = Figures(**report.read(text)) if text else Figures()
    older = told.version is not None and not told.version.is_core
    content = None if older else find_file(folders, f"*_{INFO}")
    if text is None and content is None:
        places = " and ".join(map(str, folders))
        raise KitError("The tool left no description of the network.", f"Neither a report nor "
                       f"*_{INFO} is in {places}.", AGAIN)  # fmt: skip
    if content:
        told = combine(Figures(**info.read(content)), told)
    return _complete(told, model)


def find_file(folders: list[Path], name: str) -> Path | None:
    """The first file of that name in the folders, or in folders inside them."""
    for folder in folders:
        for path in filter(Path.is_file, sorted(folder.rglob(name))):
            return path
    return None


def combine(first: Figures, second: Figures) -> Figures:
    """What the JSON file (`first`) and the report (`second`) say, as one.

    Raises:
        KitError: they contradict each other.
    """
    changes: dict[str, Any] = {}
    for field in fields(Figures):
        one, other = getattr(first, field.name), getattr(second, field.name)
        if one is not None and other is not None and not _same(field.name, first, second):
            raise _contradiction("The JSON file and the report", field.name, one, other)
        changes[field.name] = other if one is None else one
    changes["layers"] = _layers(first.layers, second.layers)
    return Figures(**changes)


def _same(name: str, first: Figures, second: Figures) -> bool:
    one: Any = getattr(first, name)
    other: Any = getattr(second, name)
    if name == "layers":
        return [layer.macs for layer in one] == [layer.macs for layer in other]
    if name == "model_hash":  # what each is the hash of is not documented: see engine.py
        return True
    if isinstance(one, TensorInfo):
        return same_tensor(one, other)
    if isinstance(one, Version):
        return bool(one.number == other.number)
    return bool(one == other)


def _layers(
    first: tuple[Layer, ...] | None, second: tuple[Layer, ...] | None
) -> tuple[Layer, ...] | None:
    """The layers of the JSON, which says their outputs, with the weights that the report says."""
    if first is None or second is None:
        return first or second
    pairs = zip(first, second, strict=True)
    return tuple(replace(one, weights_bytes=other.weights_bytes) for one, other in pairs)


def same_tensor(one: TensorInfo, other: TensorInfo) -> bool:
    """Whether two descriptions mean the same; a report rounds a scale to nine decimals.

    Leading dimensions of 1 do not count, and a scale of 0 on one side means that it is not said.
    """
    shapes = [[size for size in tensor.shape if size != 1] for tensor in (one, other)]
    said = one.scale and other.scale
    scales = not said or math.isclose(one.scale, other.scale, rel_tol=1e-5, abs_tol=6e-10)
    zeros = not said or one.zero_point == other.zero_point
    same = (one.dtype, one.bytes) == (other.dtype, other.bytes)
    return same and shapes[0] == shapes[1] and scales and zeros


def _contradiction(who: str, name: str, one: Any, other: Any) -> KitError:
    return KitError(
        f"{who} contradict each other.",
        f"{name.replace('_', ' ')}: {_words(one)} and {_words(other)}. They are not of one run.",
        AGAIN,
    )


def _words(told: Any) -> str:
    """A figure as a learner reads it."""
    if isinstance(told, TensorInfo):
        shape = " x ".join(map(str, told.shape))
        linear = f", scale {told.scale:.9g}, zero point {told.zero_point}" if told.scale else ""
        return f"{told.dtype} {shape}{linear}"
    if isinstance(told, tuple):
        return ", ".join(f"{layer.name} {layer.macs:,}" for layer in told)
    return str(told)


def _complete(told: Figures, model: Model | None) -> Figures:
    """Nothing missing, and the model's own input and output."""
    missing = [name for name in NEEDED if getattr(told, name) is None]
    if missing:
        names = ", ".join(name.replace("_", " ") for name in missing)
        raise KitError(f"The tool's description of the network lacks: {names}.",
                       "The file is cut off, or of a version with another layout.",
                       AGAIN)  # fmt: skip
    assert told.layers is not None
    if sum(layer.macs for layer in told.layers) != told.macs:
        parts = sum(layer.macs for layer in told.layers)
        raise _contradiction("The total and the layers", "macs", told.macs, parts)
    return told if model is None else _checked(told, model)


def _checked(told: Figures, model: Model) -> Figures:
    """The scales from the .tflite: the tool keeps them, and its report rounds them or is silent."""
    exact: dict[str, TensorInfo] = {}
    for name in ("input", "output"):
        tensor = getattr(model, name)
        own = TensorInfo(tensor.shape, tensor.dtype, tensor.scale, tensor.zero_point, tensor.bytes)
        if not same_tensor(getattr(told, name), own):
            raise KitError(
                f"What the tool made is not {model.path.name}.",
                f"Its {name} is {_words(getattr(told, name))}, and the model's is {_words(own)}.",
                "Generate again from this model, or name the model it was made from.",
            )
        exact[name] = own
    return replace(told, input=exact["input"], output=exact["output"])


def check_version(told: Figures, driven: Driven) -> None:
    """Raise KitError when another version wrote the files than the one that was run."""
    if told.version is not None and told.version.number[:2] != driven.version.number[:2]:
        raise _contradiction("The tool and its files", "version", driven.version, told.version)
