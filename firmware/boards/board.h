/* What an application can ask of the board, and the one thing that the board asks of it. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

void board_start(void); /* clocks, pins, serial port at BOARD_BAUD, ticks */
void board_reset(void) __attribute__((noreturn));

extern const char board_mcu[]; /* the chip's name, such as "stm32f446re" */

typedef enum {
    BOARD_CLOCK_HSI = 0,     /* the internal 16 MHz oscillator */
    BOARD_CLOCK_PLL_HSI = 1, /* that one, multiplied */
    BOARD_CLOCK_PLL_HSE = 2, /* the ST-LINK's 8 MHz, multiplied */
} board_clock_source;

typedef struct {
    uint32_t device_id; /* DBGMCU_IDCODE */
    board_clock_source clock_source;
    uint32_t core_hz;
    uint32_t apb1_hz; /* the clock of USART2 */
    uint32_t flash_wait_states;
    uint32_t baud; /* as it is, not as it was asked for */
    uint32_t stack_reserved;
    uint32_t stack_used;  /* at most, since the start, in bytes */
    uint32_t overruns;    /* bytes that came before the last one was read */
    uint32_t line_errors; /* framing errors and noise */
    uint32_t reset_cause; /* RCC_CSR bits 31:24 */
} board_status;

board_status board_describe(void);

/* The program as it lies in flash, initial values of variables included. */
const uint8_t *board_image(uint32_t *length);

#define BOARD_BAUD 115200U         /* the rate that always works */
bool board_receive(uint8_t *byte); /* false when no byte is waiting */
void board_send(uint8_t byte);     /* waits for room, for a bounded time */
void board_flush(void);            /* waits until all is on the wire, for a bounded time */

/* What the clock makes of a wanted rate; 0 when it misses by more than 2 %. */
uint32_t board_baud_possible(uint32_t wanted);
/* Changes the rate when all is on the wire. At another rate than BOARD_BAUD, any error on the line
 * brings BOARD_BAUD back. */
void board_set_baud(uint32_t baud);

void board_crc_start(void); /* the CRC unit's clock: ST's runtime wants it on */

void board_led(bool on);
bool board_button(void); /* true while the user button is held */

#define BOARD_TICKS_PER_SECOND 16U
bool board_tick(void); /* true once for each tick; those that nobody asked for are lost */

void board_cycles_start(void); /* counts the core's cycles from zero */
uint32_t board_cycles(void);

/* What the core says about a fault or an unexpected exception. */
typedef struct {
    uint32_t exception;  /* 3 HardFault and so on: PM0214 table 17 */
    uint32_t status[4];  /* CFSR HFSR MMFAR BFAR: PM0214 section 4.4 */
    uint32_t stacked[8]; /* r0 r1 r2 r3 r12 lr pc xpsr; zeros when the stack is lost */
} board_crash;

/* The application defines it: what to do instead of silence. It must not return, has 1 KB of stack,
 * and cannot trust any variable. */
void board_crashed(const board_crash *crash) __attribute__((noreturn));
