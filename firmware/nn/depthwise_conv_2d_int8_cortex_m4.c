/* The nn_depthwise_conv_2d_int8() of depthwise_conv_2d_int8.c, bit for bit, four channels at once
 * with the DSP instructions of the Cortex-M4: both the inputs and the weights of neighboring
 * channels are the four bytes of a word. SXTB16 widens bytes 0 and 2, or 1 and 3; SMLABB multiplies
 * the bottom halves of two words and adds the product to a sum, SMLATT the top halves. Windows with
 * padding are left to the plain C. */
#include "depthwise_conv_2d.h"
#include "fixed_point.h"

#if defined(__ARM_FEATURE_DSP)

typedef uint32_t __attribute__((aligned(1), may_alias)) unaligned_word;

typedef nn_depthwise_conv_2d_int8_params params;

/* The sums of four channels of a window that lies in the input, and which begins at `x`. */
__attribute__((noinline)) static void sum_four(const params *p, const int8_t *x, const int8_t *w,
                                               int32_t sums[4])
{
    const nn_window *const window = &p->window;
    const uint32_t channels = window->output_channels;
    const uint32_t row = channels * window->input_width * window->dilation_height;
    uint32_t taps = window->kernel_width, rows = window->kernel_height, step = row;
    if (taps > 1) {
        step = window->dilation_width * channels;
    } else { /* a column is as one row */
        taps = rows;
        rows = 1;
    }
    int32_t sum0 = 0, sum1 = 0, sum2 = 0, sum3 = 0;
    for (; rows > 0; rows--) {
        const int8_t *end = w + taps * channels, *tap = x;
        for (; w < end; w += channels) {
            uint32_t even_x = *(const unaligned_word *)tap, even_w = *(const unaligned_word *)w;
            uint32_t odd_x, odd_w;
            __asm("sxtb16 %4, %6, ror #8\n"
                  "sxtb16 %5, %7, ror #8\n"
                  "sxtb16 %6, %6\n"
                  "sxtb16 %7, %7\n"
                  "smlabb %0, %6, %7, %0\n"
                  "smlabb %1, %4, %5, %1\n"
                  "smlatt %2, %6, %7, %2\n"
                  "smlatt %3, %4, %5, %3"
                  : "+r"(sum0), "+r"(sum1), "+r"(sum2), "+r"(sum3), "=&r"(odd_x), "=&r"(odd_w),
                    "+r"(even_x), "+r"(even_w));
            tap += step;
        }
        x += row;
    }
    sums[0] = sum0;
    sums[1] = sum1;
    sums[2] = sum2;
    sums[3] = sum3;
}

/* The outputs of a window in fours of channels, `x` its first input. How many they are. */
static uint32_t outputs_in_fours(const params *p, const int8_t *x, int8_t *output)
{
    const uint32_t fours = p->window.output_channels & ~3U;
    const int32_t *numbers = p->channels, minimum = p->minimum, maximum = p->maximum;
    for (uint32_t o = 0; o < fours; o += 4) {
        int32_t sums[4];
        sum_four(p, x + o, p->weights + o, sums);
        for (const int32_t *sum = sums; sum < sums + 4; sum++) {
            const int32_t shift = numbers[3], value = numbers[0] + *sum * (1 << (shift >> 9));
            const int32_t scaled = nn_rescale(value, numbers[1], numbers[2], shift & 0x1FF);
            *output++ = (int8_t)nn_clamp(scaled, minimum, maximum);
            numbers += 4;
        }
    }
    return fours;
}

/* Whether a window that begins there and reaches so far lies in the input. */
static int inside(uint32_t begin, uint32_t kernel, uint32_t dilation, uint32_t size)
{
    return begin < size && begin + (kernel - 1) * dilation < size;
}

void nn_depthwise_conv_2d_int8(const params *p, const int8_t *input, int8_t *output)
{
    const nn_window *const w = &p->window;
    for (uint32_t y = 0; y < w->output_height; y++) {
        const uint32_t top = y * w->stride_height - w->pad_top;
        const int rows = p->depth_multiplier == 1 &&
                         inside(top, w->kernel_height, w->dilation_height, w->input_height);
        for (uint32_t x = 0; x < w->output_width; x++) {
            const uint32_t left = x * w->stride_width - w->pad_left;
            uint32_t o = 0;
            if (rows && inside(left, w->kernel_width, w->dilation_width, w->input_width)) {
                const uint32_t pixel = top * w->input_width + left;
                o = outputs_in_fours(p, input + pixel * w->input_channels, output);
            }
            for (; o < w->output_channels; o++) {
                output[o] = nn_depthwise_output_int8(p, input, top, left, o);
            }
            output += w->output_channels;
        }
    }
}

#endif
