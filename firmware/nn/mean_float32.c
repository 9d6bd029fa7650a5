#include "mean.h"

void nn_mean_float32(const nn_mean_float32_params *p, const float *input, float *output)
{
    for (uint32_t c = 0; c < p->channels; c++) {
        float sum = 0.0F;
        for (uint32_t i = 0; i < p->positions; i++) {
            sum += input[i * p->channels + c];
        }
        output[c] = sum / (float)p->positions;
    }
}
