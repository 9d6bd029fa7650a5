/* DEPTHWISE_CONV_2D: every channel of the input is filtered by itself, `depth_multiplier` times.
 *
 * Output channel c * depth_multiplier + m is made of input channel c. The output may not overlap
 * the input. */
#pragma once

#include "window.h"

#include <stdint.h>

/* DEPTHWISE_CONV_2D, int8. For every output channel and position:
 *   products = the weights times the window's inputs, times 2^(shift >> 9)
 *   output = clamp(nn_rescale(bias + products, multiplier, rounding, shift & 0x1FF))
 * The bias contains -input_zero_point * (the sum of the channel's weights), so what lies outside of
 * the input counts as input_zero_point. */
typedef struct {
    nn_window window;
    const int8_t *weights;   /* [kernel_height][kernel_width][output_channels] */
    const int32_t *channels; /* [output_channels][4]: bias, multiplier, rounding, shift */
    uint32_t depth_multiplier;
    int32_t input_zero_point;
    int32_t minimum; /* the fused activation */
    int32_t maximum;
    uint32_t strip; /* lines of the output that the fast kernel makes at a time */
} nn_depthwise_conv_2d_int8_params;

/* One output: channel `o` of the window that begins at row `top`, column `left`, which are huge
 * numbers where that is padding. The chip's fast path takes it for what its steps leave over. */
int8_t nn_depthwise_output_int8(const nn_depthwise_conv_2d_int8_params *p, const int8_t *input,
                                uint32_t top, uint32_t left, uint32_t o);

void nn_depthwise_conv_2d_int8(const nn_depthwise_conv_2d_int8_params *p, const int8_t *input,
                               int8_t *output);

/* DEPTHWISE_CONV_2D, float32. */
typedef struct {
    nn_window window;
    const float *weights; /* [kernel_height][kernel_width][output_channels] */
    const float *bias;    /* [output_channels] */
    uint32_t depth_multiplier;
    float minimum; /* the fused activation */
    float maximum;
} nn_depthwise_conv_2d_float32_params;

void nn_depthwise_conv_2d_float32(const nn_depthwise_conv_2d_float32_params *p, const float *input,
                                  float *output);
