#include "float_math.h"
#include "relu.h"

void nn_relu_float32(const nn_relu_float32_params *p, const float *input, float *output)
{
    for (uint32_t i = 0; i < p->elements; i++) {
        const float bent = input[i] < 0.0F ? input[i] * p->slope : input[i];
        output[i] = nn_clamp_float(bent, p->minimum, p->maximum);
    }
}
