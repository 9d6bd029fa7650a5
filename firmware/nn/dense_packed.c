#include "dense_packed.h"
#include "dense_packed_output.h"

#if !defined(__ARM_FEATURE_DSP) /* else see dense_packed_cortex_m4.c */

#define TERNARY 0U /* instead of a number of bits */

/* Code i of a row, whose words are `step` bytes apart. */
static int32_t code_at(const uint8_t *row, uint32_t step, uint32_t bits, uint32_t i)
{
    const uint32_t byte = bits == TERNARY ? i / 5 : i * bits / 8;
    uint32_t value = row[byte / 4 * step + byte % 4];
    if (bits != TERNARY) {
        return (int32_t)(value >> i * bits % 8 & ((1U << bits) - 1));
    }
    for (uint32_t before = i % 5; before > 0; before--) {
        value = value * 3 & 0xFF;
    }
    return (int32_t)(value * 3 >> 8);
}

static void run(const nn_dense_packed_params *p, const int8_t *input, int8_t *output, uint32_t bits)
{
    const uint32_t block = bits == TERNARY ? 2 : 4;
    for (uint32_t r = 0; r < p->rows; r++) {
        for (uint32_t o = 0; o < p->outputs; o++) {
            const uint8_t *row = p->weights + 4 * (o / block * block * p->words + o % block);
            int32_t sum = p->bias[o];
            for (uint32_t i = 0; i < p->inputs; i++) {
                const int32_t code = code_at(row, 4 * block, bits, i);
                sum += (p->values ? p->values[code] : p->step * code - p->offset) * input[i];
            }
            *output++ = nn_dense_packed_output(p, o, sum);
        }
        input += p->inputs;
    }
}

void nn_dense_packed_int4(const nn_dense_packed_params *p, const int8_t *input, int8_t *output,
                          void *scratch)
{
    (void)scratch; /* the fast path's, as below */
    run(p, input, output, 4);
}

void nn_dense_packed_int2(const nn_dense_packed_params *p, const int8_t *input, int8_t *output,
                          void *scratch)
{
    (void)scratch;
    run(p, input, output, 2);
}

void nn_dense_packed_binary(const nn_dense_packed_params *p, const int8_t *input, int8_t *output,
                            void *scratch)
{
    (void)scratch;
    run(p, input, output, 1);
}

void nn_dense_packed_ternary(const nn_dense_packed_params *p, const int8_t *input, int8_t *output,
                             void *scratch)
{
    (void)scratch;
    run(p, input, output, TERNARY);
}

void nn_dense_packed_clustered(const nn_dense_packed_params *p, const int8_t *input, int8_t *output,
                               void *scratch)
{
    (void)scratch;
    run(p, input, output, 4);
}

#endif
