/* MUL with a constant: as mul.h says, one of the inputs being in the parameters. */
#pragma once

#include "mul.h"

typedef nn_mul_int8_params nn_mul_constant_int8_params;
typedef nn_mul_float32_params nn_mul_constant_float32_params;

/* `output` may be `input`, if that has as many elements. */
void nn_mul_constant_int8(const nn_mul_constant_int8_params *p, const int8_t *input,
                          int8_t *output);
void nn_mul_constant_float32(const nn_mul_constant_float32_params *p, const float *input,
                             float *output);
