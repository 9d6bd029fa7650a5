#include "float_math.h"
#include "tanh.h"

/* (1 - exp(-2|x|)) / (1 + exp(-2|x|)) with the sign of x; where the difference would lose its bits,
 * the series x - x^3 / 3. */
void nn_tanh_float32(const nn_tanh_float32_params *p, const float *input, float *output)
{
    for (uint32_t i = 0; i < p->elements; i++) {
        const float x = input[i];
        const float power = nn_exp_of_negative(x < 0.0F ? 2.0F * x : -2.0F * x);
        const float size = (1.0F - power) / (1.0F + power);
        output[i] = x < 0.0F ? -size : size;
        if (x > -0.02F && x < 0.02F) {
            output[i] = x - x * x * x / 3.0F;
        }
    }
}
