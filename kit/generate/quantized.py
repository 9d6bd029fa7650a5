"""Real multipliers as integers, exactly as LiteRT prepares its reference kernels.

Source: TensorFlow Lite, `kernels/internal/quantization_util.cc` (QuantizeMultiplier,
PreprocessSoftmaxScaling, CalculateInputRadius) and `kernels/kernel_util.cc`
(PopulateConvolutionQuantizationParams, CalculateActivationRangeQuantized).
"""

import math

import numpy as np

from kit.model import Operator, Tensor

SOFTMAX_INTEGER_BITS = 5
INT8 = (-128, 127)


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


def dense_multipliers(x: Tensor, weights: Tensor, y: Tensor) -> list[tuple[int, int]]:
    """One (multiplier, shift) for input_scale * weight_scale / output_scale of each channel."""
    if weights.scales.size == 1:
        product = float(np.float32(x.scale) * weights.scales[0])  # LiteRT multiplies in float32
        return [quantize_multiplier(product / y.scale)]
    return [quantize_multiplier(x.scale * float(scale) / y.scale) for scale in weights.scales]


def softmax_scaling(beta: float, input_scale: float) -> tuple[int, int, int]:
    """How the softmax kernel scales a difference: multiplier, left shift, smallest difference."""
    real = min(beta * input_scale * 2 ** (31 - SOFTMAX_INTEGER_BITS), 2.0**31 - 1)
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
