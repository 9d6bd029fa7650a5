/* MUL: the product of two tensors, element by element; one that has size 1 along a dimension is
 * repeated there. */
#pragma once

#include "add.h"

#include <stdint.h>

/* output = clamp(nn_rescale((first - its zero point) * (second - its zero point) * factor)), which
 * adds the output's zero point. */
typedef struct {
    const int32_t *size;        /* [3], of the output, outermost first */
    const int32_t *first_step;  /* [3], from one element of an input to the next along each */
    const int32_t *second_step; /*   dimension: 0 where it is repeated */
    const int8_t *first;        /* which of the inputs is constant, for nn_mul_constant_int8() */
    const int8_t *second;
    int32_t first_zero_point;
    int32_t second_zero_point;
    int32_t factor; /* 2, or where products are to become larger a higher power of two */
    int32_t multiplier;
    int32_t rounding;
    int32_t shift;
    int32_t minimum; /* the fused activation */
    int32_t maximum;
} nn_mul_int8_params;

/* `output` may be an input that has as many elements. */
void nn_mul_int8(const nn_mul_int8_params *p, const int8_t *first, const int8_t *second,
                 int8_t *output);

/* MUL, float32: what it takes is what ADD takes. */
typedef nn_add_float32_params nn_mul_float32_params;

/* `output` may be an input that has as many elements. */
void nn_mul_float32(const nn_mul_float32_params *p, const float *first, const float *second,
                    float *output);
