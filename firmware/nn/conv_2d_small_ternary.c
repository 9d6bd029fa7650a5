#include "conv_2d_small.h"

void nn_conv_2d_small_ternary(const nn_conv_2d_small_ternary_params *p, const int8_t *input,
                              int8_t *output, void *scratch)
{
    const uint32_t taps = nn_conv_2d_small_taps(&p->window);
    const uint8_t *codes = p->weights;
    int8_t *const filter = scratch;
    for (uint32_t o = 0; o < p->window.output_channels; o++) {
        uint32_t rest = 0;
        for (uint32_t tap = 0; tap < taps; tap++) {
            rest = 3 * (tap % 5 > 0 ? rest : *codes++);
            filter[tap] = p->values[rest >> 8];
            rest &= 0xFF;
        }
        nn_conv_2d_small_channel(p, input, filter, o, output);
    }
}
