/* The nn_dense_ram_int8() of dense_int8.c, bit for bit, with the DSP instructions of the
 * Cortex-M4; the loops are in dense_ram_int8_cortex_m4.S. */
#include "dense_cortex_m4.h"
#include "dense_ram.h"

#if defined(__ARM_FEATURE_DSP)

/* What belongs to the input alone. Bytes behind a row meet weights of zero, and cancel out. */
NN_DENSE_APART static void measure(nn_dense_work *work, uint32_t groups, const int8_t *input)
{
    const nn_four_bytes *bytes = (const nn_four_bytes *)input;
    int32_t products = 0, total = 0;
    for (uint32_t i = 0; i < groups; i++) {
        const uint32_t even = nn_add_bytes_0_and_2(0, bytes[i].word);
        const uint32_t odd = nn_add_bytes_1_and_3(0, bytes[i].word);
        products = nn_add_products(even, odd, products);
        total = nn_add_inputs(even, odd, total);
    }
    work->products = -products;
    work->total = 128 * total;
    nn_dense_set_x(work, input, groups, 4, 16);
}

void nn_dense_ram_int8(const nn_dense_ram_int8_params *p, const int8_t *input, int8_t *output)
{
    nn_dense_work work;
    for (uint32_t r = 0; r < p->rows; r++) {
        nn_dense_prepare(&work, p, output + r * p->outputs);
        measure(&work, (p->inputs + 3) / 4, input + r * p->inputs);
        nn_dense_run_bytes(&work);
    }
}

#endif
