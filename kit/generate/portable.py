"""The open generator: an int8 or float32 .tflite of dense layers as C anyone can read.

It writes data and a list of calls; the kernels they call are `firmware/nn/`. Host and chip
compile the same files; for the dense layer the chip has a faster version, equal bit for bit.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import jinja2
import numpy as np
import numpy.typing as npt

from kit.errors import KitError
from kit.generate.arena import Lifetime, plan
from kit.generate.quantized import dense_multipliers, int8_range, real_range, softmax_scaling
from kit.generate.result import Generated, Layer, TensorInfo
from kit.model import Model, Operator, Range, Tensor, input_range, read
from kit.paths import making
from kit.provenance import digest

ACTIVATIONS = ("NONE", "RELU", "RELU_N1_TO_1", "RELU6")
C_TYPES = {"int8": "int8_t", "float32": "float", "int32": "int32_t", "uint8": "uint8_t"}
SHAPE_ARITHMETIC = ("SHAPE", "STRIDED_SLICE", "PACK")  # computes a RESHAPE's target, no data


@dataclass(frozen=True)
class Step:
    """One kernel call: its parameter struct, and the arrays the struct points to."""

    kernel: str
    operator: Operator
    fields: dict[str, Any]
    arrays: dict[str, npt.NDArray[Any]]
    macs: int

    @property
    def input(self) -> Tensor:
        tensor = self.operator.inputs[0]
        assert tensor is not None  # checked when the step was made
        return tensor

    @property
    def output(self) -> Tensor:
        return self.operator.outputs[0]

    @property
    def name(self) -> str:
        """The Keras layer's name where the converter kept it, else the operator's."""
        path = self.output.name.split(";")[0].split("/")
        name = path[-2] if len(path) > 1 else self.operator.name.lower()
        return re.sub(r"[^A-Za-z0-9._-]", "_", name)

    @property
    def weights_bytes(self) -> int:
        return sum(array.nbytes for array in self.arrays.values())


def _refuse(model: Model, what: str, why: str = "") -> KitError:
    return KitError(
        f"The portable engine cannot turn {model.path.name} into C: {what}",
        why,
        f"It can do {', '.join(sorted(KERNELS | {'RESHAPE': None}))}, each in int8 "
        "(per-tensor or per-channel weights) or float32, one image at a time.",
    )


def _check_dense(model: Model, x: Tensor, weights: Tensor, operator: Operator) -> None:
    if operator.activation not in ACTIVATIONS:
        raise _refuse(model, f"FULLY_CONNECTED is fused with {operator.activation}.")
    if weights.data is None:
        raise _refuse(model, "the weights of a FULLY_CONNECTED are computed, not constant.")
    if x.elements != weights.shape[-1]:
        raise _refuse(model, f"a FULLY_CONNECTED takes a batch: its input is {x.shape}.")
    if np.any(weights.zero_points):
        raise _refuse(model, "the weights have a zero point other than 0.")


def _dense(model: Model, operator: Operator) -> Step:
    x, weights, *rest = operator.inputs
    assert x is not None and weights is not None
    bias = rest[0] if rest else None
    _check_dense(model, x, weights, operator)
    y = operator.outputs[0]
    assert weights.data is not None
    outputs, inputs = weights.shape
    bias_data = bias.data if bias is not None and bias.data is not None else np.zeros(outputs)
    make = _dense_int8 if x.dtype == "int8" else _dense_float32
    kernel, fields, arrays = make(operator, x, weights, bias_data, y)
    fields = {"inputs": inputs, "outputs": outputs} | fields
    return Step(kernel, operator, fields, arrays, inputs * outputs)


Parts = tuple[str, dict[str, Any], dict[str, npt.NDArray[Any]]]


def _dense_int8(
    operator: Operator, x: Tensor, weights: Tensor, bias: npt.NDArray[Any], y: Tensor
) -> Parts:
    assert weights.data is not None
    pairs = dense_multipliers(x, weights, y)
    row_sums = weights.data.astype(np.int64).sum(axis=1)
    folded = bias.astype(np.int64) - x.zero_point * row_sums
    minimum, maximum = int8_range(operator, y)
    fields = {
        "per_channel": int(len(pairs) > 1),
        "output_zero_point": y.zero_point,
        "minimum": minimum,
        "maximum": maximum,
    }
    arrays = {
        "weights": weights.data,
        "bias": folded.astype(np.int32),  # wraps as the 32-bit accumulator does
        "multiplier": np.array([multiplier for multiplier, _ in pairs], np.int32),
        "shift": np.array([shift for _, shift in pairs], np.uint8),
    }
    return "nn_dense_int8", fields, arrays


def _dense_float32(
    operator: Operator, x: Tensor, weights: Tensor, bias: npt.NDArray[Any], y: Tensor
) -> Parts:
    assert weights.data is not None
    minimum, maximum = real_range(operator)
    limit = float(np.finfo(np.float32).max)
    fields = {
        "minimum": _c_float(max(minimum, -limit)),
        "maximum": _c_float(min(maximum, limit)),
    }
    arrays = {"weights": weights.data, "bias": bias.astype(np.float32)}
    return "nn_dense_float32", fields, arrays


def _softmax(model: Model, operator: Operator) -> Step:
    x, y = operator.inputs[0], operator.outputs[0]
    assert x is not None
    if x.elements != x.shape[-1]:
        raise _refuse(model, f"a SOFTMAX takes several rows: its input is {x.shape}.")
    if x.dtype == "float32":
        fields: dict[str, Any] = {"elements": x.elements, "beta": _c_float(operator.beta)}
        return Step("nn_softmax_float32", operator, fields, {}, 0)
    if (y.scale, y.zero_point) != (1 / 256, -128):
        raise _refuse(model, "the output of SOFTMAX is not quantized as 1/256 and -128.")
    multiplier, left_shift, smallest = softmax_scaling(operator.beta, x.scale)
    fields = {
        "elements": x.elements,
        "multiplier": multiplier,
        "left_shift": left_shift,
        "minimum_difference": smallest,
    }
    return Step("nn_softmax_int8", operator, fields, {}, 0)


KERNELS: dict[str, Callable[[Model, Operator], Step]] = {
    "FULLY_CONNECTED": _dense,
    "SOFTMAX": _softmax,
}


def _check_types(model: Model, operator: Operator) -> None:
    x, y = operator.inputs[0], operator.outputs[0]
    types = {tensor.dtype for tensor in operator.inputs[:2] if tensor is not None} | {y.dtype}
    if x is None or types not in ({"int8"}, {"float32"}):
        mixed = ", ".join(sorted(types))
        raise _refuse(
            model,
            f"{operator.name} works on {mixed}.",
            "A dynamic-range or float16 model mixes types; convert it to full int8.",
        )


def _check_model(model: Model) -> None:
    if len(model.inputs) != 1 or len(model.outputs) != 1:
        raise _refuse(
            model, f"it has {len(model.inputs)} inputs and {len(model.outputs)} outputs, not 1."
        )
    for tensor in (model.input, model.output):
        if tensor.shape[:1] != (1,):
            raise _refuse(model, f"its shape {tensor.shape} is not that of a batch of 1.")


def lower(model: Model) -> tuple[list[Step], dict[int, int]]:
    """The kernel calls of a model, and for each RESHAPE's output the tensor whose bytes it is.

    Raises:
        KitError: the model uses something the engine cannot do; it is named.
    """
    _check_model(model)
    steps: list[Step] = []
    same_bytes: dict[int, int] = {}
    unknown = {op.name for op in model.operators} - KERNELS.keys() - {"RESHAPE", *SHAPE_ARITHMETIC}
    if unknown:
        raise _refuse(model, f"it uses {', '.join(sorted(unknown))}.")
    for operator in model.operators:
        if operator.name in SHAPE_ARITHMETIC:
            continue
        if operator.name == "RESHAPE":
            source = operator.inputs[0]
            assert source is not None
            same_bytes[operator.outputs[0].index] = same_bytes.get(source.index, source.index)
            continue
        _check_types(model, operator)
        steps.append(KERNELS[operator.name](model, operator))
    if not steps:
        raise _refuse(model, "it computes nothing.")
    return steps, same_bytes


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
        use(step.input, number)
        use(step.output, number)
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
        f"({C_TYPES[tensor.dtype]} *)(arena + {offsets[tensor.index]});"
        for name, tensor in named
    ]
    width = max(map(len, lines))  # the comments behind them stand in a column
    return [(line.ljust(width), t.bytes) for line, (_, t) in zip(lines, named, strict=True)]


def _info(tensor: Tensor) -> TensorInfo:
    return TensorInfo(tensor.shape, tensor.dtype, tensor.scale, tensor.zero_point, tensor.bytes)


def _c_float(value: float) -> str:
    if not np.isfinite(value):
        raise KitError(
            f"The model holds the number {value}, which C cannot compute with.",
            "A training that ran away leaves such weights.",
            "Train again, with a smaller learning rate, and convert anew.",
        )
    text = f"{float(value):.9g}"
    return text + ("F" if any(mark in text for mark in ".e") else ".0F")


def _c_values(array: npt.NDArray[Any]) -> str:
    number = _c_float if array.dtype == np.float32 else str
    values = [number(value) for value in array.ravel().tolist()]
    rows = [values[i : i + 16] for i in range(0, len(values), 16)]
    return ",\n".join("    " + ", ".join(row) for row in rows)


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


def generate(path: Path, out: Path, span: Range | None = None) -> Generated:
    """Write the C of a model into the folder `out`.

    `span` is what a pixel of 0 and one of 255 are to the network; None takes it from the input.

    Raises:
        KitError: an unusable model, or one with something the engine cannot do; nothing is
            written then.
    """
    model = read(path)
    span = span or input_range(model.input.dtype, model.input.scale, model.input.zero_point)
    steps, same_bytes = lower(model)
    offsets, arena_bytes = place(model, steps, same_bytes)
    layers = tuple(
        Layer(s.name, s.operator.name, s.macs, s.weights_bytes, _info(s.output)) for s in steps
    )
    safe_name = re.sub(r"[^A-Za-z0-9._-]", "_", model.path.name)
    ends = _info(model.input), _info(model.output)
    context: dict[str, Any] = {
        "model": safe_name,
        "digest": digest(path),
        "input_range": span or (0.0, 0.0),
        "input": ends[0],
        "output": ends[1],
        "steps": steps,
        "names": _names(model, steps, same_bytes),
        "output_index": model.output.index,
        "tensors": _tensors(model, steps, offsets),
        "arena_bytes": arena_bytes,
        "weights_bytes": sum(step.weights_bytes for step in steps),
        "c_types": C_TYPES,
    }
    with making(out) as folder:
        folder.mkdir()
        _write(folder, context)
        made = Generated(
            folder,
            "portable",
            safe_name,
            *ends,
            layers,
            context["weights_bytes"],
            arena_bytes,
            digest=context["digest"],
            input_range=span,
        )
        made.save()
    return replace(made, folder=out)
