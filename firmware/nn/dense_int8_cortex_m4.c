/* The nn_dense_int8() of dense_int8.c, bit for bit, with the DSP instructions of the Cortex-M4.
 *
 * SMLAD multiplies two pairs of 16-bit numbers and adds both products to a sum: two multiply-
 * accumulates in one cycle. Weights and inputs are bytes and must be widened first: SXTB16 makes
 * 16-bit numbers of bytes 0 and 2 of a word, and with ROR #8 of bytes 1 and 3. Each input is
 * widened once for four rows of weights.
 *
 * The inner loop is assembly because it needs nearly every register. The same loop in C with
 * intrinsics takes 1.6 (Clang) or 2.1 (GCC) instructions for each multiply-accumulate; this takes
 * 1.5 with both. */
#include "fixed_point.h"
#include "nn.h"

#if defined(__ARM_FEATURE_DSP)

/* clang-format off */

/* sum += the four weights in the register `word` times the four widened inputs */
#define FOUR_WEIGHTS(word, sum)                                                                    \
    "sxtb16 %[even], " word "\n"                                                                   \
    "smlad  " sum ", %[even], %[x_even], " sum "\n"                                                \
    "sxtb16 " word ", " word ", ror #8\n"                                                          \
    "smlad  " sum ", " word ", %[x_odd], " sum "\n"

/* Four inputs times four rows: 23 instructions for 16 multiply-accumulates. Row 0 is the last
 * because its load moves `row` on to the next columns. Loads stand together because neighbors
 * overlap (Cortex-M4 Technical Reference Manual, "Load/store timings"); none needs alignment. */
#define FOUR_COLUMNS                                                                               \
    "ldr    %[x_odd], [%[x]], #4\n"                                                                \
    "ldr    %[a], [%[row], %[stride]]\n"                                                           \
    "ldr    %[b], [%[row], %[stride], lsl #1]\n"                                                   \
    "sxtb16 %[x_even], %[x_odd]\n"                                                                 \
    "sxtb16 %[x_odd], %[x_odd], ror #8\n"                                                          \
    FOUR_WEIGHTS("%[a]", "%[sum1]")                                                                \
    FOUR_WEIGHTS("%[b]", "%[sum2]")                                                                \
    "ldr    %[a], [%[row], %[stride3]]\n"                                                          \
    "ldr    %[b], [%[row]], #4\n"                                                                  \
    FOUR_WEIGHTS("%[a]", "%[sum3]")                                                                \
    FOUR_WEIGHTS("%[b]", "%[sum0]")

#define RUN(code)                                                                                  \
    __asm(code                                                                                     \
          : [row] "+r"(row), [x] "+r"(x),                                                          \
            [sum0] "+r"(sum0), [sum1] "+r"(sum1), [sum2] "+r"(sum2), [sum3] "+r"(sum3),            \
            [a] "=&r"(a), [b] "=&r"(b), [even] "=&r"(even),                                        \
            [x_even] "=&r"(x_even), [x_odd] "=&r"(x_odd)                                           \
          : [stride] "r"(stride), [stride3] "r"(3 * stride)                                        \
          : "memory")

/* clang-format on */

/* Adds to each of `sums` the product of one of four rows, `stride` bytes apart, with the input. */
static void dot_four_rows(const int8_t *row, uint32_t stride, const int8_t *x, int32_t sums[4])
{
    int32_t sum0 = sums[0], sum1 = sums[1], sum2 = sums[2], sum3 = sums[3];
    uint32_t a, b, even, x_even, x_odd; /* registers of the loop */
    uint32_t columns = stride;
    for (; columns >= 16; columns -= 16) {
        RUN(FOUR_COLUMNS FOUR_COLUMNS FOUR_COLUMNS FOUR_COLUMNS);
    }
    for (; columns >= 4; columns -= 4) {
        RUN(FOUR_COLUMNS);
    }
    sums[0] = sum0;
    sums[1] = sum1;
    sums[2] = sum2;
    sums[3] = sum3;
    for (uint32_t r = 0; columns > 0 && r < 4; r++) {
        sums[r] += nn_dot_int8(row + r * stride, x, columns);
    }
}

/* nn_requantize() without 64-bit shifts: from shift 33 on, half of the divisor is a multiple of
 * 2^32, so the lower word of the product changes nothing. Compiles to SMMLA and ASR. */
static inline int32_t requantize(int32_t value, int32_t multiplier, uint32_t shift)
{
    if (shift < 33) {
        return nn_requantize(value, multiplier, shift);
    }
    const int32_t upper_word = (int32_t)(((int64_t)value * multiplier) >> 32);
    return (upper_word + (1 << (shift - 33))) >> (shift - 32);
}

/* Makes `count` output bytes, from number `first` on, of their sums. */
static void store(const nn_dense_int8_params *p, uint32_t first, uint32_t count,
                  const int32_t *sums, int8_t *output)
{
    const uint32_t step = p->per_channel ? 1 : 0;
    const int32_t *multiplier = p->multiplier + first * step;
    const uint8_t *shift = p->shift + first * step;
    const int32_t zero_point = p->output_zero_point, minimum = p->minimum, maximum = p->maximum;
    for (uint32_t o = 0; o < count; o++) {
        const int32_t scaled = requantize(sums[o], *multiplier, *shift);
        output[first + o] = (int8_t)nn_clamp(scaled + zero_point, minimum, maximum);
        multiplier += step;
        shift += step;
    }
}

void nn_dense_int8(const nn_dense_int8_params *p, const int8_t *input, int8_t *output)
{
    const int8_t *row = p->weights;
    uint32_t o = 0;
    for (; p->outputs - o >= 4; o += 4) {
        int32_t sums[4] = {p->bias[o], p->bias[o + 1], p->bias[o + 2], p->bias[o + 3]};
        dot_four_rows(row, p->inputs, input, sums);
        store(p, o, 4, sums, output);
        row += 4 * p->inputs;
    }
    for (; o < p->outputs; o++) {
        const int32_t sum = p->bias[o] + nn_dot_int8(row, input, p->inputs);
        store(p, o, 1, &sum, output);
        row += p->inputs;
    }
}

#endif
