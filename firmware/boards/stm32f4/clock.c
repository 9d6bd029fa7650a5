/* From the 16 MHz after reset to the chip's full speed, or back if anything does not become ready.
 *
 *   HSE 8 MHz (from the ST-LINK) / M \
 *                                     > 1 or 2 MHz * N = VCO, / P = core and AHB, / divider = APBs
 *   HSI 16 MHz                   / M /
 *
 * The order is that of RM0390 section 5.1.4 (entering over-drive mode) and 3.4.1 (wait states). */
#include "chip.h"
#include "parts.h"
#include "stm32f4.h"

#include <stdbool.h>

#define HSI_HZ 16000000U
#define HSE_HZ 8000000U  /* the ST-LINK's MCO output: UM1724 section 6.7.1 */
#define USB_HZ 48000000U /* the limit of the PLL's output Q, which is not used */
#define VCO_HZ (CHIP_CORE_HZ * CHIP_PLL_P)
#define APB1_DIVIDER (CHIP_CORE_HZ / CHIP_APB1_HZ)
#define APB2_DIVIDER (CHIP_CORE_HZ / CHIP_APB2_HZ)
#define WAIT_LIMIT 200000U /* looks at a register: some 0.1 s at 16 MHz */

#define PLL_FIELDS                                                                                 \
    (RCC_PLLCFGR_PLLM_MASK | RCC_PLLCFGR_PLLN_MASK | RCC_PLLCFGR_PLLP_MASK | RCC_PLLCFGR_PLLSRC |  \
     RCC_PLLCFGR_PLLQ_MASK)
#define SW_HSI 0U
#define SW_PLL 2U
#define FLASH_CACHES (FLASH_ACR_PRFTEN | FLASH_ACR_ICEN | FLASH_ACR_DCEN)

static bool becomes(volatile const uint32_t *status, uint32_t mask, uint32_t value)
{
    for (uint32_t i = 0; i < WAIT_LIMIT; i++) {
        if ((*status & mask) == value) {
            return true;
        }
    }
    return false;
}

static void set_field(volatile uint32_t *reg, uint32_t mask, uint32_t value)
{
    *reg = (*reg & ~mask) | value;
}

static bool start_hse(void)
{
    RCC_CR |= RCC_CR_HSEBYP; /* a clock signal, not a crystal; to be chosen before HSEON */
    RCC_CR |= RCC_CR_HSEON;
    if (becomes(&RCC_CR, RCC_CR_HSERDY, RCC_CR_HSERDY)) {
        return true;
    }
    RCC_CR &= ~RCC_CR_HSEON;
    RCC_CR &= ~RCC_CR_HSEBYP;
    return false;
}

static void configure_pll(bool from_hse)
{
    const uint32_t m = (from_hse ? HSE_HZ : HSI_HZ) / CHIP_PLL_INPUT_HZ;
    const uint32_t n = VCO_HZ / CHIP_PLL_INPUT_HZ;
    const uint32_t q = (VCO_HZ + USB_HZ - 1) / USB_HZ;
    set_field(&RCC_PLLCFGR, PLL_FIELDS,
              m << RCC_PLLCFGR_PLLM_POS | n << RCC_PLLCFGR_PLLN_POS |
                  (CHIP_PLL_P / 2 - 1) << RCC_PLLCFGR_PLLP_POS | q << RCC_PLLCFGR_PLLQ_POS |
                  (from_hse ? RCC_PLLCFGR_PLLSRC : 0));
}

static bool enter_over_drive(void)
{
    if (!CHIP_OVER_DRIVE) {
        return true;
    }
    PWR_CR |= PWR_CR_ODEN;
    if (!becomes(&PWR_CSR, PWR_CSR_ODRDY, PWR_CSR_ODRDY)) {
        return false;
    }
    PWR_CR |= PWR_CR_ODSWEN;
    return becomes(&PWR_CSR, PWR_CSR_ODSWRDY, PWR_CSR_ODSWRDY);
}

