#include "fixed_point.h"
#include "mean.h"

void nn_mean_int8(const nn_mean_int8_params *p, const int8_t *input, int8_t *output)
{
    for (uint32_t c = 0; c < p->channels; c++) {
        int32_t sum = p->offset;
        for (uint32_t i = 0; i < p->positions; i++) {
            sum += input[i * p->channels + c];
        }
        const int32_t scaled = nn_rescale(sum * p->factor, p->multiplier, p->rounding, p->shift);
        output[c] = (int8_t)nn_clamp(scaled, INT8_MIN, INT8_MAX);
    }
}
