/* The nn_conv_2d_int8() of conv_2d_int8.c, bit for bit, with the DSP instructions of the Cortex-M4,
 * four windows at a time.
 *
 * They are packed: their inputs are widened to 16 bits, two taps of each in turn, in the order of
 * the weights. The weights, which wait for the flash, are read half as often as for two windows; or
 * they are copied to scratch first, where nothing waits. The inner loop, nn_conv_2d_quad(), is in
 * conv_2d_four_int8_cortex_m4.S. */
#include "conv_2d_cortex_m4.h"
#include "conv_2d_four.h"

#if defined(__ARM_FEATURE_DSP)

typedef nn_conv_2d_four_int8_params params;

typedef struct {
    const nn_word *x, *x_end;
    uint32_t taps;
    const int16_t *weights;
    const int32_t *channels, *channels_end; /* an even number of channels */
    int8_t *y;
    uint32_t distance; /* of two windows' outputs, in bytes; 0: one output of the largest sums */
} quad;

void nn_conv_2d_quad(const quad *arguments);
void nn_conv_2d_quad_5x5(const int8_t *window, uint32_t step, nn_word *x);

static void __attribute__((noinline)) pack(const nn_conv_2d_windows *w, const int8_t *window,
                                           uint32_t taps, nn_word *x, int8_t *bytes)
{
    nn_conv_2d_pack(w, window, taps, x, bytes, 1);
}

/* The windows of a 2 x 2 pooling. */
static void pack_pool(const nn_conv_2d_windows *w, uint32_t taps, nn_word *x, int8_t *bytes)
{
    if (w->height == 5 && w->run == 5 && w->width == 1 && w->next_column == 1 &&
        w->next_row == w->row_step) { /* 5 x 5 x 1, side by side */
        nn_conv_2d_quad_5x5(w->first, w->row_step, x);
        return;
    }
    for (uint32_t i = 0; i < 4; i++) {
        const int8_t *const window = w->first + i / 2 * w->next_row + i % 2 * w->next_column;
        pack(w, window, taps, x + i, bytes);
    }
}

/* `count` outputs of what is packed: by way of `bytes` where there are fewer than the inner loop
 * makes, or the last of a pair of channels is none. Returns where the next ones begin. */
static int8_t *finish(const params *p, quad *now, uint32_t count, int8_t *output, int8_t *bytes)
{
    const uint32_t channels = p->window.output_channels, even = channels + channels % 2;
    if (channels == even && (count == 4 || now->distance == 0)) {
        now->y = output;
        nn_conv_2d_quad(now);
        return output + count * channels;
    }
    now->y = bytes;
    nn_conv_2d_quad(now);
    for (; count > 0; count--) {
        output = nn_conv_2d_copy(output, bytes, channels);
        bytes += even;
    }
    return output;
}

void nn_conv_2d_four_int8(const params *p, const int8_t *input, int8_t *output, void *scratch)
{
    const uint32_t taps = p->taps, height = p->window.output_height;
    const uint32_t even = p->window.output_channels + p->window.output_channels % 2U;
    nn_word *const x = scratch, *const x_end = x + 2 * taps;
    int8_t *const bytes = (int8_t *)x_end + p->copied, *to = output;
    const int16_t *weights = p->weights;
    if (p->copied > 0) {
        nn_conv_2d_copy((int8_t *)x_end, (const int8_t *)weights, p->copied);
        weights = (const int16_t *)x_end;
    }
    const uint32_t distance = p->pool_height > 1 ? 0 : even;
    quad now = {x, x_end, taps, weights, p->channels, p->channels + 4 * even, to, distance};
    uint32_t packed = 0;
    for (uint32_t y = 0; y < height; y++) {
        nn_conv_2d_windows w;
        nn_conv_2d_find_windows(p, input, y, 0, bytes + taps + 4 * even, &w);
        for (uint32_t column = p->window.output_width; column > 0; column--) {
            const int last = y + 1 == height && column == 1;
            if (distance == 0) {
                pack_pool(&w, taps, x, bytes);
                packed = 1;
            } else {
                pack(&w, w.first, taps, x + packed++, bytes);
            }
            for (uint32_t i = packed; i < 4 && last && distance > 0; i++) {
                pack(&w, w.first, taps, x + i, bytes);
            }
            if (packed == 4 || last || distance == 0) {
                to = finish(p, &now, packed, to, bytes + taps);
                packed = 0;
            }
            w.first += w.next_output;
        }
    }
    nn_conv_2d_clamp(p, output);
}

#endif
