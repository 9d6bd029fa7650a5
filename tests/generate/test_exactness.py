"""The C rounds as LiteRT's reference kernels do, also where a sum lies on the edge of two values.

Random networks do not meet such sums; these are made of them.
"""

from fractions import Fraction

import numpy as np
import pytest
from depth import first
from hypothesis import example, given
from hypothesis import strategies as st
from networks import Tflite

from kit.checks.validate import random_inputs
from kit.compile import HostNetwork
from kit.errors import KitError
from kit.generate import generate_network
from kit.generate.operators.depthwise_conv_2d import fast_numbers
from kit.generate.quantized import (
    CORRECTION,
    exact_multiplier,
    one_step,
    quantize_multiplier,
    twice_rounded,
)
from kit.model import Reference

ROWS = 3_000
INPUTS, OUTPUTS = 16, 64
QAT = (6 / 255, -128)  # scale and zero point that quantization-aware training leaves: 0 to 6


def three(exponent):
    """A scale of a power of two times 3: with two of them halves are met exactly."""
    return 3 * 2.0**exponent


SCALES = {  # of input, weights and output: what makes sums lie on an edge, or beside it
    "powers of two": (three(-6), 0, three(-5), three(-4), 7),
    "powers of two, thirds": (2.0**-5, -128, three(-7), three(-4), -5),
    "thirds": (three(-8), 3, three(-6), 2.0**-7, 0),
    "input 0 to 6": (*QAT, 0.0023622048, *QAT),
    "input 0 to 6, to 24": (*QAT, 1 / 127, 24 / 255, 0),
    "input 0 to 6, powers of two": (*QAT, 2.0**-6, 3 / 255, -128),
}


def network(path, scales, per_channel, bias):
    """Two dense layers: random inputs take both across their whole range."""
    x_scale, x_zero, w_scale, y_scale, y_zero = scales
    generator = np.random.default_rng(8)
    made = Tflite()
    x = made.tensor((1, INPUTS), "int8", x_scale, x_zero)
    table = generator.integers(-24, 25, (OUTPUTS, INPUTS))
    steps = [w_scale * 2.0 ** -(row % 3) for row in range(OUTPUTS)] if per_channel else w_scale
    w = made.tensor(table.shape, "int8", steps, data=table)
    values = generator.integers(-3000, 3000, OUTPUTS)
    b = made.tensor((OUTPUTS,), "int32", x_scale * np.float64(steps), data=values)
    y = made.tensor((1, OUTPUTS), "int8", y_scale, y_zero)
    made.dense(x, w, y, b if bias else None)
    return made.write(path, [x], [y])


@pytest.mark.parametrize("bias", first(1, [True, False]), ids=["bias", "no bias"])
@pytest.mark.parametrize("per_channel", first(1, [True, False]), ids=["per channel", "per tensor"])
def test_sums_on_the_edge_round_as_the_reference_does(tmp_path, per_channel, bias):
    """Promise 1: of 3,000 inputs to each network, none differs in any value."""
    differ = {}
    for name, scales in SCALES.items():
        path = network(tmp_path / "edge.tflite", scales, per_channel, bias)
        inputs = random_inputs(path, ROWS)
        reference = Reference(path).run(inputs)
        assert len(np.unique(reference)) > 60, "too little of the output's range is met"
        ours = HostNetwork(generate_network(path, tmp_path / "network")).run(inputs)
        differ[name] = int((ours != reference).any(axis=1).sum())
    assert differ == dict.fromkeys(SCALES, 0)


small = st.sampled_from((1, 3, 5, 7))
scales = st.one_of(
    st.floats(2.0**-14, 1.0, width=32),
    st.builds(lambda n, e: n * 2.0**e, small, st.integers(-12, 0)),
    st.builds(lambda n, d: float(np.float32(n / d)), small, st.sampled_from((127, 255, 256))),
)


@given(scales, scales, scales, st.integers(-(2**20), 2**20), st.integers(1, 2**14))
@example(7.0, 3.5, 3.0, 0, 16)  # doubles that contradict themselves
@example(2.0**-6, 7 * 2.0**-8, 5 * 2.0**-6, 3527, 13464)
def test_a_multiplier_rounds_every_sum_as_doubles_do(x, w, y, lowest, count):
    """Python's round-half-even on exact doubles, made half-away, against the kernel's integers."""
    real = x * w / y
    sums = np.arange(lowest, lowest + count)
    exact = np.abs(sums * real)
    rounded = np.copysign(np.floor(exact) + (exact - np.floor(exact) >= 0.5), sums).clip(-255, 255)
    try:
        multiplier, shift = exact_multiplier(real, (lowest, lowest + count - 1), (-255, 255))
    except OverflowError:
        least, greatest = factors(sums.tolist(), rounded.astype(int).tolist())
        assert greatest - least < real * Fraction(1, 2**29), "a multiplier of 31 bits would do"
        return
    assert 0 <= multiplier < 2**31 and 1 <= shift <= 62
    ours = (sums * multiplier + (1 << (shift - 1))) >> shift
    np.testing.assert_array_equal(ours.clip(-255, 255), rounded)


def factors(sums, steps):
    """The least and the greatest real factor that round all sums to these steps, halves up."""
    least, greatest = Fraction(0), Fraction(2**31)
    for sum_, step in zip(sums, steps, strict=True):
        if sum_ == 0:
            continue
        low, high = sorted(Fraction(2 * step + half, 2 * sum_) for half in (-1, 1))
        least = max(least, low)
        if abs(step) < 255:  # beyond it the factor may be as large as it likes
            greatest = min(greatest, high)
    return least, greatest


