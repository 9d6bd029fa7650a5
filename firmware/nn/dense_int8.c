#include "dense.h"
#include "fixed_point.h"

#if !defined(__ARM_FEATURE_DSP) /* else see dense_int8_cortex_m4.c */

/* One row of weights times the input, in the layout of dense.h: of four columns the second is
 * `odd` bytes on, the third `second`, and the next four follow 2 * `step` bytes on. `flip` is 0x80
 * for a row that is stored plus 128. */
static int32_t nn_dot_int8(const int8_t *weights, uint32_t step, int32_t flip, const int8_t *input,
                           int32_t zero_point, uint32_t count)
{
    const uint32_t odd = step == 8 ? 8 : 2, second = step == 8 ? 2 : step;
    int32_t sum = 0;
    for (uint32_t i = 0; i < count; i += 4) {
        for (uint32_t k = 0; k < 4 && i + k < count; k++) {
            const int32_t weight = (int8_t)(weights[k % 2 * odd + k / 2 * second] ^ flip);
            sum += weight * (input[i + k] - zero_point);
        }
        weights += 2 * step;
    }
    return sum;
}

void nn_dense_int8(const nn_dense_int8_params *p, const int8_t *input, int8_t *output,
                   void *scratch)
{
    const uint32_t block = (p->inputs + 3) / 4 * 4 * p->block_rows; /* bytes */
    for (uint32_t r = 0; r < p->rows; r++) {
        for (uint32_t o = 0; o < p->outputs; o++) {
            const uint32_t channel = p->per_channel ? o : 0, in_block = o % p->block_rows;
            const int8_t *row = p->weights + o / p->block_rows * block + in_block / 2 * 4;
            const int32_t sum =
                p->bias[o] + nn_dot_int8(o % 2 ? row : row + 1, 2 * p->block_rows, o % 2 ? 0x80 : 0,
                                         input, p->input_zero_point, p->inputs);
            const int32_t scaled = nn_requantize(sum, p->multiplier[channel], p->shift[channel]);
            *output++ = (int8_t)nn_clamp(scaled + p->output_zero_point, p->minimum, p->maximum);
        }
        input += p->inputs;
    }
    (void)scratch; /* the fast path's */
}

#endif
