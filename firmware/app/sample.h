/* The digit that is built in, for a board that is asked by its button. */
#ifndef SAMPLE_H
#define SAMPLE_H

#include <stdbool.h>
#include <stdint.h>

/* Runs the network on the picture in sample.c: `digit` is the output with the highest score. False
 * when the network does not take 28 x 28 pixels, or fails. */
bool sample_recognize(uint32_t *digit);

#endif
