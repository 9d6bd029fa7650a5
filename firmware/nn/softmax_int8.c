/* Softmax in integers, after gemmlowp's fixedpoint.h: a number "Qm" has m integer bits and
 * 31 - m fractional bits. */
#include "fixed_point.h"
#include "softmax.h"

#define DIFFERENCE_INTEGER_BITS 5
#define SUM_INTEGER_BITS 12
#define OUTPUT_BITS 8

#define multiply nn_multiply_fractions

/* exp(a) for a in [-1/4, 0), Q0 to Q0: a Taylor series around -1/8. */
static int32_t exp_between_minus_quarter_and_zero(int32_t a)
{
    const int32_t exp_of_minus_eighth = 1895147668;
    const int32_t one_third = 715827883;
    const int32_t x = a + (1 << 28);
    const int32_t x2 = multiply(x, x);
    const int32_t x3 = multiply(x2, x);
    const int32_t x4 = multiply(x2, x2);
    const int32_t x4_over_4 = nn_divide_by_power_of_two(x4, 2);
    const int32_t tail = nn_divide_by_power_of_two(multiply(x4_over_4 + x3, one_third) + x2, 1);
    return exp_of_minus_eighth + multiply(exp_of_minus_eighth, x + tail);
}

/* exp(a) for a <= 0, Q5 to Q0: the fraction below 1/4 by the series above, then one factor
 * exp(-2^k) for each remaining bit. */
static int32_t exp_of_negative(int32_t a)
{
    static const int32_t factors[] = {1672461947, 1302514674, 790015084, 290630308,
                                      39332535,   720401,     242}; /* exp(-1/4) to exp(-16), Q0 */
    const int32_t quarter = 1 << (31 - DIFFERENCE_INTEGER_BITS - 2);
    const int32_t fraction = (a & (quarter - 1)) - quarter;
    int32_t result = exp_between_minus_quarter_and_zero(fraction * (1 << DIFFERENCE_INTEGER_BITS));
    const int32_t *factor = factors;
    for (int32_t quarters = (fraction - a) / quarter; quarters > 0; quarters >>= 1) {
        if (quarters & 1) {
            result = multiply(result, *factor);
        }
        factor++;
    }
    return a == 0 ? INT32_MAX : result;
}

/* exp((value - maximum) * scale), Q0. */
static int32_t exp_of(const nn_softmax_int8_params *p, int32_t value, int32_t maximum)
{
    const int32_t difference = value - maximum;
    if (difference < p->minimum_difference) {
        return 0;
    }
    const int32_t shifted = (int32_t)((uint32_t)difference << p->left_shift);
    return exp_of_negative(multiply(shifted, p->multiplier));
}

/* 1 / (1 + x) for x in [0, 1), Q0 to Q0: Newton-Raphson on the half denominator, in Q2. */
static int32_t one_over_one_plus(int32_t x)
{
    const int32_t half_denominator = (int32_t)(((int64_t)x + INT32_MAX + 1) / 2);
    const int32_t constant_48_over_17 = 1515870810;
    const int32_t constant_minus_32_over_17 = -1010580540;
    int32_t y = constant_48_over_17 + multiply(half_denominator, constant_minus_32_over_17);
    for (uint32_t i = 0; i < 3; i++) {
        const int32_t one_minus_product = (1 << 29) - multiply(half_denominator, y);
        y += multiply(y, one_minus_product) * 4;
    }
    return y < 1 << 30 ? y * 2 : INT32_MAX; /* 1 is one step more than Q0 has */
}

static void softmax_of_row(const nn_softmax_int8_params *p, const int8_t *input, int8_t *output,
                           int32_t *powers)
{
    int32_t maximum = INT8_MIN, sum = 0;
    for (uint32_t i = 0; i < p->elements; i++) {
        maximum = input[i] > maximum ? input[i] : maximum;
    }
    for (uint32_t i = 0; i < p->elements; i++) {
        powers[i] = exp_of(p, input[i], maximum);
        sum += nn_divide_by_power_of_two(powers[i], SUM_INTEGER_BITS);
    }
    /* sum = 2^bits_over_one * (1 + x), with x in [0, 1); it is not 0: exp(0) is in it */
    const uint32_t headroom = (uint32_t)__builtin_clz((uint32_t)sum);
    const uint32_t bits_over_one = SUM_INTEGER_BITS - headroom;
    const int32_t x = (int32_t)(((uint32_t)sum << headroom) - ((uint32_t)1 << 31));
    const int32_t scale = one_over_one_plus(x);
    for (uint32_t i = 0; i < p->elements; i++) {
        const int32_t share =
            nn_divide_by_power_of_two(multiply(scale, powers[i]), bits_over_one + 31 - OUTPUT_BITS);
        output[i] = (int8_t)nn_clamp(share + INT8_MIN, INT8_MIN, INT8_MAX);
    }
}

void nn_softmax_int8(const nn_softmax_int8_params *p, const int8_t *input, int8_t *output,
                     void *scratch)
{
    for (uint32_t row = 0; row < p->rows; row++) {
        softmax_of_row(p, input, output, scratch);
        input += p->elements;
        output += p->elements;
    }
}
