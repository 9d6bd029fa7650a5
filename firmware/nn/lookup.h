/* LOGISTIC, TANH, RELU and every other function of one 8-bit value, as a table of its results. */
#pragma once

#include <stdint.h>

typedef struct {
    const uint8_t *table; /* [256], by the input's byte: for int8 first 0 to 127, then -128 to -1 */
    uint32_t elements;
} nn_lookup_int8_params;

/* `input` and `output` are int8 or uint8 [elements]; `output` may be `input`. */
void nn_lookup_int8(const nn_lookup_int8_params *p, const void *input, void *output);
