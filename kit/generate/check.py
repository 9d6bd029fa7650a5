"""What the open engine asks of a model before any C is written; each refusal names what is in the
way: the operator, the tensor, and what to do."""

from collections.abc import Collection

import numpy as np

from kit.errors import KitError
from kit.model import Model, Operator, Tensor

OPERATORS = ("FULLY_CONNECTED", "RESHAPE", "SOFTMAX")
SHAPE_ARITHMETIC = ("SHAPE", "STRIDED_SLICE", "PACK")
OPTIONS = {"FULLY_CONNECTED": "FullyConnectedOptionsT", "SOFTMAX": "SoftmaxOptionsT"}
ACTIVATIONS = ("NONE", "RELU", "RELU_N1_TO_1", "RELU6")
INT8 = (-128, 127)
TO_INT8 = (
    "Convert the Keras model to full int8 as notebook 02-quantize does: a representative data set, "
    "TFLITE_BUILTINS_INT8, `converter.inference_input_type = tf.int8` and "
    "`converter.inference_output_type = tf.int8`."
)


def refuse(model: Model, what: str, why: str = "", next_step: str = "") -> KitError:
    """The error for a model that the engine cannot do."""
    can = (
        f"It can do {', '.join(OPERATORS)}, each in int8 (per-tensor or per-channel weights) or "
        "float32, one image at a time."
    )
    return KitError(
        f"The portable engine cannot turn {model.path.name} into C: {what}", why, next_step or can
    )


def name_of(tensor: Tensor) -> str:
    """A tensor's name as an error shows it: some are paths of hundreds of letters."""
    name = tensor.name if len(tensor.name) <= 60 else f"{tensor.name[:57]}..."
    return f"{name!r} (tensor {tensor.index})"


def is_shape_arithmetic(operator: Operator) -> bool:
    """Whether it computes a RESHAPE's target, which is known beforehand, and no data."""
    made = operator.outputs
    return operator.name in SHAPE_ARITHMETIC and all(tensor.dtype == "int32" for tensor in made)


def check_supported(model: Model) -> None:
    """One input and one output, a batch of 1, and no operator that the engine does not know.

    Raises:
        KitError: otherwise.
    """
    if len(model.inputs) != 1 or len(model.outputs) != 1:
        raise refuse(
            model, f"it has {len(model.inputs)} inputs and {len(model.outputs)} outputs, not 1."
        )
    for tensor in (model.input, model.output):
        if tensor.shape[:1] != (1,):
            raise refuse(model, f"its shape {tensor.shape} is not that of a batch of 1.")
    done = [op for op in model.operators if op.name in OPERATORS or is_shape_arithmetic(op)]
    unknown = {op.name for op in model.operators if op not in done}
    if unknown:
        raise refuse(model, f"it uses {', '.join(sorted(unknown))}.", *_cure(model, unknown))


def _cure(model: Model, unknown: set[str]) -> tuple[str, str]:
    """Why a model has these operators and how to convert it without them, where that is known."""
    types = {tensor.dtype for tensor in model.tensors}
    if not unknown <= {"QUANTIZE", "DEQUANTIZE"}:
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


def check_operator(model: Model, operator: Operator, computed: Collection[int]) -> None:
    """An operator reads only what was computed before it, and makes one tensor that was not.

    Args:
        computed: the indices of the input and of the tensors that earlier operators made.

    Raises:
        KitError: otherwise, or for types the engine has no kernel for.
    """
    if not operator.inputs or operator.inputs[0] is None or len(operator.outputs) != 1:
        raise refuse(model, f"a {operator.name} has no input, or not one output.")
    x, y = operator.inputs[0], operator.outputs[0]
    data = operator.inputs[:1] if operator.name == "RESHAPE" else operator.inputs
    for tensor in filter(None, data):
        if tensor.index not in computed and (tensor is x or tensor.data is None):
            raise refuse(
                model, f"{operator.name} reads {name_of(tensor)}, which no step before it computes."
            )
    if y.index in computed or y.data is not None:
        raise refuse(model, f"{operator.name} writes {name_of(y)}, which has a value already.")
    options = type(operator.options).__name__
    if options not in ("NoneType", OPTIONS.get(operator.name, options)):
        raise refuse(model, f"{operator.name} has the options of another operator: {options}.")
    if not np.isfinite(operator.beta):
        raise refuse(model, f"the beta of {operator.name} is {operator.beta}.")
    _check_types(model, operator)
    for tensor in filter(None, (*data, y)):
        _check_numbers(model, operator, tensor)


