/* What the fast paths of the convolutions share: see conv_2d_cortex_m4.c. */
#pragma once

#include "conv_2d.h"

#if defined(__ARM_FEATURE_DSP)

typedef uint32_t __attribute__((may_alias)) nn_word;
typedef uint32_t __attribute__((may_alias, aligned(1))) nn_unaligned_word;

/* How the windows of a row of outputs lie in memory: each is `height` rows of `width` runs of `run`
 * bytes. Where columns are not dilated, a row is one run. */
typedef struct {
    const int8_t *first; /* the first window of the row */
    const int8_t *end;   /* of the memory that may be read */
    uint32_t height, row_step;
    uint32_t width, column_step;
    uint32_t run;
    uint32_t next_output; /* from an output's first window to the next one's */
    uint32_t next_column; /* from a window to the one beside it in the same pooling, */
    uint32_t next_row;    /*   or below it */
} nn_conv_2d_windows;

/* The windows of output row y: in the input where they lie in it with `beyond` bytes after them,
 * else in `strip`, which gets a copy of that part of the input with its padding. */
void nn_conv_2d_find_windows(const nn_conv_2d_int8_params *p, const int8_t *input, uint32_t y,
                             uint32_t beyond, int8_t *strip, nn_conv_2d_windows *w);

/* The bytes of a window one after the other. */
void nn_conv_2d_gather(const nn_conv_2d_windows *w, const int8_t *window, int8_t *to);

/* Applies a fused activation that cuts off more than int8 does. */
void nn_conv_2d_clamp(const nn_conv_2d_int8_params *p, int8_t *output);

int8_t *nn_conv_2d_copy(int8_t *to, const int8_t *from, uint32_t count);

static inline uint32_t nn_load(const int8_t *from)
{
    return *(const nn_unaligned_word *)from;
}

/* SXTB16 makes two 16-bit numbers of bytes 0 and 2 of a word, and with ROR #8 of bytes 1 and 3. */
#define NN_WIDEN                                                                                   \
    "ldr    %[b], [%[from]], #4\n"                                                                 \
    "sxtb16 %[a], %[b]\n"                                                                          \
    "sxtb16 %[b], %[b], ror #8\n"
#define NN_OF_TWO NN_WIDEN "strd   %[a], %[b], [%[x]], #16\n"
#define NN_OF_FOUR NN_WIDEN "str    %[b], [%[x], #16]\nstr    %[a], [%[x]], #32\n"

#define NN_RUN(code)                                                                               \
    __asm volatile(code : [from] "+r"(from), [x] "+r"(x), [a] "=&r"(a), [b] "=&r"(b) : : "memory")

/* Four taps of a window, `fours` times; the other windows' lie between. */
static inline nn_word *nn_conv_2d_widen(const int8_t *from, uint32_t fours, nn_word *x, int of_four)
{
    uint32_t a, b;
    for (; fours >= 2; fours -= 2) {
        if (of_four) {
            NN_RUN(NN_OF_FOUR NN_OF_FOUR);
        } else {
            NN_RUN(NN_OF_TWO NN_OF_TWO);
        }
    }
    if (fours > 0 && of_four) {
        NN_RUN(NN_OF_FOUR);
    } else if (fours > 0) {
        NN_RUN(NN_OF_TWO);
    }
    return x;
}

/* Packs a window, one of two or `of_four`: the fours of its rows, and then, by way of `bytes`, what
 * is left of each row. `of_four` is a constant. */
static inline void __attribute__((always_inline)) nn_conv_2d_pack(const nn_conv_2d_windows *w,
                                                                  const int8_t *window,
                                                                  uint32_t taps, nn_word *x,
                                                                  int8_t *bytes, int of_four)
{
    if (w->width > 1) {
        nn_conv_2d_gather(w, window, bytes);
        nn_conv_2d_widen(bytes, taps / 4, x, of_four);
        return;
    }
    const uint32_t fours = w->run / 4, run = w->run, step = w->row_step;
    int8_t *to = bytes;
    for (uint32_t i = w->height; i > 0; i--) {
        x = nn_conv_2d_widen(window, fours, x, of_four);
        for (uint32_t column = fours * 4; column < run; column++) {
            *to++ = window[column];
        }
        window += step;
    }
    nn_conv_2d_widen(bytes, ((uint32_t)(to - bytes) + 3) / 4, x, of_four);
}

#endif
