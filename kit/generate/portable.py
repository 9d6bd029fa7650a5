"""The open generator: an int8 or float32 .tflite of dense layers as C anyone can read.

It writes data and a list of calls; the kernels they call are `firmware/nn/`. Host and chip
compile the same files; for the dense layer the chip has a faster version, equal bit for bit.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import jinja2
import numpy as np
import numpy.typing as npt

from kit.generate.arena import Lifetime, plan
from kit.generate.check import (
    INT8,
    check_dense,
    check_operator,
    check_same_elements,
    check_supported,
    is_shape_arithmetic,
    name_of,
    refuse,
)
from kit.generate.quantized import (
    dense_scales,
    exact_multiplier,
    int8_range,
    real_range,
    softmax_scaling,
)
from kit.generate.result import Generated, Layer, TensorInfo
from kit.model import Model, Operator, Range, Tensor, input_range, read_model
from kit.paths import replacing
from kit.provenance import digest

LONGEST_NAME = 60
C_TYPES = {"int8": "int8_t", "float32": "float", "int32": "int32_t", "uint8": "uint8_t"}


@dataclass(frozen=True)
class Step:
    """One kernel call: its parameter struct, and the arrays the struct points to."""

    kernel: str
    operator: Operator
    fields: dict[str, Any]
    arrays: dict[str, npt.NDArray[Any]]
    macs: int

    @property
    def inputs(self) -> list[Tensor]:
        """What is computed before, in the order in which the kernel takes it."""
        return [x for x in self.operator.inputs if x is not None and x.data is None]

    @property
    def output(self) -> Tensor:
        return self.operator.outputs[0]

    @property
    def name(self) -> str:
        """The Keras layer's name where the converter kept it, else the operator's."""
        path = self.output.name.split(";")[0].split("/")
        name = path[-2] if len(path) > 1 and path[-2] else self.operator.name.lower()
        return re.sub(r"[^A-Za-z0-9._-]", "_", name)[:LONGEST_NAME]


def _dense(model: Model, operator: Operator) -> Step:
    check_dense(model, operator)
    x, weights, *rest = operator.inputs
    assert x is not None and weights is not None and weights.data is not None
    outputs, inputs = weights.shape
    bias = rest[0].data if rest and rest[0] is not None else None
    make = _dense_int8 if x.dtype == "int8" else _dense_float32
    kernel, fields, arrays = make(model, operator, np.zeros(outputs) if bias is None else bias)
    fields = {"inputs": inputs, "outputs": outputs} | fields
    return Step(kernel, operator, fields, arrays, inputs * outputs)


Parts = tuple[str, dict[str, Any], dict[str, npt.NDArray[Any]]]


def _dense_int8(model: Model, operator: Operator, bias: npt.NDArray[Any]) -> Parts:
    x, weights, y = operator.inputs[0], operator.inputs[1], operator.outputs[0]
    assert x is not None and weights is not None and weights.data is not None
    minimum, maximum = int8_range(operator, y)
    table = weights.data.astype(np.int64)
    added = bias.ravel().astype(np.int64)
    folded = added - x.zero_point * table.sum(axis=1)
    lowest = folded + np.minimum(INT8[0] * table, INT8[1] * table).sum(axis=1)
    highest = folded + np.maximum(INT8[0] * table, INT8[1] * table).sum(axis=1)
    scales = dense_scales(x, weights, y)
    _check_sums(model, operator, np.abs(added) + 255 * np.abs(table).sum(axis=1), scales)
    if len(scales) == 1:
        lowest, highest = lowest.min(keepdims=True), highest.max(keepdims=True)
    steps = (minimum - y.zero_point, maximum - y.zero_point)
    pairs = [
        _multiplier(model, operator, real, sums, steps)
        for real, *sums in zip(scales, lowest.tolist(), highest.tolist(), strict=True)
    ]
    fields = {
        "per_channel": int(len(pairs) > 1),
        "output_zero_point": y.zero_point,
        "minimum": minimum,
        "maximum": maximum,
    }
    arrays = {
        "weights": weights.data,
        "bias": folded.astype(np.int32),
        "multiplier": np.array([multiplier for multiplier, _ in pairs], np.int32),
        "shift": np.array([shift for _, shift in pairs], np.uint8),
    }
    return "nn_dense_int8", fields, arrays


def _check_sums(
    model: Model, operator: Operator, largest: npt.NDArray[np.int64], scales: list[float]
) -> None:
    """LiteRT adds in 32 bits and rounds to 32 bits; what does not fit has no right answer."""
    scaled = largest * np.array(scales)
    if max(largest.max(), scaled.max()) >= 2**31 - 256:
        raise refuse(
            model,
            f"the sums of {operator.name} {name_of(operator.outputs[0])} do not fit 32 bits.",
            f"They reach {largest.max():,}, times {max(scales):g}.",
            "Train again with smaller weights, or convert anew: the scales do not go together.",
        )


def _multiplier(
    model: Model, operator: Operator, real: float, sums: list[int], steps: tuple[int, int]
) -> tuple[int, int]:
    pair = exact_multiplier(real, (sums[0], sums[1]), steps)
    if pair is None:
        raise refuse(
            model,
            f"{operator.name} {name_of(operator.outputs[0])} cannot be rounded exactly as LiteRT.",
            f"Its sums reach {max(map(abs, sums)):,}, and the multiplier has 31 bits.",
            "Make the layer smaller, or train it again with smaller biases.",
        )
    return pair


def _dense_float32(_model: Model, operator: Operator, bias: npt.NDArray[Any]) -> Parts:
    weights = operator.inputs[1]
    assert weights is not None and weights.data is not None
    minimum, maximum = real_range(operator)
    limit = float(np.finfo(np.float32).max)
    fields = {
        "minimum": _c_float(max(minimum, -limit)),
        "maximum": _c_float(min(maximum, limit)),
    }
    arrays = {"weights": weights.data, "bias": bias.astype(np.float32)}
    return "nn_dense_float32", fields, arrays


def _softmax(model: Model, operator: Operator) -> Step:
    check_same_elements(model, operator)
    x, y = operator.inputs[0], operator.outputs[0]
    assert x is not None
    if x.elements != x.shape[-1]:
        raise refuse(model, f"a SOFTMAX takes several rows: its input is {x.shape}.")
    if x.dtype == "float32":
        fields: dict[str, Any] = {"elements": x.elements, "beta": _c_float(operator.beta)}
        return Step("nn_softmax_float32", operator, fields, {}, 0)
    if (y.scale, y.zero_point) != (1 / 256, -128):
        raise refuse(model, "the output of SOFTMAX is not quantized as 1/256 and -128.")
    scaling = softmax_scaling(operator.beta, x.scale)
    if scaling is None:
        raise refuse(
            model,
            f"SOFTMAX takes {name_of(x)}, whose scale times beta is {operator.beta * x.scale:g}.",
            "A training that collapsed (every output the same) leaves such a scale.",
            "Train again, with a smaller learning rate, and convert anew.",
        )
    names = ("multiplier", "left_shift", "minimum_difference")
    fields = {"elements": x.elements} | dict(zip(names, scaling, strict=True))
    return Step("nn_softmax_int8", operator, fields, {}, 0)


KERNELS: dict[str, Callable[[Model, Operator], Step]] = {
    "FULLY_CONNECTED": _dense,
    "SOFTMAX": _softmax,
}


def lower(model: Model) -> tuple[list[Step], dict[int, int]]:
    """The kernel calls of a model, and for each RESHAPE's output the tensor whose bytes it is.

    Raises:
        KitError: the model uses something the engine cannot do; it is named.
    """
    check_supported(model)
    steps: list[Step] = []
    base = {model.input.index: model.input.index}  # what has been computed, and whose bytes it is
    for operator in model.operators:
        if is_shape_arithmetic(operator):
            continue
        check_operator(model, operator, base)
        x, y = operator.inputs[0], operator.outputs[0]
        assert x is not None
        if operator.name == "RESHAPE":
            check_same_elements(model, operator)
            base[y.index] = base[x.index]
        else:
            steps.append(KERNELS[operator.name](model, operator))
            base[y.index] = y.index
    if not steps:
        raise refuse(model, "it computes nothing.")
    if model.output.index not in base:
        raise refuse(model, f"no step computes its output {name_of(model.output)}.")
    return steps, {index: of for index, of in base.items() if index != of}


def place(
    model: Model, steps: list[Step], same_bytes: dict[int, int]
) -> tuple[dict[int, int], int]:
    """The offset of every tensor in the arena, and the arena's size, in bytes."""
    lives: dict[int, Lifetime] = {}

    def use(tensor: Tensor, step: int) -> None:
        index = same_bytes.get(tensor.index, tensor.index)
        life = lives.get(index, Lifetime(tensor.bytes, step, step))
        lives[index] = Lifetime(life.size, min(life.first, step), max(life.last, step))

    use(model.input, -1)
    for number, step in enumerate(steps):
        for tensor in (*step.inputs, step.output):
            use(tensor, number)
    use(model.output, len(steps))
    offsets, size = plan(list(lives.values()))
    places = dict(zip(lives, offsets, strict=True))
    return {i: places[same_bytes.get(i, i)] for i in [*lives, *same_bytes]}, size


