/* NUCLEO-F446RE: the STM32F446RE at its 180 MHz. */
#ifndef CHIP_H
#define CHIP_H

#define CHIP_NAME "stm32f446re"

#define CHIP_VCO_HZ 360000000U     /* 100 to 432 MHz: RM0390 section 6.3.2 */
#define CHIP_PLL_INPUT_HZ 2000000U /* best against jitter: RM0390 section 6.3.2 */
#define CHIP_PLL_P 2U              /* the core runs at CHIP_VCO_HZ / CHIP_PLL_P */
#define CHIP_APB1_DIVIDER 4U       /* to 45 MHz, the limit of APB1: RM0390 section 6.2 */
#define CHIP_APB2_DIVIDER 2U       /* to 90 MHz, the limit of APB2 */
#define CHIP_FLASH_WAIT_STATES 5U  /* 150 to 180 MHz at 3.3 V: RM0390 section 3.4.1 */
#define CHIP_VOLTAGE_SCALE 3U      /* PWR_CR VOS for scale 1: RM0390 section 5.4.1 */
#define CHIP_OVER_DRIVE 1          /* needed above 168 MHz: RM0390 section 5.1.4 */

#endif
