/* The nn_conv_2d_int8() of conv_2d_int8.c for few taps, bit for bit, with the DSP instructions of
 * the Cortex-M4.
 *
 * A batch of windows is packed: the inputs of each are widened to 16 bits, in the order of the
 * weights, five words a window. Then channel after channel is computed with its weights in
 * registers, by nn_conv_2d_few_batch() in conv_2d_few_int8_cortex_m4.S. */
#include "conv_2d_cortex_m4.h"
#include "conv_2d_few.h"

#if defined(__ARM_FEATURE_DSP)

#define WORDS 5U /* of a packed window */

typedef struct {
    uint32_t distance; /* of two outputs, in bytes */
    const nn_word *x_end;
    uint32_t windows; /* of an output: 4 or 1 */
    const nn_word *x;
    const int16_t *weights;
    const int32_t *channels;
    int8_t *y;
    uint32_t count; /* of channels */
} batch;

void nn_conv_2d_few_batch(const batch *arguments);
void nn_conv_2d_pack_3x3(const int8_t *rows, uint32_t step, nn_word *x, uint32_t pairs,
                         uint32_t distance);

/* Bytes 0 and 2 of a word as two 16-bit numbers, and bytes 1 and 3. */
static inline uint32_t even_bytes(uint32_t bytes)
{
    uint32_t numbers;
    __asm("sxtb16 %0, %1" : "=r"(numbers) : "r"(bytes));
    return numbers;
}

static inline uint32_t odd_bytes(uint32_t bytes)
{
    uint32_t numbers;
    __asm("sxtb16 %0, %1, ror #8" : "=r"(numbers) : "r"(bytes));
    return numbers;
}

/* Up to ten taps as five words. */
static nn_word *pack_bytes(const int8_t *taps, nn_word *x)
{
    const uint32_t four = nn_load(taps), next_four = nn_load(taps + 4), two = nn_load(taps + 8);
    x[0] = even_bytes(four);
    x[1] = odd_bytes(four);
    x[2] = even_bytes(next_four);
    x[3] = odd_bytes(next_four);
    x[4] = (even_bytes(two) & 0xFFFF) | odd_bytes(two) << 16;
    return x + WORDS;
}

static nn_word *pack(const nn_conv_2d_windows *w, const int8_t *window, nn_word *x)
{
    nn_word taps[4] = {0, 0, 0, 0};
    nn_conv_2d_gather(w, window, (int8_t *)taps);
    return pack_bytes((int8_t *)taps, x);
}

/* Packs the windows of `count` outputs. */
static void pack_batch(const nn_conv_2d_few_int8_params *p, const nn_conv_2d_windows *w,
                       const int8_t *window, uint32_t count, nn_word *x)
{
    const uint32_t rows = p->pool_height, columns = p->pool_width;
    if (w->height == 3 && w->run == 3 && w->width == 1 && w->next_column == 1 &&
        w->next_output == columns) { /* 3 x 3 x 1, side by side: two windows in three words */
        const uint32_t distance = rows * 2 * WORDS;
        for (uint32_t i = 0; i < rows; i++) {
            nn_conv_2d_pack_3x3(window + i * w->next_row, w->row_step, x + i * 2 * WORDS,
                                (count * columns + 1) / 2, distance * sizeof *x);
        }
        return;
    }
    for (; count > 0; count--) {
        if (w->height == 1 && rows == 1 && w->width == 1 && window + 12 <= w->end) {
            x = pack_bytes(window, x);
        } else {
            for (uint32_t i = 0; i < rows * columns; i++) {
                x = pack(w, window + i / columns * w->next_row + i % columns * w->next_column, x);
            }
        }
        window += w->next_output;
    }
}

void nn_conv_2d_few_int8(const nn_conv_2d_few_int8_params *p, const int8_t *input, int8_t *output,
                         void *scratch)
{
    const uint32_t windows = p->pool_height * p->pool_width, channels = p->window.output_channels;
    nn_word *const x = scratch;
    batch now = {channels, x, windows, x, p->weights, p->channels, output, channels};
    int8_t *const strip = (int8_t *)(x + (p->batch * windows + 1) * WORDS);
    for (uint32_t y = 0; y < p->window.output_height; y++) {
        nn_conv_2d_windows w;
        nn_conv_2d_find_windows(p, input, y, p->window.kernel_height > 1 ? 1 : 0, strip, &w);
        for (uint32_t column = 0; column < p->window.output_width; column += p->batch) {
            const uint32_t rest = p->window.output_width - column;
            const uint32_t count = rest < p->batch ? rest : p->batch;
            pack_batch(p, &w, w.first + column * w.next_output, count, x);
            now.x_end = x + count * windows * WORDS;
            nn_conv_2d_few_batch(&now);
            now.y += count * channels;
        }
    }
    nn_conv_2d_clamp(p, output);
}

#endif
