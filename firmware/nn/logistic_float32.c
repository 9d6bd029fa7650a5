#include "float_math.h"
#include "logistic.h"

/* 1 / (1 + exp(-x)), with an exponential that cannot overflow: that of -|x|. */
void nn_logistic_float32(const nn_logistic_float32_params *p, const float *input, float *output)
{
    for (uint32_t i = 0; i < p->elements; i++) {
        const float x = input[i];
        const float power = nn_exp_of_negative(x < 0.0F ? x : -x);
        output[i] = (x < 0.0F ? power : 1.0F) / (1.0F + power);
    }
}
