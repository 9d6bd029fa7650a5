#include "unpack.h"

/* The weights that only fill rows up, and have codes of others. */
static void clear(int16_t *weights, uint32_t rows, uint32_t columns, uint32_t zeros)
{
    for (; rows > 0 && zeros > 0; rows--) {
        weights += columns;
        for (uint32_t i = 0; zeros >> i > 0; i++) {
            if (zeros >> i & 1) {
                *(weights - 1 - i) = 0;
            }
        }
    }
}

void nn_unpack_bits(const nn_unpack_bits_params *p, int16_t *weights)
{
    const int16_t *const values = p->values, *const end = weights + p->rows * p->columns;
    const uint32_t bits = p->bits, mask = (1U << bits) - 1, count = 32 / bits;
    const uint32_t *codes = p->codes;
    for (int16_t *to = weights; to < end;) {
        uint32_t word = *codes++;
        for (uint32_t left = count; left > 0; left--) {
            *to++ = values[word & mask];
            word >>= bits;
        }
    }
    clear(weights, p->rows, p->columns, p->zeros);
}

void nn_unpack_ternary(const nn_unpack_ternary_params *p, int16_t *weights)
{
    const int16_t *const values = p->values, *const end = weights + p->rows * p->columns;
    const uint8_t *codes = p->codes;
    for (int16_t *to = weights; to < end;) {
        uint32_t rest = *codes++;
        for (uint32_t left = 5; left > 0; left--) {
            rest *= 3;
            *to++ = values[rest >> 8];
            rest &= 0xFF;
        }
    }
    clear(weights, p->rows, p->columns, p->zeros);
}
