#include "depthwise_conv_2d.h"
#include "float_math.h"

/* The filter of output channel `o` times the window that begins at row `top`, column `left`. */
static float filtered(const nn_depthwise_conv_2d_float32_params *p, uint32_t o, const float *input,
                      uint32_t top, uint32_t left)
{
    const nn_window *const w = &p->window;
    const float *weight = p->weights + o;
    const float *channel = input + o / p->depth_multiplier;
    float sum = 0.0F;
    for (uint32_t ky = 0; ky < w->kernel_height; ky++) {
        const uint32_t y = top + ky * w->dilation_height; /* above the input: a huge number */
        for (uint32_t kx = 0; kx < w->kernel_width; kx++) {
            const uint32_t x = left + kx * w->dilation_width;
            if (y < w->input_height && x < w->input_width) {
                sum += *weight * channel[(y * w->input_width + x) * w->input_channels];
            }
            weight += w->output_channels;
        }
    }
    return sum;
}

void nn_depthwise_conv_2d_float32(const nn_depthwise_conv_2d_float32_params *p, const float *input,
                                  float *output)
{
    const nn_window *const w = &p->window;
    for (uint32_t y = 0; y < w->output_height; y++) {
        for (uint32_t x = 0; x < w->output_width; x++) {
            for (uint32_t o = 0; o < w->output_channels; o++) {
                const float sum = filtered(p, o, input, y * w->stride_height - w->pad_top,
                                           x * w->stride_width - w->pad_left);
                *output++ = nn_clamp_float(sum + p->bias[o], p->minimum, p->maximum);
            }
        }
    }
}
