#include "float_math.h"
#include "mul.h"

void nn_mul_float32(const nn_mul_float32_params *p, const float *first, const float *second,
                    float *output)
{
    for (int32_t y = 0; y < p->size[0]; y++) {
        for (int32_t x = 0; x < p->size[1]; x++) {
            const float *a = first + y * p->first_step[0] + x * p->first_step[1];
            const float *b = second + y * p->second_step[0] + x * p->second_step[1];
            for (int32_t i = 0; i < p->size[2]; i++) {
                *output++ = nn_clamp_float(*a * *b, p->minimum, p->maximum);
                a += p->first_step[2];
                b += p->second_step[2];
            }
        }
    }
}
