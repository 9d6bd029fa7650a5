/* The registers of the STM32F446, F401 and F411 that this board support uses, and no others.
 *
 * Names are those of ST's SVD files: PERIPHERAL_REGISTER is the register and
 * PERIPHERAL_REGISTER_FIELD the bits of a field, in place. (Where the SVD splits a field into bits,
 * PLLM0 to PLLM5, it is one field here, PLLM.)
 *
 * Sections are those of RM0390, RM0368 and RM0383, the reference manuals of the three. */
#ifndef REGISTERS_H
#define REGISTERS_H

#include "cortex_m.h"

/* Power control, sections 5.4, 5.4 and 5.4 */
#define PWR_CR REGISTER(0x40007000U)
#define PWR_CR_VOS (0x3U << 14)
#define PWR_CR_ODEN (1U << 16)   /* STM32F446 only */
#define PWR_CR_ODSWEN (1U << 17) /* STM32F446 only */
#define PWR_CSR REGISTER(0x40007004U)
#define PWR_CSR_ODRDY (1U << 16)   /* STM32F446 only */
#define PWR_CSR_ODSWRDY (1U << 17) /* STM32F446 only */

/* Reset and clock control, sections 6.3, 6.3 and 6.3 */
#define RCC_CR REGISTER(0x40023800U)
#define RCC_CR_HSION (1U << 0)
#define RCC_CR_HSIRDY (1U << 1)
#define RCC_CR_HSEON (1U << 16)
#define RCC_CR_HSERDY (1U << 17)
#define RCC_CR_HSEBYP (1U << 18)
#define RCC_CR_PLLON (1U << 24)
#define RCC_CR_PLLRDY (1U << 25)
#define RCC_PLLCFGR REGISTER(0x40023804U)
#define RCC_PLLCFGR_PLLM (0x3FU << 0)
#define RCC_PLLCFGR_PLLN (0x1FFU << 6)
#define RCC_PLLCFGR_PLLP (0x3U << 16)
#define RCC_PLLCFGR_PLLSRC (1U << 22)
#define RCC_PLLCFGR_PLLQ (0xFU << 24)
#define RCC_CFGR REGISTER(0x40023808U)
#define RCC_CFGR_SW (0x3U << 0)
#define RCC_CFGR_SWS (0x3U << 2)
#define RCC_CFGR_PPRE1 (0x7U << 10)
#define RCC_CFGR_PPRE2 (0x7U << 13)
#define RCC_AHB1ENR REGISTER(0x40023830U)
#define RCC_AHB1ENR_GPIOAEN (1U << 0)
#define RCC_AHB1ENR_GPIOCEN (1U << 2)
#define RCC_AHB1ENR_CRCEN (1U << 12)
#define RCC_APB1ENR REGISTER(0x40023840U)
#define RCC_APB1ENR_USART2EN (1U << 17)
#define RCC_APB1ENR_PWREN (1U << 28)
#define RCC_CSR REGISTER(0x40023874U)
#define RCC_CSR_RMVF (1U << 24)

/* Flash interface, sections 3.8, 3.8 and 3.8 */
#define FLASH_ACR REGISTER(0x40023C00U)
#define FLASH_ACR_LATENCY (0x7U << 0)
#define FLASH_ACR_PRFTEN (1U << 8)
#define FLASH_ACR_ICEN (1U << 9)
#define FLASH_ACR_DCEN (1U << 10)

/* General-purpose I/O, sections 7.4, 8.4 and 8.4 */
#define GPIOA_MODER REGISTER(0x40020000U)
#define GPIOA_BSRR REGISTER(0x40020018U)
#define GPIOA_AFRL REGISTER(0x40020020U)
#define GPIOC_MODER REGISTER(0x40020800U)
#define GPIOC_IDR REGISTER(0x40020810U)

/* USART2, sections 25.6, 19.6 and 19.6 */
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

/* Device id, sections 33.6.1, 23.6.1 and 23.6.1 */
#define DBG_DBGMCU_IDCODE REGISTER(0xE0042000U)

#endif
