"""Real numbers as integers that give what LiteRT's reference kernels give.

Source: LiteRT, `kernels/internal/quantization_util.cc` (QuantizeMultiplier) and
`kernels/kernel_util.cc` (CalculateActivationRangeQuantized).
"""

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from kit.model import Tensor

INT8 = (-128, 127)
STEP_BITS = 22  # below which `one_step` reduces sums; an output of 9 bits lies above them
CORRECTION = 1 << 8  # in the shift of nn_rescale(): halves below zero are rounded down
REAL_RANGES = {  # of a fused activation
    "NONE": (-math.inf, math.inf),
    "RELU": (0.0, math.inf),
    "RELU_N1_TO_1": (-1.0, 1.0),
    "RELU6": (0.0, 6.0),
}


def float_range(activation: str) -> dict[str, float]:
    """The range of a fused activation as a float32 kernel's fields `minimum` and `maximum`."""
    limit = float(np.finfo(np.float32).max)
    minimum, maximum = REAL_RANGES[activation]
    return {"minimum": max(minimum, -limit), "maximum": min(maximum, limit)}


def int8_range(activation: str, y: Tensor) -> tuple[int, int]:
    """The range of a fused activation as stored values of its output: int8, or what else it is."""
    steps = (np.array(REAL_RANGES[activation], np.float32) / np.float32(y.scale)).clip(-1e6, 1e6)
    limits = np.iinfo(y.dtype)
    low, high = (rounded(steps) + y.zero_point).clip(limits.min, limits.max)
    return int(low), int(high)


def quantize_multiplier(real: float) -> tuple[int, int]:
    """A factor of 0 or more as multiplier * 2^-shift: below 2^31, and 1 to 62."""
    fraction, exponent = math.frexp(real)
    multiplier = math.floor(fraction * 2**31 + 0.5)
    if multiplier == 2**31:
        multiplier, exponent = multiplier // 2, exponent + 1
    if exponent < -31:
        multiplier, exponent = 0, 0
    if exponent > 30:
        multiplier, exponent = 2**31 - 1, 30
    return multiplier, 31 - exponent


