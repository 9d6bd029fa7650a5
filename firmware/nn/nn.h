/* The kernels: one function an operator, for int8 and float32.
 *
 * int8 arithmetic is LiteRT's reference kernels, bit for bit. Nothing here knows about a network:
 * the generator emits one parameter struct and one call for each operator. */
#pragma once

#include <stdint.h>

/* FULLY_CONNECTED, int8. For every output o:
 *   accumulator = bias[o] + sum over i of weights[o][i] * input[i]
 *   output[o] = clamp(requantize(accumulator) + output_zero_point)
 * `bias` already contains -input_zero_point * (sum of the row's weights), which is exact and
 * spares a subtraction for each weight. */
typedef struct {
    const int8_t *weights;     /* [outputs][inputs] */
    const int32_t *bias;       /* [outputs] */
    const int32_t *multiplier; /* [outputs], or [1] when per_channel is 0; see nn_requantize() */
    const uint8_t *shift;      /* the same */
    uint32_t inputs;
    uint32_t outputs;
    uint32_t per_channel;
    int32_t output_zero_point;
    int32_t minimum; /* the fused activation: relu is minimum == output_zero_point */
    int32_t maximum;
} nn_dense_int8_params;

/* What makes a row's sum; the chip's fast path takes it for what its wider steps leave over. */
int32_t nn_dot_int8(const int8_t *weights, const int8_t *input, uint32_t count);

void nn_dense_int8(const nn_dense_int8_params *p, const int8_t *input, int8_t *output);

/* SOFTMAX, int8, over one row. Output scale 1/256, zero point -128 (as in LiteRT). */
typedef struct {
    uint32_t elements;
    int32_t multiplier;  /* beta * input scale as a multiplier of the difference to the maximum, */
    uint32_t left_shift; /*   giving a fixed-point number with 5 integer bits */
    int32_t minimum_difference; /* below this, exp() is zero */
} nn_softmax_int8_params;

void nn_softmax_int8(const nn_softmax_int8_params *p, const int8_t *input, int8_t *output);

/* FULLY_CONNECTED, float32. */
typedef struct {
    const float *weights; /* [outputs][inputs] */
    const float *bias;    /* [outputs] */
    uint32_t inputs;
    uint32_t outputs;
    float minimum; /* the fused activation */
    float maximum;
} nn_dense_float32_params;

void nn_dense_float32(const nn_dense_float32_params *p, const float *input, float *output);

/* SOFTMAX, float32, over one row. */
typedef struct {
    uint32_t elements;
    float beta;
} nn_softmax_float32_params;

void nn_softmax_float32(const nn_softmax_float32_params *p, const float *input, float *output);
