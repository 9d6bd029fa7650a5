"""A model as the open engine computes it: its steps, checked, and a place for every tensor.

What cannot be done is refused by name: the operator, the tensor, and what to do.
"""

from collections.abc import Set
from dataclasses import dataclass, replace

import numpy as np

from kit.generate.arena import Lifetime, fullest, plan
from kit.generate.fusion import fuse
from kit.generate.operators import OPERATORS
from kit.generate.step import Refusal, Step, name_of, same_elements
from kit.model import Model, Operator, Tensor

GOALS = ("time", "ram", "data", "flash")
QUANTIZED = ("int8", "uint8", "int16")
OPTIONS = dict.fromkeys(("MAX_POOL_2D", "AVERAGE_POOL_2D"), "Pool2DOptions")
OPTIONS |= {"MEAN": "ReducerOptions"}
"""The schema's class of an operator's options, where it is not called as the operator."""
RESHAPE = "RESHAPE"  # the same bytes under another shape, which needs no kernel
SHAPE_ARITHMETIC = ("SHAPE", "STRIDED_SLICE", "PACK")


@dataclass(frozen=True)
class Placing:
    """Offsets in the arena: of computed tensors by their index, of scratch by the step's number;
    the arena's size; and what makes it so large: the tensors, and for scratch ~ the steps, that are
    in it together when it is fullest. Sizes in bytes."""

    tensors: dict[int, int]
    scratch: dict[int, int]
    size: int
    fullest: list[int]


def abilities() -> str:
    """What the engine can do, in words."""
    return (
        f"It can do {', '.join(sorted([*OPERATORS, RESHAPE]))}, for one image at a time; in which "
        "types, firmware/README.md says."
    )


@np.errstate(all="ignore")  # numbers too large for a float32 are refused in words
def lower(model: Model, optimize: str = "time") -> tuple[list[Step], dict[int, int]]:
    """The kernel calls of a model; and of each tensor that is computed, by its index, the tensor
    whose bytes it is: itself, or what a RESHAPE took. `optimize` is one of `GOALS`.

    Raises Refusal: the model has something that the engine cannot do; it is named.
    """
    _check_ends(model)
    steps: list[Step] = []
    shapes: set[int] = set()
    base = {model.input.index: model.input.index}
    constants: dict[int, Tensor] = {}
    for operator in model.operators:
        if _is_shape_arithmetic(operator):
            shapes |= {tensor.index for tensor in operator.outputs}
            continue
        operator = _reading(operator, constants)
        if made := _unpacked(operator):
            constants[made.index] = made
            continue
        _check_order(operator, base.keys() | shapes)
        _check_numbers(operator)
        if operator.name == RESHAPE:
            x, y = same_elements(operator, *QUANTIZED)
            base[y.index] = base[x.index]
        else:
            called = OPERATORS[operator.name](operator, optimize)
            steps += called if isinstance(called, list) else [called]
            base |= {tensor.index: tensor.index for tensor in operator.outputs}
    if not steps:
        raise Refusal("it computes nothing.")
    for output in model.outputs:
        if output.index not in base:
            raise Refusal(f"no step computes its output {name_of(output)}.")
    return fuse(steps, model.outputs, base, optimize), base


def place(model: Model, steps: list[Step], base: dict[int, int]) -> Placing:
    """A place for every computed tensor and every step's scratch. A tensor lives from the step that
    makes it to the last that reads it; one that a step may overwrite in place gives it its bytes.
    """
    used = [(-1, model.input)]
    for number, step in enumerate(steps):
        used += [(number, tensor) for tensor in (*step.inputs, *step.operator.outputs)]
    used += [(len(steps), tensor) for tensor in model.outputs]
    base = _in_place(steps, base, used)
    lives: dict[int, Lifetime] = {}
    for now, tensor in used:
        index = base[tensor.index]
        first = lives[index].first if index in lives else now
        lives[index] = Lifetime(tensor.bytes, first, now)
    lives |= {~n: Lifetime(step.scratch, n, n) for n, step in enumerate(steps) if step.scratch}
    offsets, size = plan(lives)
    tensors = {index: offsets[of] for index, of in base.items() if of in offsets}
    scratch = {~key: at for key, at in offsets.items() if key < 0}
    return Placing(tensors, scratch, size, fullest(lives))


