#include "dense_packed.h"
#include "dense_packed_output.h"

#if !defined(__ARM_FEATURE_DSP) /* else see dense_packed_cortex_m4.c */

enum { INT4, INT2, BINARY, TERNARY, CLUSTERED };

/* Code i of ternary, of the word that it is in: the rest after i % 20 digits, times 3. */
static uint32_t digit_of(const uint8_t *bytes, uint32_t i)
{
    uint32_t word =
        bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 | (uint32_t)bytes[3] << 24;
    for (uint32_t before = i % 20; before > 0; before--) {
        word *= 3;
    }
    return (uint32_t)((uint64_t)word * 3 >> 32);
}

/* Code i of output o. */
static uint32_t code_at(const nn_dense_packed_params *p, uint32_t packing, uint32_t o, uint32_t i)
{
    static const uint8_t bits_of[] = {[INT2] = 2, [BINARY] = 1, [CLUSTERED] = 4};
    const uint32_t row = o % 4;
    const uint8_t *block = p->weights + 16 * p->words * (o / 4);
    if (packing == TERNARY) {
        return digit_of(p->weights + 4 * ((p->outputs + 3) / 4 * 4 * (i / 20) + o), i);
    }
    if (packing == INT4) {
        const uint32_t byte = block[i / 4 * 8 + i % 2 * 4 + i / 2 % 2 * 2 + row / 2];
        return (byte >> row % 2 * 4 & 0xF) ^ (row == 3 ? 8 : 0);
    }
    const uint32_t bits = bits_of[packing], byte = i * bits / 8;
    return block[byte / 4 * 16 + row * 4 + byte % 4] >> i * bits % 8 & ((1U << bits) - 1);
}

static void run(const nn_dense_packed_params *p, const int8_t *input, int8_t *output,
                uint32_t packing)
{
    for (uint32_t r = 0; r < p->rows; r++) {
        for (uint32_t o = 0; o < p->outputs; o++) {
            int32_t sum = p->bias[o];
            for (uint32_t i = 0; i < p->inputs; i++) {
                const int32_t code = (int32_t)code_at(p, packing, o, i);
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
    run(p, input, output, INT4);
}

void nn_dense_packed_int2(const nn_dense_packed_params *p, const int8_t *input, int8_t *output,
                          void *scratch)
{
    (void)scratch;
    run(p, input, output, INT2);
}

void nn_dense_packed_binary(const nn_dense_packed_params *p, const int8_t *input, int8_t *output,
                            void *scratch)
{
    (void)scratch;
    run(p, input, output, BINARY);
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
    run(p, input, output, CLUSTERED);
}

#endif
