/* The STM32L4's names of what every family has, for ../nucleo_64. */
#ifndef FAMILY_H
#define FAMILY_H

#include "registers.h"

#define DEVICE_ID DBGMCU_IDCODE
#define GPIO_ENR RCC_AHB2ENR
#define GPIO_A_AND_C (RCC_AHB2ENR_GPIOAEN | RCC_AHB2ENR_GPIOCEN)
#define USART2_ENR RCC_APB1ENR1
#define USART2_EN RCC_APB1ENR1_USART2EN

#define USART2_STATUS USART2_ISR
#define STATUS(flag) USART2_ISR_##flag
#define USART2_RECEIVED USART2_RDR
#define USART2_TO_SEND USART2_TDR
/* Errors have the same bits in ICR, which clears them: RM0351 section 40.8.9. */
#define CLEAR_STATUS(flags) (USART2_ICR = (flags))

/* RCC_CFGR SW and RCC_PLLCFGR PLLSRC: RM0351 sections 6.4.3 and 6.4.4 */
#define SW_HSI 1U
#define SW_PLL 3U
#define PLLSRC_HSI 2U
#define PLLSRC_HSE 3U

#endif
