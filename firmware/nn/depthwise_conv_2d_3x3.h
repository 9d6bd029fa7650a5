/* DEPTHWISE_CONV_2D with a kernel of 3x3: as nn_depthwise_conv_2d_int8(), and much faster on a
 * Cortex-M4. It takes layers of four channels or more, with a stride of 1 along one side and 1 or 2
 * along the other, without dilation; depth_multiplier is 1. For strides of 2 see
 * depthwise_conv_2d_3x3_stride_2.h.
 *
 * Both ask more of a channel's numbers than the general kernel does: bit 8 of the shift is set, or
 * else the channel is one as most are behind a ReLU. What is below the output's zero point is cut
 * off; the shift is 4 to 10 and bits 9 up are 1; and bias and sums fit in 32 bits also times 2^d,
 * where d is 11 - shift. The fast path multiplies them by that, so that all such channels are
 * shifted by 11, which SSAT does as it cuts off. From the zero point up,
 *   (value * 2^d * multiplier / 2^32, rounded down; + (2 * rounding + 1) * 2^(d - 1)) >> 11
 * is what nn_rescale() gives: its own half before the first rounding is added behind it. */
#pragma once

#include "depthwise_conv_2d.h"

typedef nn_depthwise_conv_2d_int8_params nn_depthwise_conv_2d_3x3_int8_params;

/* `scratch` holds widened lines of four channels: the (strip - 1) * stride + 3 lines of the input
 * that `strip` lines of the output take. Lines run along the longer side, or else where
 * the stride is 1. */
void nn_depthwise_conv_2d_3x3_int8(const nn_depthwise_conv_2d_3x3_int8_params *p,
                                   const int8_t *input, int8_t *output, void *scratch);
