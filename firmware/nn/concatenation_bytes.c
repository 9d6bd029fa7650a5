#include "concatenation.h"

void nn_concatenation_bytes(const nn_concatenation_bytes_params *p, const void *const *inputs,
                            void *output)
{
    uint8_t *to = output;
    for (uint32_t n = 0; n < p->blocks; n++) {
        for (uint32_t i = 0; i < p->inputs; i++) {
            const uint8_t *from = (const uint8_t *)inputs[i] + n * (uint32_t)p->block[i];
            for (int32_t k = 0; k < p->block[i]; k++) {
                *to++ = *from++;
            }
        }
    }
}
