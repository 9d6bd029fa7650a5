"""A model as the open engine computes it: its steps, checked, and a place for every tensor.

What cannot be done is refused by name: the operator, the tensor, and what to do.
"""

from collections.abc import Set

import numpy as np

from kit.generate.arena import Lifetime, plan
from kit.generate.operators import OPERATORS
from kit.generate.quantized import INT8
from kit.generate.step import TO_INT8, Refusal, Step, name_of, same_elements
from kit.model import Model, Operator, Tensor

RESHAPE = "RESHAPE"  # the same bytes under another shape, which needs no kernel
SHAPE_ARITHMETIC = ("SHAPE", "STRIDED_SLICE", "PACK")
KNOWN = sorted([*OPERATORS, RESHAPE])
CAN = (
    f"It can do {', '.join(KNOWN)}, each in int8 (per-tensor or per-channel weights) or float32, "
    "one image at a time."
)


def lower(model: Model) -> tuple[list[Step], dict[int, int]]:
    """The kernel calls of a model; and of each tensor that is computed, by its index, the tensor
    whose bytes it is: itself, or what a RESHAPE took.

    Raises Refusal: the model has something that the engine cannot do; it is named.
    """
    _check_ends(model)
    steps: list[Step] = []
    shapes: set[int] = set()
    base = {model.input.index: model.input.index}
    for operator in model.operators:
        if _is_shape_arithmetic(operator):
            shapes |= {tensor.index for tensor in operator.outputs}
            continue
        _check_order(operator, base.keys() | shapes)
        _check_numbers(operator)
        if operator.name == RESHAPE:
            x, y = same_elements(operator)
            base[y.index] = base[x.index]
        else:
            steps.append(OPERATORS[operator.name](operator))
            base |= {tensor.index: tensor.index for tensor in operator.outputs}
    if not steps:
        raise Refusal("it computes nothing.")
    if model.output.index not in base:
        raise Refusal(f"no step computes its output {name_of(model.output)}.")
    return steps, base


def place(model: Model, steps: list[Step], base: dict[int, int]) -> tuple[dict[int, int], int]:
    """The offset of every computed tensor in the arena, by its index, and the arena's size, in
    bytes. A tensor lives from the step that makes it to the last that reads it."""
    used = [(-1, model.input)]
    for number, step in enumerate(steps):
        used += [(number, tensor) for tensor in (*step.inputs, *step.operator.outputs)]
    used += [(len(steps), model.output)]
    lives: dict[int, Lifetime] = {}
    for now, tensor in used:
        index = base[tensor.index]
        first = lives[index].first if index in lives else now
        lives[index] = Lifetime(tensor.bytes, first, now)
    offsets, size = plan(lives)
    return {index: offsets[of] for index, of in base.items()}, size


def _is_shape_arithmetic(operator: Operator) -> bool:
    """Whether it computes a RESHAPE's target, which is known beforehand, and no data."""
    made = operator.outputs
    return operator.name in SHAPE_ARITHMETIC and all(tensor.dtype == "int32" for tensor in made)


def _check_ends(model: Model) -> None:
    """One input and one output, a batch of 1, and no operator that the engine does not know."""
    if len(model.inputs) != 1 or len(model.outputs) != 1:
        raise Refusal(f"it has {len(model.inputs)} inputs and {len(model.outputs)} outputs, not 1.")
    for tensor in (model.input, model.output):
        if tensor.shape[:1] != (1,):
            raise Refusal(f"its shape {tensor.shape} is not that of a batch of 1.")
    others = {op.name for op in model.operators if not _is_shape_arithmetic(op)}
    unknown = sorted(others.difference(KNOWN))
    if unknown:
        raise Refusal(f"it uses {', '.join(unknown)}.", *_cure(model, unknown))


def _cure(model: Model, unknown: list[str]) -> tuple[str, str]:
    """Why a model has these operators and how to convert it without them, where that is known."""
    types = {tensor.dtype for tensor in model.tensors}
    if not {"QUANTIZE", "DEQUANTIZE"}.issuperset(unknown):
        return "", ""
    if "float16" in types:
        return "Its weights are float16 and are made float32 again on every run.", TO_INT8
    if "int8" in types and {model.input.dtype, model.output.dtype} != {"int8"}:
        return (
            f"Its input is {model.input.dtype} and its output {model.output.dtype} around an int8 "
            "network, which is the converter's default.",
            "Before converter.convert() say `converter.inference_input_type = tf.int8` and "
            "`converter.inference_output_type = tf.int8`, and convert again.",
        )
    return "", ""


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
    own = "".join(word.capitalize() for word in operator.name.split("_")) + "OptionsT"
    if operator.options not in ("", own):
        raise Refusal(f"{operator.name} has the options of another operator: {operator.options}.")
    if not np.isfinite(operator.beta):
        raise Refusal(f"the beta of {operator.name} is {operator.beta}.")
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
    if tensor.dtype != "int8":
        return
    if tensor.scales.size != 1 and constant is None:
        raise Refusal(f"{where} is int8 with {tensor.scales.size} scales, not one.")
    if not (tensor.scales > 0).all() or zeros.size != tensor.scales.size:
        raise Refusal(f"{where} has a scale that is not above 0, or no zero point to it.")
    if ((zeros < INT8[0]) | (zeros > INT8[1])).any():
        raise Refusal(f"{where} has a zero point outside {INT8[0]} to {INT8[1]}.")
