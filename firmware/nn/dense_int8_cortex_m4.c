/* nn_dense_int8() of dense_int8.c, bit for bit, with the DSP instructions of the Cortex-M4.
 *
 * SMLAD multiplies two pairs of 16-bit numbers and adds both products to a sum: two multiply-
 * accumulates in one cycle. Weights and inputs are bytes, so they are widened first: SXTB16 makes
 * 16-bit numbers of bytes 0 and 2 of a word, and with ROR #8 of bytes 1 and 3. Widening costs as
 * much as multiplying; four rows of weights therefore share each widened input.
 *
 * The inner loop is assembly because it fills the registers to the last one, and compilers spill
 * some of them: Clang needs 1.6 instructions for a multiply-accumulate from the same loop in C
 * with intrinsics, GCC 2.1, and this 1.5. */
#include "fixed_point.h"
#include "nn.h"

#if defined(__ARM_FEATURE_DSP)
#define NOINLINE __attribute__((noinline))

/* Four weights of two rows each, times the same four inputs. Both words are loaded first because
 * neighboring loads overlap on this core (Cortex-M4 Technical Reference Manual, 3.3.1). */
#define TWO_ROWS(row_a, sum_a, row_b, sum_b)                                                       \
    "ldr    %[a], " row_a "\n\t"                                                                   \
    "ldr    %[b], " row_b "\n\t"                                                                   \
    "sxtb16 %[even], %[a]\n\t"                                                                     \
    "smlad  " sum_a ", %[even], %[x_even], " sum_a "\n\t"                                          \
    "sxtb16 %[a], %[a], ror #8\n\t"                                                                \
    "smlad  " sum_a ", %[a], %[x_odd], " sum_a "\n\t"                                              \
    "sxtb16 %[even], %[b]\n\t"                                                                     \
    "smlad  " sum_b ", %[even], %[x_even], " sum_b "\n\t"                                          \
    "sxtb16 %[b], %[b], ror #8\n\t"                                                                \
    "smlad  " sum_b ", %[b], %[x_odd], " sum_b "\n\t"

/* Four inputs times four rows: 23 instructions for 16 multiply-accumulates. The rows lie `stride`
 * bytes apart; row 0 comes last because its load moves on to the next four columns. */
#define FOUR_COLUMNS                                                                               \
    "ldr    %[x_odd], [%[x]], #4\n\t"                                                              \
    "sxtb16 %[x_even], %[x_odd]\n\t"                                                               \
    "sxtb16 %[x_odd], %[x_odd], ror #8\n\t"                                                        \
    TWO_ROWS("[%[row], %[stride]]", "%[sum1]", "[%[row], %[stride], lsl #1]", "%[sum2]")           \
    TWO_ROWS("[%[row], %[stride3]]", "%[sum3]", "[%[row]], #4", "%[sum0]")

/* Runs FOUR_COLUMNS, once or several times. LDR needs no alignment on this core. */
#define RUN(columns)                                                                               \
    __asm(columns                                                                                  \
          : [row] "+r"(row), [x] "+r"(x), [sum0] "+r"(sum0), [sum1] "+r"(sum1),                    \
            [sum2] "+r"(sum2), [sum3] "+r"(sum3), [a] "=&r"(a), [b] "=&r"(b), [even] "=&r"(even),  \
            [x_even] "=&r"(x_even), [x_odd] "=&r"(x_odd)                                           \
          : [stride] "r"(stride), [stride3] "r"(3 * stride)                                        \
          : "memory")

/* The same as in dense_int8.c, for what remains when columns or rows are no multiple of four. */
static int32_t dot(const int8_t *weights, const int8_t *input, uint32_t count)
{
    int32_t sum = 0;
    for (uint32_t i = 0; i < count; i++) {
        sum += (int32_t)weights[i] * (int32_t)input[i];
    }
    return sum;
}

/* Adds to `sums` the dot products of four rows of weights, one below the other, with the input. */
static void dot_four_rows(const int8_t *row, const int8_t *x, uint32_t stride, int32_t sums[4])
{
    uint32_t a, b, even, x_even, x_odd; /* registers of the loop, see above */
    int32_t sum0 = sums[0], sum1 = sums[1], sum2 = sums[2], sum3 = sums[3];
    uint32_t count = stride;
    for (; count >= 16; count -= 16) {
        RUN(FOUR_COLUMNS FOUR_COLUMNS FOUR_COLUMNS FOUR_COLUMNS);
    }
    for (; count >= 4; count -= 4) {
        RUN(FOUR_COLUMNS);
    }
    sums[0] = sum0;
    sums[1] = sum1;
    sums[2] = sum2;
    sums[3] = sum3;
    for (uint32_t r = 0; count > 0 && r < 4; r++) {
        sums[r] += dot(row + r * stride, x, count);
    }
}

/* Kept out of the way of the usual case below. */
static NOINLINE int32_t requantize_with_small_shift(int32_t value,
                                                                     int32_t multiplier,
                                                                     uint32_t shift)
{
    return nn_requantize(value, multiplier, shift);
}

/* nn_requantize() without 64-bit shifts: from shift 33 on, the lower half of the product cannot
 * change the result, and SMMLA computes and rounds the upper half alone. */
static inline int32_t requantize(int32_t value, int32_t multiplier, uint32_t shift)
{
    if (shift < 33) {
        return requantize_with_small_shift(value, multiplier, shift);
    }
    const int32_t upper_half = (int32_t)(((int64_t)value * multiplier) >> 32);
    return (upper_half + (1 << (shift - 33))) >> (shift - 32);
}

/* From the accumulators of `count` outputs to their bytes. */
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
        dot_four_rows(row, input, p->inputs, sums);
        store(p, o, 4, sums, output);
        row += 4 * p->inputs;
    }
    for (; o < p->outputs; o++) {
        const int32_t sum = p->bias[o] + dot(row, input, p->inputs);
        store(p, o, 1, &sum, output);
        row += p->inputs;
    }
}

#endif
