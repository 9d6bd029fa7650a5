/* The STM32F4's PLL, and the voltage that its speed needs. */
#include "chip.h"
#include "registers.h"
#include "parts.h"

#define USB_HZ 48000000U /* the limit of the PLL's output Q, which is not used */
#define VCO_HZ (CHIP_CORE_HZ * CHIP_PLL_P)

/* To be chosen while the PLL is off: RM0390 section 5.4.1. */
static void set_voltage(void)
{
    RCC_APB1ENR |= RCC_APB1ENR_PWREN;
    (void)RCC_APB1ENR; /* the read waits until the clock is on (STM32F446 errata, 2.2.7) */
    set_field(&PWR_CR, PWR_CR_VOS, CHIP_VOLTAGE_SCALE);
}

/* While the PLL starts and runs nothing yet: RM0390 section 5.1.4. */
static bool start_over_drive(void)
{
    PWR_CR |= PWR_CR_ODEN;
    if (!becomes(&PWR_CSR, PWR_CSR_ODRDY, 1)) {
        return false;
    }
    PWR_CR |= PWR_CR_ODSWEN;
    return becomes(&PWR_CSR, PWR_CSR_ODSWRDY, 1);
}

/* RM0390 section 6.3.2: input / M * N = VCO, / P = core. */
bool pll_start(uint32_t source, uint32_t source_hz)
{
    set_voltage();
    set_field(&RCC_PLLCFGR, RCC_PLLCFGR_PLLSRC, source);
    set_field(&RCC_PLLCFGR, RCC_PLLCFGR_PLLM, source_hz / CHIP_PLL_INPUT_HZ);
    set_field(&RCC_PLLCFGR, RCC_PLLCFGR_PLLN, VCO_HZ / CHIP_PLL_INPUT_HZ);
    set_field(&RCC_PLLCFGR, RCC_PLLCFGR_PLLP, CHIP_PLL_P / 2 - 1);
    set_field(&RCC_PLLCFGR, RCC_PLLCFGR_PLLQ, (VCO_HZ + USB_HZ - 1) / USB_HZ);
    RCC_CR |= RCC_CR_PLLON;
    return !CHIP_OVER_DRIVE || start_over_drive();
}

void pll_stop(void)
{
    PWR_CR &= ~(PWR_CR_ODEN | PWR_CR_ODSWEN);
    RCC_CR &= ~RCC_CR_PLLON;
}
