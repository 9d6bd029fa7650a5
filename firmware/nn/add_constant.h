/* ADD with a constant: as add.h says, one of the inputs being in the parameters. */
#pragma once

#include "add.h"

typedef nn_add_int8_params nn_add_constant_int8_params;
typedef nn_add_float32_params nn_add_constant_float32_params;

/* `output` may be `input`, if that has as many elements. */
void nn_add_constant_int8(const nn_add_constant_int8_params *p, const int8_t *input,
                          int8_t *output);
void nn_add_constant_float32(const nn_add_constant_float32_params *p, const float *input,
                             float *output);
