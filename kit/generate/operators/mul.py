"""MUL: the product of two tensors, such as values and the attention they get.

Source of the integers: LiteRT, `kernels/internal/reference/integer_ops/mul.h`, and Prepare in
`kernels/mul.cc`.
"""

import numpy as np

from kit.generate.broadcast import operands, paired, too_far
from kit.generate.quantized import float_range, int8_range, twice_rounded
from kit.generate.step import Step
from kit.model import Operator

LARGEST = 255 * 255  # of a product


def lower(operator: Operator, _optimize: str) -> Step:
    """One call of nn_mul_int8 or nn_mul_constant_int8, or of their float32.

    Raises Refusal: types, shapes or scales that do not go together.
    """
    first, second, y = operands(operator)
    if y.dtype == "float32":
        return paired(operator, "nn_mul", float_range(operator.activation))
    real = np.float32(first.scale) * np.float32(second.scale) / np.float32(y.scale)
    try:
        factor, parts = twice_rounded(float(real), LARGEST, y.zero_point)
    except OverflowError:
        raise too_far(operator, y) from None
    minimum, maximum = int8_range(operator.activation, y)
    fields = {"first_zero_point": first.zero_point, "second_zero_point": second.zero_point}
    fields |= {"factor": factor, "minimum": minimum, "maximum": maximum}
    fields |= dict(zip(("multiplier", "rounding", "shift"), parts, strict=True))
    return paired(operator, "nn_mul", fields)
