/* Pixels to the network's input: the one place on the chip where an image is prepared. */
#ifndef PIXELS_H
#define PIXELS_H

#include <stdbool.h>
#include <stdint.h>

#include "engine.h"

void pixels_start(const engine_description *network);
bool pixels_are_understood(const engine_description *network); /* is their range known? */
void pixels_to_input(const uint8_t *pixels, uint32_t count, void *input);

#endif
