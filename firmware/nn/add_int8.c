#include "add.h"
#include "fixed_point.h"

#define FINE_BITS 20

static int8_t sum_of(const nn_add_int8_params *p, int32_t first, int32_t second)
{
    const int32_t half = (first - p->first_zero_point) * (1 << (FINE_BITS - 1));
    const int32_t twice = (second - p->second_zero_point) * (1 << (FINE_BITS + 1));
    const int32_t sum =
        half + nn_rescale(twice, p->second_multiplier, p->second_rounding, p->second_shift);
    const int32_t output =
        nn_rescale(sum * 2, p->output_multiplier, p->output_rounding, p->output_shift);
    return (int8_t)nn_clamp(output + p->output_zero_point, p->minimum, p->maximum);
}

void nn_add_int8(const nn_add_int8_params *restrict p, const int8_t *first, const int8_t *second,
                 int8_t *output)
{
    const int32_t count = p->size[2], first_step = p->first_step[2],
                  second_step = p->second_step[2];
    for (int32_t y = 0; y < p->size[0]; y++) {
        for (int32_t x = 0; x < p->size[1]; x++) {
            const int8_t *a = first + y * p->first_step[0] + x * p->first_step[1];
            const int8_t *b = second + y * p->second_step[0] + x * p->second_step[1];
            for (int32_t i = count; i > 0; i--) {
                *output++ = sum_of(p, *a, *b);
                a += first_step;
                b += second_step;
            }
        }
    }
}
