/* CONV_2D in the least flash: weights are as few bits as may be, and one plain loop serves every
 * machine. */
#pragma once

#include "window.h"

#include <stdint.h>

/* As nn_conv_2d_int8() in conv_2d.h, a max pooling behind it included, with the weights in the
 * order of the model. nn_rescale() wants sums times a power of two: the bias is stored so, and the
 * exponent stands above bit 8 of the shift. Nothing may overlap.
 *
 * Filters are [output_channels][kernel_height][kernel_width][input_channels]. Their weights are
 * bytes; or codes, and each weight is `values` at its code. Then `scratch` has room for a filter.
 */
typedef struct {
    nn_window window;
    const void *weights;     /* as each kernel below says */
    const int8_t *values;    /* of each code its weight */
    const int32_t *channels; /* [output_channels][4]: bias, multiplier, rounding, shift */
    uint16_t pool_height;    /* the pooling's window, and its stride */
    uint16_t pool_width;
    uint16_t pool_stride_height;
    uint16_t pool_stride_width;
    uint32_t bits; /* of a code */
    int32_t input_zero_point;
    int32_t minimum; /* the fused activation */
    int32_t maximum;
} nn_conv_2d_small_params;

/* Weights are int8. */
typedef nn_conv_2d_small_params nn_conv_2d_small_int8_params;
void nn_conv_2d_small_int8(const nn_conv_2d_small_int8_params *p, const int8_t *input,
                           int8_t *output);

/* Weights are codes of 1, 2 or 4 bits, one after the other from the lowest bit of a byte on. */
typedef nn_conv_2d_small_params nn_conv_2d_small_bits_params;
void nn_conv_2d_small_bits(const nn_conv_2d_small_bits_params *p, const int8_t *input,
                           int8_t *output, void *scratch);

/* Weights are codes of three values, five in a byte, as unpack.h says; a filter begins a byte. */
typedef nn_conv_2d_small_params nn_conv_2d_small_ternary_params;
void nn_conv_2d_small_ternary(const nn_conv_2d_small_ternary_params *p, const int8_t *input,
                              int8_t *output, void *scratch);

/* All outputs of a channel. */
void nn_conv_2d_small_channel(const nn_conv_2d_small_params *p, const int8_t *input,
                              const int8_t *filter, uint32_t channel, int8_t *output);

static inline uint32_t nn_conv_2d_small_taps(const nn_window *w)
{
    return (uint32_t)w->kernel_height * w->kernel_width * w->input_channels;
}
