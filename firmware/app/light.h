/* What the LED shows: signs of life, or the answer to the built-in digit. */
#ifndef LIGHT_H
#define LIGHT_H

#include <stdint.h>

void light_tick(void);              /* to be called at each board_tick() */
void light_request(void);           /* a request came: the LED changes, unless an answer is shown */
void light_answer(uint32_t number); /* blinks so many times; 0 is one long blink */
void light_trouble(void);           /* flickers: there is no answer */

#endif
