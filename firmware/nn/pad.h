/* PAD: a tensor with a margin of one value around it. */
#pragma once

#include <stdint.h>

/* In bytes, whatever the type: along the last dimension a float32 is four of them. */
typedef struct {
    const int32_t *size; /* [4], of the input, outermost dimension first */
    const int32_t
        *step;       /* [3], from one of its rows, planes and batches to the next in the output */
    uint32_t offset; /* of the input's first byte in the output */
    uint32_t output_bytes;
    int32_t value; /* of each byte of the margin */
} nn_pad_bytes_params;

/* `output` lies apart from `input`. */
void nn_pad_bytes(const nn_pad_bytes_params *p, const void *input, void *output);
