#include "dense.h"
#include "float_math.h"

#define AT_ONCE 4U /* rows of weights, which share each input that they load */

/* The sums of `count` rows; where they are fewer than four, the last one is summed again. */
static void sum_rows(const float *weights, uint32_t inputs, uint32_t count, const float *input,
                     float sum[AT_ONCE])
{
    const float *row[AT_ONCE];
    for (uint32_t r = 0; r < AT_ONCE; r++) {
        row[r] = weights + (r < count ? r : count - 1) * inputs;
        sum[r] = 0.0F;
    }
    for (uint32_t i = 0; i < inputs; i++) {
        for (uint32_t r = 0; r < AT_ONCE; r++) {
            sum[r] += row[r][i] * input[i];
        }
    }
}

void nn_dense_float32(const nn_dense_float32_params *p, const float *input, float *output)
{
    for (uint32_t row = 0; row < p->rows; row++) {
        for (uint32_t o = 0; o < p->outputs; o += AT_ONCE) {
            const uint32_t left = p->outputs - o, count = left < AT_ONCE ? left : AT_ONCE;
            float sum[AT_ONCE];
            sum_rows(p->weights + o * p->inputs, p->inputs, count, input, sum);
            for (uint32_t r = 0; r < count; r++) {
                *output++ = nn_clamp_float(sum[r] + p->bias[o + r], p->minimum, p->maximum);
            }
        }
        input += p->inputs;
    }
}
