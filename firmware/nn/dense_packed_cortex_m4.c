/* The kernels of dense_packed.c, bit for bit, with the DSP instructions of the Cortex-M4.
 * The ideas and the loops are in dense_packed_cortex_m4.S. */
#include "dense_packed_cortex_m4.h"
#include "dense_packed.h"

#if defined(__ARM_FEATURE_DSP)

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
        filled[i] = i < left ? input[i] : 0;
    }
    return filled;
}

/* Writes `inputs` inputs to x in pairs which are `apart` from each other, of 2 * `apart` inputs, up
 * to `end`; returns their sum. */
static int32_t spread(const int8_t *input, uint32_t inputs, uint32_t apart, uint32_t *x,
                      const uint32_t *end)
{
    int8_t filled[32];
    int32_t total = 0;
    while (x < end) {
        const int8_t *from = next_inputs(input, inputs, 2 * apart, filled);
        for (uint32_t i = 0; i < apart; i++, x++) {
            *x = pair_of(from[i], from[i + apart]);
            total = nn_add_products(*x, 0x10001, total);
        }
        input += 2 * apart;
        inputs -= inputs < 2 * apart ? inputs : 2 * apart;
    }
    return total;
}

/* The work of row r of the input, which is spread to x, `size` words, in pairs `apart`. */
NN_DENSE_APART static void prepare(nn_dense_packed_work *work, const nn_dense_packed_params *p,
                                   uint32_t r, const int8_t *input, int8_t *output, uint32_t *x,
                                   uint32_t size, uint32_t apart)
{
    for (uint32_t byte = 0; p->values && byte < 256; byte++) { /* clustered */
        *x++ = pair_of(p->values[byte & 0xF], p->values[byte >> 4]);
    }
    const uint32_t *const end = x + size;
    const int32_t total = spread(input + r * p->inputs, p->inputs, apart, x, end);
    *work = (nn_dense_packed_work){
        .base = {.weights = (const int8_t *)p->weights,
                 .x = x,
                 .section_end = end,
                 .pairs = p->pairs,
                 .bias = p->bias,
                 .multiplier = p->multiplier,
                 .shift = p->shift,
                 .step = (p->per_channel ? 4U : 0U) + (p->small_shifts ? 1U : 0U),
                 .zero_point = p->output_zero_point,
                 .minimum = 0x01010101U * (uint8_t)p->minimum,
                 .maximum = 0x01010101U * (uint8_t)p->maximum,
                 .output = output + r * p->outputs,
                 .left = p->outputs},
        .step = p->step,
        .less = -p->offset * total,
    };
    int32_t products = 0; /* of neighbors, for int4 */
    for (; p->pairs && x < end; x += 2) {
        products = nn_add_products(x[0], x[1], products);
    }
    work->base.products = -products;
}

/* A kernel with so many pairs of x for a word of weights, which are so far apart. */
#define KERNEL(name, in_a_word, apart)                                                             \
    void nn_dense_packed_##name(const nn_dense_packed_params *p, const int8_t *input,              \
                                int8_t *output, void *scratch)                                     \
    {                                                                                              \
        nn_dense_packed_work work;                                                                 \
        for (uint32_t r = 0; r < p->rows; r++) {                                                   \
            prepare(&work, p, r, input, output, scratch, (in_a_word) * p->words, apart);           \
            nn_dense_run_##name(&work);                                                            \
        }                                                                                          \
    }
KERNEL(int4, 4, 2)
KERNEL(int2, 8, 8)
KERNEL(binary, 16, 16)
KERNEL(clustered, 4, 1)

void nn_dense_packed_ternary(const nn_dense_packed_params *p, const int8_t *input, int8_t *output,
                             void *scratch)
{
    int32_t *const sums = (int32_t *)scratch + 5 * TABLE_OF_FOUR / 4;
    const int32_t *const end = sums + (p->outputs + 3) / 4 * 4;
    for (uint32_t r = 0; r < p->rows; r++) {
        const uint8_t *weights = p->weights;
        int8_t filled[20];
        for (int32_t *sum = sums; sum < end; sum++) {
            *sum = 0;
        }
        for (uint32_t i = 0; i < p->inputs; i += 20) {
            const int8_t *from = input + r * p->inputs + i;
            from = next_inputs(from, p->inputs - i, 20, filled);
            weights = nn_dense_add_ternary(weights, sums, end, from);
        }
        nn_dense_packed_work work;
        prepare(&work, p, r, input, output, scratch, 0, 1);
        work.base.weights = (const int8_t *)sums;
        nn_dense_run_sums(&work);
    }
}

#endif
