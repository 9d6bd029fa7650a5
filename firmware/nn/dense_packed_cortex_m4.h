/* The inner loops of dense_packed.h on the Cortex-M4. */
#pragma once

#include <stdint.h>

/* The sums of codes times inputs of a block of rows: four, two of ternary. `x` are the inputs as
 * dense_packed_cortex_m4.c spreads them, up to `end`; of clustered, what its
 * 256 bytes are lies before them. They return where the next block begins. */
typedef const uint8_t *nn_dense_packed_sums(const uint8_t *weights, const uint32_t *x,
                                            const uint32_t *end, int32_t *sums);
nn_dense_packed_sums nn_dense_sums_of_int4, nn_dense_sums_of_int2, nn_dense_sums_of_binary,
    nn_dense_sums_of_ternary, nn_dense_sums_of_clustered;
