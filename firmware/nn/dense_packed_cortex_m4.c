/* The kernels of dense_packed.c, bit for bit, with the DSP instructions of the Cortex-M4.
 * The idea and the loops are in dense_packed_cortex_m4.S. */
#include "dense_packed_cortex_m4.h"
#include "dense_cortex_m4.h"
#include "dense_packed.h"
#include "dense_packed_output.h"

#if defined(__ARM_FEATURE_DSP)

#define ALL_BYTES 256U

/* An input; 0 behind the last. */
static inline int32_t input_at(const nn_dense_packed_params *p, const int8_t *input, uint32_t i)
{
    return i < p->inputs ? input[i] : 0;
}

static inline uint32_t pair_of(int32_t low, int32_t high)
{
    return ((uint32_t)low & 0xFFFF) | (uint32_t)high << 16;
}

/* Writes the inputs from x to `end` in pairs which are `apart` from each other, and returns their
 * sum. */
static int32_t spread(const nn_dense_packed_params *p, const int8_t *input, uint32_t apart,
                      uint32_t *x, const uint32_t *end)
{
    int32_t total = 0;
    for (uint32_t first = 0; x < end; first += 2 * apart) {
        for (uint32_t i = first; i < first + apart; i++) {
            const int32_t low = input_at(p, input, i), high = input_at(p, input, i + apart);
            *x++ = pair_of(low, high);
            total += low + high;
        }
    }
    return total;
}

/* As spread(), of ternary: bytes 0 and 2 of a word are pairs, then bytes 1 and 3. */
static int32_t spread_digits(const nn_dense_packed_params *p, const int8_t *input, uint32_t *x)
{
    int32_t total = 0;
    for (uint32_t first = 0; first < p->inputs; first += 20) {
        for (uint32_t i = first; i < first + 10; i += 5) {
            int32_t next[2] = {0, 0};
            for (uint32_t digit = 5; digit-- > 0;) {
                const int32_t low = input_at(p, input, i + digit);
                const int32_t high = input_at(p, input, i + 10 + digit);
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
 * wrap around; those of weights do not. */
static inline __attribute__((always_inline)) void run(const nn_dense_packed_params *p,
                                                      const uint32_t *x, const uint32_t *end,
                                                      int32_t total, int8_t *output, uint32_t block,
                                                      nn_dense_packed_sums *sums_of)
{
    const uint8_t *weights = p->weights;
    for (uint32_t o = 0; o < p->outputs;) {
        int32_t sums[4];
        weights = sums_of(weights, x, end, sums);
        for (uint32_t r = 0; r < block && o < p->outputs; r++, o++) {
            const uint32_t sum = (uint32_t)sums[r] * (uint32_t)p->step -
                                 (uint32_t)total * (uint32_t)p->offset + (uint32_t)p->bias[o];
            *output++ = nn_dense_packed_output(p, o, (int32_t)sum);
        }
    }
}

static inline __attribute__((always_inline)) void
run_bits(const nn_dense_packed_params *p, const int8_t *input, int8_t *output, uint32_t *x,
         uint32_t pairs, uint32_t apart, nn_dense_packed_sums *sums_of)
{
    const uint32_t *const end = x + pairs * p->words;
    for (uint32_t r = 0; r < p->rows; r++) {
        const int32_t total = spread(p, input + r * p->inputs, apart, x, end);
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
        const int32_t total = spread_digits(p, input + r * p->inputs, x);
        run(p, x, x + 10 * p->words, total, output + r * p->outputs, 2, nn_dense_sums_of_ternary);
    }
}

/* The sums of four rows of clustered: a byte is two weights in the table before x. */
static const uint8_t *sums_of_clustered(const uint8_t *weights, const uint32_t *x,
                                        const uint32_t *end, int32_t *sums)
{
    const uint32_t *const pairs = x - ALL_BYTES;
    int32_t a = 0, b = 0, c = 0, d = 0;
    while (x < end) {
        const nn_four_bytes *row = (const nn_four_bytes *)weights;
        for (uint32_t at = 0; at < 32; at += 8) {
            const uint32_t two = *x++;
            a = nn_add_products(pairs[row[0].word >> at & 0xFF], two, a);
            b = nn_add_products(pairs[row[1].word >> at & 0xFF], two, b);
            c = nn_add_products(pairs[row[2].word >> at & 0xFF], two, c);
            d = nn_add_products(pairs[row[3].word >> at & 0xFF], two, d);
        }
        weights += 16;
    }
    sums[0] = a;
    sums[1] = b;
    sums[2] = c;
    sums[3] = d;
    return weights;
}

void nn_dense_packed_clustered(const nn_dense_packed_params *p, const int8_t *input, int8_t *output,
                               void *scratch)
{
    uint32_t *pairs = scratch;
    for (uint32_t byte = 0; byte < ALL_BYTES; byte++) {
        *pairs++ = pair_of(p->values[byte & 0xF], p->values[byte >> 4]);
    }
    run_bits(p, input, output, pairs, 4, 1, sums_of_clustered);
}

#endif
