#include "dense_small.h"
#include "fixed_point.h"

void nn_dense_small_int8(const nn_dense_small_int8_params *p, const int8_t *input, int8_t *output)
{
    const int8_t *weight = p->weights;
    for (uint32_t o = 0; o < p->outputs; o++) {
        const uint32_t channel = p->per_channel ? o : 0;
        int32_t sum = p->bias[o];
        for (uint32_t i = 0; i < p->inputs; i++) {
            sum += *weight++ * input[i];
        }
        const int32_t scaled = nn_requantize(sum, p->multiplier[channel], p->shift[channel]);
        output[o] = (int8_t)nn_clamp(scaled + p->output_zero_point, p->minimum, p->maximum);
    }
}
