/* The serial port to the ST-LINK: USART2, 8 data bits, no parity, 1 stop bit. */
#include "parts.h"
#include "stm32f4.h"

#define WAIT_LIMIT 1000000U
#define SHORTEST_BIT 16U /* clock cycles: each bit is sampled 16 times */
#define LINE_ERRORS (USART2_SR_FE | USART2_SR_NF | USART2_SR_ORE)

#define STORE_BYTES 256U

static uint32_t overruns, line_errors;

/* Bytes that came while the chip was sending: the receiver itself holds only one. */
static uint8_t store[STORE_BYTES];
static uint32_t stored, taken; /* how many ever were */

/* The clock cycles of a bit, which is what BRR holds (RM0390 section 25.4.4). */
static uint32_t bit_cycles(uint32_t baud)
{
    return (clock_apb1_hz() + baud / 2) / baud;
}

void serial_start(void)
{
    RCC_APB1ENR |= RCC_APB1ENR_USART2EN;
    (void)RCC_APB1ENR; /* the read waits until the clock is on (STM32F446 errata, 2.2.7) */
    USART2_BRR = bit_cycles(BOARD_BAUD);
    USART2_CR1 = USART2_CR1_UE | USART2_CR1_TE | USART2_CR1_RE;
}

uint32_t serial_baud(void)
{
    return (clock_apb1_hz() + USART2_BRR / 2) / USART2_BRR;
}

uint32_t serial_overruns(void)
{
    return overruns;
}

uint32_t serial_line_errors(void)
{
    return line_errors;
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
    overruns += (status & USART2_SR_ORE) != 0;
    line_errors += (status & (USART2_SR_FE | USART2_SR_NF)) != 0;
    USART2_BRR = bit_cycles(BOARD_BAUD);
}

/* SR; a byte that has come is put aside. Reading DR after SR clears the flags of both (RM0390
 * section 25.6.1). */
static uint32_t look(void)
{
    const uint32_t status = USART2_SR;
    if (status & (USART2_SR_RXNE | LINE_ERRORS)) {
        const uint8_t byte = (uint8_t)USART2_DR;
        if (status & USART2_SR_RXNE) {
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
    wait_for(USART2_SR_TXE);
    USART2_DR = byte;
}

void board_flush(void)
{
    wait_for(USART2_SR_TC);
}

uint32_t board_baud_possible(uint32_t wanted)
{
    const uint32_t cycles = wanted == 0 ? 0 : bit_cycles(wanted);
    if (cycles < SHORTEST_BIT || cycles > UINT16_MAX) {
        return 0;
    }
    const uint32_t actual = (clock_apb1_hz() + cycles / 2) / cycles;
    const uint32_t error = actual > wanted ? actual - wanted : wanted - actual;
    return error <= wanted / 50 ? actual : 0;
}

void board_set_baud(uint32_t baud)
{
    if (USART2_BRR != bit_cycles(baud)) {
        board_flush();
        USART2_BRR = bit_cycles(baud);
    }
}
