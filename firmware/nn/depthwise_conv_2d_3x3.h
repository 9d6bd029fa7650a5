/* DEPTHWISE_CONV_2D with a kernel of 3x3: as nn_depthwise_conv_2d_int8(), and much faster on a
 * Cortex-M4. It takes layers of four channels or more, with a stride of 1 along one side and 1 or 2
 * along the other, without dilation; depth_multiplier is 1. For strides of 2 see
 * depthwise_conv_2d_3x3_stride_2.h. */
#pragma once

#include "depthwise_conv_2d.h"

typedef nn_depthwise_conv_2d_int8_params nn_depthwise_conv_2d_3x3_int8_params;

/* `scratch` holds widened lines of four channels: the (strip - 1) * stride + 3 lines of the input
 * that `strip` lines of the output take. Lines run along the longer side, or else where
 * the stride is 1. */
void nn_depthwise_conv_2d_3x3_int8(const nn_depthwise_conv_2d_3x3_int8_params *p,
                                   const int8_t *input, int8_t *output, void *scratch);
