/* HARD_SWISH: x * clamp(x + 3, 0, 6) / 6 of every element. The output may be the input. */
#pragma once

#include <stdint.h>

typedef struct {
    uint32_t elements;
} nn_hard_swish_float32_params;

void nn_hard_swish_float32(const nn_hard_swish_float32_params *p, const float *input,
                           float *output);
