"""ADD: the sum of two tensors, such as the two paths of a residual block.

Source of the integers: LiteRT, `kernels/internal/reference/integer_ops/add.h`, and Prepare in
`kernels/add.cc`.
"""

from dataclasses import replace

from kit.generate.broadcast import operands, paired, too_far
from kit.generate.quantized import float_range, int8_range, twice_rounded
from kit.generate.step import Step
from kit.model import Operator

FINE_BITS = 20  # of a fraction that the inputs get before they are added
LARGEST = (255 << FINE_BITS) + 1  # of an input, and of the sum, as their factors are at most 1/2


def lower(operator: Operator, _optimize: str) -> Step:
    """One call of nn_add_int8 or nn_add_constant_int8, or of their float32.

    Raises Refusal: types, shapes or scales that do not go together.
    """
    first, second, y = operands(operator)
    if y.dtype == "float32":
        return paired(operator, "nn_add", float_range(operator.activation))
    if first.scale < second.scale:
        operator, first, second = replace(operator, inputs=(second, first)), second, first
    minimum, maximum = int8_range(operator.activation, y)
    fields = {"first_zero_point": first.zero_point, "second_zero_point": second.zero_point}
    fields |= {"output_zero_point": y.zero_point, "minimum": minimum, "maximum": maximum}
    twice = 2 * first.scale
    reals = {"second": second.scale / twice, "output": twice / (2**FINE_BITS * y.scale)}
    for name, real in reals.items():
        if not 0 < real < 1 - 2.0**-32:  # LiteRT ends the process: its 31 bits say 1 or more
            raise too_far(operator, y)
        _, parts = twice_rounded(real, LARGEST, 0)
        named = (f"{name}_multiplier", f"{name}_rounding", f"{name}_shift")
        fields |= dict(zip(named, parts, strict=True))
    return paired(operator, "nn_add", fields)
