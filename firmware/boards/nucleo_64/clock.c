/* From the clock after a reset to the chip's full speed, or to 16 MHz if anything does not become
 * ready.
 * firmware/README.md draws the way of the clock.
 *
 * The order is that of RM0390 section 5.1.4 (entering over-drive mode) and 3.4.1 (wait states). */
#include "chip.h"
#include "registers.h"
#include "parts.h"

#define HSI_HZ 16000000U
#define HSE_HZ 8000000U /* the ST-LINK's MCO output: UM1724 section 6.7.1 */
#define FLASH_CACHES (FLASH_ACR_PRFTEN | FLASH_ACR_ICEN | FLASH_ACR_DCEN)

static void stop_hse(void)
{
    RCC_CR &= ~RCC_CR_HSEON;
    RCC_CR &= ~RCC_CR_HSEBYP;
}

static bool start_hse(void)
{
    RCC_CR |= RCC_CR_HSEBYP; /* a clock signal, not a crystal; to be chosen before HSEON */
    RCC_CR |= RCC_CR_HSEON;
    const bool started = becomes(&RCC_CR, RCC_CR_HSERDY, 1);
    if (!started) {
        stop_hse();
    }
    return started;
}

/* The flash needs wait states at this speed; the caches of the ART accelerator hide most. */
static bool set_flash_wait_states(uint32_t count)
{
    FLASH_ACR = FLASH_CACHES | count;
    return becomes(&FLASH_ACR, FLASH_ACR_LATENCY, count);
}

/* The code of an APB prescaler: 0xx not divided, 100 by 2, 101 by 4, 110 by 8, 111 by 16 (RM0390
 * section 6.3.3). */
static uint32_t prescaler(uint32_t divider)
{
    return divider == 1 ? 0 : 3U + (uint32_t)__builtin_ctz(divider);
}

static void set_bus_dividers(uint32_t apb1, uint32_t apb2)
{
    set_field(&RCC_CFGR, RCC_CFGR_PPRE1, prescaler(apb1));
    set_field(&RCC_CFGR, RCC_CFGR_PPRE2, prescaler(apb2));
}

static bool switch_to(uint32_t source)
{
    RCC_CFGR = (RCC_CFGR & ~RCC_CFGR_SW) | source;
    return becomes(&RCC_CFGR, RCC_CFGR_SWS, source);
}

static bool run_on_pll(bool from_hse)
{
    const bool started = from_hse ? pll_start(PLLSRC_HSE, HSE_HZ) : pll_start(PLLSRC_HSI, HSI_HZ);
    if (!started || !set_flash_wait_states(CHIP_FLASH_WAIT_STATES)) {
        return false;
    }
    set_bus_dividers(CHIP_CORE_HZ / CHIP_APB1_HZ, CHIP_CORE_HZ / CHIP_APB2_HZ);
    return becomes(&RCC_CR, RCC_CR_PLLRDY, 1) && switch_to(SW_PLL);
}

/* Undoes all of the above in the opposite order. (What the PLL was set to stays; it is off.) */
static void run_on_hsi(void)
{
    switch_to(SW_HSI);
    set_bus_dividers(1, 1);
    FLASH_ACR = 0;
    pll_stop();
    stop_hse();
}

void clock_start(void)
{
    RCC_CR |= RCC_CR_HSION; /* after a reset it is on, or the MSI instead */
    becomes(&RCC_CR, RCC_CR_HSIRDY, 1);
    if (!run_on_pll(start_hse())) {
        run_on_hsi();
    }
}

/* What follows is read from the registers, so it is what the chip really does. */
static bool on_pll(void)
{
    return get_field(&RCC_CFGR, RCC_CFGR_SWS) == SW_PLL;
}

uint32_t clock_core_hz(void)
{
    return on_pll() ? CHIP_CORE_HZ : HSI_HZ;
}

uint32_t clock_apb1_hz(void)
{
    return on_pll() ? CHIP_APB1_HZ : HSI_HZ;
}

void clock_describe(board_status *status)
{
    const bool from_hse = get_field(&RCC_PLLCFGR, RCC_PLLCFGR_PLLSRC) == PLLSRC_HSE;
    const board_clock_source pll = from_hse ? BOARD_CLOCK_PLL_HSE : BOARD_CLOCK_PLL_HSI;
    status->clock_source = on_pll() ? pll : BOARD_CLOCK_HSI;
    status->core_hz = clock_core_hz();
    status->apb1_hz = clock_apb1_hz();
    status->flash_wait_states = get_field(&FLASH_ACR, FLASH_ACR_LATENCY);
}
