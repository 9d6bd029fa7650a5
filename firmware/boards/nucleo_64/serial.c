/* The serial port to the ST-LINK: USART2, 8 data bits, no parity, 1 stop bit. */
#include "registers.h"
#include "parts.h"

#define WAIT_LIMIT 1000000U
#define SHORTEST_BIT 16U /* clock cycles: each bit is sampled 16 times */
#define LINE_ERRORS (USART2_STATUS_FE | USART2_STATUS_NF | USART2_STATUS_ORE)
#define STORE_BYTES 256U

static uint32_t overruns, line_errors;

/* Bytes that came while the chip was sending: the receiver itself holds only one. */
static uint8_t store[STORE_BYTES];
static uint32_t stored, taken; /* how many ever were */

/* The clock cycles of a bit at a rate, which is what BRR holds (RM0390 section 25.4.4); and as well
 * the rate of so many cycles a bit. */
static uint32_t clock_divided_by(uint32_t number)
{
    return (clock_apb1_hz() + number / 2) / number;
}

void serial_start(void)
{
    USART2_ENR |= USART2_ENR_USART2EN;
    (void)USART2_ENR; /* the read waits until the clock is on (STM32F446 errata, 2.2.7) */
    USART2_BRR = clock_divided_by(BOARD_BAUD);
    USART2_CR1 = USART2_CR1_UE | USART2_CR1_TE | USART2_CR1_RE;
}

bool serial_started(void)
{
    return USART2_ENR & USART2_ENR_USART2EN;
}

void serial_describe(board_status *status)
{
    status->baud = clock_divided_by(USART2_BRR);
    status->overruns = overruns;
    status->line_errors = line_errors;
}

void serial_forget(void)
{
    stored = taken = 0;
}

static void keep(uint8_t byte)
{
    if (stored - taken < STORE_BYTES) {
        store[stored++ % STORE_BYTES] = byte;
    } else {
        overruns++;
    }
}

/* A byte lost or misread may mean that the two ends differ in their rate. */
static void note_errors(uint32_t status)
{
    overruns += (status & USART2_STATUS_ORE) != 0;
    line_errors += (status & (USART2_STATUS_FE | USART2_STATUS_NF)) != 0;
    CLEAR_ERRORS(status & LINE_ERRORS);
    USART2_BRR = clock_divided_by(BOARD_BAUD);
}

/* The status; a byte that has come is put aside. */
static uint32_t look(void)
{
    const uint32_t status = USART2_STATUS;
    if (status & (USART2_STATUS_RXNE | LINE_ERRORS)) {
        const uint8_t byte = (uint8_t)USART2_RECEIVED;
        if (status & USART2_STATUS_RXNE) {
            keep(byte);
        }
        if (status & LINE_ERRORS) {
            note_errors(status);
        }
    }
    return status;
}

bool board_receive(uint8_t *byte)
{
    if (stored == taken) {
        look();
    }
    if (stored == taken) {
        return false;
    }
    *byte = store[taken++ % STORE_BYTES];
    return true;
}

static void wait_for(uint32_t status)
{
    for (uint32_t i = 0; i < WAIT_LIMIT && !(look() & status); i++) {
    }
}

void board_send(uint8_t byte)
{
    wait_for(USART2_STATUS_TXE);
    USART2_TO_SEND = byte;
}

void board_flush(void)
{
    wait_for(USART2_STATUS_TC);
}

uint32_t board_baud_possible(uint32_t wanted)
{
    const uint32_t cycles = wanted == 0 ? 0 : clock_divided_by(wanted);
    if (cycles < SHORTEST_BIT || cycles > UINT16_MAX) {
        return 0;
    }
    const uint32_t actual = clock_divided_by(cycles);
    const uint32_t error = actual > wanted ? actual - wanted : wanted - actual;
    return error <= wanted / 50 ? actual : 0;
}

void board_set_baud(uint32_t baud)
{
    const uint32_t cycles = clock_divided_by(baud);
    if (USART2_BRR != cycles) {
        board_flush();
        USART2_BRR = cycles;
    }
}
