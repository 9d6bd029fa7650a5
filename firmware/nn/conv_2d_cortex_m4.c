/* What the fast paths of the convolutions share: where windows lie in memory.
 *
 * Windows that reach beyond the input are found in a strip: a copy of the rows that a row of
 * outputs sees, with the padding written out. It is made once for all of them, so that no inner
 * loop has to ask whether a pixel is outside. */
#include "conv_2d_cortex_m4.h"
#include "fixed_point.h"

#if defined(__ARM_FEATURE_DSP)

static int8_t *__attribute__((noinline)) fill(int8_t *to, uint32_t count, int32_t value)
{
    while (count-- > 0) {
        *to++ = (int8_t)value;
    }
    return to;
}

int8_t *__attribute__((noinline)) nn_conv_2d_copy(int8_t *to, const int8_t *from, uint32_t count)
{
    for (; count >= 4; count -= 4) {
        *(nn_unaligned_word *)to = nn_load(from);
        to += 4;
        from += 4;
    }
    for (; count > 0; count--) {
        *to++ = *from++;
    }
    return to;
}

static void fill_strip(const nn_conv_2d_int8_params *p, const int8_t *input, int32_t top,
                       int8_t *strip)
{
    const nn_window *const w = &p->window;
    const uint32_t channels = w->input_channels, columns = p->columns, left = w->pad_left;
    const uint32_t rest = columns - left, inside = rest < w->input_width ? rest : w->input_width;
    for (int32_t y = top; y < top + (int32_t)p->rows; y++) {
        if (y < 0 || y >= (int32_t)w->input_height) {
            strip = fill(strip, columns * channels, p->input_zero_point);
            continue;
        }
        strip = fill(strip, left * channels, p->input_zero_point);
        const int8_t *row = input + (uint32_t)y * w->input_width * channels;
        strip = nn_conv_2d_copy(strip, row, inside * channels);
        strip = fill(strip, (columns - left - inside) * channels, p->input_zero_point);
    }
}

void nn_conv_2d_find_windows(const nn_conv_2d_int8_params *p, const int8_t *input, uint32_t y,
                             uint32_t beyond, int8_t *strip, nn_conv_2d_windows *w)
{
    const nn_window *const window = &p->window;
    const uint32_t channels = window->input_channels, row = window->input_width * channels;
    const int32_t top =
        (int32_t)(y * p->pool_stride_height * window->stride_height - window->pad_top);
    const int8_t *const end = input + window->input_height * row;
    w->first = input + top * (int32_t)row;
    w->end = end;
    uint32_t step = row;
    if (window->pad_left > 0 || p->columns > window->input_width || top < 0 ||
        w->first + p->rows * row + beyond > end) {
        fill_strip(p, input, top, strip);
        step = p->columns * channels;
        w->first = strip;
        w->end = strip + p->rows * step;
    }
    w->height = window->kernel_height;
    w->row_step = window->dilation_height * step;
    w->width = window->dilation_width > 1 ? window->kernel_width : 1;
    w->column_step = window->dilation_width * channels;
    w->run = window->dilation_width > 1 ? channels : window->kernel_width * channels;
    w->next_column = window->stride_width * channels;
    w->next_output = p->pool_stride_width * w->next_column;
    w->next_row = window->stride_height * step;
}

void nn_conv_2d_gather(const nn_conv_2d_windows *w, const int8_t *window, int8_t *to)
{
    const uint32_t width = w->width, run = w->run, row_step = w->row_step;
    for (uint32_t i = w->height; i > 0; i--) {
        const int8_t *from = window;
        for (uint32_t j = width; j > 0; j--) {
            to = nn_conv_2d_copy(to, from, run);
            from += w->column_step;
        }
        window += row_step;
    }
}

void nn_conv_2d_clamp(const nn_conv_2d_int8_params *p, int8_t *output)
{
    const nn_window *const window = &p->window;
    const uint32_t pixels = (uint32_t)window->output_height * window->output_width;
    nn_clamp_bytes(output, pixels * window->output_channels, p->minimum, p->maximum);
}

#endif
