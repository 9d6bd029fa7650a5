#include "fixed_point.h"
#include "nn.h"

int32_t nn_dot_int8(const int8_t *weights, const int8_t *input, uint32_t count)
{
    int32_t sum = 0;
    for (uint32_t i = 0; i < count; i++) {
        sum += (int32_t)weights[i] * (int32_t)input[i];
    }
    return sum;
}

#if !defined(__ARM_FEATURE_DSP) /* else see dense_int8_cortex_m4.c */

void nn_dense_int8(const nn_dense_int8_params *p, const int8_t *input, int8_t *output)
{
    const int8_t *row = p->weights;
    for (uint32_t o = 0; o < p->outputs; o++) {
        const uint32_t channel = p->per_channel ? o : 0;
        const int32_t sum = p->bias[o] + nn_dot_int8(row, input, p->inputs);
        const int32_t scaled = nn_requantize(sum, p->multiplier[channel], p->shift[channel]);
        output[o] = (int8_t)nn_clamp(scaled + p->output_zero_point, p->minimum, p->maximum);
        row += p->inputs;
    }
}

#endif
