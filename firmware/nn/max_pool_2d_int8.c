#include "fixed_point.h"
#include "max_pool_2d.h"
#include "window.h"

/* Of one channel, the largest value in the rows and columns of a window. */
static int32_t largest(const nn_max_pool_2d_int8_params *p, const int8_t *channel, nn_span rows,
                       nn_span columns)
{
    const nn_window *const w = &p->window;
    int32_t most = INT8_MIN;
    for (uint32_t y = rows.first; y < rows.end; y++) {
        const int8_t *value = channel + (y * w->input_width + columns.first) * w->input_channels;
        for (uint32_t x = columns.first; x < columns.end; x++) {
            most = *value > most ? *value : most;
            value += w->input_channels;
        }
    }
    return nn_clamp(most, p->minimum, p->maximum);
}

void nn_max_pool_2d_int8(const nn_max_pool_2d_int8_params *p, const int8_t *input, int8_t *output)
{
    const nn_window *const w = &p->window;
    for (uint32_t y = 0; y < w->output_height; y++) {
        const nn_span rows =
            nn_inside(y * w->stride_height - w->pad_top, w->kernel_height, w->input_height);
        for (uint32_t x = 0; x < w->output_width; x++) {
            const nn_span columns =
                nn_inside(x * w->stride_width - w->pad_left, w->kernel_width, w->input_width);
            for (uint32_t c = 0; c < w->input_channels; c++) {
                *output++ = (int8_t)largest(p, input + c, rows, columns);
            }
        }
    }
}
