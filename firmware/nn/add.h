/* ADD: the sum of two tensors, element by element; one that has size 1 along a dimension is
 * repeated there. */
#pragma once

#include <stdint.h>

/* Both inputs become multiples of twice the larger of their scales over 2^20, are added, and become
 * multiples of the output's scale. `first` is the one of the larger scale: its factor is 1/2; those
 * of `second` and of the sum are for nn_rescale(). */
typedef struct {
    const int32_t *size;        /* [3], of the output, outermost first */
    const int32_t *first_step;  /* [3], from one element of an input to the next along each */
    const int32_t *second_step; /*   dimension: 0 where it is repeated */
    const int8_t *first;        /* which of the inputs is constant, for nn_add_constant_int8() */
    const int8_t *second;
    int32_t first_zero_point;
    int32_t second_zero_point;
    int32_t second_multiplier;
    int32_t second_rounding;
    int32_t second_shift;
    int32_t output_zero_point;
    int32_t output_multiplier;
    int32_t output_rounding;
    int32_t output_shift;
    int32_t minimum; /* the fused activation */
    int32_t maximum;
} nn_add_int8_params;

/* `output` may be an input that has as many elements. */
void nn_add_int8(const nn_add_int8_params *p, const int8_t *first, const int8_t *second,
                 int8_t *output);

/* ADD, float32. */
typedef struct {
    const int32_t *size; /* as above */
    const int32_t *first_step;
    const int32_t *second_step;
    const float *first; /* which of the inputs is constant, for nn_add_constant_float32() */
    const float *second;
    float minimum; /* the fused activation */
    float maximum;
} nn_add_float32_params;

/* `output` may be an input that has as many elements. */
void nn_add_float32(const nn_add_float32_params *p, const float *first, const float *second,
                    float *output);
