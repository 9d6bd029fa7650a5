#include "conv_2d_small.h"

void nn_conv_2d_small_bits(const nn_conv_2d_small_bits_params *p, const int8_t *input,
                           int8_t *output, void *scratch)
{
    const uint32_t taps = nn_conv_2d_small_taps(&p->window), bits = p->bits;
    const uint8_t *const codes = p->weights;
    int8_t *const filter = scratch;
    uint32_t at = 0;
    for (uint32_t o = 0; o < p->window.output_channels; o++) {
        for (uint32_t tap = 0; tap < taps; tap++) {
            filter[tap] = p->values[codes[at / 8] >> at % 8 & ((1U << bits) - 1)];
            at += bits;
        }
        nn_conv_2d_small_channel(p, input, filter, o, output);
    }
}
