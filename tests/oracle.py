"""An integer model in numpy of what LiteRT's reference kernels compute, for int8 networks.

Written from their definition, one function an operator, and of nothing in kit.generate: what the
generated C is compared with, as LiteRT itself is (tests/generate/test_graphs.py). Sources: LiteRT,
`kernels/internal/reference/` and `kernels/*.cc`, and gemmlowp's `fixedpoint.h`.

Values have the batch first, as many as there are inputs; float32 is rounded where C rounds.
"""

import math

import numpy as np

f32 = np.float32
REAL_RANGES = {"NONE": (-1e9, 1e9), "RELU": (0, 1e9), "RELU6": (0, 6), "RELU_N1_TO_1": (-1, 1)}


def compute(model, inputs):
    """What every operator makes of `inputs` (n, *the input's without its batch), by the index of
    the tensor: arrays (n, *its shape without its batch) of its type."""
    values = {model.input.index: inputs}
    for operator in model.operators:
        y = operator.outputs[0]
        xs = [
            None if x is None else values[x.index] if x.data is None else x.data
            for x in operator.inputs
        ]
        made = RULES[operator.name](operator, *xs)
        values[y.index] = stored(made, y).reshape(len(inputs), *y.shape[1:])
    return values


def stored(values, y):
    """Cut off at the ends of the tensor's type."""
    if y.dtype == "float32":
        return np.asarray(values, f32)
    return np.clip(values, np.iinfo(y.dtype).min, np.iinfo(y.dtype).max).astype(y.dtype)


# Fixed point: gemmlowp's, in int64.


def halves_away(real):
    """C's round()."""
    whole = np.trunc(real)
    return whole + np.where(np.abs(real - whole) >= 0.5, np.sign(real), 0)


def high_product(a, b, bits=32):
    """a * b / 2^(bits - 1), rounded to the nearest: SaturatingRoundingDoublingHighMul."""
    product = np.multiply(a, b, dtype=np.int64)
    nudged = product + np.where(product >= 0, 1 << bits - 2, 1 - (1 << bits - 2))
    rounded = np.sign(nudged) * (np.abs(nudged) >> bits - 1)
    return np.minimum(rounded, (1 << bits - 1) - 1)


def shifted_right(x, exponent):
    """x / 2^exponent, halves away from zero: RoundingDivideByPOT."""
    x = np.asarray(x, np.int64)
    mask = (1 << exponent) - 1
    return (x >> exponent) + ((x & mask) > (mask >> 1) + (x < 0))


def quantized(real):
    """A factor as 31 bits and an exponent: QuantizeMultiplier."""
    fraction, exponent = math.frexp(real)
    whole = int(halves_away(fraction * 2.0**31))
    if abs(whole) == 2**31:
        whole, exponent = whole // 2, exponent + 1
    return (0, 0) if exponent < -31 else (whole, exponent)


def multiplied(x, multiplier, exponent):
    """x * multiplier * 2^(exponent - 31), rounded twice: MultiplyByQuantizedMultiplier."""
    wide = (np.asarray(x, np.int64) << max(exponent, 0)).astype(np.int32)
    return shifted_right(high_product(wide, multiplier), max(-exponent, 0))


def scaled(x, real):
    return multiplied(x, *quantized(float(real)))


def activated(values, operator):
    """Cut off at the ends of the fused activation, in steps of the output."""
    y = operator.outputs[0]
    return limited(values, y, REAL_RANGES[operator.activation])


def limited(values, y, reals):
    low, high = halves_away(f32(reals) / f32(y.scale)) + y.zero_point
    return np.minimum(np.maximum(values, low), high)


def centered(x, tensor):
    return x.astype(np.int64) - tensor.zero_point


def rescaled(operator, x, real):
    return scaled(centered(x, operator.inputs[0]), real) + operator.outputs[0].zero_point


# Layers with weights


def fully_connected(operator, x, weights, bias=None):
    """Sums to outputs in double, rounded once."""
    a, w, y = operator.inputs[0], operator.inputs[1], operator.outputs[0]
    sums = centered(x.reshape(len(x), -1), a) @ weights.astype(np.int64).T
    sums += 0 if bias is None else bias
    factors = np.float64(a.scale) * w.scales.astype(np.float64) / np.float64(y.scale)
    return activated(halves_away(sums * factors) + y.zero_point, operator)


def windows(x, operator, height, width):
    """For each tap of a kernel: its row, its column, what it reads at each output (0 where that is
    padding), and where it reads the input. `x` is (n, h, w, c)."""
    options, (_, rows, columns, *_) = operator.options, operator.outputs[0].shape
    steps = [options[f"stride_{side}"] for side in "hw"]
    spread = [options.get(f"dilation_{side}_factor", 1) for side in "hw"]
    before = [
        max((outs - 1) * step + (size - 1) * gap + 1 - ins, 0) // 2 * (options["padding"] == 0)
        for outs, ins, size, step, gap in zip(
            (rows, columns), x.shape[1:3], (height, width), steps, spread, strict=True
        )
    ]
    for i in range(height):
        for j in range(width):
            h = np.arange(rows) * steps[0] + i * spread[0] - before[0]
            w = np.arange(columns) * steps[1] + j * spread[1] - before[1]
            inside = np.outer((h >= 0) & (h < x.shape[1]), (w >= 0) & (w < x.shape[2]))
            read = x[:, h.clip(0, x.shape[1] - 1)][:, :, w.clip(0, x.shape[2] - 1)]
            yield i, j, np.where(inside[..., None], read, 0), inside[..., None]


