/* Real numbers as integers, as LiteRT's reference kernels and gemmlowp define them. */
#pragma once

#include <stdint.h>

static inline int32_t nn_clamp(int32_t value, int32_t minimum, int32_t maximum)
{
    if (value < minimum) {
        return minimum;
    }
    return value > maximum ? maximum : value;
}

/* value * multiplier / 2^shift, rounded once, halves up; shift is 1 to 62.
 * A real factor such as input_scale * weight_scale / output_scale is stored as this pair, chosen
 * so that every sum of the layer rounds as in LiteRT's doubles, halves away from zero. */
static inline int32_t nn_requantize(int32_t value, int32_t multiplier, uint32_t shift)
{
    const int64_t half = (int64_t)1 << (shift - 1);
    return (int32_t)(((int64_t)value * multiplier + half) >> shift);
}

/* value / 2^exponent, rounded to nearest, halves away from zero; exponent is 0 to 31. */
static inline int32_t nn_rounding_divide_by_power_of_two(int32_t value, uint32_t exponent)
{
    const int32_t mask = (int32_t)(((int64_t)1 << exponent) - 1);
    const int32_t remainder = value & mask;
    const int32_t threshold = (mask >> 1) + (value < 0 ? 1 : 0);
    return (value >> exponent) + (remainder > threshold ? 1 : 0);
}

/* The product of two numbers in [-1, 1), each stored times 2^31, rounded to nearest.
 * -1 * -1 is the one product that does not fit: it saturates. */
static inline int32_t nn_saturating_rounding_doubling_high_multiply(int32_t a, int32_t b)
{
    if (a == b && a == INT32_MIN) {
        return INT32_MAX;
    }
    const int64_t product = (int64_t)a * (int64_t)b;
    const int64_t nudge = product >= 0 ? (1 << 30) : 1 - (1 << 30);
    return (int32_t)((product + nudge) / ((int64_t)1 << 31));
}
