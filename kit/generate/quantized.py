"""Real multipliers as integers that give what LiteRT's reference kernels give.

Source: LiteRT, `kernels/internal/quantization_util.cc` (QuantizeMultiplier,
PreprocessSoftmaxScaling, CalculateInputRadius), `kernels/kernel_util.cc`
(CalculateActivationRangeQuantized) and `kernels/internal/reference/integer_ops/fully_connected.h`.
"""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from kit.generate.check import INT8
from kit.model import Operator, Tensor

SOFTMAX_INTEGER_BITS = 5


def quantize_multiplier(real: float) -> tuple[int, int]:
    """`real` as multiplier * 2^-shift, with a 31-bit multiplier.

    Args:
        real: a factor of 0 or more.

    Returns:
        multiplier, 0 to 2^31 - 1; shift, 1 to 62.
    """
    fraction, exponent = math.frexp(real)
    multiplier = math.floor(fraction * 2**31 + 0.5)
    if multiplier == 2**31:
        multiplier, exponent = multiplier // 2, exponent + 1
    if exponent < -31:
        multiplier, exponent = 0, 0
    if exponent > 30:
        multiplier, exponent = 2**31 - 1, 30
    return multiplier, 31 - exponent


@dataclass(frozen=True)
class Thresholds:
    """Where a rounded product steps up: sums of at least `up[i]` give `steps[i]` or more, and sums
    of at most `down[i]` less. int64 each, all sums among those that a layer can reach."""

    up: npt.NDArray[np.int64]
    up_steps: npt.NDArray[np.int64]
    down: npt.NDArray[np.int64]
    down_steps: npt.NDArray[np.int64]

    def met(self, multiplier: int, shift: int) -> bool:
        """Whether nn_requantize() with this pair steps up where LiteRT does."""

        def requantized(sums: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
            return (sums * multiplier + (1 << (shift - 1))) >> shift

        reached = (requantized(self.up) >= self.up_steps).all()
        return bool(reached and (requantized(self.down) < self.down_steps).all())

    def multipliers(self, shift: int) -> tuple[int, int]:
        """The least and the greatest multiplier that meets them all; the least is greater than the
        greatest where none does."""
        least, greatest = 0, 2**31 - 1
        for sums, steps, reach in ((self.up, self.up_steps, 1), (self.down, self.down_steps, 0)):
            for value, step in zip(sums.tolist(), steps.tolist(), strict=True):
                edge = (2 * step - 1) << (shift - 1)  # value * multiplier >= edge, or < edge
                if value and (value > 0) == bool(reach):
                    bound = -(-edge // value) if reach else edge // value + 1
                    least = max(least, bound)
                elif value:
                    bound = edge // value if reach else -(-edge // value) - 1
                    greatest = min(greatest, bound)
        return least, greatest


def _rounded(real: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """C's round(): halves away from zero."""
    whole = np.trunc(real)
    return whole + np.where(np.abs(real - whole) >= 0.5, np.sign(real), 0)


def thresholds(real: float, sums: tuple[int, int], steps: tuple[int, int]) -> Thresholds:
    """Where round(sum * real), in double, steps up.

    Args:
        real: the factor.
        sums: the least and the greatest sum that a layer can reach, inside int32.
        steps: the least and the greatest result that matters; what lies outside is cut off.
    """
    lowest, highest = sums
    wanted = np.arange(steps[0] + 1, steps[1] + 1, dtype=np.int64)
    near = np.clip(np.ceil((wanted - 0.5) / real), -(2.0**40), 2.0**40).astype(np.int64)
    reached = [_rounded((near + offset) * real) >= wanted for offset in (-1, 0, 1)]
    first = near + 2 - np.sum(reached, axis=0, dtype=np.int64)
    up, down = np.maximum(first, lowest), np.minimum(first - 1, highest)
    ups, downs = up <= highest, down >= lowest
    return Thresholds(up[ups], wanted[ups], down[downs], wanted[downs])


def exact_multiplier(
    real: float, sums: tuple[int, int], steps: tuple[int, int]
) -> tuple[int, int] | None:
    """A multiplier and shift with which integers round every reachable sum as doubles do.

    LiteRT's reference kernels round(sum * real) in double, halves away from zero; 31 bits of `real`
    and halves up give another result at ties (scales that are powers of two times the same number
    make many). A multiplier that is a little larger rounds halves away from zero on both sides:
    the nearest to `real` that steps up at every threshold is taken.

    Returns:
        the pair, or None where there is none: sums of 2^24 and more may want more than 31 bits.
    """
    wanted = thresholds(real, sums, steps)
    multiplier, shift = quantize_multiplier(real)
    if wanted.met(multiplier, shift):
        return multiplier, shift
    for halvings in range(min(2, shift)):  # the next one above 2^31 - 1 has one bit less
        least, greatest = wanted.multipliers(shift - halvings)
        if least <= greatest:
            return min(max(multiplier >> halvings, least), greatest), shift - halvings
    return None


def dense_scales(x: Tensor, weights: Tensor, y: Tensor) -> list[float]:
    """input_scale * weight_scale / output_scale of each channel, or of all where there is one.

    In double, per channel and per tensor alike: FullyConnected and FullyConnectedPerChannel of
    `reference/integer_ops/fully_connected.h`, which take the scales instead of a multiplier; so
    behave LiteRT 2.1.0 to 2.3.0. (Its Prepare makes a multiplier of a float32 product too; the
    optimized kernels use that one.)
    """
    return [x.scale * float(scale) / y.scale for scale in weights.scales]


def softmax_scaling(beta: float, input_scale: float) -> tuple[int, int, int] | None:
    """How the softmax kernel scales a difference: multiplier, left shift, smallest difference.

    None where LiteRT ends the process (QuantizeMultiplierGreaterThanOne): beta * input_scale is
    2^-26 or less.
    """
    real = min(beta * input_scale * 2 ** (31 - SOFTMAX_INTEGER_BITS), 2.0**31 - 1)
    if not real > 1:
        return None
    multiplier, shift = quantize_multiplier(real)
    left_shift = 31 - shift
    largest = (2**SOFTMAX_INTEGER_BITS - 1) * 2 ** (31 - SOFTMAX_INTEGER_BITS) / 2**left_shift
    return multiplier, left_shift, -math.floor(largest)


def real_range(operator: Operator) -> tuple[float, float]:
    """The range of an operator's fused activation as real numbers."""
    unlimited = math.inf
    ranges = {
        "NONE": (-unlimited, unlimited),
        "RELU": (0.0, unlimited),
        "RELU_N1_TO_1": (-1.0, 1.0),
        "RELU6": (0.0, 6.0),
    }
    return ranges[operator.activation]


def int8_range(operator: Operator, y: Tensor) -> tuple[int, int]:
    """The range of an operator's fused activation as int8 values of its output."""
    low, high = real_range(operator)

    def stored(real: float) -> int:
        if math.isinf(real):
            return INT8[0] if real < 0 else INT8[1]
        steps = float(np.float32(real) / np.float32(y.scale))
        rounded = math.copysign(math.floor(abs(steps) + 0.5), steps)  # halves away from zero
        return int(min(max(rounded + y.zero_point, INT8[0]), INT8[1]))

    return stored(low), stored(high)
