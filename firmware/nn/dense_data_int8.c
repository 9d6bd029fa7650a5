#include "dense_data.h"

#if !defined(__ARM_FEATURE_DSP) /* else see dense_data_int8_cortex_m4.c */

void nn_dense_data_int8(const nn_dense_data_int8_params *p, const int8_t *input, int8_t *output,
                        void *scratch)
{
    nn_dense_int8(p, input, output, scratch);
}

#endif
