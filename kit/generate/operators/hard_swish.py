"""HARD_SWISH: x * relu6(x + 3) / 6, in 16 bits.

Source of the integers: LiteRT, `kernels/internal/reference/hard_swish.h`, and HardSwishPrepare.
"""

import numpy as np

from kit.generate.lookup import Array, apart, by_table, divide_by_power_of_two, high_multiply
from kit.generate.quantized import quantize_multiplier
from kit.generate.step import Step, same_elements
from kit.model import Operator

INT16 = -(2**15), 2**15 - 1
FRACTION_BITS = 7  # of the input's steps
THREE = np.float32(3 / 2**15)  # the step at which x / 3 reaches 1 in 16 bits


def lower(operator: Operator, _optimize: str) -> Step:
    """One call of nn_lookup_int8 or nn_hard_swish_float32.

    Raises Refusal: scales that do not go together.
    """
    x, y = same_elements(operator)
    if x.dtype == "float32":
        return Step("nn_hard_swish_float32", operator, {"elements": x.elements}, {}, in_place=(0,))
    fine = np.float32(x.scale) / np.float32(2**FRACTION_BITS)
    output, output_exponent = _sixteen_bits(fine / np.float32(y.scale))
    share, exponent = _sixteen_bits(fine / THREE)
    if not -15 <= output_exponent <= 0 or not -15 <= exponent < 30:
        raise apart(operator, x, y)

    def values(stored: Array) -> Array:
        real = stored << FRACTION_BITS
        shares = high_multiply((real << max(exponent - 1, 0)).clip(*INT16), share, 15)
        shares = (shares << (exponent > 0)).clip(*INT16)
        shares = divide_by_power_of_two(shares, max(-exponent, 0))
        products = ((shares + 2**15) >> 1) * high_multiply(real, output, 15)
        high = np.sign(products) * (abs(products) >> 15)  # rounded towards 0
        return divide_by_power_of_two(high, -output_exponent)

    return by_table(operator, x, y, values)


def _sixteen_bits(real: np.float32) -> tuple[int, int]:
    """A factor as a multiplier of 15 bits and an exponent: multiplier / 2^15 * 2^exponent."""
    multiplier, shift = quantize_multiplier(min(float(real), 2.0**40))
    return min((multiplier + 2**15) >> 16, INT16[1]), 31 - shift