def _check_types(model: Model, operator: Operator) -> None:
    """int8 or float32 throughout; a bias is int32 beside int8."""
    x, *constants = (tensor for tensor in operator.inputs if tensor is not None)
    data = [x, operator.outputs[0]]
    if operator.name == "FULLY_CONNECTED":
        data += constants[:1]
        wanted = "int32" if x.dtype == "int8" else x.dtype
        if any(bias.dtype != wanted for bias in constants[1:]):
            raise refuse(model, f"the bias of a {x.dtype} {operator.name} is {constants[1].dtype}.")
    types = {tensor.dtype for tensor in data}
    if types not in ({"int8"}, {"float32"}):
        named = ", ".join(sorted(types))
        raise refuse(model, f"{operator.name} works on {named}.", _why(types), TO_INT8)


def _why(types: set[str]) -> str:
    if types == {"float32", "int8"}:
        return "In a dynamic-range model the weights are int8 and the computing is float32."
    if "uint8" in types:
        return "uint8 is how older converters quantized; the int8 of today is computed otherwise."
    return f"There are no kernels for {', '.join(sorted(types - {'int8', 'float32'}))}."


def _check_numbers(model: Model, operator: Operator, tensor: Tensor) -> None:
    """Numbers that can be computed with: finite, and for int8 a scale above 0."""
    where = f"{operator.name}: {name_of(tensor)}"
    constant = tensor.data
    finite = constant is None or constant.dtype.kind != "f" or np.isfinite(constant).all()
    if not finite or not np.isfinite(tensor.scales).all():
        raise refuse(
            model,
            f"{where} holds a number that is not finite.",
            "A training that ran away leaves such weights; so does a damaged file.",
            "Train again, with a smaller learning rate, and convert anew.",
        )
    if tensor.dtype != "int8":
        return
    per_channel = constant is not None and constant.ndim == 2  # weights; all else has one scale
    if tensor.scales.size != 1 and not per_channel:
        raise refuse(model, f"{where} is int8 with {tensor.scales.size} scales, not one.")
    if not (tensor.scales > 0).all() or tensor.zero_points.size != tensor.scales.size:
        raise refuse(model, f"{where} has a scale that is not above 0, or no zero point to it.")
    if ((tensor.zero_points < INT8[0]) | (tensor.zero_points > INT8[1])).any():
        raise refuse(model, f"{where} has a zero point outside {INT8[0]} to {INT8[1]}.")


def check_dense(model: Model, operator: Operator) -> None:
    """A dense layer whose weights, bias, scales, input and output belong together.

    Raises:
        KitError: otherwise; C that was made of it would read or write beyond an array.
    """
    x, weights, *rest = operator.inputs
    bias = rest[0] if rest else None
    y = operator.outputs[0]
    assert x is not None
    if operator.activation not in ACTIVATIONS:
        raise refuse(model, f"FULLY_CONNECTED is fused with {operator.activation}.")
    for tensor, what in ((weights, "weights"), (bias, "bias")):
        if tensor is not None and tensor.data is None:
            raise refuse(model, f"the {what} of a FULLY_CONNECTED are computed, not constant.")
    if weights is None or len(weights.shape) != 2:
        raise refuse(model, "the weights of a FULLY_CONNECTED are not a table of rows.")
    rows, columns = weights.shape
    if x.elements != columns:
        raise refuse(model, f"a FULLY_CONNECTED takes a batch: its input is {x.shape}.")
    if y.elements != rows or (bias is not None and bias.elements != rows) or rows * columns == 0:
        raise refuse(model, f"{rows} rows of weights make {y.shape} in {name_of(y)}.")
    if np.any(weights.zero_points):
        raise refuse(model, "the weights have a zero point other than 0.")
    if x.dtype == "int8" and weights.scales.size not in (1, rows):
        raise refuse(model, f"{rows} rows of weights have {weights.scales.size} scales.")
    if weights.scales.size > 1 and weights.axis != 0:
        raise refuse(model, f"the scales of {name_of(weights)} are not those of its rows.")


def check_same_elements(model: Model, operator: Operator) -> None:
    """What a RESHAPE or a SOFTMAX makes has as many values as it takes.

    Raises:
        KitError: otherwise.
    """
    x, y = operator.inputs[0], operator.outputs[0]
    assert x is not None
    if x.elements != y.elements or x.elements == 0:
        raise refuse(model, f"a {operator.name} makes {y.shape} of {x.shape}.")
