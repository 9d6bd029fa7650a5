#include "average_pool_2d.h"
#include "fixed_point.h"
#include "window.h"

/* Of one channel, the mean over the rows and columns of a window. */
static int32_t mean(const nn_average_pool_2d_int8_params *p, const int8_t *channel, nn_span rows,
                    nn_span columns)
{
    const nn_window *const w = &p->window;
    int32_t sum = 0;
    for (uint32_t y = rows.first; y < rows.end; y++) {
        const int8_t *value = channel + (y * w->input_width + columns.first) * w->input_channels;
        for (uint32_t x = columns.first; x < columns.end; x++) {
            sum += *value;
            value += w->input_channels;
        }
    }
    const int32_t count = (int32_t)((rows.end - rows.first) * (columns.end - columns.first));
    const int32_t half = sum > 0 ? count / 2 : -(count / 2);
    return nn_clamp((sum + half) / count, p->minimum, p->maximum);
}

void nn_average_pool_2d_int8(const nn_average_pool_2d_int8_params *p, const int8_t *input,
                             int8_t *output)
{
    const nn_window *const w = &p->window;
    for (uint32_t y = 0; y < w->output_height; y++) {
        const nn_span rows =
            nn_inside(y * w->stride_height - w->pad_top, w->kernel_height, w->input_height);
        for (uint32_t x = 0; x < w->output_width; x++) {
            const nn_span columns =
                nn_inside(x * w->stride_width - w->pad_left, w->kernel_width, w->input_width);
            for (uint32_t c = 0; c < w->input_channels; c++) {
                *output++ = (int8_t)mean(p, input + c, rows, columns);
            }
        }
    }
}
