/* The STM32F4's names of what every family has, for ../nucleo_64. */
#ifndef FAMILY_H
#define FAMILY_H

#include "registers.h"

#define DEVICE_ID DBG_DBGMCU_IDCODE
#define GPIO_ENR RCC_AHB1ENR
#define GPIO_A_AND_C (RCC_AHB1ENR_GPIOAEN | RCC_AHB1ENR_GPIOCEN)
#define USART2_ENR RCC_APB1ENR
#define USART2_EN RCC_APB1ENR_USART2EN

#define USART2_STATUS USART2_SR
#define STATUS(flag) USART2_SR_##flag
#define USART2_RECEIVED USART2_DR
#define USART2_TO_SEND USART2_DR
/* Reading DR after SR clears them: RM0390 section 25.6.1. */
#define CLEAR_STATUS(flags) ((void)(flags))

/* RCC_CFGR SW and RCC_PLLCFGR PLLSRC: RM0390 sections 6.3.3 and 6.3.2 */
#define SW_HSI 0U
#define SW_PLL 2U
#define PLLSRC_HSI 0U
#define PLLSRC_HSE 1U

#endif
