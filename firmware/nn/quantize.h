/* QUANTIZE: real numbers as stored ones. */
#pragma once

#include <stdint.h>

/* output = round(clamp(input / scale)) + zero_point, halves away from zero. */
typedef struct {
    uint32_t elements;
    uint32_t bytes; /* of an output: 2 for int16, 1 for int8 or uint8 */
    float scale;
    float lowest; /* what the output's type can hold, less its zero point: within 2^22 */
    float highest;
    int32_t zero_point;
} nn_quantize_float32_params;

/* What is not a number becomes the lowest. `output` lies apart from `input`. */
void nn_quantize_float32(const nn_quantize_float32_params *p, const float *input, void *output);
