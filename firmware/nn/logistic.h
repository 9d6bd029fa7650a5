/* LOGISTIC, the sigmoid: 1 / (1 + exp(-x)) of every element. The output may be the input. */
#pragma once

#include <stdint.h>

typedef struct {
    uint32_t elements;
} nn_logistic_float32_params;

void nn_logistic_float32(const nn_logistic_float32_params *p, const float *input, float *output);
