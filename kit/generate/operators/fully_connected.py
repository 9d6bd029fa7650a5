"""FULLY_CONNECTED, the dense layer: each output is a row of weights times the inputs, and a bias.

Source of the integers: LiteRT, `kernels/internal/reference/integer_ops/fully_connected.h`.
"""

from typing import Any

import numpy as np

from kit.generate.packed import PACKED, dense_int8
from kit.generate.quantized import float_range, int8_range
from kit.generate.step import TO_INT8, Refusal, Step, ends, name_of
from kit.generate.weighted import Array, arithmetic_of, bias_of, int16_scales, weights_of
from kit.model import Operator, Tensor

Parts = tuple[dict[str, Any], dict[str, Array]]


def lower(operator: Operator, optimize: str) -> Step:
    """One call of nn_dense_int8 or one of its variants, _float32, _float16, _int16 or _hybrid.

    Raises Refusal: weights, bias, scales, input and output do not belong together (C made of them
    would read or write beyond an array), or sums that cannot be computed exactly.
    """
    x, y = ends(operator)
    weights = weights_of(operator, 2)
    assert weights.data is not None
    outputs, inputs = weights.shape
    rows, rest = divmod(x.elements, inputs)
    if rest or rows == 0 or y.elements != rows * outputs:
        raise Refusal(f"{outputs} rows of weights make {y.shape} in {name_of(y)} of {x.shape}.")
    kind = arithmetic_of(operator, weights, ("int8", *KINDS))
    bias, fields = bias_of(operator, outputs, kind), {"inputs": inputs, "outputs": outputs}
    fields["rows"], macs = rows, rows * outputs * inputs
    if kind == "int8":
        return dense_int8(operator, weights, bias, fields, optimize)
    if weights.packing in PACKED:
        raise Refusal(
            f"FULLY_CONNECTED {name_of(y)} has {weights.packing} weights and {x.dtype} inputs.",
            "The kernels for weights of fewer bits take int8.",
            TO_INT8,
        )
    made, arrays = KINDS[kind](operator, weights, bias)
    arrays = {"weights": weights.data} | arrays
    scratch = inputs if kind == "hybrid" else None
    if weights.packing == "float16":
        kind, halves = "float16", weights.data.astype(np.float16).view(np.uint16)
        arrays["weights"] = np.pad(halves, ((0, 0), (0, inputs % 2)))
    return Step(f"nn_dense_{kind}", operator, fields | made, arrays, macs, scratch)


def _float32(operator: Operator, _weights: Tensor, bias: Array) -> Parts:
    return float_range(operator.activation), {"bias": bias}


def _hybrid(operator: Operator, weights: Tensor, bias: Array) -> Parts:
    assert weights.data is not None
    fields = {"per_channel": int(weights.scales.size > 1)} | float_range(operator.activation)
    fields["asymmetric"] = int(operator.options.get("asymmetric_quantize_inputs", False))
    sums = weights.data.sum(axis=1, dtype=np.int32)
    return fields, {"row_sums": sums, "scale": weights.scales, "bias": bias}


def _int16(operator: Operator, weights: Tensor, bias: Array) -> Parts:
    scales = np.array(int16_scales(operator, weights, bias))
    minimum, maximum = int8_range(operator.activation, operator.outputs[0])
    fields = {"per_channel": int(len(scales) > 1), "minimum": minimum, "maximum": maximum}
    return fields, {"bias": bias, "scale": scales}


KINDS = {"float32": _float32, "int16": _int16, "hybrid": _hybrid}