/* The flash needs wait states at this speed; the caches of the ART accelerator hide most. */
static bool set_flash_wait_states(void)
{
    FLASH_ACR = FLASH_CACHES | CHIP_FLASH_WAIT_STATES << FLASH_ACR_LATENCY_POS;
    return clock_flash_wait_states() == CHIP_FLASH_WAIT_STATES;
}

/* The code of an APB prescaler: 0xx not divided, 100 by 2, 101 by 4, 110 by 8, 111 by 16 (RM0390
 * section 6.3.3). */
static uint32_t prescaler(uint32_t divider)
{
    uint32_t code = 3U;
    for (; divider > 1; divider /= 2) {
        code++;
    }
    return code > 3U ? code : 0U;
}

static bool switch_to(uint32_t source)
{
    set_field(&RCC_CFGR, RCC_CFGR_SW_MASK, source << RCC_CFGR_SW_POS);
    return becomes(&RCC_CFGR, RCC_CFGR_SWS_MASK, source << RCC_CFGR_SWS_POS);
}

static void set_bus_dividers(uint32_t apb1, uint32_t apb2)
{
    set_field(&RCC_CFGR, RCC_CFGR_PPRE1_MASK | RCC_CFGR_PPRE2_MASK,
              prescaler(apb1) << RCC_CFGR_PPRE1_POS | prescaler(apb2) << RCC_CFGR_PPRE2_POS);
}

static bool run_on_pll(bool from_hse)
{
    configure_pll(from_hse);
    RCC_CR |= RCC_CR_PLLON;
    if (!enter_over_drive() || !set_flash_wait_states()) {
        return false;
    }
    set_bus_dividers(APB1_DIVIDER, APB2_DIVIDER);
    return becomes(&RCC_CR, RCC_CR_PLLRDY, RCC_CR_PLLRDY) && switch_to(SW_PLL);
}

/* Undoes all of the above in the opposite order: the clocks are those after a reset. (What the PLL
 * was set to stays; it is off.) */
static void run_on_hsi(void)
{
    switch_to(SW_HSI);
    set_bus_dividers(1, 1);
    FLASH_ACR = 0;
    PWR_CR &= ~(PWR_CR_ODEN | PWR_CR_ODSWEN);
    RCC_CR &= ~RCC_CR_PLLON;
    RCC_CR &= ~RCC_CR_HSEON;
    RCC_CR &= ~RCC_CR_HSEBYP;
}

void clock_start(void)
{
    RCC_APB1ENR |= RCC_APB1ENR_PWREN;
    (void)RCC_APB1ENR; /* the read waits until the clock is on (STM32F446 errata, 2.2.7) */
    set_field(&PWR_CR, PWR_CR_VOS_MASK, CHIP_VOLTAGE_SCALE << PWR_CR_VOS_POS); /* PLL still off */
    if (!run_on_pll(start_hse())) {
        run_on_hsi();
    }
}

static bool on_pll(void)
{
    return (RCC_CFGR & RCC_CFGR_SWS_MASK) == SW_PLL << RCC_CFGR_SWS_POS;
}

board_clock_source clock_source(void)
{
    if (!on_pll()) {
        return BOARD_CLOCK_HSI;
    }
    return RCC_PLLCFGR & RCC_PLLCFGR_PLLSRC ? BOARD_CLOCK_PLL_HSE : BOARD_CLOCK_PLL_HSI;
}

uint32_t clock_core_hz(void)
{
    return on_pll() ? CHIP_CORE_HZ : HSI_HZ;
}

uint32_t clock_apb1_hz(void)
{
    return on_pll() ? CHIP_APB1_HZ : HSI_HZ;
}

uint32_t clock_flash_wait_states(void)
{
    return (FLASH_ACR & FLASH_ACR_LATENCY_MASK) >> FLASH_ACR_LATENCY_POS;
}