def _names(model: Model, steps: list[Step], same_bytes: dict[int, int]) -> dict[int, str]:
    """What the C calls each tensor, by its index."""
    names = {model.input.index: "input"}
    names |= {step.output.index: f"after_{number}" for number, step in enumerate(steps)}
    return names | {alias: names[base] for alias, base in same_bytes.items()}


def _tensors(model: Model, steps: list[Step], offsets: dict[int, int]) -> list[tuple[str, int]]:
    """The declaration and the bytes of each tensor in the arena, in the order of their lives."""
    named = [("input", model.input)]
    named += [(f"after_{number}", step.output) for number, step in enumerate(steps)]
    lines = [
        f"static {C_TYPES[tensor.dtype]} *const {name} = "
        f"arena + {offsets[tensor.index] // np.dtype(tensor.dtype).itemsize};"
        for name, tensor in named
    ]
    width = max(map(len, lines))  # the comments behind them stand in a column
    return [(line.ljust(width), t.bytes) for line, (_, t) in zip(lines, named, strict=True)]


def _shared(steps: list[Step]) -> tuple[dict[str, npt.NDArray[Any]], list[dict[str, str]]]:
    """Each constant once under its name in C, and for each step the name of each of its arrays.

    Layers that share a constant share its bytes, whichever tensors of the file they are.
    """
    found: dict[tuple[str, bytes], str] = {}
    constants: dict[str, npt.NDArray[Any]] = {}
    names: list[dict[str, str]] = []
    for number, step in enumerate(steps):
        names.append({})
        for field, array in step.arrays.items():
            content = (array.dtype.str, array.tobytes())
            name = found.setdefault(content, f"layer_{number}_{field}")
            constants.setdefault(name, array)
            names[-1][field] = name
    return constants, names