def exact_multiplier(real: float, sums: tuple[int, int], steps: tuple[int, int]) -> tuple[int, int]:
    """A multiplier and shift with which integers round every reachable sum as doubles do.

    LiteRT's reference kernels round(sum * real) in double, halves away from zero; 31 bits of `real`
    and halves up give another result at ties (scales that are powers of two times the same number
    make many). A multiplier that is a little larger rounds halves away from zero on both sides:
    the nearest to `real` that steps up at every threshold is taken.

    `sums` are the least and the greatest sum that a layer can reach, inside int32; `steps` the
    least and the greatest result that matters; what lies outside is cut off. OverflowError where
    there is no such pair: sums of 2^24 and more may want more than 31 bits, and doubles may
    contradict themselves: with real = 24.5 / 3 they round 3 * real up, and 15 * real, a tie too,
    down.
    """
    multiplier, shift = quantize_multiplier(real)
    edges = list(_edges(real, sums, steps))
    for halvings in range(min(2, shift)):  # the next one above 2^31 - 1 has one bit less
        shift -= halvings
        least, greatest = 0, 2**31 - 1
        for factor, half_steps, strictly in edges:
            bound = (half_steps << (shift - 1)) + strictly
            if factor > 0:  # factor * multiplier must reach the bound
                least = max(least, -(-bound // factor))
            elif factor < 0:
                greatest = min(greatest, bound // factor)
        if least <= greatest:
            return min(max(multiplier >> halvings, least), greatest), shift
    raise OverflowError("no multiplier of 31 bits rounds all of them as LiteRT's doubles do")


def twice_rounded(real: float, largest: int, zero_point: int) -> tuple[int, tuple[int, int, int]]:
    """How a convolution's kernel (nn_rescale() in fixed_point.h) makes outputs of sums as LiteRT's
    MultiplyByQuantizedMultiplier does, which rounds twice: a power of two by which the weights and
    the bias, and so the sums, are to be multiplied; and multiplier, rounding and shift.

    `largest` is the largest magnitude that a sum can reach; `zero_point` the output's.
    Raises OverflowError: 32 bits do not hold what is computed.
    """
    return rescaling(quantize_multiplier(real), largest, zero_point)


def rescaling(
    scale: tuple[int, int], largest: int, zero_point: int
) -> tuple[int, tuple[int, int, int]]:
    """As `twice_rounded`, of a factor that is multiplier * 2^-shift."""
    multiplier, shift = scale
    left, right = max(0, 31 - shift), max(0, shift - 31)
    factor, half = 2 << left, (1 << right) >> 1
    rounded_once = ((factor * largest * multiplier) >> 32) + 1
    if rounded_once < half:
        return 2, (0, zero_point, 0)
    rounding = half + (zero_point << right)
    if max(factor * largest, rounded_once + abs(rounding) + 1) >= 2**31:
        raise OverflowError(f"sums up to {largest:,} times {multiplier * 2.0**-shift:g}")
    return factor, (multiplier, rounding, right | (CORRECTION if right else 0))


def one_step(
    real: float, bias: int, reach: tuple[int, int], zero_point: int
) -> tuple[int, tuple[int, int, int]]:
    """As `twice_rounded`, for a channel that training left unused: with a weight scale near 0 its
    bias is huge, and what is added to it, within `reach`, moves the output by one step or none.

    The result is another bias, with which sums under that step are below zero, for a factor of 2;
    and multiplier, rounding and shift. Raises OverflowError: there are more steps.
    """
    lowest, highest = bias + reach[0], bias + reach[1]
    high = _twice(highest, real)
    if real >= 1 or high - _twice(lowest, real) > 1:
        raise OverflowError(f"sums up to {max(-lowest, highest):,} times {real:g}")
    step, below = highest, lowest - 1  # the first sum that gives `high` lies above `below`
    while step - below > 1:
        middle = (step + below) // 2
        step, below = (middle, below) if _twice(middle, real) == high else (step, middle)
    halvings = max(1, max(highest - step, step - lowest).bit_length() - STEP_BITS + 1)
    output = min(max(high + zero_point, INT8[0] - 1), INT8[1] + 1)
    numbers = (1 << (31 - halvings), output << STEP_BITS, STEP_BITS)
    return bias - step - (1 << (halvings - 1)), numbers


def _twice(value: int, real: float) -> int:
    """MultiplyByQuantizedMultiplier of LiteRT, of a factor below 1."""
    multiplier, shift = quantize_multiplier(real)
    high = (value * multiplier + 2**30) >> 31  # SaturatingRoundingDoublingHighMul: halves up
    half, right = (1 << max(shift - 31, 0)) >> 1, max(shift - 31, 0)
    return (high + half - (high < 0 < right)) >> right  # RoundingDivideByPOT: halves away from 0


def _edges(
    real: float, sums: tuple[int, int], steps: tuple[int, int]
) -> Iterator[tuple[int, int, int]]:
    """For each step the first sum that rounds to it, s * multiplier >= step - 1/2, and the last
    that does not, -s * multiplier > 1/2 - step: the factor, the half steps, and 1 for "more than".
    """
    lowest, highest = sums
    wanted = np.arange(steps[0] + 1, steps[1] + 1, dtype=np.int64)
    near = np.clip(np.ceil((wanted - 0.5) / real), -(2.0**40), 2.0**40).astype(np.int64)
    reached = [rounded((near + offset) * real) >= wanted for offset in (-1, 0, 1)]
    first = near + 2 - np.sum(reached, axis=0, dtype=np.int64)
    for step, sum_ in zip(wanted.tolist(), first.tolist(), strict=True):
        if sum_ <= highest:
            yield max(sum_, lowest), 2 * step - 1, 0
        if sum_ - 1 >= lowest:
            yield -min(sum_ - 1, highest), 1 - 2 * step, 1


def rounded(real: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """C's round(): halves away from zero."""
    whole = np.trunc(real)
    rounded: npt.NDArray[Any] = whole + np.where(abs(real - whole) >= 0.5, np.sign(real), 0)
    return rounded
