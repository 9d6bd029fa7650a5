#include "fixed_point.h"
#include "softmax.h"

/* A function's value at x, on the line between two of its 513 values: -32768 is the first. */
static int32_t looked_up(const int16_t *table, int32_t x)
{
    const int32_t position = nn_clamp(x, INT16_MIN, INT16_MAX) - INT16_MIN;
    const int32_t base = table[position / 128];
    const int32_t slope = table[position / 128 + 1] - base;
    return base + ((slope * (position % 128) + 64) >> 7);
}

static void softmax_of_row(const nn_softmax_int16_params *p, const int16_t *input, int16_t *output)
{
    int32_t maximum = INT16_MIN, sum = 0;
    for (uint32_t i = 0; i < p->elements; i++) {
        maximum = input[i] > maximum ? input[i] : maximum;
    }
    for (uint32_t i = 0; i < p->elements; i++) {
        const int32_t steps = nn_requantize_twice(input[i] - maximum, p->multiplier, p->exponent);
        output[i] = (int16_t)looked_up(p->exp, steps + INT16_MAX);
        sum += output[i];
    }
    /* the sum without its leading zeros is 2^16 * (1 + x) with x in [0, 1), and x is looked up */
    const uint32_t zeros = (uint32_t)__builtin_clz((uint32_t)sum);
    const int32_t one_plus_x = (int32_t)((((int64_t)sum << (zeros - 1)) + (1 << 13)) >> 14);
    const int32_t scale = looked_up(p->one_over_one_plus, one_plus_x - (1 << 16) + INT16_MIN);
    for (uint32_t i = 0; i < p->elements; i++) {
        const int32_t product = (output[i] * scale + (1 << (30 - zeros))) >> (31 - zeros);
        output[i] = (int16_t)nn_clamp(product, 0, INT16_MAX);
    }
}

void nn_softmax_int16(const nn_softmax_int16_params *p, const int16_t *input, int16_t *output)
{
    for (uint32_t row = 0; row < p->rows; row++) {
        softmax_of_row(p, input, output);
        input += p->elements;
        output += p->elements;
    }
}
