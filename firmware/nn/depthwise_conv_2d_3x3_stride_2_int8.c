#include "depthwise_conv_2d_3x3_stride_2.h"

#if !defined(__ARM_FEATURE_DSP) /* else see depthwise_conv_2d_3x3_stride_2_int8_cortex_m4.c */

void nn_depthwise_conv_2d_3x3_stride_2_int8(const nn_depthwise_conv_2d_3x3_stride_2_int8_params *p,
                                            const int8_t *input, int8_t *output, void *scratch)
{
    (void)scratch;
    nn_depthwise_conv_2d_int8(p, input, output);
}

#endif
