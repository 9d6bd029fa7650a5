/* NUCLEO-F401RE: the STM32F401RE at its 84 MHz. */
#ifndef CHIP_H
#define CHIP_H

#define CHIP_NAME "stm32f401re"

#define CHIP_VCO_HZ 336000000U     /* 192 to 432 MHz: RM0368 section 6.3.2 */
#define CHIP_PLL_INPUT_HZ 1000000U /* so that N is 192 to 432: RM0368 section 6.3.2 */
#define CHIP_PLL_P 4U              /* the core runs at CHIP_VCO_HZ / CHIP_PLL_P */
#define CHIP_APB1_DIVIDER 2U       /* to 42 MHz, the limit of APB1: RM0368 section 6.2 */
#define CHIP_APB2_DIVIDER 1U       /* 84 MHz, the limit of APB2 */
#define CHIP_FLASH_WAIT_STATES 2U  /* 60 to 84 MHz at 3.3 V: RM0368 section 3.4.1 */
#define CHIP_VOLTAGE_SCALE 2U      /* PWR_CR VOS for scale 2: RM0368 section 5.4.1 */
#define CHIP_OVER_DRIVE 0          /* this chip has none */

#endif
