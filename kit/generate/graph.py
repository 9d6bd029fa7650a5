"""A model as the open engine computes it: its steps, checked, and a place for every tensor.

What cannot be done is refused by name: the operator, the tensor, and what to do.
"""

from collections.abc import Collection

import numpy as np

from kit.errors import KitError
from kit.generate.arena import Lifetime, plan
from kit.generate.operators import OPERATORS
from kit.generate.quantized import INT8
from kit.generate.step import TO_INT8, Refusal, Step, name_of
from kit.model import Model, Operator, Tensor

SHAPE_ARITHMETIC = ("SHAPE", "STRIDED_SLICE", "PACK")
CAN = (
    f"It can do {', '.join(OPERATORS)}, each in int8 (per-tensor or per-channel weights) or "
    "float32, one image at a time."
)


def lower(model: Model) -> tuple[list[Step], dict[int, int]]:
    """The kernel calls of a model; and of each tensor that is computed, by its index, the tensor
    whose bytes it is: itself, or what a RESHAPE took.

    Raises KitError: the model has something that the engine cannot do; it is named.
    """
    try:
        _check_ends(model)
        return _lowered(model)
    except Refusal as said:
        what = f"The portable engine cannot turn {model.path.name} into C: {said.what}"
        raise KitError(what, said.why, said.next_step or CAN) from None


def _lowered(model: Model) -> tuple[list[Step], dict[int, int]]:
    steps: list[Step] = []
    shapes: set[int] = set()
    base = {model.input.index: model.input.index}  # what has been computed, and whose bytes it is
    for operator in model.operators:
        if _is_shape_arithmetic(operator):
            shapes |= {tensor.index for tensor in operator.outputs}
            continue
        _check_order(operator, base, shapes)
        _check_numbers(operator)
        made = OPERATORS[operator.name](operator)
        if isinstance(made, Step):
            steps.append(made)
        for tensor in operator.outputs:
            base[tensor.index] = tensor.index if isinstance(made, Step) else base[made.index]
    if not steps:
        raise Refusal("it computes nothing.")
    if model.output.index not in base:
        raise Refusal(f"no step computes its output {name_of(model.output)}.")
    return steps, base


def place(model: Model, steps: list[Step], base: dict[int, int]) -> tuple[dict[int, int], int]:
    """The offset of every computed tensor in the arena, by its index, and the arena's size, in
    bytes. A tensor lives from the step that makes it to the last that reads it."""
    lives: dict[int, Lifetime] = {}

    def use(tensor: Tensor, step: int) -> None:
        index = base[tensor.index]
        life = lives.get(index, Lifetime(tensor.bytes, step, step))
        lives[index] = Lifetime(life.size, min(life.first, step), max(life.last, step))

    use(model.input, -1)
    for number, step in enumerate(steps):
        for tensor in (*step.inputs, *step.operator.outputs):
            use(tensor, number)
    use(model.output, len(steps))
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
    unknown = sorted(others - OPERATORS.keys())
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


def _check_order(operator: Operator, computed: Collection[int], shapes: Collection[int]) -> None:
    """It reads only what was computed before it, and makes only what was not."""
    for tensor in filter(None, operator.inputs):
        if tensor.data is None and tensor.index not in computed and tensor.index not in shapes:
            raise Refusal(
                f"{operator.name} reads {name_of(tensor)}, which no step before it computes."
            )
    for tensor in operator.outputs:
        if tensor.index in computed or tensor.data is not None:
            raise Refusal(f"{operator.name} writes {name_of(tensor)}, which has a value already.")


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
