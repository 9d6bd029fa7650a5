/* CONV_2D with at most NN_CONV_2D_FEW taps, such as 3 x 3 x 1 or 1 x 1 x 8: what nn_conv_2d_int8()
 * computes of the same parameters, by another fast path. Of poolings it takes 2 x 2. */
#pragma once

#include "conv_2d.h"

typedef nn_conv_2d_int8_params nn_conv_2d_few_int8_params;

void nn_conv_2d_few_int8(const nn_conv_2d_few_int8_params *p, const int8_t *input, int8_t *output,
                         void *scratch);
