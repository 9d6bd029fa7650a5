#include "average_pool_2d.h"
#include "float_math.h"

static float mean(const nn_average_pool_2d_float32_params *p, const float *channel, uint32_t top,
                  uint32_t left)
{
    const nn_window *const w = &p->window;
    float sum = 0.0F, count = 0.0F;
    for (uint32_t y = top; y != top + w->kernel_height; y++) { /* above the input: a huge number */
        for (uint32_t x = left; x != left + w->kernel_width; x++) {
            if (y < w->input_height && x < w->input_width) {
                sum += channel[(y * w->input_width + x) * w->input_channels];
                count += 1.0F;
            }
        }
    }
    return nn_clamp_float(sum / count, p->minimum, p->maximum);
}

void nn_average_pool_2d_float32(const nn_average_pool_2d_float32_params *p, const float *input,
                                float *output)
{
    const nn_window *const w = &p->window;
    for (uint32_t y = 0; y < w->output_height; y++) {
        for (uint32_t x = 0; x < w->output_width; x++) {
            for (uint32_t c = 0; c < w->input_channels; c++) {
                *output++ = mean(p, input + c, y * w->stride_height - w->pad_top,
                                 x * w->stride_width - w->pad_left);
            }
        }
    }
}
