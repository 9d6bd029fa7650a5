/* RELU, RELU6, RELU_N1_TO_1, LEAKY_RELU: what is below 0 times a slope, and all of it cut off below
 * a minimum and above a maximum. The output may be the input. */
#pragma once

#include <stdint.h>

typedef struct {
    uint32_t elements;
    float slope; /* LEAKY_RELU's alpha; 1 in the others */
    float minimum;
    float maximum;
} nn_relu_float32_params;

void nn_relu_float32(const nn_relu_float32_params *p, const float *input, float *output);
