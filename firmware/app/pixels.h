/* Pixels to the network's input: the one place on the chip where an image is prepared. */
#ifndef PIXELS_H
#define PIXELS_H

#include <stdint.h>

#include "engine.h"

void pixels_start(const engine_tensor *input);
void pixels_to_input(const uint8_t *pixels, uint32_t count, void *input);

#endif
