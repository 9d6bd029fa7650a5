/* DEPTHWISE_CONV_2D with a kernel of 3x3 and both strides 2: as nn_depthwise_conv_2d_int8(), and
 * much faster on a Cortex-M4. It takes layers of four channels or more, without dilation;
 * depth_multiplier is 1. */
#pragma once

#include "depthwise_conv_2d.h"

typedef nn_depthwise_conv_2d_int8_params nn_depthwise_conv_2d_3x3_stride_2_int8_params;

/* `scratch` holds widened lines of four channels: the strip + 1 pairs of lines of the input that
 * `strip` lines of the output take, each of 64 bytes for two outputs of a line, and 64 more. Lines
 * run along the longer side. */
void nn_depthwise_conv_2d_3x3_stride_2_int8(const nn_depthwise_conv_2d_3x3_stride_2_int8_params *p,
                                            const int8_t *input, int8_t *output, void *scratch);