def convolved(operator, sums, bias):
    """Sums to outputs, a factor a channel, rounded twice."""
    (a, w), y = operator.inputs[:2], operator.outputs[0]
    sums = sums + (0 if bias is None else bias)
    for channel in range(sums.shape[-1]):
        scale = w.scales[channel if w.scales.size > 1 else 0]
        factor = np.float64(a.scale) * np.float64(scale) / np.float64(y.scale)
        sums[..., channel] = scaled(sums[..., channel], factor)
    return activated(sums + y.zero_point, operator)


def conv_2d(operator, x, weights, bias=None):
    """Weights are (outputs, height, width, inputs)."""
    x, weights = centered(x, operator.inputs[0]), weights.astype(np.int64)
    taps = windows(x, operator, *weights.shape[1:3])
    return convolved(operator, sum(read @ weights[:, i, j].T for i, j, read, _ in taps), bias)


def depthwise_conv_2d(operator, x, weights, bias=None):
    """Weights are (1, height, width, inputs * multiplier): output c * multiplier + m is of c."""
    x, weights = centered(x, operator.inputs[0]), weights.astype(np.int64)[0]
    x = np.repeat(x, weights.shape[2] // x.shape[3], axis=3)
    taps = windows(x, operator, *weights.shape[:2])
    return convolved(operator, sum(read * weights[i, j] for i, j, read, _ in taps), bias)


# Pooling


def pool_size(operator):
    return operator.options["filter_height"], operator.options["filter_width"]


def max_pool_2d(operator, x):
    taps = windows(x.astype(np.int64), operator, *pool_size(operator))
    most = np.max([np.where(inside, read, -128) for _, _, read, inside in taps], axis=0)
    return activated(most, operator)


def average_pool_2d(operator, x):
    """Of what lies inside the input, halves away from zero."""
    taps = list(windows(x.astype(np.int64), operator, *pool_size(operator)))
    sums, count = sum(tap[2] for tap in taps), sum(tap[3].astype(np.int64) for tap in taps)
    return activated(np.sign(sums) * ((np.abs(sums) + count // 2) // count), operator)


def mean(operator, x, axes):
    """The division is part of the multiplier."""
    axes = tuple(int(axis) % x.ndim for axis in axes.ravel())
    count = math.prod(x.shape[axis] for axis in axes)
    a, y = operator.inputs[0], operator.outputs[0]
    sums = centered(x, a).sum(axis=axes)
    multiplier, exponent = quantized(np.float64(a.scale) / np.float64(y.scale))
    shift = min(count.bit_length() - 1, 32, 31 + exponent)
    return multiplied(sums, (multiplier << shift) // count, exponent - shift) + y.zero_point


# Two inputs, or several


def add(operator, x, other):
    a, b = operator.inputs
    y, largest = operator.outputs[0], 2 * max(a.scale, b.scale)
    sums = scaled(centered(x, a) << 20, a.scale / largest)
    sums = sums + scaled(centered(other, b) << 20, b.scale / largest)
    return activated(scaled(sums, largest / (2**20 * y.scale)) + y.zero_point, operator)


def mul(operator, x, other):
    """The factor is of float32."""
    (a, b), y = operator.inputs, operator.outputs[0]
    factor = f32(a.scale) * f32(b.scale) / f32(y.scale)
    products = centered(x, a) * centered(other, b)
    return activated(scaled(products, factor) + y.zero_point, operator)


def concatenation(operator, *xs):
    axis = operator.options["axis"]
    return np.concatenate(xs, axis)


def pad(operator, x, widths, value=None):
    widths = [(0, 0), *widths.tolist()[1:]]
    value = operator.outputs[0].zero_point if value is None else value.item()
    return np.pad(x, widths, constant_values=value)


# Functions of one value


def relu(operator, x):
    """The factor is of float32; the name says the range."""
    a, y = operator.inputs[0], operator.outputs[0]
    values = rescaled(operator, x, f32(a.scale) / f32(y.scale))
    return limited(values, y, REAL_RANGES[operator.name])


def leaky_relu(operator, x):
    a, y = operator.inputs[0], operator.outputs[0]
    alpha, over = f32(operator.options["alpha"]), f32(y.scale)
    below, above = f32(a.scale) * alpha / over, f32(a.scale) / over
    values, sign = centered(x, a), 1 if alpha >= 0 else -1
    below = sign * scaled(values, abs(below))
    return np.where(values >= 0, scaled(values, above), below) + y.zero_point


def hard_swish(operator, x):
    """In int16: x on the output's scale, times a share of 1 that is x from -3 to 3."""
    a, y = operator.inputs[0], operator.outputs[0]
    fine = f32(1 / 128) * f32(a.scale)
    out, out_exponent = quantized(float(fine / f32(y.scale)))
    share, exponent = quantized(float(fine / f32(3 / 32768)))
    out, share = (min((factor + 2**15) >> 16, 32767) for factor in (out, share))
    values = centered(x, a) << 7
    on_output = high_product(values, out, 16)
    values = np.clip(values << max(exponent - 1, 0), -(2**15), 2**15 - 1)
    values = high_product(values, share, 16)
    values = np.clip(values << (exponent > 0), -(2**15), 2**15 - 1)
    values = shifted_right(values, max(-exponent, 0))
    product = (values + 2**15 >> 1) * on_output
    product = np.sign(product) * (np.abs(product) >> 15)
    return shifted_right(product, -out_exponent) + y.zero_point


def by_table(function):
    """Of a real function in float32, as LUTPopulate fills its table."""

    def rule(operator, x):
        a, y = operator.inputs[0], operator.outputs[0]
        reals = f32(a.scale) * centered(x, a).astype(f32)
        inverse = f32(1) / f32(y.scale)
        return halves_away(f32(function(reals)) * inverse) + y.zero_point

    return rule


def sigmoid(reals):
    return f32(1) / (f32(1) + f32(np.exp(-reals.astype(np.float64))))


def softmax(operator, x):
    """In fixed point: 5 integer bits for the differences, 12 for their sum."""
    real = min(operator.options["beta"] * operator.inputs[0].scale * 2**26, 2.0**31 - 1)
    multiplier, left = quantized(real)
    differences = x.astype(np.int64) - x.max(axis=-1, keepdims=True)
    counted = differences >= -math.floor(31 * 2**26 / 2**left)
    powers = exponential(high_product(np.where(counted, differences, 0) << left, multiplier))
    sums = np.where(counted, shifted_right(powers, 12), 0).sum(axis=-1, keepdims=True)
    headroom = 32 - np.floor(np.log2(sums) + 1e-12).astype(np.int64) - 1
    shares = high_product(reciprocal((sums << headroom) - 2**31), powers)
    exponents = np.broadcast_to(12 - headroom + 23, shares.shape)
    rounded = [shifted_right(*pair) for pair in zip(shares.flat, exponents.flat, strict=True)]
    return np.where(counted, np.reshape(rounded, shares.shape) - 128, -128)


def exponential(x):
    """e to the power of x <= 0 (26 fraction bits), with 31: exp_on_negative_values."""
    quarter = 1 << 24
    below = (x & quarter - 1) - quarter
    d = (below << 5) + (1 << 28)  # from -1/8, around which the series is
    d2 = high_product(d, d)
    d3, d4 = high_product(d2, d), high_product(d2, d2)
    series = high_product(shifted_right(d4, 2) + d3, 715827883) + d2
    base = 1895147668  # of e^-1/8
    result = base + high_product(base, d + shifted_right(series, 1))
    factors = 1672461947, 1302514674, 790015084, 290630308, 39332535, 720401, 242
    for bit, factor in enumerate(factors, 24):  # e^-1/4, e^-1/2, e^-1 ... e^-16
        result = np.where((below - x) >> bit & 1, high_product(result, factor), result)
    return np.where(x == 0, 2**31 - 1, result)


def reciprocal(x):
    """1 / (1 + x) of x from 0 to 1 by three steps of Newton's: one_over_one_plus_x_for_x_in_0_1."""
    half = x + 2**31 >> 1
    y = 1515870810 + high_product(half, -1010580540)
    for _ in range(3):
        y = y + (high_product(y, 2**29 - high_product(half, y)) << 2)
    return np.minimum(y << 1, 2**31 - 1)


# At the borders


def quantize(operator, x):
    a, y = operator.inputs[0], operator.outputs[0]
    if a.dtype == "float32":
        return halves_away(x / f32(y.scale)) + y.zero_point
    return rescaled(operator, x, np.float64(a.scale) / np.float64(y.scale))


def dequantize(operator, x):
    a = operator.inputs[0]
    return np.float64(a.scale) * centered(x, a)


RULES = {
    "ADD": add,
    "AVERAGE_POOL_2D": average_pool_2d,
    "CONCATENATION": concatenation,
    "CONV_2D": conv_2d,
    "DEPTHWISE_CONV_2D": depthwise_conv_2d,
    "DEQUANTIZE": dequantize,
    "FULLY_CONNECTED": fully_connected,
    "HARD_SWISH": hard_swish,
    "LEAKY_RELU": leaky_relu,
    "LOGISTIC": by_table(sigmoid),
    "MAX_POOL_2D": max_pool_2d,
    "MEAN": mean,
    "MUL": mul,
    "PAD": pad,
    "PADV2": pad,
    "QUANTIZE": quantize,
    "RELU": relu,
    "RELU6": relu,
    "RELU_N1_TO_1": relu,
    "RESHAPE": lambda operator, x, *_: x,
    "SOFTMAX": softmax,
    "TANH": by_table(lambda reals: np.tanh(reals.astype(np.float64))),
}
