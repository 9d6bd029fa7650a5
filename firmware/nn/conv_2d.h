/* CONV_2D: each output is the sum of a window of the input times a filter, one filter a channel. */
#pragma once

#include "window.h"

#include <stdint.h>

/* CONV_2D, int8, and the MAX_POOL_2D behind it, whose output is the window's.
 *
 *   sum(y, x, o) = the window's inputs times the weights of channel o, at every place of the window
 *   output(y, x, o) = clamp(rescale(bias[o] + the largest sum of the pooling's window))
 *
 * Without a pooling its window is 1 x 1. Rescaling never makes of a larger sum a smaller output, so
 * the largest sum gives the largest output: one rescaling for them all, and no tensor between.
 * Weights and bias are stored times 2 (or a higher power of 2), as nn_rescale() wants sums; the
 * bias contains -input_zero_point * (the sum of the channel's weights), so what lies outside of the
 * input counts as input_zero_point.
 *
 * A tap is one weight of a channel: (row * kernel_width + column) * input_channels + channel of the
 * input. nn_conv_2d_weight() says where it lies. Unless taps are few, there is an even number of
 * channels in weights and channels, if need be one of zeros. Output and scratch overlap nothing. */
typedef struct {
    nn_window window;
    const int16_t *weights;  /* [output_channels][taps], in the order of nn_conv_2d_weight() */
    const int32_t *channels; /* [output_channels][4]: bias, multiplier, rounding, shift */
    uint32_t taps;           /* with zeros after the last: NN_CONV_2D_FEW, or a multiple of 4 */
    uint32_t batch;          /* outputs for which scratch has room, where taps are few */
    uint32_t pool_height;    /* the pooling's window, and its stride */
    uint32_t pool_width;
    uint32_t pool_stride_height;
    uint32_t pool_stride_width;
    uint32_t rows;    /* of the input that the windows of a row of outputs cover, with padding; */
    uint32_t columns; /*   the fast path copies them to scratch where that is not in the input */
    uint32_t copied;  /* bytes of weights that it copies to scratch first: all, or 0 */
    int32_t input_zero_point;
    int32_t minimum; /* the fused activation */
    int32_t maximum;
} nn_conv_2d_int8_params;

#define NN_CONV_2D_FEW 10U /* so many taps fit the registers of a Cortex-M4 */

/* The index in `weights` of a tap of a channel. Few taps lie channel after channel. Else a row of
 * the window is cut into fours and a rest: first come the fours of all rows, then the rests, unless
 * columns are dilated; and channels lie in pairs, two taps of one, then two of the other.
 * Of every four the middle two have changed places: SXTB16 makes two 16-bit numbers of bytes 0 and
 * 2 of a word, and two of bytes 1 and 3. */
static inline uint32_t nn_conv_2d_weight(const nn_conv_2d_int8_params *p, uint32_t channel,
                                         uint32_t tap)
{
    const nn_window *const w = &p->window;
    const uint32_t few = p->taps == NN_CONV_2D_FEW;
    const uint32_t run = (uint32_t)w->kernel_width * w->input_channels;
    const uint32_t whole = w->dilation_width == 1 && !few ? run / 4 * 4 : 0, rest = run - whole;
    const uint32_t row = tap / run, column = tap % run;
    tap = column < whole ? row * whole + column
                         : w->kernel_height * whole + row * rest + column - whole;
    const uint32_t middle = (tap % 4) % 3 ? 3 : 0; /* 1 ^ 3 is 2, and 2 ^ 3 is 1 */
    const uint32_t place = (tap | 3) < p->taps ? tap ^ middle : tap;
    if (few) {
        return channel * p->taps + place;
    }
    return channel / 2 * 2 * p->taps + place / 2 * 4 + channel % 2 * 2 + place % 2;
}

void nn_conv_2d_int8(const nn_conv_2d_int8_params *p, const int8_t *input, int8_t *output,
                     void *scratch);

/* CONV_2D, float32. What lies outside of the input counts as 0. */
typedef struct {
    nn_window window;
    const float *weights; /* [output_channels][kernel_height][kernel_width][input_channels] */
    const float *bias;    /* [output_channels] */
    float minimum;        /* the fused activation */
    float maximum;
} nn_conv_2d_float32_params;

void nn_conv_2d_float32(const nn_conv_2d_float32_params *p, const float *input, float *output);

/* CONV_2D, int16 with int8 weights. For every output channel o and position:
 *   sum = bias[o] + the products, in 64 bits
 *   output = clamp(sum * multiplier[o] / 2^15 * 2^exponent[o]), rounded once
 * or, where the model's bias is int32, and so LiteRT's sum, as nn_requantize_twice() does. */
typedef struct {
    nn_window window;
    const int8_t *weights; /* [output_channels][kernel_height][kernel_width][input_channels] */
    const int64_t *bias;   /* [output_channels] */
    const int32_t *multiplier;
    const int8_t *exponent;
    uint32_t rounds_twice; /* 1 where the bias is int32 */
    int32_t minimum;       /* the fused activation */
    int32_t maximum;
} nn_conv_2d_int16_params;

void nn_conv_2d_int16(const nn_conv_2d_int16_params *p, const int16_t *input, int16_t *output);
