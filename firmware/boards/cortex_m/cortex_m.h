/* The registers of the core that this board support uses, and what to do with any register.
 * Names are those of PM0214, the programming manual of the Cortex-M4; ARMv7-M = ARMv7-M
 * Architecture Reference Manual. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#define REGISTER(address) (*(volatile uint32_t *)(address))

/* A field is given by all its bits; its lowest one is mask & -mask. */
static inline uint32_t get_field(const volatile uint32_t *reg, uint32_t mask)
{
    return (*reg & mask) / (mask & -mask);
}

static inline void set_field(volatile uint32_t *reg, uint32_t mask, uint32_t value)
{
    *reg = (*reg & ~mask) | value * (mask & -mask);
}

/* Waits until a field has a value; false when that takes more than some 0.1 s at 16 MHz. */
static inline bool becomes(const volatile uint32_t *reg, uint32_t mask, uint32_t value)
{
    for (uint32_t looks = 0; looks < 200000U; looks++) {
        if (get_field(reg, mask) == value) {
            return true;
        }
    }
    return false;
}

/* System timer, PM0214 section 4.5 */
#define STK_CTRL REGISTER(0xE000E010U)
#define STK_CTRL_ENABLE (1U << 0)
#define STK_CTRL_COUNTFLAG (1U << 16)
#define STK_LOAD REGISTER(0xE000E014U)
#define STK_VAL REGISTER(0xE000E018U)

/* System control block and floating-point unit, PM0214 sections 4.4 and 4.6 */
#define SCB_AIRCR REGISTER(0xE000ED0CU)
#define SCB_AIRCR_VECTKEY (0x05FAU << 16)
#define SCB_AIRCR_SYSRESETREQ (1U << 2)
#define SCB_CFSR REGISTER(0xE000ED28U)
#define SCB_HFSR REGISTER(0xE000ED2CU)
#define SCB_MMFAR REGISTER(0xE000ED34U)
#define SCB_BFAR REGISTER(0xE000ED38U)
#define SCB_CPACR REGISTER(0xE000ED88U)
#define SCB_CPACR_CP10_CP11_FULL (0xFU << 20)
#define FPU_FPCCR REGISTER(0xE000EF34U)
#define FPU_FPCCR_LSPACT (1U << 0)

/* Cycle counter, ARMv7-M sections C1.6.5 and C1.8 */
#define COREDEBUG_DEMCR REGISTER(0xE000EDFCU)
#define COREDEBUG_DEMCR_TRCENA (1U << 24)
#define DWT_CTRL REGISTER(0xE0001000U)
#define DWT_CTRL_CYCCNTENA (1U << 0)
#define DWT_CYCCNT REGISTER(0xE0001004U)
