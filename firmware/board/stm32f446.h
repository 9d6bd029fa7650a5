/* The registers of the STM32F446 that this board support uses, and no others.
 * RM0390 = STM32F446xx reference manual; PM0214 = Cortex-M4 programming manual;
 * ARMv7-M = ARMv7-M Architecture Reference Manual. */
#ifndef STM32F446_H
#define STM32F446_H

#include <stdint.h>

#define REGISTER(address) (*(volatile uint32_t *)(address))

/* Reset and clock control, RM0390 section 6.3 */
#define RCC_CR REGISTER(0x40023800U)
#define RCC_CR_HSION (1U << 0)
#define RCC_CR_HSIRDY (1U << 1)
#define RCC_CFGR REGISTER(0x40023808U)
#define RCC_AHB1ENR REGISTER(0x40023830U)
#define RCC_AHB1ENR_GPIOAEN (1U << 0)
#define RCC_AHB1ENR_GPIOCEN (1U << 2)
#define RCC_APB1ENR REGISTER(0x40023840U)
#define RCC_APB1ENR_USART2EN (1U << 17)

/* General-purpose I/O, RM0390 section 7.4 */
#define GPIOA_MODER REGISTER(0x40020000U)
#define GPIOA_BSRR REGISTER(0x40020018U)
#define GPIOA_AFRL REGISTER(0x40020020U)
#define GPIOC_IDR REGISTER(0x40020810U)

/* USART2, RM0390 section 25.6 */
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

/* SysTick, PM0214 section 4.5 */
#define SYSTICK_CTRL REGISTER(0xE000E010U)
#define SYSTICK_CTRL_ENABLE (1U << 0)
#define SYSTICK_CTRL_CLKSOURCE (1U << 2)
#define SYSTICK_CTRL_COUNTFLAG (1U << 16)
#define SYSTICK_LOAD REGISTER(0xE000E014U)
#define SYSTICK_VAL REGISTER(0xE000E018U)

/* System control block, PM0214 sections 4.4 and 4.6 */
#define SCB_AIRCR REGISTER(0xE000ED0CU)
#define SCB_AIRCR_VECTKEY (0x05FAU << 16)
#define SCB_AIRCR_SYSRESETREQ (1U << 2)
#define SCB_CPACR REGISTER(0xE000ED88U)
#define SCB_CPACR_CP10_CP11_FULL (0xFU << 20)

#define DBGMCU_IDCODE REGISTER(0xE0042000U) /* RM0390 section 33.6.1 */

/* Cycle counter, ARMv7-M sections C1.6.5 and C1.8 */
#define COREDEBUG_DEMCR REGISTER(0xE000EDFCU)
#define COREDEBUG_DEMCR_TRCENA (1U << 24)
#define DWT_CTRL REGISTER(0xE0001000U)
#define DWT_CTRL_CYCCNTENA (1U << 0)
#define DWT_CYCCNT REGISTER(0xE0001004U)

#endif
