/* FULLY_CONNECTED with the least memory: about 1 instruction in 6 more than nn_dense_int8(). */
#pragma once

#include "dense.h"

typedef nn_dense_int8_params nn_dense_ram_int8_params;

/* As nn_dense_int8(), without scratch. `bias` must have taken the input's zero point in already:
 * the field is 0. Every row of `input` starts at a word boundary, and is read up to the next one.
 */
void nn_dense_ram_int8(const nn_dense_ram_int8_params *p, const int8_t *input, int8_t *output);
