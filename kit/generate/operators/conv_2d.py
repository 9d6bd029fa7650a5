"""CONV_2D: each output is the sum of a window of the input times a filter, one filter a channel.

Source of the integers: LiteRT, `kernels/internal/reference/integer_ops/conv.h` and
`kernels/internal/common.cc` (MultiplyByQuantizedMultiplier).
"""

import math
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from kit.generate.operators.window import LARGEST, pool_fields, window_fields
from kit.generate.quantized import (
    INT8,
    float_range,
    int8_range,
    one_step,
    quantize_multiplier,
    twice_rounded,
)
from kit.generate.step import Refusal, Step, ends, name_of
from kit.generate.unpacking import is_packed, small_weights, unpacking_of
from kit.generate.weighted import (
    Array,
    arithmetic_of,
    bias_of,
    int16_scales,
    is_short,
    weights_of,
)
from kit.model import Operator, Tensor

FEW = 10  # NN_CONV_2D_FEW
POSITIONS = {"ram": 16}  # of the window, packed at once where taps are few; else:
MANY_POSITIONS = 64
MOST_COPIED = 1024  # bytes of a layer's weights: what RAM they may take
WAITS = 5  # cycles for 16 bytes of the flash, at the most MHz
COPYING = 4  # cycles a word, in nn_conv_2d_copy()
SHIFT = 3  # its column in the table of channels
DOUBLINGS = 9  # from this bit of a shift on: how often the products are doubled
TWO, FOUR, FEWEST = (f"nn_conv_2d_{name}int8" for name in ("", "four_", "few_"))
SMALL = [f"nn_conv_2d_small_{name}" for name in ("int8", "bits", "ternary")]
SIDES = ("height", "width")
NO_POOLING = dict.fromkeys(("pool_height", "pool_width"), 1)
NO_POOLING |= dict.fromkeys(("pool_stride_height", "pool_stride_width"), 1)

Integers = npt.NDArray[np.int64]
Fields = dict[str, Any]
Parts = tuple[dict[str, Any], dict[str, Any]]


def lower(operator: Operator, optimize: str) -> Step:
    """One call of nn_conv_2d_int8; of nn_conv_2d_four_int8 to save time, nn_conv_2d_few_int8 where
    taps are few, or one of `SMALL` to save flash; of nn_conv_2d_float32 or _int16.

    Raises Refusal: weights, bias, scales, input and output do not belong together, channels in
    groups, or sums that cannot be computed exactly in 32 bits.
    """
    x, y = ends(operator)
    weights = weights_of(operator, 4)
    kind = arithmetic_of(operator, weights, ("int8", "float32", "int16"))
    bias = bias_of(operator, weights.shape[0], kind)
    fields = {"window": window_fields(operator, *weights.shape[1:3])}
    if weights.shape[0] != y.shape[3]:
        raise Refusal(f"CONV_2D makes {y.shape} with {weights.shape[0]} filters.")
    if weights.shape[3] != x.shape[3]:
        raise Refusal(
            f"filters of CONV_2D {name_of(y)} take {weights.shape[3]} of {x.shape[3]} channels.",
            "There is no kernel for a convolution whose channels are in groups.",
            "Leave out `groups` of Conv2D, or split the layer into one for each group.",
        )
    if kind == "int8":
        return _int8(operator, optimize, weights, bias, fields)
    fields, arrays = (_float32 if kind == "float32" else _int16)(operator, weights, bias, fields)
    arrays |= {"weights": weights.data, "bias": bias}
    return Step(f"nn_conv_2d_{kind}", operator, fields, arrays, _macs(operator, weights))


def _float32(operator: Operator, _weights: Tensor, _bias: Array, fields: Fields) -> Parts:
    return fields | float_range(operator.activation), {}


