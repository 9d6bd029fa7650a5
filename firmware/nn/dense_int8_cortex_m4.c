/* The nn_dense_int8() of dense_int8.c, bit for bit, with the DSP instructions of the Cortex-M4.
 * The idea and the loops are in dense_int8_cortex_m4.S. */
#include "dense_cortex_m4.h"

#if defined(__ARM_FEATURE_DSP)

/* Widens a row of the input, two words a group, and sets it as x. */
NN_DENSE_APART static void widen(nn_dense_work *work, const nn_dense_int8_params *p,
                                 const int8_t *input, uint32_t *wide)
{
    const uint32_t zero = nn_both_halves(-p->input_zero_point);
    int32_t products = 0, total = 0;
    nn_dense_set_x(work, wide, (p->inputs + 3) / 4, 8, 8);
    for (uint32_t i = 0; i < p->inputs; i += 4) {
        const uint32_t bytes = nn_four_inputs(p, input + i, p->inputs - i);
        wide[0] = nn_add_bytes_0_and_2(zero, bytes);
        wide[1] = nn_add_bytes_1_and_3(zero, bytes);
        products = nn_add_products(wide[0], wide[1], products);
        total = nn_add_inputs(wide[0], wide[1], total);
        wide += 2;
    }
    work->products = -products;
    work->total = 128 * total;
}

void nn_dense_int8(const nn_dense_int8_params *p, const int8_t *input, int8_t *output,
                   void *scratch)
{
    nn_dense_work work;
    for (uint32_t r = 0; r < p->rows; r++) {
        nn_dense_prepare(&work, p, output + r * p->outputs);
        widen(&work, p, input + r * p->inputs, scratch);
        nn_dense_run_wide(&work);
    }
}

#endif
