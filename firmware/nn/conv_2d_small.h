/* CONV_2D in the least flash: weights are bytes, and one plain loop serves every machine. */
#pragma once

#include "window.h"

#include <stdint.h>

/* As nn_conv_2d_int8() in conv_2d.h, a max pooling behind it included, with the weights as the
 * model has them. nn_rescale() wants sums times a power of two: the bias is stored so, and the
 * exponent stands above bit 8 of the shift. Nothing may overlap. */
typedef struct {
    nn_window window;
    const int8_t *weights;   /* [output_channels][kernel_height][kernel_width][input_channels] */
    const int32_t *channels; /* [output_channels][4]: bias, multiplier, rounding, shift */
    uint16_t pool_height;    /* the pooling's window, and its stride */
    uint16_t pool_width;
    uint16_t pool_stride_height;
    uint16_t pool_stride_width;
    int32_t input_zero_point;
    int32_t minimum; /* the fused activation */
    int32_t maximum;
} nn_conv_2d_small_int8_params;

void nn_conv_2d_small_int8(const nn_conv_2d_small_int8_params *p, const int8_t *input,
                           int8_t *output);
