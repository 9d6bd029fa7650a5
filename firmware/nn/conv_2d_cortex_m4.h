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

static inline uint32_t nn_load(const int8_t *from)
{
    return *(const nn_unaligned_word *)from;
}

#endif
