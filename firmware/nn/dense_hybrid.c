#include "dense.h"
#include "fixed_point.h"
#include "float_math.h"

/* real value = scale * (stored value - zero_point) */
typedef struct {
    float scale;
    int32_t zero_point;
    int32_t lowest;  /* of the stored values; the highest is 127 */
    float per_scale; /* 1 / scale, but for rounding */
} quantization;

/* -127..127 for the largest number on either side of 0. */
static quantization symmetric(float low, float high)
{
    const float range = high > -low ? high : -low;
    return (quantization){range / 127.0F, 0, -127, 127.0F / range};
}

/* -128..127 for low..high, which include 0: 0 itself becomes an integer, the zero point, from the
 * end of the range that says it more precisely. */
static quantization asymmetric(float low, float high)
{
    const double scale = (double)(high - low) / 255.0; /* in LiteRT's types, for its last bit */
    const double below = -(double)low / scale, above = (double)high / scale; /* steps from 0 */
    const double zero = 128.0 + below < 127.0 + above ? below - 128.0 : 127.0 - above;
    const int32_t zero_point = nn_clamp(nn_round_double(zero), -128, 127);
    return (quantization){(float)scale, zero_point, -128, 1.0F / (float)scale};
}

static quantization range_of(const float *input, uint32_t count, uint32_t is_asymmetric)
{
    float low = 0.0F, high = 0.0F;
    for (uint32_t i = 0; i < count; i++) {
        low = input[i] < low ? input[i] : low;
        high = input[i] > high ? input[i] : high;
    }
    if (low == high) {
        return (quantization){1.0F, 0, 0, 1.0F}; /* all are 0 */
    }
    return is_asymmetric ? asymmetric(low, high) : symmetric(low, high);
}

static void store(const float *input, uint32_t count, const quantization *q, int8_t *stored)
{
    for (uint32_t i = 0; i < count; i++) {
        const int32_t value = nn_round_float(input[i] * q->per_scale) + q->zero_point;
        stored[i] = (int8_t)nn_clamp(value, q->lowest, 127);
    }
}

void nn_dense_hybrid(const nn_dense_hybrid_params *p, const float *input, float *output,
                     void *scratch)
{
    int8_t *stored = scratch;
    for (uint32_t r = 0; r < p->rows; r++) {
        const quantization q = range_of(input, p->inputs, p->asymmetric);
        store(input, p->inputs, &q, stored);
        const int8_t *weight = p->weights;
        for (uint32_t o = 0; o < p->outputs; o++) {
            int32_t sum = -p->row_sums[o] * q.zero_point;
            for (uint32_t i = 0; i < p->inputs; i++) {
                sum += (int32_t)*weight++ * (int32_t)stored[i];
            }
            const float scale = p->scale[p->per_channel ? o : 0] * q.scale;
            *output++ = nn_clamp_float(p->bias[o] + (float)sum * scale, p->minimum, p->maximum);
        }
        input += p->inputs;
    }
}
