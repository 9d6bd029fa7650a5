"""The open generator: a .tflite as C anyone can read.

It writes data and a list of calls; the kernels they call are `firmware/nn/`. Host and chip
compile the same files; for the kernels that take the time the chip has a faster version, equal
bit for bit.
"""

from dataclasses import replace
from pathlib import Path
from typing import Any

import jinja2
import numpy.typing as npt

from kit.generate.graph import Placing, abilities, lower, place
from kit.generate.result import Generated, Held, Layer, TensorInfo
from kit.generate.step import Refusal, Step, safe_name
from kit.model import Model, Range, Tensor, input_range, read_model
from kit.paths import replacing
from kit.provenance import file_digest

C_TYPES = {"float32": "float", "float64": "double"}
INTEGERS = ("int8", "uint8", "int16", "uint16", "int32", "uint32", "int64")
C_TYPES |= {name: f"{name}_t" for name in INTEGERS}
TEMPLATES = jinja2.Environment(
    loader=jinja2.FileSystemLoader(Path(__file__).parent / "templates"),
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    keep_trailing_newline=True,
)


def generate_portable(
    path: Path, out: Path, span: Range | None = None, optimize: str = "time"
) -> Generated:
    """Write the C of a model into the folder `out`. `optimize` is one of `kit.generate.GOALS`.

    `span` is what a pixel of 0 and one of 255 are to the network; None takes it from the input.
    Raises KitError, and writes nothing: an unusable model, or something the engine cannot do.
    """
    model = read_model(path)
    try:
        steps, base = lower(model, optimize)
    except Refusal as said:
        what = f"The portable engine cannot turn {model.path.name} into C: {said.what}"
        raise Refusal(what, said.why, said.next_step or abilities()) from None
    placing = place(model, steps, base)
    constants, references = _constants(steps)
    made = Generated(
        out,
        "portable",
        safe_name(model.path.name),
        TensorInfo.of(model.input),
        TensorInfo.of(model.output),
        tuple(_layer(number, step, constants) for number, step in enumerate(steps)),
        sum(array.nbytes for array in constants.values()),
        placing.size,
        digest=file_digest(path),
        input_range=span or input_range(model.input),
        further=tuple(TensorInfo.of(output) for output in model.outputs[1:]),
        peak=tuple(_held(key, model, steps) for key in placing.fullest),
    )
    tensors = _tensors(model, steps)
    own = {tensor.index: name for name, tensor in tensors.items()}
    context = vars(made) | {
        "input": model.input,
        "outputs": model.outputs,
        "input_range": made.input_range or (0.0, 0.0),
        "steps": steps,
        "names": {index: own[of] for index, of in base.items() if of in own},
        "declarations": _declarations(tensors, steps, placing),
        "headers": sorted({call.header for step in steps for call in step.calls}),
        "unpacked": _unpacked(steps, placing),
        "constants": constants,
        "references": references,
    }
    _write(made, context)
    return made


def _write(made: Generated, context: dict[str, Any]) -> None:
    with replacing(made.folder) as folder:
        folder.mkdir()
        for name in TEMPLATES.list_templates():
            text = TEMPLATES.get_template(name).render(context)
            (folder / name.removesuffix(".j2")).write_text(text, encoding="ascii", newline="\n")
        replace(made, folder=folder).save()


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
        arrays = ((field, array) for call in step.calls for field, array in call.arrays.items())
        for field, array in arrays:
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


def _held(key: int, model: Model, steps: list[Step]) -> Held:
    """A place in the arena, by a tensor's index or ~ a step's number."""
    if key < 0:
        return Held(steps[~key].name, "scratch", steps[~key].scratch or 0)
    made = {output.index: (step.name, output) for step in steps for output in step.operator.outputs}
    name, tensor = made.get(key, ("input", model.input))
    return Held(name, _shape(tensor), tensor.bytes)


def _tensors(model: Model, steps: list[Step]) -> dict[str, Tensor]:
    """The tensors in the arena by what the C calls them, in the order of their lives."""
    named, known = {"input": model.input}, {model.input.index}
    for number, step in enumerate(steps):
        for which, tensor in enumerate(step.operator.outputs):
            if tensor.index not in known:
                named[f"after_{number}_{which}" if which else f"after_{number}"] = tensor
            known.add(tensor.index)
    return named


def _declarations(tensors: dict[str, Tensor], steps: list[Step], placing: Placing) -> list[str]:
    """The C of the tensors in the arena, and of scratch; the comments stand in a column."""
    places = [
        (C_TYPES[tensor.dtype], name, placing.tensors[tensor.index], tensor.bytes)
        for name, tensor in tensors.items()
    ]
    for number, step in enumerate(steps):
        at, size = placing.scratch.get(number, 0), step.scratch
        if step.unpacking:
            own = step.unpacking.bytes
            places.append(("int16_t", f"weights_{number}", at, own))
            at, size = at + own, (size or 0) - own
        if size is not None:
            places.append(("void", f"scratch_{number}", at, size))
    lines = [
        f"static {type_} *const {name} = ({type_} *)(arena + {offset});"
        for type_, name, offset, _ in places
    ]
    width = max(map(len, lines))
    return [f"{line:{width}} /* {of[3]} bytes */" for line, of in zip(lines, places, strict=True)]


def _unpacked(steps: list[Step], placing: Placing) -> dict[int, int]:
    """The offsets in the arena of unpacked weights, by the step's number."""
    return {number: placing.scratch[number] for number, step in enumerate(steps) if step.unpacking}


def _shape(tensor: Tensor) -> str:
    """Without the batch: 28x28x1."""
    return "x".join(map(str, tensor.shape[1:])) or "1"


def _quantization(tensor: Tensor) -> str:
    if not tensor.scale:
        return tensor.dtype
    return f"{tensor.dtype}, scale {tensor.scale:.6g}, zero point {tensor.zero_point}"


def _c_number(value: float, dtype: str = "float32") -> str:
    if isinstance(value, int):
        return str(value)
    if dtype == "float64":
        return value.hex()
    text = f"{value:.9g}"
    return text + ("F" if any(mark in text for mark in ".e") else ".0F")


def _c_numbers(values: list[float], dtype: str) -> str:
    return ", ".join(_c_number(value, dtype) for value in values)


TEMPLATES.globals["c_types"] = C_TYPES
TEMPLATES.filters |= {"c_number": _c_number, "c_numbers": _c_numbers}
TEMPLATES.filters |= {"shape": _shape, "quantization": _quantization}
