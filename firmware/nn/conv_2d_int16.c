#include "conv_2d.h"
#include "fixed_point.h"

/* One filter times the window whose first row is `top` and first column `left`. */
static int64_t filtered(const nn_conv_2d_int16_params *p, const int8_t *filter,
                        const int16_t *input, uint32_t top, uint32_t left)
{
    const nn_window *const w = &p->window;
    int64_t sum = 0;
    for (uint32_t ky = 0; ky < w->kernel_height; ky++) {
        const uint32_t y = top + ky * w->dilation_height; /* above the input: a huge number */
        for (uint32_t kx = 0; kx < w->kernel_width; kx++) {
            const uint32_t x = left + kx * w->dilation_width;
            if (y < w->input_height && x < w->input_width) {
                const int16_t *pixel = input + (y * w->input_width + x) * w->input_channels;
                for (uint32_t c = 0; c < w->input_channels; c++) {
                    sum += (int32_t)filter[c] * (int32_t)pixel[c];
                }
            }
            filter += w->input_channels;
        }
    }
    return sum;
}

/* A sum of 64 bits is rounded once; one of 32 bits, as in int8, first to 31 bits, then again. */
static int32_t scaled(const nn_conv_2d_int16_params *p, int64_t sum, uint32_t channel)
{
    const int32_t multiplier = p->multiplier[channel], exponent = p->exponent[channel];
    if (p->rounds_twice) {
        return nn_requantize_twice((int32_t)sum, multiplier, exponent);
    }
    return (int32_t)((sum * multiplier + ((int64_t)1 << (14 - exponent))) >> (15 - exponent));
}

void nn_conv_2d_int16(const nn_conv_2d_int16_params *p, const int16_t *input, int16_t *output)
{
    const nn_window *const w = &p->window;
    const uint32_t filter_size = (uint32_t)w->kernel_height * w->kernel_width * w->input_channels;
    for (uint32_t y = 0; y < w->output_height; y++) {
        for (uint32_t x = 0; x < w->output_width; x++) {
            for (uint32_t o = 0; o < w->output_channels; o++) {
                const int64_t sum =
                    filtered(p, p->weights + o * filter_size, input,
                             y * w->stride_height - w->pad_top, x * w->stride_width - w->pad_left);
                *output++ =
                    (int16_t)nn_clamp(scaled(p, sum + p->bias[o], o), p->minimum, p->maximum);
            }
        }
    }
}
