/* The stand-in's network in a buffer of activations. For tests. No line of it is ST's. */
#include "common.h"

#include <stddef.h>
#include <string.h>

/* By this symbol the kit knows that a program has no runtime of ST in it, but this. */
const char stand_in_for_tests[] = "a stand-in for ST's runtime, for tests; no line of it is ST's";

/* Whatever lies there is lost, as with a runtime that computes there. */
void take(uint8_t *activations)
{
    __asm volatile("" : : "r"(stand_in_for_tests)); /* keeps it in the program */
    memset(activations, 0xA5, stand_in_describe()->arena_bytes);
}

uint8_t *input_in(uint8_t *activations)
{
    return activations;
}

uint8_t *output_in(uint8_t *activations)
{
    const engine_description *network = stand_in_describe();
    return activations + ((network->arena_bytes - network->output.bytes) & ~3U);
}

void compute(uint8_t *activations)
{
    const engine_description *network = stand_in_describe();
    stand_in_start();
    memcpy(stand_in_input(), input_in(activations), network->input.bytes);
    stand_in_run(NULL, NULL);
    take(activations);
    memcpy(output_in(activations), stand_in_output(), network->output.bytes);
}
