/* Time: ticks for what a person sees, cycles for what the chip does. */
#include "cortex_m.h"
#include "parts.h"

/* The timer has 24 bits: an eighth of the core's clock keeps the count below them. */
void time_start(void)
{
    STK_LOAD = clock_core_hz() / 8 / BOARD_TICKS_PER_SECOND - 1;
    STK_VAL = 0;
    STK_CTRL = STK_CTRL_ENABLE;
    COREDEBUG_DEMCR |= COREDEBUG_DEMCR_TRCENA; /* without it the cycle counter is off */
    DWT_CTRL |= DWT_CTRL_CYCCNTENA;
}

bool board_tick(void)
{
    return STK_CTRL & STK_CTRL_COUNTFLAG; /* reading clears it */
}

void board_cycles_start(void)
{
    DWT_CYCCNT = 0;
}

uint32_t board_cycles(void)
{
    return DWT_CYCCNT;
}
