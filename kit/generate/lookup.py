"""A function of one 8-bit value as a table of its 256 results, in LiteRT's arithmetic.

Source of the integers: LiteRT, `kernels/internal/common.cc` (MultiplyByQuantizedMultiplier, which
rounds twice) and `kernels/internal/common.h` (LUTPopulate, which computes in float32).
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from kit.generate.quantized import quantize_multiplier, rounded
from kit.generate.step import TO_INT8, Refusal, Step, name_of
from kit.model import Operator, Tensor

Array = npt.NDArray[Any]
Function = Callable[[Array], Array]


def by_table(operator: Operator, x: Tensor, y: Tensor, values: Function) -> Step:
    """One call of nn_lookup_int8: 8-bit values of x become those of y.

    `values` makes of all 256 stored values less their zero point (int64) those of y less its own,
    as integers of any size. Raises Refusal: they do not fit LiteRT's 32 bits, or have more than 8.
    """
    if x.bytes != x.elements:
        raise Refusal(f"{operator.name} works on {x.dtype}, not on int8.", next_step=TO_INT8)
    stored = np.arange(256, dtype=np.uint8).view(x.dtype).astype(np.int64)
    try:
        with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
            results = _in_32_bits(values(stored - x.zero_point) + y.zero_point)
    except OverflowError:
        raise apart(operator, x, y) from None
    limits = np.iinfo(y.dtype)
    table = results.clip(limits.min, limits.max).astype(y.dtype).view(np.uint8)
    return Step(
        "nn_lookup_int8", operator, {"elements": x.elements}, {"table": table}, in_place=(0,)
    )


def apart(operator: Operator, x: Tensor, y: Tensor) -> Refusal:
    """The refusal of scales with which LiteRT's integers overflow."""
    return Refusal(
        f"the scales of {operator.name} {name_of(y)} do not go together.",
        f"{x.scale:g} for what it takes and {y.scale:g} for what it makes lead beyond 32 bits.",
        "Convert anew, with a representative data set of real inputs.",
    )


def rescaled(values: Array, real: float) -> Array:
    """values * real as LiteRT's integers give it. Raises OverflowError: 32 bits are too few."""
    multiplier, shift = quantize_multiplier(real)
    exponent = 31 - shift
    products = high_multiply(_in_32_bits(values << max(exponent, 0)), multiplier, 31)
    return divide_by_power_of_two(products, max(-exponent, 0))


def _in_32_bits(values: Array) -> Array:
    if abs(values).max() >= 2**31:
        raise OverflowError("LiteRT computes in 32 bits")
    return values


def high_multiply(a: Array, b: int, bits: int) -> Array:
    """a * b / 2^bits, rounded to nearest, halves up, for 31 or 15 bits (gemmlowp's
    SaturatingRoundingDoublingHighMul, but for the one product that saturates)."""
    products = a * b
    nudged = products + np.where(products >= 0, 1 << (bits - 1), 1 - (1 << (bits - 1)))
    return np.where(nudged >= 0, nudged >> bits, -(-nudged >> bits))


def divide_by_power_of_two(values: Array, exponent: int) -> Array:
    """values / 2^exponent, rounded to nearest, halves away from zero."""
    half = (1 << exponent) >> 1
    divided: Array = np.where(
        values < 0, -((half - values) >> exponent), (values + half) >> exponent
    )
    return divided


def in_float32(function: Function, x: Tensor, y: Tensor) -> Function:
    """A function of real numbers as one for `by_table`: from float32 to float32, as LiteRT takes it
    from the C library. Each value is the nearest float32 to the double, as in the best of those."""

    def values(stored: Array) -> Array:
        reals = np.float32(x.scale) * stored.astype(np.float32)
        made = function(reals.astype(np.float64)).astype(np.float32)
        steps: Array = rounded(made * (np.float32(1) / np.float32(y.scale)))
        return np.nan_to_num(steps, nan=np.inf).clip(-(2.0**40), 2.0**40).astype(np.int64)

    return values