def test_scales_that_no_multiplier_follows_are_refused(tmp_path):
    """In words, rather than with C that differs from LiteRT."""
    path = network(tmp_path / "sevenths.tflite", (2.0**-8, 0, 7 * 2.0**-8, 5 * 2.0**-11, 0), 0, 0)
    with pytest.raises(KitError, match="do not fit: no multiplier of 31 bits"):
        generate_network(path, tmp_path / "network")


@given(st.floats(2.0**-40, 2.0**20))
def test_a_multiplier_stands_for_its_real_number(real):
    """quantize_multiplier keeps 31 bits; below 2^-31 the result is zero, as in LiteRT."""
    multiplier, shift = quantize_multiplier(real)
    assert 0 <= multiplier < 2**31 and 1 <= shift <= 62
    tolerance = 2.0**-30 if real >= 2.0**-31 else 1.0
    assert abs(multiplier / 2**shift - real) <= real * tolerance


def twice(value, real):
    """LiteRT's MultiplyByQuantizedMultiplier, gemmlowp's two roundings, in exact integers."""
    multiplier, shift = quantize_multiplier(real)
    left, right = max(0, 31 - shift), max(0, shift - 31)
    high = (value * 2**left * multiplier + 2**30) >> 31  # halves up, also below zero
    return int(np.copysign((abs(high) + 2**right // 2) >> right, high))


@given(
    st.one_of(scales, st.floats(2.0**-40, 256.0)),
    st.one_of(st.integers(0, 2**30), st.integers(0, 2**12)),
    st.integers(-128, 127),
    st.lists(st.floats(-1, 1), min_size=1),
)
def test_a_convolution_rounds_twice(real, largest, zero_point, parts):
    """nn_rescale()'s few instructions against the two roundings they stand for, also at ties."""
    try:
        factor, (multiplier, rounding, shift) = twice_rounded(real, largest, zero_point)
    except OverflowError:
        assert largest * max(real, 1) > 2**29 or (real < 2.0**-21 and largest > 2**20)
        return
    for part in parts:
        value = round(part * largest)
        high = (factor * value * multiplier + 2**31) >> 32
        ours = (high + rounding - (shift >> 8) * (value < 0)) >> (shift & 0xFF)
        assert ours == twice(value, real) + zero_point


@given(
    st.floats(2.0**-13, 0.5),
    st.one_of(st.integers(-(2**12), 2**12), st.integers(-(2**24), 2**24)),
    st.lists(st.integers(-128, 127), min_size=9, max_size=9),
    st.integers(-128, 127),
    st.lists(st.floats(0, 1), min_size=1),
)
def test_behind_a_relu_a_depthwise_channel_is_shifted_by_11(real, bias, weights, zero_point, parts):
    """The fast kernels' one rounding against LiteRT's two, and that 32 bits hold what they compute.
    `parts` are where a sum lies between the least and the greatest."""
    table = np.array(weights, np.int8).reshape(1, 3, 3, 1)
    reach = 128 * sum(map(abs, weights))
    factor, numbers = twice_rounded(real, abs(bias) + reach, zero_point)
    channels = np.array([[factor * bias, *numbers]], np.int32)
    channels[0, 3] |= factor // 2 << 9
    if not fast_numbers(channels, table, cut_off=True):
        assert numbers[2] & 0xFF == 0  # a factor of 1/2 and more, as no layer has
        return
    _, multiplier, rounding, shift = map(int, channels[0])
    more = 11 - (shift & 0xFF)
    if shift & CORRECTION:
        assert not 1 <= more <= 7 or (abs(bias) + reach) * 2**more > 2**29
        return
    for part in [0, 1, *parts]:
        value = bias - reach + round(part * 2 * reach)
        high = (value * 2 ** (more + 1) * multiplier) >> 32
        sum_ = high + (2 * rounding + 1) * 2 ** (more - 1)
        assert max(abs(value) * 2 ** (more + 1), 128 * 2 ** (more + 8), abs(sum_)) < 2**31
        assert max(sum_ >> 11, zero_point) == max(twice(value, real) + zero_point, zero_point)


@given(
    st.floats(2.0**-34, 2.0**-24),
    st.integers(-(2**30), 2**30),
    st.tuples(st.integers(-(2**22), 0), st.integers(0, 2**22)),
    st.integers(-128, 127),
    st.lists(st.floats(0, 1), min_size=1),
)
def test_a_channel_that_is_nearly_constant_keeps_its_one_step(real, bias, reach, zero_point, parts):
    """Of a huge bias and a tiny scale, as converters leave them in channels without use."""
    try:
        made, (multiplier, rounding, shift) = one_step(real, bias, reach, zero_point)
    except OverflowError:
        assert twice(bias + reach[1], real) - twice(bias + reach[0], real) > 1
        return
    for part in [0, 1, *parts]:
        added = reach[0] + round(part * (reach[1] - reach[0]))
        high = (2 * (made + added) * multiplier + 2**31) >> 32
        assert abs(high) + abs(rounding) < 2**31
        ours = np.clip((high + rounding) >> shift, -128, 127)
        assert ours == np.clip(twice(bias + added, real) + zero_point, -128, 127)
