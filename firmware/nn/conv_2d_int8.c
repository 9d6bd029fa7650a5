#include "conv_2d.h"
#include "fixed_point.h"

#if !defined(__ARM_FEATURE_DSP) /* else see conv_2d_int8_cortex_m4.c */

/* The input's pixels times a channel's weights, one pixel after the other, where the window begins
 * at row y and column x of the input. */
static int32_t sum_at(const nn_conv_2d_int8_params *p, const int8_t *input, int32_t y, int32_t x,
                      const int16_t *weight)
{
    const nn_window *const w = &p->window;
    const int32_t height = w->input_height, width = w->input_width;
    const uint32_t channels = w->input_channels;
    int32_t sum = 0;
    for (uint32_t i = 0; i < w->kernel_height; i++) {
        for (uint32_t j = 0; j < w->kernel_width; j++) {
            const int32_t row = y + (int32_t)(i * w->dilation_height);
            const int32_t column = x + (int32_t)(j * w->dilation_width);
            if (row >= 0 && row < height && column >= 0 && column < width) {
                const int8_t *pixel = input + (uint32_t)(row * width + column) * channels;
                for (uint32_t c = 0; c < channels; c++) {
                    sum += weight[c] * pixel[c];
                }
            } else {
                for (uint32_t c = 0; c < channels; c++) {
                    sum += weight[c] * p->input_zero_point;
                }
            }
            weight += channels;
        }
    }
    return sum;
}

/* The largest sum that the pooling sees at row y and column x of the output. */
static int32_t largest_sum(const nn_conv_2d_int8_params *p, const int8_t *input, uint32_t y,
                           uint32_t x, const int16_t *weights)
{
    const nn_window *const w = &p->window;
    int32_t largest = INT32_MIN;
    for (uint32_t i = 0; i < p->pool_height * p->pool_width; i++) {
        const uint32_t row = y * p->pool_stride_height + i / p->pool_width;
        const uint32_t column = x * p->pool_stride_width + i % p->pool_width;
        const int32_t top = (int32_t)(row * w->stride_height) - (int32_t)w->pad_top;
        const int32_t left = (int32_t)(column * w->stride_width) - (int32_t)w->pad_left;
        const int32_t sum = sum_at(p, input, top, left, weights);
        largest = sum > largest ? sum : largest;
    }
    return largest;
}

void nn_conv_2d_int8(const nn_conv_2d_int8_params *p, const int8_t *input, int8_t *output,
                     void *scratch)
{
    const nn_window *const w = &p->window;
    const uint32_t places = (uint32_t)w->output_height * w->output_width;
    const uint32_t taps = (uint32_t)w->kernel_height * w->kernel_width * w->input_channels;
    int16_t *const weights = scratch; /* of a channel, in the order of the taps */
    for (uint32_t o = 0; o < w->output_channels; o++) {
        const int32_t *channel = p->channels + 4 * o;
        for (uint32_t tap = 0; tap < taps; tap++) {
            weights[tap] = p->weights[nn_conv_2d_weight(p, o, tap)];
        }
        for (uint32_t i = 0; i < places; i++) {
            const int32_t sum = channel[0] + largest_sum(p, input, i / w->output_width,
                                                         i % w->output_width, weights);
            const int32_t scaled = nn_rescale(sum, channel[1], channel[2], channel[3]);
            output[i * w->output_channels + o] = (int8_t)nn_clamp(scaled, p->minimum, p->maximum);
        }
    }
}

#endif
