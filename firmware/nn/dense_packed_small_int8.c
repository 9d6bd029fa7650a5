#include "dense_packed_small.h"
#include "fixed_point.h"

void nn_dense_packed_small_int8(const nn_dense_packed_small_int8_params *p, const int8_t *input,
                                int8_t *output)
{
    const uint8_t *weights = p->weights;
    for (uint32_t o = 0; o < p->outputs; o++) {
        const uint32_t channel = p->per_channel ? o : 0;
        int32_t sum = p->bias[o];
        uint32_t rest = 0, left = 0;
        for (uint32_t i = 0; i < p->inputs; i++) {
            if (left == 0) {
                rest = *weights++;
                left = p->digits;
            }
            left--;
            rest = (rest & 0xFF) * p->base;
            sum += p->values[rest >> 8] * input[i];
        }
        const int32_t scaled = nn_requantize(sum, p->multiplier[channel], p->shift[channel]);
        output[o] = (int8_t)nn_clamp(scaled + p->output_zero_point, p->minimum, p->maximum);
    }
}
