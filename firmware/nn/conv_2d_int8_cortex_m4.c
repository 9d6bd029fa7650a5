/* The nn_conv_2d_int8() of conv_2d_int8.c, bit for bit, with the DSP instructions of the Cortex-M4.
 *
 * Two windows are packed: their inputs are widened to 16 bits, four of one and four of the other,
 * in the order of the weights. The inner loop, nn_conv_2d_two(), is in
 * conv_2d_int8_cortex_m4.S. */
#include "conv_2d_cortex_m4.h"
#include "fixed_point.h"

#if defined(__ARM_FEATURE_DSP)

void nn_conv_2d_two(const nn_word *x, const int16_t *weights, void *to, uint32_t taps,
                    uint32_t pairs, int8_t *second, const int32_t *channels);

void nn_conv_2d_pack_5x5(const int8_t *window, uint32_t step, nn_word *x);

static void __attribute__((noinline)) pack(const nn_conv_2d_windows *w, const int8_t *window,
                                           uint32_t taps, nn_word *x, int8_t *bytes)
{
    nn_conv_2d_pack(w, window, taps, x, bytes, 0);
}

/* The outputs of a pooling's windows, of the largest sums, which begin anew. */
static void __attribute__((noinline)) finish_pool(const int32_t *channel, int32_t *largest,
                                                  uint32_t channels, int8_t *output)
{
    for (; channels > 0; channels--) {
        const int32_t sum = channel[0] + *largest;
        const int32_t value = nn_rescale(sum, channel[1], channel[2], channel[3]);
        *largest++ = INT32_MIN;
        *output++ = (int8_t)nn_clamp(value, INT8_MIN, INT8_MAX);
        channel += 4;
    }
}

typedef nn_conv_2d_int8_params params;

/* One window after the other, and each time there are two their outputs: by way of `bytes` where
 * the second output is not wanted, or the last of a pair of channels is none. */
static void unpooled(const params *p, const int8_t *input, int8_t *output, nn_word *x,
                     int8_t *bytes)
{
    const uint32_t taps = p->taps, channels = p->window.output_channels;
    const uint32_t width = p->window.output_width, even = channels + channels % 2;
    uint32_t left = p->window.output_height * width, packed = 0;
    for (uint32_t y = 0; y < p->window.output_height; y++) {
        nn_conv_2d_windows w;
        nn_conv_2d_find_windows(p, input, y, 0, bytes + taps + 2 * even, &w);
        for (uint32_t column = width; column > 0; column--) {
            pack(&w, w.first, taps, x + packed * 2, bytes);
            w.first += w.next_output;
            packed++;
            left--;
            if (packed == 2 || left == 0) {
                const int direct = packed == 2 && channels == even;
                int8_t *const first = direct ? output : bytes + taps;
                int8_t *const second = first + even;
                nn_conv_2d_two(x, p->weights, first, taps, even / 2, second, p->channels);
                for (uint32_t i = direct ? channels : 0; i < channels; i++) {
                    output[(packed - 1) * channels + i] = second[i];
                    output[i] = first[i];
                }
                output += packed * channels;
                packed = 0;
            }
        }
    }
}

/* An output's windows two by two, an odd last one twice. */
static void largest_sums(const params *p, const nn_conv_2d_windows *w, nn_word *x, int32_t *sums,
                         int8_t *bytes)
{
    const uint32_t rows = p->pool_height, columns = p->pool_width, taps = p->taps;
    const uint32_t pairs = (p->window.output_channels + 1U) / 2;
    const int five = w->height == 5 && w->run == 5 && w->width == 1 && w->next_column == 1 &&
                     columns % 2 == 0; /* 5 x 5 x 1 */
    uint32_t packed = 0;
    for (uint32_t i = 0; i < rows; i++) {
        const int8_t *window = w->first + i * w->next_row;
        for (uint32_t j = 0; j < columns; j++) {
            if (five) {
                nn_conv_2d_pack_5x5(window, w->row_step, x);
                nn_conv_2d_two(x, p->weights, sums, taps, pairs, 0, 0);
                window += 2;
                j++;
                continue;
            }
            pack(w, window, taps, x + packed * 2, bytes);
            if (packed > 0) {
                nn_conv_2d_two(x, p->weights, sums, taps, pairs, 0, 0);
            }
            packed = 1 - packed;
            window += w->next_column;
        }
    }
    if (packed > 0) {
        pack(w, w->first, taps, x + 2, bytes);
        nn_conv_2d_two(x, p->weights, sums, taps, pairs, 0, 0);
    }
}

static void pooled(const params *p, const int8_t *input, int8_t *output, nn_word *x, int32_t *sums)
{
    const uint32_t channels = p->window.output_channels, even = channels + channels % 2;
    int8_t *const bytes = (int8_t *)(sums + even);
    for (uint32_t i = 0; i < even; i++) {
        sums[i] = INT32_MIN;
    }
    for (uint32_t y = 0; y < p->window.output_height; y++) {
        nn_conv_2d_windows w;
        nn_conv_2d_find_windows(p, input, y, 0, bytes + p->taps, &w);
        for (uint32_t column = p->window.output_width; column > 0; column--) {
            largest_sums(p, &w, x, sums, bytes);
            finish_pool(p->channels, sums, p->window.output_channels, output);
            output += p->window.output_channels;
            w.first += w.next_output;
        }
    }
}

void nn_conv_2d_int8(const params *p, const int8_t *input, int8_t *output, void *scratch)
{
    nn_word *const x = scratch, *const behind = x + p->taps;
    if (p->pool_height * p->pool_width == 1) {
        unpooled(p, input, output, x, (int8_t *)behind);
    } else {
        pooled(p, input, output, x, (int32_t *)behind);
    }
    nn_conv_2d_clamp(p, output);
}

#endif