def _added_bytes(constants: dict[str, npt.NDArray[Any]], number: int) -> int:
    """The bytes of constants that layer `number` brings along; shared ones count where they stand
    first."""
    own = [array for name, array in constants.items() if name.startswith(f"layer_{number}_")]
    return sum(array.nbytes for array in own)


def _info(tensor: Tensor) -> TensorInfo:
    return TensorInfo(tensor.shape, tensor.dtype, tensor.scale, tensor.zero_point, tensor.bytes)


def _c_float(value: float) -> str:
    text = f"{float(value):.9g}"
    return text + ("F" if any(mark in text for mark in ".e") else ".0F")


def _c_values(array: npt.NDArray[Any]) -> str:
    number = _c_float if array.dtype == np.float32 else str
    values = [number(value) for value in array.ravel().tolist()]
    rows = [values[i : i + 16] for i in range(0, len(values), 16)]
    return ",\n".join("    " + ", ".join(row) for row in rows)


@cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent / "templates"),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {"c_float": _c_float, "c_values": _c_values}
    return environment


def _write(folder: Path, context: dict[str, Any]) -> None:
    environment = _environment()
    for name in ("engine_config.h", "network.c", "network_data.c", "network_data.h"):
        text = environment.get_template(name + ".j2").render(context)
        (folder / name).write_text(text, encoding="ascii", newline="\n")


def generate_portable(path: Path, out: Path, span: Range | None = None) -> Generated:
    """Write the C of a model into the folder `out`.

    `span` is what a pixel of 0 and one of 255 are to the network; None takes it from the input.

    Raises:
        KitError: an unusable model, or one with something the engine cannot do; nothing is
            written then.
    """
    model = read_model(path)
    span = span or input_range(model.input.dtype, model.input.scale, model.input.zero_point)
    steps, same_bytes = lower(model)
    offsets, arena_bytes = place(model, steps, same_bytes)
    constants, references = _shared(steps)
    layers = tuple(
        Layer(s.name, s.operator.name, s.macs, _added_bytes(constants, number), _info(s.output))
        for number, s in enumerate(steps)
    )
    made = Generated(
        out,
        "portable",
        re.sub(r"[^A-Za-z0-9._-]", "_", model.path.name),
        _info(model.input),
        _info(model.output),
        layers,
        sum(array.nbytes for array in constants.values()),
        arena_bytes,
        digest=digest(path),
        input_range=span,
    )
    context = vars(made) | {
        "input_range": span or (0.0, 0.0),
        "steps": steps,
        "names": _names(model, steps, same_bytes),
        "output_index": model.output.index,
        "tensors": _tensors(model, steps, offsets),
        "constants": constants,
        "references": references,
        "c_types": C_TYPES,
    }
    with replacing(out) as folder:
        folder.mkdir()
        _write(folder, context)
        replace(made, folder=folder).save()
    return made
