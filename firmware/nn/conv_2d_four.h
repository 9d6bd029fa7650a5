/* CONV_2D with more taps than NN_CONV_2D_FEW: what nn_conv_2d_int8() computes of the same
 * parameters, by a fast path that takes four windows at a time and more scratch. Of poolings it
 * takes 2 x 2. */
#pragma once

#include "conv_2d.h"

typedef nn_conv_2d_int8_params nn_conv_2d_four_int8_params;

void nn_conv_2d_four_int8(const nn_conv_2d_four_int8_params *p, const int8_t *input, int8_t *output,
                          void *scratch);
