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

/* Cuts off `count` values, which begin at a word, in their place; does nothing for all of int8. */
static inline void nn_clamp_bytes(int8_t *values, uint32_t count, int32_t minimum, int32_t maximum)
{
    if (minimum == INT8_MIN && maximum == INT8_MAX) {
        return;
    }
#if defined(__ARM_FEATURE_DSP) /* SSUB8 subtracts four bytes; SEL takes those of its first word */
    typedef uint32_t __attribute__((may_alias)) word; /* where the difference is not below zero */
    const uint32_t low = 0x01010101U * (uint8_t)minimum, high = 0x01010101U * (uint8_t)maximum;
    for (; count >= 4; count -= 4) {
        uint32_t four = *(word *)values, difference;
        __asm("ssub8 %1, %0, %2\n"
              "sel   %0, %0, %2\n"
              "ssub8 %1, %3, %0\n"
              "sel   %0, %0, %3"
              : "+&r"(four), "=&r"(difference)
              : "r"(low), "r"(high));
        *(word *)values = four;
        values += 4;
    }
#endif
    for (; count > 0; count--) {
        *values = (int8_t)nn_clamp(*values, minimum, maximum);
        values++;
    }
}

/* value * multiplier / 2^shift, rounded once, halves up; shift is 1 to 62.
 * A real factor such as input_scale * weight_scale / output_scale is stored as this pair, chosen
 * so that every sum of the layer rounds as in LiteRT's doubles, halves away from zero. */
static inline int32_t nn_requantize(int32_t value, int32_t multiplier, uint32_t shift)
{
    const int64_t half = (int64_t)1 << (shift - 1);
    return (int32_t)(((int64_t)value * multiplier + half) >> shift);
}

/* value / 2^exponent, rounded to nearest, halves up; value is not negative, exponent is 1 to 32. */
static inline int32_t nn_divide_by_power_of_two(int32_t value, uint32_t exponent)
{
    return ((value >> (exponent - 1)) + 1) >> 1;
}

/* The product of two numbers in [-1, 1), each stored times 2^31, rounded to nearest, halves up.
 * -1 * -1 is the one product that does not fit. */
static inline int32_t nn_multiply_fractions(int32_t a, int32_t b)
{
    return (int32_t)(((int64_t)a * b + (1 << 30)) >> 31);
}

/* (value * multiplier / 2^32, rounded; then / 2^shift, rounded again) + the output's zero point:
 * what LiteRT's MultiplyByQuantizedMultiplier computes, where `value` is twice the sum.
 *
 * `rounding` is half of 2^shift, and the zero point times 2^shift, which so is added before the
 * shift. Halves go up at first and away from zero then: where bit 8 of `shift` is set, 1 less is
 * added to what is below zero; the shift itself is the lowest byte, which is all that ASR reads. */
static inline int32_t nn_rescale(int32_t value, int32_t multiplier, int32_t rounding, int32_t shift)
{
#if defined(__ARM_FEATURE_DSP)
    int32_t result;
    __asm("and    %0, %4, %1, asr #31\n" /* value < 0 ? shift : 0 */
          "sub    %0, %3, %0, lsr #8\n"
          "smmlar %0, %1, %2, %0\n" /* the upper word of the product, rounded, + rounding */
          "asr    %0, %0, %4"
          : "=&r"(result)
          : "r"(value), "r"(multiplier), "r"(rounding), "r"(shift));
    return result;
#else
    const int32_t below_zero = value < 0 ? shift >> 8 : 0;
    const int64_t product = (int64_t)value * multiplier + ((int64_t)1 << 31);
    return ((int32_t)(product >> 32) + rounding - below_zero) >> (shift & 0xFF);
#endif
}

/* value * multiplier / 2^31 * 2^exponent, rounded after each of its two parts; exponent is -31
 * to 30, and value * 2^exponent must fit. */
static inline int32_t nn_requantize_twice(int32_t value, int32_t multiplier, int32_t exponent)
{
    const int32_t left = exponent > 0 ? exponent : 0;
    const int32_t high = nn_multiply_fractions(value * (1 << left), multiplier);
    const uint32_t right = (uint32_t)(left - exponent);
    const int64_t half = ((int64_t)1 << right) / 2; /* halves away from zero */
    return (int32_t)((high + half - (right > 0 && high < 0)) >> right);
}
