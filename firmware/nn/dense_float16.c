#include "dense.h"
#include "float_math.h"

#define AT_ONCE 4U /* rows of weights, which share each input that they load */

typedef uint32_t __attribute__((may_alias)) word; /* two weights */

/* The sums of `count` rows, as nn_dense_float32() adds them up; where they are fewer than four, the
 * last one is summed again. */
static void sum_rows(const uint16_t *weights, uint32_t inputs, uint32_t count, const float *input,
                     float sum[AT_ONCE])
{
    const word *row[AT_ONCE];
    for (uint32_t r = 0; r < AT_ONCE; r++) {
        row[r] = (const word *)weights + (r < count ? r : count - 1) * ((inputs + 1) / 2);
        sum[r] = 0.0F;
    }
    for (uint32_t i = 0; i < inputs / 2; i++) {
        for (uint32_t r = 0; r < AT_ONCE; r++) {
            const nn_two_floats weight = nn_two_float16(row[r][i]);
            sum[r] += weight.low * input[2 * i];
            sum[r] += weight.high * input[2 * i + 1];
        }
    }
    for (uint32_t r = 0; inputs % 2 && r < AT_ONCE; r++) {
        sum[r] += nn_two_float16(row[r][inputs / 2]).low * input[inputs - 1];
    }
}

void nn_dense_float16(const nn_dense_float16_params *p, const float *input, float *output)
{
    for (uint32_t row = 0; row < p->rows; row++) {
        for (uint32_t o = 0; o < p->outputs; o += AT_ONCE) {
            const uint32_t left = p->outputs - o, count = left < AT_ONCE ? left : AT_ONCE;
            float sum[AT_ONCE];
            sum_rows(p->weights + o * ((p->inputs + 1) / 2 * 2), p->inputs, count, input, sum);
            for (uint32_t r = 0; r < count; r++) {
                *output++ = nn_clamp_float(sum[r] + p->bias[o + r], p->minimum, p->maximum);
            }
        }
        input += p->inputs;
    }
}
