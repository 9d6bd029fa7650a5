"""SOFTMAX: values become shares of 1, e to the power of each over the sum of all.

Source of the integers: LiteRT, `kernels/internal/quantization_util.cc` (PreprocessSoftmaxScaling,
CalculateInputRadius).
"""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from kit.generate.quantized import quantize_multiplier, rounded
from kit.generate.step import Refusal, Step, name_of, same_elements
from kit.model import Operator

Array = npt.NDArray[Any]
INTEGER_BITS = 5  # of the differences that the kernel takes the exponential of
LONGEST_ROW = 2**10 - 1  # whose sum of powers fits what the kernel divides by


def lower(operator: Operator, _optimize: str) -> Step:
    """One call of nn_softmax_int8, nn_softmax_float32 or nn_softmax_int16.

    Raises Refusal: rows that are too long, an output other than the shares of 1 in 256 or 32768
    steps, or a scale for which LiteRT has no answer.
    """
    x, y = same_elements(operator, "int16")
    rows = x.elements // x.shape[-1]
    fields, beta = {"rows": rows, "elements": x.shape[-1]}, operator.options.get("beta", 0.0)
    if x.dtype == "float32":
        return Step("nn_softmax_float32", operator, fields | {"beta": beta}, {}, in_place=(0,))
    if x.dtype == "int16":
        return _int16(operator, fields, beta)
    if x.shape[-1] > LONGEST_ROW:
        raise Refusal(f"a row of SOFTMAX {name_of(y)} has more than {LONGEST_ROW} values.")
    if (y.scale, y.zero_point) != (1 / 256, -128):
        raise Refusal("the output of SOFTMAX is not quantized as 1/256 and -128.")
    scale = beta * x.scale
    real = min(scale * 2 ** (31 - INTEGER_BITS), 2.0**31 - 1)
    if not real > 1:  # LiteRT ends the process: QuantizeMultiplierGreaterThanOne
        raise Refusal(
            f"SOFTMAX takes {name_of(x)}, whose scale times beta is {scale:g}.",
            "A training that collapsed (every output the same) leaves such a scale.",
            "Train again, with a smaller learning rate, and convert anew.",
        )
    multiplier, shift = quantize_multiplier(real)
    left_shift = 31 - shift
    largest = (2**INTEGER_BITS - 1) * 2 ** (31 - INTEGER_BITS) / 2**left_shift
    fields |= {"multiplier": multiplier, "left_shift": left_shift}
    fields |= {"minimum_difference": -math.floor(largest)}
    scratch = 4 * x.shape[-1]
    return Step("nn_softmax_int8", operator, fields, {}, scratch=scratch, in_place=(0,))


def _int16(operator: Operator, fields: dict[str, Any], beta: float) -> Step:
    """The exponential from -10 on, and the reciprocal of 1 to 2, as tables."""
    x, y = operator.inputs[0], operator.outputs[0]
    assert x is not None
    if (y.scale, y.zero_point, x.zero_point) != (2.0**-15, 0, 0):
        raise Refusal("the output of an int16 SOFTMAX is not quantized as 1/32768 and 0.")
    real = float(np.float32(x.scale) * np.float32(beta)) / (10 / 65535)
    multiplier, shift = quantize_multiplier(real)
    if not 0 <= real < 2**14:  # differences are less than 2^16, and what they become less than 2^31
        raise Refusal(f"SOFTMAX takes {name_of(x)}, whose scale times beta is {beta * x.scale:g}.")
    arrays = {"exp": _table(np.exp, -10.0), "one_over_one_plus": _table(lambda v: 1 / (1 + v), 0.0)}
    fields |= {"multiplier": multiplier, "exponent": 31 - shift}
    return Step("nn_softmax_int16", operator, fields, arrays, in_place=(0,))


def _table(function: Callable[[Array], Array], first: float) -> Array:
    """513 values of a function of a range that is `first` to 0 or 0 to 1, as 32768ths; those
    within are shifted by half of what a line between them misses in the middle (LUTPopulate)."""
    span = -first if first else 1.0
    at = first + span * np.arange(513) / 512
    values = function(at) * 2**15
    middle = rounded((values[1:] + rounded(values[:-1])) / 2)
    missed = middle - rounded(function(at[:-1] + span / 1024) * 2**15)
    table: Array = rounded(values)
    table[:-1] -= rounded(missed / 2)
    return table.clip(-(2**15), 2**15 - 1).astype(np.int16)
