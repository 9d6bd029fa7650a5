/* Weights of few bits: unpacked to RAM before a kernel that reads each many times. */
#pragma once

#include <stdint.h>

/* `rows` x `columns` weights, in the order in which the kernel reads them: each is `values` at its
 * code. Code i is bits * i to bits * i + bits - 1 of `codes`, counted from the lowest bit of the
 * first word; bits is 1, 2 or 4. Whole words are unpacked: of 32 / bits codes each. */
typedef struct {
    const uint32_t *codes;
    const int16_t *values; /* [1 << bits] */
    uint32_t bits;
    uint32_t rows;
    uint32_t columns;
    uint32_t zeros; /* where bit i is set, the weight i before a row's last is 0 */
} nn_unpack_bits_params;

void nn_unpack_bits(const nn_unpack_bits_params *p, int16_t *weights);

/* The same of codes 0, 1 and 2, of which a byte holds five, and unpacks all: v = 3 * byte is the
 * first code in v / 256, 3 * (v % 256) the second, and so on. */
typedef struct {
    const uint8_t *codes;
    const int16_t *values; /* [3] */
    uint32_t rows;
    uint32_t columns;
    uint32_t zeros;
} nn_unpack_ternary_params;

void nn_unpack_ternary(const nn_unpack_ternary_params *p, int16_t *weights);
