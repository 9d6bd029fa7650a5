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
REAL_RANGES = {  # of a fused activation
    "NONE": (-math.inf, math.inf),
    "RELU": (0.0, math.inf),
    "RELU_N1_TO_1": (-1.0, 1.0),
    "RELU6": (0.0, 6.0),
}


def int8_range(activation: str, y: Tensor) -> tuple[int, int]:
    """The range of a fused activation as int8 values of its output."""
    steps = (np.array(REAL_RANGES[activation], np.float32) / np.float32(y.scale)).clip(-1e6, 1e6)
    low, high = (_rounded(steps) + y.zero_point).clip(*INT8)
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


def _edges(
    real: float, sums: tuple[int, int], steps: tuple[int, int]
) -> Iterator[tuple[int, int, int]]:
    """For each step the first sum that rounds to it, s * multiplier >= step - 1/2, and the last
    that does not, -s * multiplier > 1/2 - step: the factor, the half steps, and 1 for "more than".
    """
    lowest, highest = sums
    wanted = np.arange(steps[0] + 1, steps[1] + 1, dtype=np.int64)
    near = np.clip(np.ceil((wanted - 0.5) / real), -(2.0**40), 2.0**40).astype(np.int64)
    reached = [_rounded((near + offset) * real) >= wanted for offset in (-1, 0, 1)]
    first = near + 2 - np.sum(reached, axis=0, dtype=np.int64)
    for step, sum_ in zip(wanted.tolist(), first.tolist(), strict=True):
        if sum_ <= highest:
            yield max(sum_, lowest), 2 * step - 1, 0
        if sum_ - 1 >= lowest:
            yield -min(sum_ - 1, highest), 1 - 2 * step, 1


def _rounded(real: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """C's round(): halves away from zero."""
    whole = np.trunc(real)
    rounded: npt.NDArray[Any] = whole + np.where(abs(real - whole) >= 0.5, np.sign(real), 0)
    return rounded
