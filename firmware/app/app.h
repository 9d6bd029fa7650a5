/* What the files of the application ask of each other, beside frames and requests. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* pixels.c: pixels to the network's input, the one place on the chip where an image is prepared */
void pixels_start(void);                     /* once the engine has started */
bool pixels_to_input(const uint8_t *pixels); /* false: what they are to the network is not known */

/* sample.c: runs the network on its built-in picture; `digit` is the output with the highest score.
 * False when the network does not take 28 x 28 pixels, or fails. */
bool sample_recognize(uint32_t *digit);

/* light.c: what the LED shows, signs of life or the answer to the built-in picture */
void light_tick(void);              /* to be called at each board_tick() */
void light_request(void);           /* a request came: the LED changes, unless an answer is shown */
void light_answer(uint32_t number); /* blinks so many times; 0 is one long blink */
void light_trouble(void);           /* flickers: there is no answer */
