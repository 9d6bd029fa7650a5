"""DEPTHWISE_CONV_2D: every channel of the input is filtered by itself.

Source of the integers: LiteRT, `kernels/internal/reference/integer_ops/depthwise_conv.h`.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from kit.generate.operators.conv_2d import DOUBLINGS, doubled_channels
from kit.generate.operators.window import window_fields
from kit.generate.quantized import CORRECTION, float_range, int8_range
from kit.generate.step import Refusal, Step, ends, name_of
from kit.generate.weighted import arithmetic_of, bias_of, weights_of
from kit.model import Operator

SHARE = 7  # of the bytes of input and output, what widened lines may take for speed
GENERAL = ("nn_depthwise_conv_2d_int8", 0, None)
UP_SHIFT = 11  # that of the fast kernels where what is below zero is cut off


def lower(operator: Operator, optimize: str) -> Step:
    """One call of a kernel for 3x3, which is fast, or of a general one.

    Raises Refusal: weights, bias, scales, input and output do not belong together, or sums that
    cannot be computed exactly in 32 bits.
    """
    x, y = ends(operator)
    weights = weights_of(operator, 4, axis=3)
    assert weights.data is not None
    kind = arithmetic_of(operator, weights, ("int8", "float32"))
    bias = bias_of(operator, y.shape[-1], kind)
    one, height, width, outputs = weights.shape
    window = window_fields(operator, height, width)
    if one != 1 or outputs != y.shape[3] or outputs % x.shape[3]:
        raise Refusal(f"DEPTHWISE_CONV_2D takes weights {weights.shape} to {name_of(x)}.")
    fields: dict[str, Any] = {"window": window, "depth_multiplier": outputs // x.shape[3]}
    macs = y.elements * height * width
    if kind == "float32":
        constants = {"weights": weights.data, "bias": bias}
        reals = fields | float_range(operator.activation)
        return Step("nn_depthwise_conv_2d_float32", operator, reals, constants, macs)
    minimum, maximum = int8_range(operator.activation, y)
    fields |= {"input_zero_point": x.zero_point, "minimum": minimum, "maximum": maximum}
    channels = doubled_channels(operator, weights, bias, 3)
    kernel, strip, scratch = _fast(
        fields, 0 if optimize in ("ram", "flash") else max(2048, (x.bytes + y.bytes) // SHARE)
    )
    if scratch and not fast_numbers(channels, weights.data, minimum >= y.zero_point):
        kernel, strip, scratch = GENERAL
    arrays: dict[str, npt.NDArray[Any]] = {"weights": weights.data, "channels": channels}
    return Step(kernel, operator, fields | {"strip": strip}, arrays, macs, scratch)


def fast_numbers(channels: npt.NDArray[np.int32], weights: npt.NDArray[Any], cut_off: bool) -> bool:
    """Make the table's numbers such as depthwise_conv_2d_3x3.h asks for; False if they cannot be.
    `cut_off` is whether what is below the output's zero point is cut off."""
    bias, multiplier, rounding, shift = channels.astype(np.int64).T
    unused = multiplier == 0
    rounding[unused] = 2 * rounding[unused] + 1  # the same, shifted by 1, also with 1 less
    shift[unused] = 1 << DOUBLINGS | 1
    right = shift & 0xFF
    if not right.all():
        return False
    more = np.clip(UP_SHIFT - right, 1, 7)  # doublings; 8 in all take weights to 16 bits
    largest = abs(bias) + (abs(weights.astype(np.int64)).sum(axis=(0, 1, 2)) << 8) << more
    high = (np.minimum(largest, 2**31) * multiplier >> 32) + (2 * abs(rounding) + 1 << more - 1)
    up = cut_off & (right + more == UP_SHIFT) & (shift >> DOUBLINGS == 1)
    up &= (largest < 2**31) & (high < 2**31 - 1)
    channels[:, 2] = rounding
    channels[:, 3] = np.where(up, shift & ~CORRECTION, shift | CORRECTION)
    return True


def _fast(fields: dict[str, Any], most: int) -> tuple[str, int, int | None]:
    """A kernel; how many lines of the output it makes at a time where it is a fast one; and the
    bytes of the input's lines that it widens for them, four channels at once.

    Two outputs of a line are made at once. Lines run along the longer side of the output, or else
    along the one whose stride is 1.
    """
    names, window = ("output", "kernel", "stride", "dilation"), fields["window"]
    sides = [[window[f"{name}_{side}"] for name in names] for side in ("height", "width")]
    fits = all(
        kernel == 3 and stride <= 2 and dilation == 1 for _, kernel, stride, dilation in sides
    )
    if not fits or fields["depth_multiplier"] > 1 or fields["window"]["input_channels"] < 4:
        return GENERAL
    (lines, _, across, _), (length, _, along, _) = sorted(
        sides, key=lambda side: (side[2] == 1, side[0])
    )
    pairs = -(-length // 2)
    if along == 2:
        pair_bytes = 64 * (pairs + 1)  # of lines of the input
        strip = _strip_lines(lines, most // pair_bytes - 1)
        return "nn_depthwise_conv_2d_3x3_stride_2_int8", strip, pair_bytes * (strip + 1)
    line_bytes = 4 * 2 * (2 * pairs + 2)
    strip = _strip_lines(lines, (most // line_bytes - 3) // across + 1)
    return "nn_depthwise_conv_2d_3x3_int8", strip, line_bytes * ((strip - 1) * across + 3)


def _strip_lines(lines: int, most: int) -> int:
    """The lines of a strip, at most so many where that is one or more: as few as make no strip more
    of all lines."""
    strips = -(-lines // max(1, most))
    return -(-lines // strips)
