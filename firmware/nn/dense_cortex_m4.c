/* What the three dense kernels share on the Cortex-M4, around the assembly. */
#include "dense_cortex_m4.h"
#include "fixed_point.h"

#if defined(__ARM_FEATURE_DSP)

void nn_dense_prepare(nn_dense_work *work, const nn_dense_int8_params *p, int8_t *output)
{
    work->weights = p->weights;
    work->pairs = p->pairs;
    work->bias = p->bias;
    work->multiplier = p->multiplier;
    work->shift = p->shift;
    work->step = (p->per_channel ? 4U : 0U) + (p->small_shifts ? 1U : 0U);
    work->zero_point = p->output_zero_point;
    work->minimum = 0x01010101U * (uint8_t)p->minimum;
    work->maximum = 0x01010101U * (uint8_t)p->maximum;
    work->section = p->groups_at_once;
    work->output = output;
    work->left = p->outputs;
}

void nn_dense_set_x(nn_dense_work *work, const void *x, uint32_t steps, uint32_t bytes,
                    uint32_t turn)
{
    const uint32_t in_turns = steps / turn * turn, at_once = work->section;
    const uint8_t *first = x;
    work->x = first;
    work->section_end = first + (in_turns < at_once ? in_turns : at_once) * bytes;
    work->turns_end = first + in_turns * bytes;
    work->end = first + steps * bytes;
    work->section = at_once * bytes;
}

int32_t nn_dense_requantize(int32_t sum, int32_t multiplier, uint32_t shift)
{
    return nn_requantize(sum, multiplier, shift);
}

#endif
