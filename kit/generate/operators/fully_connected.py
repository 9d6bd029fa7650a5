"""FULLY_CONNECTED, the dense layer: each output is a row of weights times the inputs, and a bias.

Source of the integers: LiteRT, `kernels/internal/reference/integer_ops/fully_connected.h`.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from kit.generate.quantized import INT8, REAL_RANGES, exact_multiplier, int8_range
from kit.generate.step import Refusal, Step, check_types, ends, name_of
from kit.model import Operator, Tensor

Parts = tuple[dict[str, Any], dict[str, npt.NDArray[Any]]]


def lower(operator: Operator) -> Step:
    """One call of nn_dense_int8 or nn_dense_float32.

    Raises Refusal: weights, bias, scales, input and output do not belong together (C made of them
    would read or write beyond an array), or sums that cannot be computed exactly.
    """
    weights, bias = _constants(operator)
    assert weights.data is not None
    rows, columns = weights.shape
    make = _int8 if weights.dtype == "int8" else _float32
    fields, arrays = make(operator, weights, bias)
    fields = {"inputs": columns, "outputs": rows} | fields
    arrays = {"weights": weights.data} | arrays
    return Step(f"nn_dense_{weights.dtype}", operator, fields, arrays, rows * columns)


def _constants(operator: Operator) -> tuple[Tensor, npt.NDArray[Any]]:
    """The weights, and a bias for each row, 0 where there is none."""
    x, y = ends(operator)
    weights, bias = (*operator.inputs[1:], None, None)[:2]
    for tensor, what in ((weights, "weights"), (bias, "bias")):
        if tensor is not None and tensor.data is None:
            raise Refusal(f"the {what} of a FULLY_CONNECTED are computed, not constant.")
    if weights is None or len(weights.shape) != 2:
        raise Refusal("the weights of a FULLY_CONNECTED are not a table of rows.")
    check_types(operator, x, weights, y)
    if bias is not None and bias.dtype != ("int32" if x.dtype == "int8" else x.dtype):
        raise Refusal(f"the bias of a {x.dtype} FULLY_CONNECTED is {bias.dtype}.")
    if operator.activation not in REAL_RANGES:
        raise Refusal(f"FULLY_CONNECTED is fused with {operator.activation}.")
    rows, columns = weights.shape
    if x.elements != columns:
        raise Refusal(f"a FULLY_CONNECTED takes a batch: its input is {x.shape}.")
    if y.elements != rows or (bias is not None and bias.elements != rows) or rows * columns == 0:
        raise Refusal(f"{rows} rows of weights make {y.shape} in {name_of(y)}.")
    if np.any(weights.zero_points):
        raise Refusal("the weights have a zero point other than 0.")
    if x.dtype == "int8" and weights.scales.size not in (1, rows):
        raise Refusal(f"{rows} rows of weights have {weights.scales.size} scales.")
    if weights.scales.size > 1 and weights.axis != 0:
        raise Refusal(f"the scales of {name_of(weights)} are not those of its rows.")
    return weights, np.zeros(rows) if bias is None or bias.data is None else bias.data.ravel()


def _float32(operator: Operator, _weights: Tensor, bias: npt.NDArray[Any]) -> Parts:
    limit = float(np.finfo(np.float32).max)
    minimum, maximum = REAL_RANGES[operator.activation]
    fields = {"minimum": max(minimum, -limit), "maximum": min(maximum, limit)}
    return fields, {"bias": bias.astype(np.float32)}


def _int8(operator: Operator, weights: Tensor, bias: npt.NDArray[Any]) -> Parts:
    """The input's zero point goes into the bias; each sum becomes an output by a multiplier."""
    x, y = ends(operator)
    assert weights.data is not None
    table, bias = weights.data.astype(np.int64), bias.astype(np.int64)
    folded = bias - x.zero_point * table.sum(axis=1)
    lowest = folded + np.minimum(INT8[0] * table, INT8[1] * table).sum(axis=1)
    highest = folded + np.maximum(INT8[0] * table, INT8[1] * table).sum(axis=1)
    # In double, for one scale as for many: so behave the reference kernels of LiteRT 2.1.0 to
    # 2.3.0. (Its Prepare multiplies in float32 too; the optimized kernels use that one.)
    scales = [x.scale * float(scale) / y.scale for scale in weights.scales]
    largest = np.abs(bias) + 255 * np.abs(table).sum(axis=1)
    if len(scales) == 1:
        lowest, highest = lowest.min(keepdims=True), highest.max(keepdims=True)
    minimum, maximum = int8_range(operator.activation, y)
    steps = minimum - y.zero_point, maximum - y.zero_point
    try:
        if max(largest.max(), (largest * np.array(scales)).max()) >= 2**31 - 256:
            raise OverflowError("LiteRT adds and rounds in 32 bits")
        reach = zip(scales, lowest.tolist(), highest.tolist(), strict=True)
        pairs = [exact_multiplier(scale, (low, high), steps) for scale, low, high in reach]
    except OverflowError as limit:
        raise Refusal(
            f"the sums of FULLY_CONNECTED {name_of(y)} do not fit: {limit}.",
            f"They reach {largest.max():,}, times {max(scales):g}.",
            "Make the layer smaller, train it again with smaller weights and biases, or convert "
            "anew: the scales do not go together.",
        ) from None
    multipliers, shifts = zip(*pairs, strict=True)
    fields = {"per_channel": int(len(pairs) > 1), "output_zero_point": y.zero_point}
    fields |= {"minimum": minimum, "maximum": maximum}
    arrays = {"multiplier": np.array(multipliers, np.int32), "shift": np.array(shifts, np.uint8)}
    return fields, {"bias": folded.astype(np.int32)} | arrays
