/* The kernels of dense_packed.c, bit for bit, with the DSP instructions of the Cortex-M4.
 * The idea and the loops are in dense_packed_cortex_m4.S. */
#include "dense_packed_cortex_m4.h"
#include "dense_cortex_m4.h"
#include "dense_packed.h"
#include "dense_packed_output.h"

#if defined(__ARM_FEATURE_DSP)

#define ALL_BYTES 256U

static inline uint32_t pair_of(int32_t low, int32_t high)
{
    return ((uint32_t)low & 0xFFFF) | (uint32_t)high << 16;
}

/* The next inputs, so many as a word of weights has; 0 for those behind the last. */
static inline const int8_t *next_inputs(const int8_t *input, uint32_t left, uint32_t count,
                                        int8_t *filled)
{
    if (left >= count) {
        return input;
    }
    for (uint32_t i = 0; i < count; i++) {
        filled[i] = 0;
    }
    for (uint32_t i = 0; i < left; i++) {
        filled[i] = input[i];
    }
    return filled;
}

/* Writes `inputs` inputs to x in pairs which are `apart` from each other, of words of 2 * `apart`
 * inputs, up to `end`; returns their sum. */
NN_DENSE_APART static int32_t spread(const int8_t *input, uint32_t inputs, uint32_t apart,
                                     uint32_t *x, const uint32_t *end)
{
    int8_t filled[32];
    int32_t total = 0;
    while (x < end) {
        const int8_t *from = next_inputs(input, inputs, 2 * apart, filled);
        for (const int8_t *const half = from + apart; from < half; from++) {
            const int32_t low = from[0], high = from[apart];
            *x++ = pair_of(low, high);
            total += low + high;
        }
        input += 2 * apart;
        inputs -= inputs < 2 * apart ? inputs : 2 * apart;
    }
    return total;
}

/* As spread(), of ternary: bytes 0 and 2 of a word are pairs, then bytes 1 and 3. */
static int32_t spread_digits(const int8_t *input, uint32_t inputs, uint32_t *x)
{
    int8_t filled[20];
    int32_t total = 0;
    for (uint32_t first = 0; first < inputs; first += 20) {
        const int8_t *from = next_inputs(input + first, inputs - first, 20, filled);
        for (const int8_t *const half = from + 10; from < half; from += 5) {
            int32_t next[2] = {0, 0};
            for (uint32_t digit = 5; digit-- > 0;) {
                const int32_t low = from[digit], high = from[digit + 10];
                x[digit] = pair_of(low - 3 * next[0], high - 3 * next[1]);
                next[0] = low;
                next[1] = high;
                total += low + high;
            }
            x += 5;
        }
    }
    return total;
}

/* The outputs of a row of inputs, which is spread as x, in blocks of `block`. Sums of codes may
 * wrap around; those of weights do not. The struct is copied, for else a byte that is written could
 * be one of it. */
static inline __attribute__((always_inline)) void run(const nn_dense_packed_params *params,
                                                      const uint32_t *x, const uint32_t *end,
                                                      int32_t total, int8_t *output, uint32_t block,
                                                      nn_dense_packed_sums *sums_of)
{
    const nn_dense_packed_params p = *params;
    const uint32_t step = (uint32_t)p.step, less = (uint32_t)total * (uint32_t)p.offset;
    const uint8_t *weights = p.weights;
    for (uint32_t o = 0; o < p.outputs;) {
        int32_t sums[4];
        weights = sums_of(weights, x, end, sums);
        for (uint32_t r = 0; r < block && o < p.outputs; r++, o++) {
            const uint32_t sum = (uint32_t)sums[r] * step - less + (uint32_t)p.bias[o];
            *output++ = nn_dense_packed_output(&p, o, (int32_t)sum);
        }
    }
}

static inline __attribute__((always_inline)) void
run_bits(const nn_dense_packed_params *p, const int8_t *input, int8_t *output, uint32_t *x,
         uint32_t pairs, uint32_t apart, nn_dense_packed_sums *sums_of)
{
    const uint32_t *const end = x + pairs * p->words;
    for (uint32_t r = 0; r < p->rows; r++) {
        const int32_t total = spread(input + r * p->inputs, p->inputs, apart, x, end);
        run(p, x, end, total, output + r * p->outputs, 4, sums_of);
    }
}

void nn_dense_packed_int4(const nn_dense_packed_params *p, const int8_t *input, int8_t *output,
                          void *scratch)
{
    run_bits(p, input, output, scratch, 4, 4, nn_dense_sums_of_int4);
}

void nn_dense_packed_int2(const nn_dense_packed_params *p, const int8_t *input, int8_t *output,
                          void *scratch)
{
    run_bits(p, input, output, scratch, 8, 8, nn_dense_sums_of_int2);
}

void nn_dense_packed_binary(const nn_dense_packed_params *p, const int8_t *input, int8_t *output,
                            void *scratch)
{
    run_bits(p, input, output, scratch, 16, 16, nn_dense_sums_of_binary);
}

void nn_dense_packed_ternary(const nn_dense_packed_params *p, const int8_t *input, int8_t *output,
                             void *scratch)
{
    uint32_t *x = scratch;
    for (uint32_t r = 0; r < p->rows; r++) {
        const int32_t total = spread_digits(input + r * p->inputs, p->inputs, x);
        run(p, x, x + 10 * p->words, total, output + r * p->outputs, 2, nn_dense_sums_of_ternary);
    }
}

void nn_dense_packed_clustered(const nn_dense_packed_params *p, const int8_t *input, int8_t *output,
                               void *scratch)
{
    uint32_t *pairs = scratch; /* of all bytes, and then x */
    for (uint32_t byte = 0; byte < ALL_BYTES; byte++) {
        *pairs++ = pair_of(p->values[byte & 0xF], p->values[byte >> 4]);
    }
    run_bits(p, input, output, pairs, 4, 1, nn_dense_sums_of_clustered);
}

#endif