def _int16(operator: Operator, weights: Tensor, bias: Array, fields: Fields) -> Parts:
    """Sums of 64 bits are multiplied by the upper 15 bits of a multiplier, those of 32 by all."""
    scales = int16_scales(operator, weights, bias)
    pairs = [quantize_multiplier(scale) for scale in scales] * (len(bias) // len(scales))
    if not is_short(operator):
        pairs = [(min((multiplier + 2**15) >> 16, 2**15 - 1), shift) for multiplier, shift in pairs]
    minimum, maximum = int8_range(operator.activation, operator.outputs[0])
    fields |= {"rounds_twice": int(is_short(operator)), "minimum": minimum, "maximum": maximum}
    multiplier, shift = np.array(pairs, np.int32).T
    return fields, {"multiplier": multiplier, "exponent": (31 - shift).astype(np.int8)}


def _int8(operator: Operator, optimize: str, weights: Tensor, bias: Array, fields: Fields) -> Step:
    x, y = ends(operator)
    table, channels = rescaled_filters(operator, weights, bias, 0)
    minimum, maximum = int8_range(operator.activation, y)
    fields |= NO_POOLING | {"input_zero_point": x.zero_point}
    fields |= {"minimum": minimum, "maximum": maximum}
    packed = is_packed(operator, weights)
    if optimize == "flash":
        return _small(operator, weights, bias, fields, packed)

    def arrange(table: Integers) -> npt.NDArray[np.int16]:
        if table.shape[1] > FEW and fields["window"]["dilation_width"] == 1:
            table = _fours_first(table, weights.shape[1])
        return _ordered(_padded(table))

    unpacking, ordered = None, arrange(table)
    if packed:
        unpacking = unpacking_of(weights, _factors(weights, table, 0), arrange, optimize)
        if unpacking is None:
            return _small(operator, weights, bias, fields, packed)
    taps = FEW if table.shape[1] <= FEW else ordered.shape[1] // 2
    fields |= {"taps": taps}
    channels = np.pad(channels, ((0, ordered.size // taps - len(channels)), (0, 0)))
    arrays: dict[str, Array] = {"channels": channels}
    arrays |= {} if packed else {"weights": ordered}
    if weights.elements == x.shape[3] * y.shape[3] and x.shape == (*y.shape[:3], x.shape[3]):
        fields["window"] |= _one_row(fields["window"])
    kernel, macs = FEWEST if taps == FEW else TWO, _macs(operator, weights)
    return _fitted(Step(kernel, operator, fields, arrays, macs, unpacking=unpacking), optimize)


def _macs(operator: Operator, weights: Tensor) -> int:
    return weights.elements * math.prod(operator.outputs[0].shape[1:3])


def _small(operator: Operator, weights: Tensor, bias: Array, fields: Fields, packed: bool) -> Step:
    """One call of a kernel of `SMALL`."""
    kind, own, scratch = "int8", dict[str, int](), None
    assert weights.data is not None
    arrays: dict[str, Array] = {"weights": weights.data}
    if packed:
        kind, own, arrays = small_weights(weights)
        scratch = weights.elements // weights.shape[0]
    arrays |= {"channels": doubled_channels(operator, weights, bias, 0)}
    macs = _macs(operator, weights)
    return Step(f"nn_conv_2d_small_{kind}", operator, fields | own, arrays, macs, scratch)


def _one_row(window: dict[str, int]) -> dict[str, int]:
    """A 1 x 1 convolution's sizes as if the image were one row: fewer ends of rows."""
    pixels = window["input_height"] * window["input_width"]
    if pixels > LARGEST:
        return {}
    heights = dict.fromkeys(("input_height", "output_height"), 1)
    return heights | dict.fromkeys(("input_width", "output_width"), pixels)


def with_pooling(conv: Step, pool: Step, optimize: str) -> Step | None:
    """A step of this file and the MAX_POOL_2D that reads its output as one step, or None where they
    cannot be one: the pooling's windows overlap, reach beyond the image, or are not 2 x 2 where
    taps are few."""
    if conv.kernel not in (TWO, FOUR, FEWEST, *SMALL) or pool.operator.name != "MAX_POOL_2D":
        return None
    fields, pooling = dict(conv.fields), pool_fields(pool.operator)
    window = window_fields(conv.operator, *(fields["window"][f"kernel_{side}"] for side in SIDES))
    for side in SIDES:
        size, stride, made = (pooling[f"{what}_{side}"] for what in ("kernel", "stride", "output"))
        if size > stride or (made - 1) * stride + size > pooling[f"input_{side}"]:
            return None
        fields |= {f"pool_{side}": size, f"pool_stride_{side}": stride}
        window[f"output_{side}"] = made
    fields["window"] = window
    if conv.kernel == FEWEST and (fields["pool_height"], fields["pool_width"]) != (2, 2):
        return None
    limits = int8_range(pool.operator.activation, pool.output)
    fields |= {limit: int(np.clip(fields[limit], *limits)) for limit in ("minimum", "maximum")}
    both = replace(conv.operator, name="CONV_2D + MAX_POOL_2D", outputs=pool.operator.outputs)
    step = replace(conv, operator=both, fields=fields)
    return step if conv.kernel in SMALL else _fitted(step, optimize)


def _fitted(step: Step, optimize: str) -> Step:
    """With what follows from the other fields: the part of the input that a row of outputs covers,
    the kernel, and the scratch of the fast path. That is packed inputs in 16 bits, of a batch, or
    of two or four windows beside their largest sums or outputs and the inputs as bytes; weights
    that are copied, or unpacked; and where windows reach beyond the input a copy of its part."""
    fields = dict(step.fields)
    window, covered, padded = fields["window"], {}, False
    for side, start in zip(SIDES, ("pad_top", "pad_left"), strict=True):
        pool, span = fields[f"pool_{side}"] - 1, window[f"kernel_{side}"] - 1
        covered[side] = pool * window[f"stride_{side}"] + span * window[f"dilation_{side}"] + 1
        step_by = fields[f"pool_stride_{side}"] * window[f"stride_{side}"]
        last = (window[f"output_{side}"] - 1) * step_by + covered[side]
        padded |= window[start] > 0 or last > window[f"input_{side}"]
    rows, columns = covered["height"], last
    taps, positions = fields["taps"], fields["pool_height"] * fields["pool_width"]
    batch = min(window["output_width"], POSITIONS.get(optimize, MANY_POSITIONS) // positions)
    kernel, copied, even = step.kernel, 0, _even(window["output_channels"])
    if kernel == FEWEST:
        scratch = (batch * positions + 1) * 2 * FEW
    else:
        passes = _passes(fields) if optimize != "ram" else 0
        kernel = FOUR if passes else TWO
        if not step.unpacking:
            copied = _copied(step.arrays["weights"].nbytes, passes)
        scratch = 9 * taps + 4 * even + copied
        if kernel == TWO:
            scratch = 5 * taps + (4 if positions > 1 else 2) * even
    if padded or (taps == FEW and window["kernel_height"] > 1):
        scratch += rows * columns * window["input_channels"] + 1
    scratch += step.unpacking.bytes if step.unpacking else 0
    fields |= {"batch": batch, "rows": rows, "columns": columns, "copied": copied}
    return replace(step, kernel=kernel, fields=fields, scratch=scratch)


def _passes(fields: Fields) -> int:
    """How often nn_conv_2d_four_int8 goes through all weights: once for four windows, in 17 cycles
    for 16 products and 2.5 that the core waits for the flash; nn_conv_2d_int8 goes twice as often,
    in 18 cycles and 5. 0 where that takes fewer, or the pooling's windows are not four."""
    pooling = fields["pool_height"], fields["pool_width"]
    outputs = math.prod(fields["window"][f"output_{side}"] for side in SIDES)
    windows = outputs * math.prod(pooling)
    passes, of_two = -(-windows // 4), -(-windows // 2)
    fewer = pooling in ((1, 1), (2, 2)) and passes * 2 * (17 + 2.5) <= of_two * (18 + 5)
    return passes if fewer else 0


def _copied(size: int, passes: int) -> int:
    """How many bytes of weights to copy to scratch first: all `size` or none. A pass over them in
    the flash waits WAITS cycles for each 16 bytes. A copy takes COPYING cycles a word, and waits
    once."""
    saved = (passes - 1) * WAITS * size / 16
    return size if size <= MOST_COPIED and saved > COPYING * size / 4 else 0


def _even(count: int) -> int:
    return count + count % 2


def rescaled_filters(
    operator: Operator, weights: Tensor, bias: Array, axis: int
) -> tuple[Integers, npt.NDArray[np.int32]]:
    """A convolution's weights, shape (channels, taps), each row times a power of 2; and of each
    channel the bias, with the input's zero point in it, multiplier, rounding and shift, as
    nn_rescale() takes them: int32 of shape (channels, 4). `axis` is that of the channels.

    Raises Refusal: weights or sums that do not fit 16 and 32 bits.
    """
    x, y = ends(operator)
    assert weights.data is not None
    table = np.moveaxis(weights.data.astype(np.int64), axis, 0).reshape(weights.shape[axis], -1)
    folded = bias.astype(np.int64) - x.zero_point * table.sum(axis=1)
    lowest = np.minimum(INT8[0] * table, INT8[1] * table).sum(axis=1)
    highest = np.maximum(INT8[0] * table, INT8[1] * table).sum(axis=1)
    channels = np.zeros((len(table), 4), np.int32)
    for row, scale in enumerate(np.broadcast_to(weights.scales, len(table)).tolist()):
        real, reach = x.scale * scale / y.scale, (int(lowest[row]), int(highest[row]))
        largest = abs(int(folded[row])) + (128 + abs(x.zero_point)) * int(abs(table[row]).sum())
        try:
            factor, folded[row], numbers = _scaling(real, int(folded[row]), reach, largest, y)
            if factor * max(table[row].max(), -1 - table[row].min()) >= 2**15:
                raise OverflowError(f"weights times {factor}")
        except OverflowError as limit:
            raise Refusal(
                f"channel {row} of {operator.name} {name_of(y)} does not fit 32 bits: {limit}.",
                f"Its sums reach {largest:,}, and one is {real:g} steps of the output.",
                "Train again with smaller weights and biases, or with more regularization, and "
                "convert anew: the scales do not go together.",
            ) from None
        table[row] *= factor
        channels[row] = factor * folded[row], *numbers
    return table, channels


def doubled_channels(
    operator: Operator, weights: Tensor, bias: Array, axis: int
) -> npt.NDArray[np.int32]:
    """As of `rescaled_filters`, whose weights are those of the model times a power of 2 a channel:
    its exponent stands in the shift, from bit `DOUBLINGS` on, and the weights stay bytes."""
    table, channels = rescaled_filters(operator, weights, bias, axis)
    factors = _factors(weights, table, axis)
    channels[:, SHIFT] |= np.log2(factors).astype(np.int32) << DOUBLINGS
    return channels


def _factors(weights: Tensor, table: Integers, axis: int) -> Integers:
    """Of each channel, what `rescaled_filters` multiplied its weights by to make this table; where
    all are 0 and any will do, that of another."""
    assert weights.data is not None
    plain = np.moveaxis(weights.data.astype(np.int64), axis, 0).reshape(table.shape)
    sums = abs(plain).sum(axis=1)
    factors: Integers = abs(table).sum(axis=1) // np.maximum(sums, 1)
    factors[sums == 0] = factors.max() or 1
    return factors


def _scaling(
    real: float, bias: int, reach: tuple[int, int], largest: int, y: Tensor
) -> tuple[int, int, tuple[int, int, int]]:
    """The factor of a channel's weights and bias, its bias, and the numbers of nn_rescale()."""
    try:
        factor, numbers = twice_rounded(real, largest, y.zero_point)
    except OverflowError:
        if largest >= 2**31:
            raise
        bias, numbers = one_step(real, bias, reach, y.zero_point)
        return 2, bias, numbers
    return factor, bias if numbers[0] else 0, numbers  # times 0, any sum will do


def _fours_first(table: Integers, rows: int) -> Integers:
    """With the taps of each of the window's rows in fours, and then what is left of each."""
    by_row = table.reshape(len(table), rows, -1)
    whole = by_row.shape[2] // 4 * 4
    fours, rests = by_row[:, :, :whole], by_row[:, :, whole:]
    return np.hstack([part.reshape(len(table), -1) for part in (fours, rests)])


def _padded(table: Integers) -> Integers:
    """With zeros behind each row, so that there are `FEW` taps or a multiple of 4, and then an even
    number of rows."""
    rows, taps = table.shape
    if taps <= FEW:
        return np.pad(table, ((0, 0), (0, FEW - taps)))
    return np.pad(table, ((0, rows % 2), (0, -taps % 4)))


def _ordered(table: Integers) -> npt.NDArray[np.int16]:
    """As nn_conv_2d_weight() in conv_2d.h says: a row of each channel, or of each pair."""
    taps = table.shape[1]
    fours = table[:, : taps // 4 * 4].reshape(len(table), -1, 4)[:, :, [0, 2, 1, 3]]
    if taps == FEW:
        ordered = np.hstack([fours.reshape(len(table), -1), table[:, taps // 4 * 4 :]])
    else:
        pairs = fours.reshape(-1, 2, taps // 2, 2).transpose(0, 2, 1, 3)
        ordered = pairs.reshape(len(pairs), -1)
    return ordered.astype(np.int16)
