"""Operators with weights: what is asked of the weights and the bias of each kind of arithmetic.

The kinds are "int8"; "float32"; "int16", whose weights are int8; and "hybrid", float32 with int8
weights, which converters call dynamic range.
Source of the integers: LiteRT, `kernels/fully_connected.cc` and `kernels/conv.cc` (Prepare).
"""

from typing import Any

import numpy as np
import numpy.typing as npt
from ai_edge_litert.schema_py_generated import TensorType

from kit.generate.quantized import REAL_RANGES
from kit.generate.step import Refusal, check_types, constant, ends, name_of
from kit.model import Operator, Tensor

Array = npt.NDArray[Any]
KINDS = {  # by the types of input and weights
    ("int8", "int8"): "int8",
    ("float32", "float32"): "float32",
    ("int16", "int8"): "int16",
    ("float32", "int8"): "hybrid",
}
BIAS = {"int8": "int32", "float32": "float32", "hybrid": "float32"}


def weights_of(operator: Operator, dimensions: int, axis: int = 0) -> Tensor:
    """The constant weights, with a scale for all or one for each output, counted along `axis`.

    Raises Refusal: they are computed or missing, have other dimensions, zero points, or scales
    that are not those of the outputs; or a fused activation that no kernel has.
    """
    name = operator.name
    weights = constant(operator, 1, "weights")
    if weights is None or len(weights.shape) != dimensions or weights.elements == 0:
        raise Refusal(f"the weights of a {name} have not {dimensions} dimensions.")
    if operator.activation not in REAL_RANGES:
        raise Refusal(f"{name} is fused with {operator.activation}.")
    if np.any(weights.zero_points):
        raise Refusal("the weights have a zero point other than 0.")
    outputs, scales = weights.shape[axis], weights.scales.size
    if weights.dtype != "float32" and scales not in (1, outputs):
        raise Refusal(f"{outputs} rows of weights have {scales} scales.")
    if scales > 1 and weights.axis != axis:
        raise Refusal(f"the scales of {name_of(weights)} are not those of its rows.")
    return weights


def arithmetic_of(operator: Operator, weights: Tensor, kinds: tuple[str, ...]) -> str:
    """Which of these kinds of arithmetic an operator is; Refusal if none."""
    x, y = ends(operator)
    kind = KINDS.get((x.dtype, weights.dtype), "")
    if kind not in kinds or x.dtype != y.dtype:
        check_types(operator, x, weights, y)
    return kind


def bias_of(operator: Operator, outputs: int, kind: str) -> Array:
    """The bias of each output, 0 where there is none; for int16 in 64 bits.

    Raises Refusal: it is computed, of another type, or not one for each output.
    """
    bias = constant(operator, 2, "bias")
    wanted = BIAS.get(kind, "int32" if is_short(operator) else "int64")
    if bias is None or bias.data is None:
        return np.zeros(outputs, "int64" if kind == "int16" else wanted)
    if bias.dtype != wanted:
        raise Refusal(f"the bias of a {kind} {operator.name} is {bias.dtype}.")
    if bias.elements != outputs:
        raise Refusal(f"{operator.name} has {bias.elements} biases for {outputs} outputs.")
    return bias.data.ravel().astype("int64" if kind == "int16" else wanted)


def is_short(operator: Operator) -> bool:
    """Whether an int16 operator adds in 32 bits: its option says that its bias is int32."""
    return bool(operator.options.get("quantized_bias_type", 0) == TensorType.INT32)


def int16_scales(operator: Operator, weights: Tensor, bias: Array) -> list[float]:
    """What each sum of an int16 operator is multiplied by: one factor for all outputs, or one each.

    `bias` are those of the outputs. Raises Refusal: a zero point, or sums that do not fit.
    """
    x, y = ends(operator)
    if x.zero_point or y.zero_point:
        raise Refusal(f"an int16 {operator.name} has a zero point other than 0.")
    assert weights.data is not None
    rows = np.abs(weights.data.reshape(len(bias), -1).astype(np.int64)).sum(axis=1)
    largest = np.abs(bias) + 2**15 * rows
    scales = [x.scale * float(scale) / y.scale for scale in weights.scales]
    if largest.max() >= 2 ** (31 if is_short(operator) else 47) or (
        (largest * np.array(scales)).max() >= 2**31 - 1
    ):
        raise Refusal(
            f"the sums of {operator.name} {name_of(y)} do not fit.",
            f"They reach {largest.max():,}, times {max(scales):g}.",
            "Make the layer smaller, train it again with smaller weights and biases, or convert "
            "anew: the scales do not go together.",
        )
    return scales
