/* The loops of dense_packed.h on the Cortex-M4. */
#pragma once

#include "dense_cortex_m4.h"

/* Where the fields of nn_dense_packed_work lie, in bytes, after those of nn_dense_work. */
#define WORK_STEP 84
#define WORK_LESS 88
#define TABLE_OF_FOUR 164 /* bytes: 81 sums of four inputs, filled up to a word */

#if !defined(__ASSEMBLER__) && defined(__ARM_FEATURE_DSP)

/* All that the assembly needs for a row of the input. */
typedef struct {
    nn_dense_work base; /* `section_end` is where all of x ends; `total` and `sums` are 0 */
    int32_t step;
    int32_t less; /* -offset * (sum of x) */
} nn_dense_packed_work;

_Static_assert(offsetof(nn_dense_packed_work, step) == WORK_STEP, "as the assembly has it");

/* The outputs of a row of inputs, which dense_packed_cortex_m4.c spreads as x. */
void nn_dense_run_int4(nn_dense_packed_work *work);
void nn_dense_run_int2(nn_dense_packed_work *work);
void nn_dense_run_binary(nn_dense_packed_work *work);
void nn_dense_run_clustered(nn_dense_packed_work *work); /* the 256 pairs lie before x */
void nn_dense_run_sums(nn_dense_packed_work *work);      /* `weights` are sums, as many as bias */

/* Adds to each of the sums, up to `end` in fours, that of a word of 20 weights with 20 inputs.
 * Before the sums five tables get room: of each four inputs the 81 sums with weights of -1, 0 and 1
 * as halfwords; the last one's weight changes first. Returns where the next words begin. */
const uint8_t *nn_dense_add_ternary(const uint8_t *weights, int32_t *sums, const int32_t *end,
                                    const int8_t *inputs);

#endif
