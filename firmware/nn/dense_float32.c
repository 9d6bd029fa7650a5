#include "dense.h"
#include "float_math.h"

void nn_dense_float32(const nn_dense_float32_params *p, const float *input, float *output)
{
    for (uint32_t r = 0; r < p->rows; r++) {
        const float *weight = p->weights;
        for (uint32_t o = 0; o < p->outputs; o++) {
            float sum = 0.0F;
            for (uint32_t i = 0; i < p->inputs; i++) {
                sum += *weight++ * input[i];
            }
            *output++ = nn_clamp_float(sum + p->bias[o], p->minimum, p->maximum);
        }
        input += p->inputs;
    }
}
