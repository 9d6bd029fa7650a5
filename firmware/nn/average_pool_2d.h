/* AVERAGE_POOL_2D: the mean of each window, channel by channel.
 *
 * What lies outside the input does not count. The output may not overlap the input. */
#pragma once

#include "window.h"

#include <stdint.h>

/* AVERAGE_POOL_2D, int8: rounded to nearest, halves away from zero. */
typedef struct {
    nn_window window;
    int32_t minimum; /* the fused activation */
    int32_t maximum;
} nn_average_pool_2d_int8_params;

void nn_average_pool_2d_int8(const nn_average_pool_2d_int8_params *p, const int8_t *input,
                             int8_t *output);

/* AVERAGE_POOL_2D, float32. */
typedef struct {
    nn_window window;
    float minimum; /* the fused activation */
    float maximum;
} nn_average_pool_2d_float32_params;

void nn_average_pool_2d_float32(const nn_average_pool_2d_float32_params *p, const float *input,
                                float *output);
