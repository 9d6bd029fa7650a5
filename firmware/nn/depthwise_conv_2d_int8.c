#include "depthwise_conv_2d.h"
#include "fixed_point.h"

int8_t nn_depthwise_output_int8(const nn_depthwise_conv_2d_int8_params *p, const int8_t *input,
                                uint32_t top, uint32_t left, uint32_t o)
{
    const nn_window *const w = &p->window;
    const int8_t *weight = p->weights + o, *channel = input + o / p->depth_multiplier;
    const int32_t *numbers = p->channels + 4 * o, shift = numbers[3];
    int32_t sum = 0;
    for (uint32_t ky = 0; ky < w->kernel_height; ky++) {
        const uint32_t y = top + ky * w->dilation_height; /* above the input: a huge number */
        for (uint32_t kx = 0; kx < w->kernel_width; kx++) {
            const uint32_t x = left + kx * w->dilation_width;
            const int inside = y < w->input_height && x < w->input_width;
            sum += *weight * (inside ? channel[(y * w->input_width + x) * w->input_channels]
                                     : p->input_zero_point);
            weight += w->output_channels;
        }
    }
    const int32_t value =
        nn_rescale(numbers[0] + sum * (1 << (shift >> 9)), numbers[1], numbers[2], shift & 0x1FF);
    return (int8_t)nn_clamp(value, p->minimum, p->maximum);
}

#if !defined(__ARM_FEATURE_DSP) /* else see depthwise_conv_2d_int8_cortex_m4.c */

void nn_depthwise_conv_2d_int8(const nn_depthwise_conv_2d_int8_params *p, const int8_t *input,
                               int8_t *output)
{
    const nn_window *const w = &p->window;
    for (uint32_t y = 0; y < w->output_height; y++) {
        const uint32_t top = y * w->stride_height - w->pad_top;
        for (uint32_t x = 0; x < w->output_width; x++) {
            const uint32_t left = x * w->stride_width - w->pad_left;
            for (uint32_t o = 0; o < w->output_channels; o++) {
                *output++ = nn_depthwise_output_int8(p, input, top, left, o);
            }
        }
    }
}

#endif
