#include "dense.h"
#include "fixed_point.h"
#include "float_math.h"

void nn_dense_int16(const nn_dense_int16_params *p, const int16_t *input, int16_t *output)
{
    for (uint32_t r = 0; r < p->rows; r++) {
        const int8_t *weight = p->weights;
        for (uint32_t o = 0; o < p->outputs; o++) {
            int64_t sum = p->bias[o];
            for (uint32_t i = 0; i < p->inputs; i++) {
                sum += (int32_t)*weight++ * (int32_t)input[i];
            }
            const int32_t scaled = nn_round_double((double)sum * p->scale[p->per_channel ? o : 0]);
            *output++ = (int16_t)nn_clamp(scaled, p->minimum, p->maximum);
        }
        input += p->inputs;
    }
}
