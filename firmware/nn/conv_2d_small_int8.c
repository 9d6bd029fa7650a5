#include "conv_2d_small.h"
#include "fixed_point.h"

/* A window of the input times the weights of a channel. It begins at row y and column x, which is
 * a huge number where it begins before the input. Pixels of a row that lie side by side in the
 * input are one run. */
static int32_t sum_at(const nn_conv_2d_small_params *p, const int8_t *input, uint32_t y, uint32_t x,
                      const int8_t *weight)
{
    const nn_window *const w = &p->window;
    const int8_t padding = (int8_t)p->input_zero_point;
    const int whole =
        w->dilation_width == 1 && x < w->input_width && x + w->kernel_width <= w->input_width;
    const uint32_t run = whole ? w->kernel_width : 1U;
    int32_t sum = 0;
    for (uint32_t i = 0; i < w->kernel_height; i++) {
        const uint32_t row = y + i * w->dilation_height;
        for (uint32_t j = 0; j < w->kernel_width; j += run) {
            const uint32_t column = x + j * w->dilation_width;
            const int inside = row < w->input_height && column < w->input_width;
            const int8_t *from =
                inside ? input + (row * w->input_width + column) * w->input_channels : &padding;
            for (uint32_t left = run * w->input_channels; left > 0; left--) {
                sum += *weight++ * *from;
                from += inside;
            }
        }
    }
    return sum;
}

/* The largest sum that the pooling sees at row y and column x of the output. */
static int32_t largest_sum(const nn_conv_2d_small_params *p, const int8_t *input, uint32_t y,
                           uint32_t x, const int8_t *weights)
{
    const nn_window *const w = &p->window;
    int32_t largest = INT32_MIN;
    for (uint32_t i = 0; i < p->pool_height; i++) {
        for (uint32_t j = 0; j < p->pool_width; j++) {
            const uint32_t row = (y * p->pool_stride_height + i) * w->stride_height - w->pad_top;
            const uint32_t column = (x * p->pool_stride_width + j) * w->stride_width - w->pad_left;
            const int32_t sum = sum_at(p, input, row, column, weights);
            largest = sum > largest ? sum : largest;
        }
    }
    return largest;
}

void nn_conv_2d_small_channel(const nn_conv_2d_small_params *p, const int8_t *input,
                              const int8_t *filter, uint32_t channel, int8_t *output)
{
    const nn_window *const w = &p->window;
    const int32_t *const scaling = p->channels + 4 * channel;
    const int32_t bias = scaling[0], factor = 1 << (scaling[3] >> 9);
    output += channel;
    for (uint32_t y = 0; y < w->output_height; y++) {
        for (uint32_t x = 0; x < w->output_width; x++) {
            const int32_t sum = bias + largest_sum(p, input, y, x, filter) * factor;
            const int32_t value = nn_rescale(sum, scaling[1], scaling[2], scaling[3] & 0x1FF);
            *output = (int8_t)nn_clamp(value, p->minimum, p->maximum);
            output += w->output_channels;
        }
    }
}

void nn_conv_2d_small_int8(const nn_conv_2d_small_int8_params *p, const int8_t *input,
                           int8_t *output)
{
    const uint32_t taps = nn_conv_2d_small_taps(&p->window);
    const int8_t *filter = p->weights;
    for (uint32_t o = 0; o < p->window.output_channels; o++) {
        nn_conv_2d_small_channel(p, input, filter, o, output);
        filter += taps;
    }
}
