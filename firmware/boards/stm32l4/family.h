/* The STM32L476. Sections are those of RM0351, its reference manual. */
#pragma once

#define RESET_HZ 4000000U /* the clock after a reset is the MSI: section 6.2.3 */

/* Reset and clock control, section 6.4 */
#define RCC_CR REGISTER(0x40021000U)
#define RCC_CR_HSION (1U << 8)
#define RCC_CR_HSIRDY (1U << 10)
#define RCC_CFGR REGISTER(0x40021008U)
#define RCC_CFGR_PPRE1 (0x7U << 8)
#define RCC_CFGR_PPRE2 (0x7U << 11)
#define RCC_PLLCFGR REGISTER(0x4002100CU)
#define RCC_PLLCFGR_PLLSRC (0x3U << 0)
#define RCC_PLLCFGR_PLLM (0x7U << 4)
#define RCC_PLLCFGR_PLLN (0x7FU << 8)
#define RCC_PLLCFGR_PLLREN (1U << 24)
#define RCC_PLLCFGR_PLLR (0x3U << 25)
#define RCC_AHB1ENR REGISTER(0x40021048U)
#define RCC_AHB2ENR REGISTER(0x4002104CU)
#define RCC_APB1ENR1 REGISTER(0x40021058U)
#define RCC_CSR REGISTER(0x40021094U)
#define RCC_CSR_RMVF (1U << 23)
enum { PLLSRC_HSI = 2, PLLSRC_HSE = 3, SW_HSI = 1, SW_PLL = 3 };

/* Flash interface, section 3.7 */
#define FLASH_ACR REGISTER(0x40022000U)

/* General-purpose I/O, section 8.5 */
#define GPIO_ENR RCC_AHB2ENR
#define GPIOA_MODER REGISTER(0x48000000U)
#define GPIOA_BSRR REGISTER(0x48000018U)
#define GPIOA_AFRL REGISTER(0x48000020U)
#define GPIOC_MODER REGISTER(0x48000800U)
#define GPIOC_IDR REGISTER(0x48000810U)

/* USART2, section 40.8; errors have the same bits in ICR, which clears them, as in ISR */
#define USART2_ENR RCC_APB1ENR1
#define USART2_CR1 REGISTER(0x40004400U)
#define USART2_CR1_UE (1U << 0)
#define USART2_BRR REGISTER(0x4000440CU)
#define USART2_ISR REGISTER(0x4000441CU)
#define USART2_STATUS USART2_ISR
#define USART2_ICR REGISTER(0x40004420U)
#define USART2_RDR REGISTER(0x40004424U)
#define USART2_RECEIVED USART2_RDR
#define USART2_TDR REGISTER(0x40004428U)
#define USART2_TO_SEND USART2_TDR
#define CLEAR_ERRORS(status) (USART2_ICR = (status))

/* Device id, section 48.6.1 */
#define DBGMCU_IDCODE REGISTER(0xE0042000U)
#define DEVICE_ID DBGMCU_IDCODE
