/* The registers of the STM32L476 that this board support uses, named as in ../stm32f4/registers.h.
 * Sections are those of RM0351, the reference manual of the STM32L4x5 and STM32L4x6. */
#ifndef REGISTERS_H
#define REGISTERS_H

#include "cortex_m.h"

/* Reset and clock control, section 6.4 */
#define RCC_CR REGISTER(0x40021000U)
#define RCC_CR_HSION (1U << 8)
#define RCC_CR_HSIRDY (1U << 10)
#define RCC_CR_HSEON (1U << 16)
#define RCC_CR_HSERDY (1U << 17)
#define RCC_CR_HSEBYP (1U << 18)
#define RCC_CR_PLLON (1U << 24)
#define RCC_CR_PLLRDY (1U << 25)
#define RCC_CFGR REGISTER(0x40021008U)
#define RCC_CFGR_SW (0x3U << 0)
#define RCC_CFGR_SWS (0x3U << 2)
#define RCC_CFGR_PPRE1 (0x7U << 8)
#define RCC_CFGR_PPRE2 (0x7U << 11)
#define RCC_PLLCFGR REGISTER(0x4002100CU)
#define RCC_PLLCFGR_PLLSRC (0x3U << 0)
#define RCC_PLLCFGR_PLLM (0x7U << 4)
#define RCC_PLLCFGR_PLLN (0x7FU << 8)
#define RCC_PLLCFGR_PLLREN (1U << 24)
#define RCC_PLLCFGR_PLLR (0x3U << 25)
#define RCC_AHB1ENR REGISTER(0x40021048U)
#define RCC_AHB1ENR_CRCEN (1U << 12)
#define RCC_AHB2ENR REGISTER(0x4002104CU)
#define RCC_AHB2ENR_GPIOAEN (1U << 0)
#define RCC_AHB2ENR_GPIOCEN (1U << 2)
#define RCC_APB1ENR1 REGISTER(0x40021058U)
#define RCC_APB1ENR1_USART2EN (1U << 17)
#define RCC_CSR REGISTER(0x40021094U)
#define RCC_CSR_RMVF (1U << 23)

/* Flash interface, section 3.7 */
#define FLASH_ACR REGISTER(0x40022000U)
#define FLASH_ACR_LATENCY (0x7U << 0)
#define FLASH_ACR_PRFTEN (1U << 8)
#define FLASH_ACR_ICEN (1U << 9)
#define FLASH_ACR_DCEN (1U << 10)

/* General-purpose I/O, section 8.5 */
#define GPIOA_MODER REGISTER(0x48000000U)
#define GPIOA_BSRR REGISTER(0x48000018U)
#define GPIOA_AFRL REGISTER(0x48000020U)
#define GPIOC_MODER REGISTER(0x48000800U)
#define GPIOC_IDR REGISTER(0x48000810U)

/* USART2, section 40.8 */
#define USART2_CR1 REGISTER(0x40004400U)
#define USART2_CR1_UE (1U << 0)
#define USART2_CR1_RE (1U << 2)
#define USART2_CR1_TE (1U << 3)
#define USART2_BRR REGISTER(0x4000440CU)
#define USART2_ISR REGISTER(0x4000441CU)
#define USART2_ISR_FE (1U << 1)
#define USART2_ISR_NF (1U << 2)
#define USART2_ISR_ORE (1U << 3)
#define USART2_ISR_RXNE (1U << 5)
#define USART2_ISR_TC (1U << 6)
#define USART2_ISR_TXE (1U << 7)
#define USART2_ICR REGISTER(0x40004420U)
#define USART2_RDR REGISTER(0x40004424U)
#define USART2_TDR REGISTER(0x40004428U)

/* Device id, section 48.6.1 */
#define DBGMCU_IDCODE REGISTER(0xE0042000U)

#endif
