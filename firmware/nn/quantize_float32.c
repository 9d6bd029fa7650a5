#include "quantize.h"

#define ALMOST_HALF 0.49999997F /* plus the number before 1/2 is less than 1, plus 1/2 is 1 */

static int32_t stored(const nn_quantize_float32_params *p, float real)
{
    float steps = real / p->scale;
    steps = steps > p->lowest ? steps : p->lowest;
    steps = steps < p->highest ? steps : p->highest;
    return (int32_t)(steps + (steps < 0.0F ? -ALMOST_HALF : ALMOST_HALF)) + p->zero_point;
}

void nn_quantize_float32(const nn_quantize_float32_params *restrict p, const float *input,
                         void *output)
{
    int8_t *const bytes = output;
    int16_t *const halfwords = output;
    for (uint32_t i = 0; i < p->elements; i++) {
        const int32_t value = stored(p, input[i]);
        if (p->bytes == 2) {
            halfwords[i] = (int16_t)value;
        } else {
            bytes[i] = (int8_t)value;
        }
    }
}
