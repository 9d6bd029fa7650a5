/* What the kernels of dense_packed.h share. */
#pragma once

#include "dense_packed.h"
#include "fixed_point.h"

/* Output `o` of its sum. A shift of 33 or more leaves nothing of the product's lower word. */
static inline int8_t nn_dense_packed_output(const nn_dense_packed_params *p, uint32_t o,
                                            int32_t sum)
{
    const uint32_t channel = p->per_channel ? o : 0, shift = p->shift[channel];
    const int32_t multiplier = p->multiplier[channel];
    int32_t scaled;
    if (shift > 32) {
        const int32_t high = (int32_t)(((int64_t)sum * multiplier) >> 32);
        scaled = ((high >> (shift - 33)) + 1) >> 1;
    } else {
        scaled = nn_requantize(sum, multiplier, shift);
    }
    return (int8_t)nn_clamp(scaled + p->output_zero_point, p->minimum, p->maximum);
}
