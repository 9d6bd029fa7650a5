/* float32 arithmetic without a C library, and the same on every machine: no fused multiply-add. */
#pragma once

#include <stdint.h>

static inline float nn_clamp_float(float value, float minimum, float maximum)
{
    const float raised = value < minimum ? minimum : value;
    return raised > maximum ? maximum : raised;
}

/* To the nearest integer, halves away from zero; |value| < 2^31. The addend is the number below
 * 1/2: with 1/2 itself, the number below 1/2 would become 1. */
static inline int32_t nn_round_float(float value)
{
    return (int32_t)(value + (value < 0.0F ? -0x1.fffffep-2F : 0x1.fffffep-2F));
}

static inline int32_t nn_round_double(double value)
{
    return (int32_t)(value + (value < 0.0 ? -0x1.fffffffffffffp-2 : 0x1.fffffffffffffp-2));
}

/* 2^exponent for -126..127: the exponent field of an IEEE 754 number, and nothing else. */
static inline float nn_power_of_two(int32_t exponent)
{
    union {
        uint32_t bits;
        float value;
    } number = {.bits = (uint32_t)(exponent + 127) << 23};
    return number.value;
}

typedef struct {
    float low;
    float high;
} nn_two_floats;

/* Two finite float16 numbers, the first in the lower half of the word. Their bits, 13 places up,
 * are those of a float32 that is 2^112 times smaller. */
static inline nn_two_floats nn_two_float16(uint32_t word)
{
    nn_two_floats two;
#if defined(__ARM_FEATURE_DSP) && defined(__ARM_FP)
    union {
        uint32_t bits;
        float both;
    } number = {.bits = word};
    __asm("vcvtb.f32.f16 %0, %1" : "=t"(two.low) : "t"(number.both));
    __asm("vcvtt.f32.f16 %0, %1" : "=t"(two.high) : "t"(number.both));
#else
    union {
        uint32_t bits;
        float value;
    } low = {.bits = (word & 0x7FFF) << 13}, high = {.bits = (word >> 16 & 0x7FFF) << 13};
    two.low = low.value * (word & 0x8000 ? -0x1p112F : 0x1p112F);
    two.high = high.value * (word & 0x80000000U ? -0x1p112F : 0x1p112F);
#endif
    return two;
}

/* exp(x) for x <= 0.
 * x = k ln 2 + r with |r| <= ln 2 / 2, so exp(x) = 2^k exp(r); ln 2 is taken in two parts to
 * keep the bits of r (W. J. Cody and W. Waite, Software Manual for the Elementary Functions,
 * 1980, chapter 6), and exp(r) is its Taylor series. */
static inline float nn_exp_of_negative(float x)
{
    const float ln2_high = 0.693359375F;
    const float ln2_low = -2.12194440e-4F;
    if (x < -87.0F) {
        return 0.0F; /* less than the smallest normal number */
    }
    const int32_t k = (int32_t)(x * 1.44269504F - 0.5F); /* rounds to nearest for x <= 0 */
    const float r = (x - (float)k * ln2_high) - (float)k * ln2_low;
    float series = 0.0F;
    static const float inverse_factorials[] = {
        1.0F / 5040.0F, 1.0F / 720.0F, 1.0F / 120.0F, 1.0F / 24.0F, 1.0F / 6.0F, 0.5F, 1.0F, 1.0F};
    for (uint32_t i = 0; i < sizeof inverse_factorials / sizeof inverse_factorials[0]; i++) {
        series = series * r + inverse_factorials[i];
    }
    return series * nn_power_of_two(k);
}
