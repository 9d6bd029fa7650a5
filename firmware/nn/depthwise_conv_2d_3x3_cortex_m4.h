/* What the fast paths of the depthwise kernels of 3x3 share. */
#pragma once

#include "depthwise_conv_2d.h"

/* The image along one side: elements, and bytes from one to the next. */
typedef struct {
    uint32_t input;
    uint32_t output;
    uint32_t stride;
    uint32_t pad;
    uint32_t input_step;
    uint32_t output_step;
    uint32_t weight_step;
} side;

static inline side height_of(const nn_window *w)
{
    const uint32_t c = w->output_channels;
    return (side){
        .input = w->input_height,
        .output = w->output_height,
        .stride = w->stride_height,
        .pad = w->pad_top,
        .input_step = w->input_width * c,
        .output_step = w->output_width * c,
        .weight_step = 3 * c,
    };
}

static inline side width_of(const nn_window *w)
{
    const uint32_t c = w->output_channels;
    return (side){w->input_width, w->output_width, w->stride_width, w->pad_left, c, c, c};
}

static inline uint32_t smaller(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

/* A number in both halves of a word. */
static inline uint32_t twice(int32_t value)
{
    return (uint32_t)(value & 0xFFFF) | (uint32_t)value << 16;
}
