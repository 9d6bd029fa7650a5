/* What both APIs of the stand-in stand on: the open engine's network under names of its own.
 * For tests. No line of it is ST's. */
#ifndef COMMON_H
#define COMMON_H

#include <stdbool.h>
#include <stdint.h>

#define engine_describe stand_in_describe
#define engine_start stand_in_start
#define engine_error stand_in_error
#define engine_input stand_in_input
#define engine_run stand_in_run
#define engine_output stand_in_output
#include "engine.h"

#define ALIGNMENT 32U /* of the activations */

static inline bool aligned(const void *address, uint32_t to)
{
    return (uintptr_t)address % to == 0;
}

/* Where a tensor lies in the activations, which belong to the runtime from here on. */
void take(uint8_t *activations);
uint8_t *input_in(uint8_t *activations);
uint8_t *output_in(uint8_t *activations);
void compute(uint8_t *activations);

#endif
