/* DEQUANTIZE: stored numbers as real ones. */
#pragma once

#include <stdint.h>

/* output = (input - zero_point) * scale. */
typedef struct {
    uint32_t elements;
    uint32_t bytes; /* of an input: 2 for int16, 1 for int8 or uint8 */
    uint32_t is_signed;
    float scale;
    int32_t zero_point;
} nn_dequantize_float32_params;

/* `output` lies apart from `input`. */
void nn_dequantize_float32(const nn_dequantize_float32_params *p, const void *input, float *output);
