/* FULLY_CONNECTED in a time that depends on the data: of two inputs that are both zero, which is
 * the input's zero point, nothing is computed. They add nothing to a sum, so the result is exact.
 */
#pragma once

#include "dense.h"

typedef nn_dense_int8_params nn_dense_data_int8_params;

/* As nn_dense_int8(), with groups_at_once for all, 12 bytes of scratch for each group of four
 * inputs, and weights in blocks of eight rows, where neighbors among the inputs stand together: 1
 * and 2 have changed places in every group of weights, and in the products of `pairs`. Where most
 * inputs of a row are not zero it skips none. */
void nn_dense_data_int8(const nn_dense_data_int8_params *p, const int8_t *input, int8_t *output,
                        void *scratch);
