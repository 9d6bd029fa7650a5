/* What the files of the board support ask of each other; an application asks board.h. */
#ifndef PARTS_H
#define PARTS_H

#include <stdint.h>

#include "board.h"

/* clock.c; what it reports is read from the registers, so it is what the chip really does */
void clock_start(void);
board_clock_source clock_source(void);
uint32_t clock_core_hz(void);
uint32_t clock_apb1_hz(void);
uint32_t clock_flash_wait_states(void);

void pins_start(void);   /* pins.c: LED, button and the serial port's pins */
void serial_start(void); /* serial.c, after clock and pins */
uint32_t serial_baud(void);
void serial_forget(void); /* bytes received and not asked for */
uint32_t serial_overruns(void);
uint32_t serial_line_errors(void);
void time_start(void); /* time.c, after the clock */

/* startup.c */
uint32_t stack_reserved(void);
uint32_t stack_used(void);

void fault_entry(void); /* fault.c: where every exception leads */

#endif
