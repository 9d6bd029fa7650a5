/* FULLY_CONNECTED in the least flash: weights are as the model has them, and one plain loop serves
 * every machine. */
#pragma once

#include <stdint.h>

/* For every output o:
 *   output[o] = clamp(requantize(bias[o] + sum over i of weights[o][i] * input[i])
 *                     + output_zero_point)
 * `bias` contains -(the input's zero point) * (sum of the row's weights). Nothing may overlap. */
typedef struct {
    const int8_t *weights;     /* [outputs][inputs] */
    const int32_t *bias;       /* [outputs] */
    const int32_t *multiplier; /* [outputs], or [1] when per_channel is 0: nn_requantize() */
    const uint8_t *shift;      /* the same */
    uint32_t inputs;
    uint32_t outputs;
    uint32_t per_channel;
    int32_t output_zero_point;
    int32_t minimum; /* the fused activation: relu is minimum == output_zero_point */
    int32_t maximum;
} nn_dense_small_int8_params;

void nn_dense_small_int8(const nn_dense_small_int8_params *p, const int8_t *input, int8_t *output);
