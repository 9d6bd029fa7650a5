/* SOFTMAX: values become shares of 1, e to the power of each over the sum of all. */
#pragma once

#include <stdint.h>

/* SOFTMAX, int8, over each row. Output scale 1/256, zero point -128 (as in LiteRT). The output may
 * be the input; `scratch` is for the powers of a row, 4 bytes an element. */
typedef struct {
    uint32_t rows;
    uint32_t elements;   /* of a row: at most 1023 */
    int32_t multiplier;  /* beta * input scale as a multiplier of the difference to the maximum, */
    uint32_t left_shift; /*   giving a fixed-point number with 5 integer bits */
    int32_t minimum_difference; /* below this, exp() is zero */
} nn_softmax_int8_params;

void nn_softmax_int8(const nn_softmax_int8_params *p, const int8_t *input, int8_t *output,
                     void *scratch);

/* SOFTMAX, float32, over each row. The output may be the input. */
typedef struct {
    uint32_t rows;
    uint32_t elements; /* of a row */
    float beta;
} nn_softmax_float32_params;

void nn_softmax_float32(const nn_softmax_float32_params *p, const float *input, float *output);

/* SOFTMAX, int16, over each row. Output scale 1/32768, zero point 0 (as in LiteRT). Functions are
 * tables of 513 values, between which lines are drawn. The output may be the input. */
typedef struct {
    const int16_t *exp;               /* from exp(-10) to exp(0), as 32768ths */
    const int16_t *one_over_one_plus; /* 1 / (1 + x) for x from 0 to 1, as 32768ths */
    uint32_t rows;
    uint32_t elements;  /* of a row */
    int32_t multiplier; /* beta * input scale, as steps of 10 / 65535 for a difference of 1; */
    int32_t exponent;   /*   see nn_requantize_twice() */
} nn_softmax_int16_params;

void nn_softmax_int16(const nn_softmax_int16_params *p, const int16_t *input, int16_t *output);
