/* MEAN over space: of each channel, over all positions. The output may not overlap the input. */
#pragma once

#include <stdint.h>

/* MEAN, int8: [positions][channels] to [channels].
 *   sum = the values of a channel - positions * the input's zero point, times `factor`
 *   output = clamp(nn_rescale(sum, multiplier, rounding, shift)), which divides by the positions */
typedef struct {
    uint32_t positions;
    uint32_t channels;
    int32_t offset; /* -positions * the input's zero point */
    int32_t factor;
    int32_t multiplier; /* as in nn_rescale(), in fixed_point.h */
    int32_t rounding;
    int32_t shift;
} nn_mean_int8_params;

void nn_mean_int8(const nn_mean_int8_params *p, const int8_t *input, int8_t *output);

/* MEAN, float32: [positions][channels] to [channels]. */
typedef struct {
    uint32_t positions;
    uint32_t channels;
} nn_mean_float32_params;

void nn_mean_float32(const nn_mean_float32_params *p, const float *input, float *output);
