/* The registers that this board support uses, and no others: here the bits that are the same in
 * each family; family.h has the addresses and what differs, cortex_m.h the registers of the core.
 *
 * Names are those of ST's SVD files: PERIPHERAL_REGISTER is the register and
 * PERIPHERAL_REGISTER_FIELD the bits of a field, in place. (Where the SVD splits a field into bits,
 * PLLM0 to PLLM5, it is one field here, PLLM.) Registers that are called otherwise from family to
 * family have one more name, which family.h gives them: USART2_STATUS, USART2_ENR, GPIO_ENR. */
#pragma once

#include "cortex_m.h"
#include "family.h"

#define RCC_CR_HSEON (1U << 16)
#define RCC_CR_HSERDY (1U << 17)
#define RCC_CR_HSEBYP (1U << 18)
#define RCC_CR_PLLON (1U << 24)
#define RCC_CR_PLLRDY (1U << 25)
#define RCC_CFGR_SW (0x3U << 0)
#define RCC_CFGR_SWS (0x3U << 2)
#define RCC_AHB1ENR_CRCEN (1U << 12)
#define GPIO_ENR_GPIOAEN (1U << 0)
#define GPIO_ENR_GPIOCEN (1U << 2)
#define USART2_ENR_USART2EN (1U << 17)
#define FLASH_ACR_LATENCY (0x7U << 0)
#define FLASH_ACR_PRFTEN (1U << 8)
#define FLASH_ACR_ICEN (1U << 9)
#define FLASH_ACR_DCEN (1U << 10)
#define USART2_STATUS_FE (1U << 1)
#define USART2_STATUS_NF (1U << 2)
#define USART2_STATUS_ORE (1U << 3)
#define USART2_STATUS_RXNE (1U << 5)
#define USART2_STATUS_TC (1U << 6)
#define USART2_STATUS_TXE (1U << 7)
#define USART2_CR1_RE (1U << 2)
#define USART2_CR1_TE (1U << 3)
