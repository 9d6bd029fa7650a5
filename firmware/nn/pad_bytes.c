#include "pad.h"

void nn_pad_bytes(const nn_pad_bytes_params *p, const void *input, void *output)
{
    const uint8_t *from = input;
    uint8_t *const start = output;
    for (uint32_t i = 0; i < p->output_bytes; i++) {
        start[i] = (uint8_t)p->value;
    }
    for (int32_t n = 0; n < p->size[0]; n++) {
        for (int32_t y = 0; y < p->size[1]; y++) {
            for (int32_t x = 0; x < p->size[2]; x++) {
                uint8_t *to = start + p->offset + n * p->step[0] + y * p->step[1] + x * p->step[2];
                for (int32_t i = 0; i < p->size[3]; i++) {
                    *to++ = *from++;
                }
            }
        }
    }
}
