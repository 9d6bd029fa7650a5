#include "fixed_point.h"
#include "mul.h"

static int8_t product_of(const nn_mul_int8_params *p, int32_t first, int32_t second)
{
    const int32_t product = (first - p->first_zero_point) * (second - p->second_zero_point);
    const int32_t output = nn_rescale(product * p->factor, p->multiplier, p->rounding, p->shift);
    return (int8_t)nn_clamp(output, p->minimum, p->maximum);
}

void nn_mul_int8(const nn_mul_int8_params *restrict p, const int8_t *first, const int8_t *second,
                 int8_t *output)
{
    const int32_t count = p->size[2], first_step = p->first_step[2],
                  second_step = p->second_step[2];
    for (int32_t y = 0; y < p->size[0]; y++) {
        for (int32_t x = 0; x < p->size[1]; x++) {
            const int8_t *a = first + y * p->first_step[0] + x * p->first_step[1];
            const int8_t *b = second + y * p->second_step[0] + x * p->second_step[1];
            for (int32_t i = count; i > 0; i--) {
                *output++ = product_of(p, *a, *b);
                a += first_step;
                b += second_step;
            }
        }
    }
}
