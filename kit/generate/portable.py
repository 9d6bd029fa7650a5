"""The open generator: an int8 or float32 .tflite of dense layers as C anyone can read.

It writes data and a list of calls; the kernels they call are `firmware/nn/`. Host and chip
compile the same files; for the dense layer the chip has a faster version, equal bit for bit.
"""

from dataclasses import replace
from pathlib import Path
from typing import Any

import jinja2
import numpy as np
import numpy.typing as npt

from kit.errors import KitError
from kit.generate.graph import CAN, lower, place
from kit.generate.result import Generated, Layer, TensorInfo
from kit.generate.step import Refusal, Step, safe_name
from kit.model import Model, Range, Tensor, input_range, read_model
from kit.paths import replacing
from kit.provenance import digest

C_TYPES = {"int8": "int8_t", "float32": "float", "int32": "int32_t", "uint8": "uint8_t"}
TEMPLATES = jinja2.Environment(
    loader=jinja2.FileSystemLoader(Path(__file__).parent / "templates"),
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    keep_trailing_newline=True,
)


def generate_portable(path: Path, out: Path, span: Range | None = None) -> Generated:
    """Write the C of a model into the folder `out`.

    `span` is what a pixel of 0 and one of 255 are to the network; None takes it from the input.
    Raises KitError, and writes nothing: an unusable model, or something the engine cannot do.
    """
    model = read_model(path)
    try:
        steps, base = lower(model)
    except Refusal as said:
        what = f"The portable engine cannot turn {model.path.name} into C: {said.what}"
        raise KitError(what, said.why, said.next_step or CAN) from None
    offsets, arena_bytes = place(model, steps, base)
    constants, references = _constants(steps)
    tensors = _tensors(model, steps)
    own = {tensor.index: name for name, tensor in tensors.items()}
    made = Generated(
        out,
        "portable",
        safe_name(model.path.name),
        TensorInfo.of(model.input),
        TensorInfo.of(model.output),
        tuple(_layer(number, step, constants) for number, step in enumerate(steps)),
        sum(array.nbytes for array in constants.values()),
        arena_bytes,
        digest=digest(path),
        input_range=span or input_range(model.input),
    )
    context = vars(made) | {
        "input": model.input,
        "output": model.output,
        "input_range": made.input_range or (0.0, 0.0),
        "steps": steps,
        "names": {index: own[of] for index, of in base.items()},
        "declarations": _declarations(tensors, offsets),
        "constants": constants,
        "references": references,
    }
    with replacing(out) as folder:
        folder.mkdir()
        for name in TEMPLATES.list_templates():
            text = TEMPLATES.get_template(name).render(context)
            (folder / name.removesuffix(".j2")).write_text(text, encoding="ascii", newline="\n")
        replace(made, folder=folder).save()
    return made


def _constants(
    steps: list[Step],
) -> tuple[dict[str, npt.NDArray[Any]], list[dict[str, str]]]:
    """Each constant once under its name in C, and for each step the name of each of its arrays.

    Layers that share a constant share its bytes, whichever tensors of the file they are.
    """
    found: dict[tuple[str, bytes], str] = {}
    constants: dict[str, npt.NDArray[Any]] = {}
    references: list[dict[str, str]] = []
    for number, step in enumerate(steps):
        references.append({})
        for field, array in step.arrays.items():
            content = (array.dtype.str, array.tobytes())
            name = found.setdefault(content, f"layer_{number}_{field}")
            constants.setdefault(name, array)
            references[-1][field] = name
    return constants, references


def _layer(number: int, step: Step, constants: dict[str, npt.NDArray[Any]]) -> Layer:
    """Shared constants count where they stand first."""
    own = [array for name, array in constants.items() if name.startswith(f"layer_{number}_")]
    added = sum(array.nbytes for array in own)
    return Layer(step.name, step.operator.name, step.macs, added, TensorInfo.of(step.output))


def _tensors(model: Model, steps: list[Step]) -> dict[str, Tensor]:
    """The tensors in the arena by what the C calls them, in the order of their lives."""
    named = {"input": model.input}
    for number, step in enumerate(steps):
        for which, tensor in enumerate(step.operator.outputs):
            named[f"after_{number}_{which}" if which else f"after_{number}"] = tensor
    return named


def _declarations(tensors: dict[str, Tensor], offsets: dict[int, int]) -> list[str]:
    """The C of the tensors in the arena; the comments stand in a column."""
    lines = [
        f"static {C_TYPES[tensor.dtype]} *const {name} = "
        f"arena + {offsets[tensor.index] // np.dtype(tensor.dtype).itemsize};"
        for name, tensor in tensors.items()
    ]
    sizes, width = [tensor.bytes for tensor in tensors.values()], max(map(len, lines))
    return [f"{line:{width}} /* {size} bytes */" for line, size in zip(lines, sizes, strict=True)]


def _c_number(value: float) -> str:
    if isinstance(value, int):
        return str(value)
    text = f"{value:.9g}"
    return text + ("F" if any(mark in text for mark in ".e") else ".0F")


TEMPLATES.globals["c_types"] = C_TYPES
TEMPLATES.filters["c_number"] = _c_number