def _in_place(
    steps: list[Step], base: dict[int, int], used: list[tuple[int, Tensor]]
) -> dict[int, int]:
    """`base`, in which what a step makes is what it reads there for the last time, where it may."""
    for number, step in enumerate(steps):
        last = {base[tensor.index]: now for now, tensor in used}
        for position in step.in_place:
            x, y = step.inputs[position], step.output
            if last[base[x.index]] == number and x.bytes == y.bytes and base[y.index] == y.index:
                base = {index: base[x.index] if of == y.index else of for index, of in base.items()}
                break
    return base


def _reading(operator: Operator, constants: dict[int, Tensor]) -> Operator:
    """The operator, with what is constant by now as constants among its inputs."""
    inputs = (constants.get(x.index, x) if x is not None else None for x in operator.inputs)
    return replace(operator, inputs=tuple(inputs))


def _unpacked(operator: Operator) -> Tensor | None:
    """What a DEQUANTIZE makes of a float16 constant: so weights take half of the file, and half of
    the flash where a kernel expands them as it reads them."""
    x = operator.inputs[0] if operator.name == "DEQUANTIZE" and operator.inputs else None
    if x is None or x.data is None or x.dtype != "float16" or len(operator.outputs) != 1:
        return None
    return replace(operator.outputs[0], data=x.data.astype(np.float32), packing="float16")


def _is_shape_arithmetic(operator: Operator) -> bool:
    """Whether it computes a RESHAPE's target, which is known beforehand, and no data."""
    made = operator.outputs
    return operator.name in SHAPE_ARITHMETIC and all(tensor.dtype == "int32" for tensor in made)


def _check_ends(model: Model) -> None:
    """One input, a batch of 1, and no operator that the engine does not know."""
    if len(model.inputs) != 1:
        raise Refusal(f"it has {len(model.inputs)} inputs, not 1.")
    for tensor in (model.input, *model.outputs):
        if tensor.shape[:1] != (1,):
            raise Refusal(f"its shape {tensor.shape} is not that of a batch of 1.")
    others = {op.name for op in model.operators if not _is_shape_arithmetic(op)}
    unknown = sorted(others - OPERATORS.keys() - {RESHAPE})
    if unknown:
        raise Refusal(f"it uses {', '.join(unknown)}.")


def _check_order(operator: Operator, computed: Set[int]) -> None:
    """It reads only what was computed before it, and makes only what was not."""
    name = operator.name
    for tensor in filter(None, operator.inputs):
        if tensor.data is None and tensor.index not in computed:
            raise Refusal(f"{name} reads {name_of(tensor)}, which no step before it computes.")
    for tensor in operator.outputs:
        if tensor.data is not None or tensor.index in computed:
            raise Refusal(f"{name} writes {name_of(tensor)}, which has a value already.")


def _check_numbers(operator: Operator) -> None:
    """Numbers that can be computed with: finite, and for int8 a scale above 0."""
    own = OPTIONS.get(operator.name, operator.name.replace("_", "") + "OPTIONS")
    if operator.kind and operator.kind.upper() != own.upper():
        raise Refusal(f"{operator.name} has the options of another operator: {operator.kind}.")
    for option, value in operator.options.items():
        if isinstance(value, float) and not np.isfinite(value):
            raise Refusal(f"the {option} of {operator.name} is {value}.")
    for tensor in filter(None, (*operator.inputs, *operator.outputs)):
        _check_tensor(f"{operator.name}: {name_of(tensor)}", tensor)


def _check_tensor(where: str, tensor: Tensor) -> None:
    constant, zeros = tensor.data, tensor.zero_points
    finite = constant is None or constant.dtype.kind != "f" or np.isfinite(constant).all()
    if not finite or not np.isfinite(tensor.scales).all():
        raise Refusal(
            f"{where} holds a number that is not finite.",
            "A training that ran away leaves such weights; so does a damaged file.",
            "Train again, with a smaller learning rate, and convert anew.",
        )
    if tensor.dtype not in QUANTIZED:
        return
    if tensor.scales.size != 1 and constant is None:
        raise Refusal(f"{where} is {tensor.dtype} with {tensor.scales.size} scales, not one.")
    if not (tensor.scales > 0).all() or zeros.size != tensor.scales.size:
        raise Refusal(f"{where} has a scale that is not above 0, or no zero point to it.")
    low, high = np.iinfo(tensor.dtype).min, np.iinfo(tensor.dtype).max
    if ((zeros < low) | (zeros > high)).any():
        raise Refusal(f"{where} has a zero point outside {low} to {high}.")
