/* The STM32L4's PLL. It needs no other voltage: range 1, as after a reset, goes up to 80 MHz
 * (RM0351 section 5.1.7). */
#include "chip.h"
#include "registers.h"
#include "parts.h"

/* RM0351 section 6.4.4: input / M * N = VCO, / R = core; the codes are M - 1 and R / 2 - 1. */
bool pll_start(uint32_t source, uint32_t source_hz)
{
    set_field(&RCC_PLLCFGR, RCC_PLLCFGR_PLLSRC, source);
    set_field(&RCC_PLLCFGR, RCC_PLLCFGR_PLLM, source_hz / CHIP_PLL_INPUT_HZ - 1);
    set_field(&RCC_PLLCFGR, RCC_PLLCFGR_PLLN, CHIP_CORE_HZ * CHIP_PLL_R / CHIP_PLL_INPUT_HZ);
    set_field(&RCC_PLLCFGR, RCC_PLLCFGR_PLLR, CHIP_PLL_R / 2 - 1);
    RCC_PLLCFGR |= RCC_PLLCFGR_PLLREN;
    RCC_CR |= RCC_CR_PLLON;
    return true;
}

void pll_stop(void)
{
    RCC_CR &= ~RCC_CR_PLLON;
}
