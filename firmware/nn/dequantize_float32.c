#include "dequantize.h"

static int32_t stored(const nn_dequantize_float32_params *p, const void *input, uint32_t i)
{
    if (p->bytes == 2) {
        return ((const int16_t *)input)[i];
    }
    return p->is_signed ? ((const int8_t *)input)[i] : ((const uint8_t *)input)[i];
}

void nn_dequantize_float32(const nn_dequantize_float32_params *p, const void *input, float *output)
{
    for (uint32_t i = 0; i < p->elements; i++) {
        output[i] = (float)(stored(p, input, i) - p->zero_point) * p->scale;
    }
}
