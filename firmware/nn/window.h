/* How a window goes over an image, and where it lies in it. */
#pragma once

#include <stdint.h>

/* The window of a convolution or a pooling. Images are [height][width][channels]; sizes, steps and
 * padding are in pixels, from 1 to 65535, padding from 0.
 *
 * The output at (y, x) sees the input's rows
 *   y * stride_height - pad_top + i * dilation_height, for i below kernel_height,
 * and columns alike. What lies outside of the input is padding; each kernel says what that counts
 * as. A pooling's dilation is 1, and it makes as many channels as it takes. */
typedef struct {
    uint16_t input_height;
    uint16_t input_width;
    uint16_t input_channels;
    uint16_t output_height;
    uint16_t output_width;
    uint16_t output_channels;
    uint16_t kernel_height;
    uint16_t kernel_width;
    uint16_t stride_height;
    uint16_t stride_width;
    uint16_t dilation_height;
    uint16_t dilation_width;
    uint16_t pad_top;
    uint16_t pad_left;
} nn_window;

/* A part of an image, along one side. */
typedef struct {
    uint32_t first;
    uint32_t end; /* behind the last */
} nn_span;

/* The part of a window that lies in the input, which is `size` long. A window that begins before
 * the input begins at a huge number. */
static inline nn_span nn_inside(uint32_t begin, uint32_t window, uint32_t size)
{
    const uint32_t end = begin + window;
    return (nn_span){begin < size ? begin : 0, end < size ? end : size};
}
