#include "nn.h"

void nn_dense_float32(const nn_dense_float32_params *p, const float *input, float *output)
{
    const float *row = p->weights;
    for (uint32_t o = 0; o < p->outputs; o++) {
        float sum = 0.0F;
        for (uint32_t i = 0; i < p->inputs; i++) {
            sum += row[i] * input[i];
        }
        sum += p->bias[o];
        sum = sum < p->minimum ? p->minimum : sum;
        output[o] = sum > p->maximum ? p->maximum : sum;
        row += p->inputs;
    }
}
