/* FULLY_CONNECTED with weights of fewer bits in the least flash: one plain loop serves all of them
 * and every machine. */
#pragma once

#include <stdint.h>

/* For every output o:
 *   output[o] = clamp(requantize(bias[o] + sum over i of weight(o, i) * input[i])
 *                     + output_zero_point)
 * `bias` contains -(the input's zero point) * (sum of the row's weights).
 *
 * A weight is values[code], and codes are the digits to the base `base`, 2, 3, 4 or 16, of a number
 * N, the first the highest: 8, 5, 4 or 2 of them in a byte, which is N * 256 / base^digits, rounded
 * up. A row begins with a byte. `base` times the byte is the first code times 256 and a rest, from
 * which the second comes in the same way: of 0xF9 to the base 16 they are 15 and 9. */
typedef struct {
    const uint8_t *weights;
    const int8_t *values;      /* [base] */
    const int32_t *bias;       /* [outputs] */
    const int32_t *multiplier; /* [outputs], or [1] when per_channel is 0: nn_requantize() */
    const uint8_t *shift;      /* the same */
    uint32_t inputs;
    uint32_t outputs;
    uint32_t base;
    uint32_t digits; /* in a byte */
    uint32_t per_channel;
    int32_t output_zero_point;
    int32_t minimum; /* the fused activation: relu is minimum == output_zero_point */
    int32_t maximum;
} nn_dense_packed_small_int8_params;

/* Nothing may overlap. */
void nn_dense_packed_small_int8(const nn_dense_packed_small_int8_params *p, const int8_t *input,
                                int8_t *output);
