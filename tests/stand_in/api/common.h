/* What both APIs of the stand-in stand on: the open engine's network under names of its own, in a
 * buffer of activations. For tests. No line of it is ST's. */
#ifndef COMMON_H
#define COMMON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define engine_describe stand_in_describe
#define engine_start stand_in_start
#define engine_error stand_in_error
#define engine_input stand_in_input
#define engine_run stand_in_run
#define engine_output stand_in_output
#include "engine.h"

#define ALIGNMENT 32U /* of the activations */

/* By this symbol the kit knows that a program has no runtime of ST in it, but this. */
static const char stand_in_for_tests[] = "a stand-in for ST's runtime; no line of it is ST's";

static inline bool aligned(const void *address, uint32_t to)
{
    return (uintptr_t)address % to == 0;
}

/* The activations belong to the runtime: whatever lies there is lost, as where it computes there. */
static inline void take(uint8_t *activations)
{
    __asm volatile("" : : "r"(stand_in_for_tests)); /* keeps it in the program */
    memset(activations, 0xA5, stand_in_describe()->arena_bytes);
}

static inline uint8_t *input_in(uint8_t *activations)
{
    return activations;
}

static inline uint8_t *output_in(uint8_t *activations)
{
    const engine_description *network = stand_in_describe();
    return activations + ((network->arena_bytes - network->output.bytes) & ~3U);
}

static inline void compute(uint8_t *activations)
{
    const engine_description *network = stand_in_describe();
    stand_in_start();
    memcpy(stand_in_input(), input_in(activations), network->input.bytes);
    stand_in_run(NULL);
    take(activations);
    memcpy(output_in(activations), stand_in_output(0), network->output.bytes);
}

#endif
