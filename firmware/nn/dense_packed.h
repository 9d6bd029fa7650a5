/* FULLY_CONNECTED, int8, with weights of fewer than 8 bits, or of few values.
 * How they lie in flash is told with examples in firmware/README.md, "Weights of fewer bits". */
#pragma once

#include <stdint.h>

/* For every row of the input and every output o:
 *   sum = bias[o] + sum over i of weight(o, i) * input[i]
 *   output[o] = clamp(requantize(sum) + output_zero_point)
 * `bias` contains -(the input's zero point) * (sum of the row's weights).
 *
 * Codes are 0 and more, and the weight is step * code - offset; of clustered, values[code]. Rows of
 * weights lie in blocks of four; what is missing in the last block, or of a row, has the code 0.
 *
 * Of int2, binary and clustered a row is `words` words. Code i has 2, 1 or 4 bits, from the lowest
 * bit of the first word up. A block is the first word of each of its rows, the second of each, ...
 *
 * Of int4 a halfword has the codes of a block's four rows, the first in its lowest bits, of the
 * fourth plus 8, modulo 16: as weights with a sign. Columns lie in the order 0, 2, 1, 3. `words`
 * are those of a row, as for the others. `pairs`, two for each block, are what the fast path has
 * too much: sums of the products of columns 0 and 1, 2 and 3, ... of the upper byte (the third and
 * fourth codes, with a sign); and of the third codes.
 *
 * Of ternary 20 codes of 0 to 2 are the digits to the base 3 of a number N, the first the highest,
 * and that is the word N * 2^32 / 3^20, rounded up. The first words of all rows lie first, up to
 * the last block's end; `words` are those of a row.
 *
 * Of sparse a row is how many entries it has, in two bytes, the lower first, and so many entries of
 * two bytes: how many inputs to skip, and the weight of the next. 5, -2 skips five. */
typedef struct {
    const uint8_t *weights;    /* as above; at a word boundary */
    const int8_t *values;      /* [16], of clustered */
    const int32_t *pairs;      /* of int4 */
    const int32_t *bias;       /* [outputs], rounded up to 4 but of sparse */
    const int32_t *multiplier; /* as many, or when per_channel is 0 4, of sparse 1 */
    const uint8_t *shift;      /* the same; at a word boundary */
    uint32_t rows;             /* inputs one after the other, each with its outputs */
    uint32_t inputs;
    uint32_t outputs;
    uint32_t words;
    uint32_t small_shifts; /* whether a shift is less than 33 */
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
 * bytes for each weight that a row has room for, and 1 KB before them for clustered; for ternary
 * 820 bytes, and 4 for each output, rounded up to 4. The plain C takes none of it. Nothing may
 * overlap. */
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
