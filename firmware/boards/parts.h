/* What the files of the board support ask of each other; an application asks board.h. */
#pragma once

#include "board.h"

/* nucleo_64/: what all of these boards have */
void clock_start(void);
uint32_t clock_core_hz(void);
uint32_t clock_apb1_hz(void); /* the clock of USART2 */
void pins_start(void);        /* LED, button and the serial port's pins */
void serial_start(void);      /* after clock and pins */
bool serial_started(void);
void serial_forget(void); /* bytes received and not asked for */

/* each writes its part */
void clock_describe(board_status *status);
void serial_describe(board_status *status);
void stack_describe(board_status *status); /* cortex_m/startup.c */

/* pll.c of each family: the PLL, and the power that its speed wants; false when that fails */
bool pll_start(uint32_t source, uint32_t source_hz);
void pll_stop(void);

/* cortex_m/ */
void time_start(void);  /* after the clock */
void fault_entry(void); /* where every exception leads */
