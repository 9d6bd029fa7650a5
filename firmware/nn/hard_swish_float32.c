#include "float_math.h"
#include "hard_swish.h"

void nn_hard_swish_float32(const nn_hard_swish_float32_params *p, const float *input, float *output)
{
    for (uint32_t i = 0; i < p->elements; i++) {
        output[i] = input[i] * nn_clamp_float(input[i] + 3.0F, 0.0F, 6.0F) / 6.0F;
    }
}
