/* The STM32F446, F401 and F411. Sections are those of RM0390, RM0368 and RM0383, their reference
 * manuals, in this order; one where all agree. */
#pragma once

#define RESET_HZ 16000000U /* the clock after a reset is the HSI: section 6.2.2 */

/* Reset and clock control, section 6.3 */
#define RCC_CR REGISTER(0x40023800U)
#define RCC_CR_HSION (1U << 0)
#define RCC_CR_HSIRDY (1U << 1)
#define RCC_PLLCFGR REGISTER(0x40023804U)
#define RCC_PLLCFGR_PLLM (0x3FU << 0)
#define RCC_PLLCFGR_PLLN (0x1FFU << 6)
#define RCC_PLLCFGR_PLLP (0x3U << 16)
#define RCC_PLLCFGR_PLLSRC (1U << 22)
#define RCC_PLLCFGR_PLLQ (0xFU << 24)
#define RCC_CFGR REGISTER(0x40023808U)
#define RCC_CFGR_PPRE1 (0x7U << 10)
#define RCC_CFGR_PPRE2 (0x7U << 13)
#define RCC_AHB1ENR REGISTER(0x40023830U)
#define RCC_APB1ENR REGISTER(0x40023840U)
#define RCC_APB1ENR_PWREN (1U << 28)
#define RCC_CSR REGISTER(0x40023874U)
#define RCC_CSR_RMVF (1U << 24)
enum { PLLSRC_HSI = 0, PLLSRC_HSE = 1, SW_HSI = 0, SW_PLL = 2 };

/* Power control, section 5.4 */
#define PWR_CR REGISTER(0x40007000U)
#define PWR_CR_VOS (0x3U << 14)
#define PWR_CR_ODEN (1U << 16)   /* STM32F446 only */
#define PWR_CR_ODSWEN (1U << 17) /* STM32F446 only */
#define PWR_CSR REGISTER(0x40007004U)
#define PWR_CSR_ODRDY (1U << 16)   /* STM32F446 only */
#define PWR_CSR_ODSWRDY (1U << 17) /* STM32F446 only */

/* Flash interface, section 3.8 */
#define FLASH_ACR REGISTER(0x40023C00U)

/* General-purpose I/O, sections 7.4, 8.4 and 8.4 */
#define GPIO_ENR RCC_AHB1ENR
#define GPIOA_MODER REGISTER(0x40020000U)
#define GPIOA_BSRR REGISTER(0x40020018U)
#define GPIOA_AFRL REGISTER(0x40020020U)
#define GPIOC_MODER REGISTER(0x40020800U)
#define GPIOC_IDR REGISTER(0x40020810U)

/* USART2, sections 25.6, 19.6 and 19.6; reading DR after SR clears the errors in SR */
#define USART2_ENR RCC_APB1ENR
#define USART2_SR REGISTER(0x40004400U)
#define USART2_STATUS USART2_SR
#define USART2_DR REGISTER(0x40004404U)
#define USART2_RECEIVED USART2_DR
#define USART2_TO_SEND USART2_DR
#define USART2_BRR REGISTER(0x40004408U)
#define USART2_CR1 REGISTER(0x4000440CU)
#define USART2_CR1_UE (1U << 13)
#define CLEAR_ERRORS(status) ((void)(status))

/* Device id, sections 33.6.1, 23.6.1 and 23.6.1 */
#define DBG_DBGMCU_IDCODE REGISTER(0xE0042000U)
#define DEVICE_ID DBG_DBGMCU_IDCODE
