/* What an application can ask of the board. */
#ifndef BOARD_H
#define BOARD_H

#include <stdbool.h>
#include <stdint.h>

void board_start(void); /* clocks, pins, serial port at BOARD_BAUD, heartbeat */
uint32_t board_core_hz(void);
void board_reset(void); /* does not return */

#define BOARD_BAUD 115200U
bool board_receive(uint8_t *byte); /* false when no byte is waiting */
void board_send(uint8_t byte);     /* waits for room, for a bounded time */
void board_flush(void);            /* waits until all is on the wire, for a bounded time */

void board_led(bool on);
bool board_button(void);    /* true while the user button is held */
bool board_heartbeat(void); /* true once every half second */

/* Counts the core's cycles. */
void board_cycles_start(void); /* from zero */
uint32_t board_cycles(void);
void board_cycles_stop(void);

#endif
