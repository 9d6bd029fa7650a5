/* The registers of the STM32F446 and STM32F401 that this board support uses, and no others.
 *
 * Names are those of ST's SVD files: PERIPHERAL_REGISTER is the register and
 * PERIPHERAL_REGISTER_FIELD a field of one bit, in place. A wider field has two names: ..._POS is
 * its lowest bit and ..._MASK all its bits, in place. (Where the SVD splits a field into bits,
 * PLLM0 to PLLM5, it is one field here, PLLM.) The registers of the core are not in the SVD files;
 * they have the names of PM0214.
 *
 * RM0390 and RM0368 = reference manuals of the STM32F446 and the STM32F401; PM0214 = Cortex-M4
 * programming manual; ARMv7-M = ARMv7-M Architecture Reference Manual. */
#ifndef STM32F4_H
#define STM32F4_H

#include <stdint.h>

#define REGISTER(address) (*(volatile uint32_t *)(address))

/* Power control, RM0390 section 5.4, RM0368 section 5.4 */
#define PWR_CR REGISTER(0x40007000U)
#define PWR_CR_VOS_POS 14U
#define PWR_CR_VOS_MASK (0x3U << 14)
#define PWR_CR_ODEN (1U << 16)   /* STM32F446 only */
#define PWR_CR_ODSWEN (1U << 17) /* STM32F446 only */
#define PWR_CSR REGISTER(0x40007004U)
#define PWR_CSR_ODRDY (1U << 16)   /* STM32F446 only */
#define PWR_CSR_ODSWRDY (1U << 17) /* STM32F446 only */

/* Reset and clock control, RM0390 section 6.3, RM0368 section 6.3 */
#define RCC_CR REGISTER(0x40023800U)
#define RCC_CR_HSEON (1U << 16)
#define RCC_CR_HSERDY (1U << 17)
#define RCC_CR_HSEBYP (1U << 18)
#define RCC_CR_PLLON (1U << 24)
#define RCC_CR_PLLRDY (1U << 25)
#define RCC_PLLCFGR REGISTER(0x40023804U)
#define RCC_PLLCFGR_PLLM_POS 0U
#define RCC_PLLCFGR_PLLM_MASK (0x3FU << 0)
#define RCC_PLLCFGR_PLLN_POS 6U
#define RCC_PLLCFGR_PLLN_MASK (0x1FFU << 6)
#define RCC_PLLCFGR_PLLP_POS 16U
#define RCC_PLLCFGR_PLLP_MASK (0x3U << 16)
#define RCC_PLLCFGR_PLLSRC (1U << 22)
#define RCC_PLLCFGR_PLLQ_POS 24U
#define RCC_PLLCFGR_PLLQ_MASK (0xFU << 24)
#define RCC_CFGR REGISTER(0x40023808U)
#define RCC_CFGR_SW_POS 0U
#define RCC_CFGR_SW_MASK (0x3U << 0)
#define RCC_CFGR_SWS_POS 2U
#define RCC_CFGR_SWS_MASK (0x3U << 2)
#define RCC_CFGR_PPRE1_POS 10U
#define RCC_CFGR_PPRE1_MASK (0x7U << 10)
#define RCC_CFGR_PPRE2_POS 13U
#define RCC_CFGR_PPRE2_MASK (0x7U << 13)
#define RCC_AHB1ENR REGISTER(0x40023830U)
#define RCC_AHB1ENR_GPIOAEN (1U << 0)
#define RCC_AHB1ENR_GPIOCEN (1U << 2)
#define RCC_AHB1ENR_CRCEN (1U << 12)
#define RCC_APB1ENR REGISTER(0x40023840U)
#define RCC_APB1ENR_USART2EN (1U << 17)
#define RCC_APB1ENR_PWREN (1U << 28)
#define RCC_CSR REGISTER(0x40023874U)
#define RCC_CSR_RMVF (1U << 24)

/* Flash interface, RM0390 section 3.8, RM0368 section 3.8 */
#define FLASH_ACR REGISTER(0x40023C00U)
#define FLASH_ACR_LATENCY_POS 0U
#define FLASH_ACR_LATENCY_MASK (0x7U << 0)
#define FLASH_ACR_PRFTEN (1U << 8)
#define FLASH_ACR_ICEN (1U << 9)
#define FLASH_ACR_DCEN (1U << 10)

/* General-purpose I/O, RM0390 section 7.4, RM0368 section 8.4 */
#define GPIOA_MODER REGISTER(0x40020000U)
#define GPIOA_BSRR REGISTER(0x40020018U)
#define GPIOA_AFRL REGISTER(0x40020020U)
#define GPIOC_IDR REGISTER(0x40020810U)

/* USART2, RM0390 section 25.6, RM0368 section 19.6 */
#define USART2_SR REGISTER(0x40004400U)
#define USART2_SR_FE (1U << 1)
#define USART2_SR_NF (1U << 2)
#define USART2_SR_ORE (1U << 3)
#define USART2_SR_RXNE (1U << 5)
#define USART2_SR_TC (1U << 6)
#define USART2_SR_TXE (1U << 7)
#define USART2_DR REGISTER(0x40004404U)
#define USART2_BRR REGISTER(0x40004408U)
#define USART2_CR1 REGISTER(0x4000440CU)
#define USART2_CR1_RE (1U << 2)
#define USART2_CR1_TE (1U << 3)
#define USART2_CR1_UE (1U << 13)

/* Device id, RM0390 section 33.6.1, RM0368 section 23.6.1 */
#define DBG_DBGMCU_IDCODE REGISTER(0xE0042000U)

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

#endif
