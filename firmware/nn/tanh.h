/* TANH, the hyperbolic tangent of every element. The output may be the input. */
#pragma once

#include <stdint.h>

typedef struct {
    uint32_t elements;
} nn_tanh_float32_params;

void nn_tanh_float32(const nn_tanh_float32_params *p, const float *input, float *output);
