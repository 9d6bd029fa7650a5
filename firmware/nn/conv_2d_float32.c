#include "conv_2d.h"
#include "float_math.h"

static float dot(const float *weights, const float *input, uint32_t count)
{
    float sum = 0.0F;
    for (uint32_t i = 0; i < count; i++) {
        sum += weights[i] * input[i];
    }
    return sum;
}

/* One filter times the window whose first row is `top` and first column `left`. */
static float filtered(const nn_conv_2d_float32_params *p, const float *filter, const float *input,
                      uint32_t top, uint32_t left)
{
    const nn_window *const w = &p->window;
    const uint32_t height = w->input_height, width = w->input_width;
    float sum = 0.0F;
    for (uint32_t ky = 0; ky < w->kernel_height; ky++) {
        const uint32_t y = top + ky * w->dilation_height; /* above the input: a huge number */
        for (uint32_t kx = 0; kx < w->kernel_width; kx++) {
            const uint32_t x = left + kx * w->dilation_width;
            if (y < height && x < width) {
                const float *pixel = input + (y * width + x) * w->input_channels;
                sum += dot(filter, pixel, w->input_channels);
            }
            filter += w->input_channels;
        }
    }
    return sum;
}

void nn_conv_2d_float32(const nn_conv_2d_float32_params *p, const float *input, float *output)
{
    const nn_window *const w = &p->window;
    const uint32_t filter_size = (uint32_t)w->kernel_height * w->kernel_width * w->input_channels;
    for (uint32_t y = 0; y < w->output_height; y++) {
        for (uint32_t x = 0; x < w->output_width; x++) {
            for (uint32_t o = 0; o < w->output_channels; o++) {
                const float sum =
                    filtered(p, p->weights + o * filter_size, input,
                             y * w->stride_height - w->pad_top, x * w->stride_width - w->pad_left);
                *output++ = nn_clamp_float(sum + p->bias[o], p->minimum, p->maximum);
            }
        }
    }
}
