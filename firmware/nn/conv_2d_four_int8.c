#include "conv_2d_four.h"

#if !defined(__ARM_FEATURE_DSP) /* else see conv_2d_four_int8_cortex_m4.c */

void nn_conv_2d_four_int8(const nn_conv_2d_four_int8_params *p, const int8_t *input, int8_t *output,
                          void *scratch)
{
    nn_conv_2d_int8(p, input, output, scratch);
}

#endif
