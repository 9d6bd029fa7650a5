#include "dense_packed.h"
#include "dense_packed_output.h"

void nn_dense_packed_sparse(const nn_dense_packed_params *p, const int8_t *input, int8_t *output)
{
    for (uint32_t r = 0; r < p->rows; r++) {
        const uint8_t *entry = p->weights;
        for (uint32_t o = 0; o < p->outputs; o++) {
            const int8_t *x = input;
            int32_t sum = p->bias[o];
            const uint32_t count = entry[0] | (uint32_t)entry[1] << 8;
            entry += 2;
            for (const uint8_t *end = entry + 2 * count; entry < end; entry += 2) {
                x += entry[0];
                sum += (int8_t)entry[1] * *x++;
            }
            *output++ = nn_dense_packed_output(p, o, sum);
        }
        input += p->inputs;
    }
}
