/* FULLY_CONNECTED, int8, with weights of fewer than 8 bits, or of few values.
 * How they lie in flash is told with examples in firmware/README.md, "Weights of fewer bits". */
#pragma once

#include <stdint.h>

/* For every row of the input and every output o:
 *   sum = bias[o] + sum over i of weight(o, i) * input[i]
 *   output[o] = clamp(requantize(sum) + output_zero_point)
 * `bias` contains -(the input's zero point) * (sum of the row's weights).
 *
 * Of int4, int2 and binary a row of weights is `words` words, filled up with codes of 0. Code i has
 * 4, 2 or 1 bits, from the lowest bit of the first word up, and the weight is step * code - offset.
 * The byte 0x9F of int4 is the codes 15 and 9: 7 and 1 (step 1, offset 8).
 * Of ternary five codes of 0 to 2 are the digits to the base 3 of a number N, the first the
 * highest, and that is the byte N * 256 / 243, rounded up. 55 is N = 52 = 01221: -1 0 1 1 0. Of
 * clustered a code has 4 bits, too, and the weight is values[code]. Rows lie in blocks: the first
 * word of each of 4 rows (2 of ternary), the second of each, and so on; what is missing in the last
 * block is 0.
 *
 * Of sparse a row is how many entries it has, in two bytes, the lower first, and so many entries of
 * two bytes: how many inputs to skip, and the weight of the next. 5, -2 skips five. */
typedef struct {
    const uint8_t *weights;    /* as above; at a word boundary */
    const int8_t *values;      /* [16], of clustered */
    const int32_t *bias;       /* [outputs] */
    const int32_t *multiplier; /* [outputs], or [1] when per_channel is 0: nn_requantize() */
    const uint8_t *shift;      /* the same */
    uint32_t rows;             /* inputs one after the other, each with its outputs */
    uint32_t inputs;
    uint32_t outputs;
    uint32_t words;
    uint32_t per_channel;
    int32_t step;
    int32_t offset;
    int32_t output_zero_point;
    int32_t minimum; /* the fused activation: relu is minimum == output_zero_point */
    int32_t maximum;
} nn_dense_packed_params;

typedef nn_dense_packed_params nn_dense_packed_int4_params;
typedef nn_dense_packed_params nn_dense_packed_int2_params;
typedef nn_dense_packed_params nn_dense_packed_binary_params;
typedef nn_dense_packed_params nn_dense_packed_ternary_params;
typedef nn_dense_packed_params nn_dense_packed_clustered_params;
typedef nn_dense_packed_params nn_dense_packed_sparse_params;

/* `input` is [rows][inputs], `output` is [rows][outputs]. `scratch`, at a word boundary, has 2
 * bytes for each weight that a row has room for, and 1 KB before them for clustered; the plain C
 * takes none of it. Nothing may overlap. */
void nn_dense_packed_int4(const nn_dense_packed_params *p, const int8_t *input, int8_t *output,
                          void *scratch);
void nn_dense_packed_int2(const nn_dense_packed_params *p, const int8_t *input, int8_t *output,
                          void *scratch);
void nn_dense_packed_binary(const nn_dense_packed_params *p, const int8_t *input, int8_t *output,
                            void *scratch);
void nn_dense_packed_ternary(const nn_dense_packed_params *p, const int8_t *input, int8_t *output,
                             void *scratch);
void nn_dense_packed_clustered(const nn_dense_packed_params *p, const int8_t *input, int8_t *output,
                               void *scratch);
void nn_dense_packed_sparse(const nn_dense_packed_params *p, const int8_t *input, int8_t *output);
