"""Addresses, sizes and bits of the STM32F446RE that the virtual board models.

RM0390 is the reference manual of the STM32F446, PM0214 the programming manual of the Cortex-M4,
"ARMv7-M ARM" the ARMv7-M Architecture Reference Manual, UM1724 the manual of the Nucleo-64 boards.
"""

# Memories: RM0390 section 2.2 "Memory organization", section 2.3 (SRAM), section 3 (flash).
FLASH_BASE = 0x0800_0000
FLASH_SIZE = 512 * 1024
FLASH_ALIAS = 0x0000_0000  # RM0390 section 2.4: with BOOT0 low the flash also appears at 0
RAM_BASE = 0x2000_0000
RAM_SIZE = 128 * 1024  # SRAM1 112 KB and SRAM2 16 KB, one behind the other

# Register blocks: RM0390 table 1 "register boundary addresses".
USART2 = 0x4000_4400
PWR = 0x4000_7000
GPIOA = 0x4002_0000
GPIOB = 0x4002_0400
GPIOC = 0x4002_0800
RCC = 0x4002_3800
FLASH_REGISTERS = 0x4002_3C00
DBGMCU = 0xE004_2000
PERIPHERALS = 0x4000_0000  # from here on there is no code: ARMv7-M ARM section B3.1
# Inside the core: ARMv7-M ARM section B3.1 "the system address map".
DWT = 0xE000_1000
SCS = 0xE000_E000

# What a real chip has and the virtual one has not: boot loader and one-time-programmable area,
# bit-band alias of the RAM, other peripherals, other parts of the core.
NOT_MODELED = (
    (0x1FFF_0000, 0x1FFF_C010),
    (0x2200_0000, 0x2400_0000),
    (0x4000_0000, 0x6000_0000),
    (0xE000_0000, 0x1_0000_0000),
)

# Clock sources: RM0390 section 6.2 (HSI); UM1724 section "OSC clock" (8 MHz from the ST-LINK).
HSI_HZ = 16_000_000
HSE_HZ = 8_000_000

# RCC register offsets: RM0390 section 6.3.
RCC_CR, RCC_PLLCFGR, RCC_CFGR = 0x00, 0x04, 0x08
RCC_AHB1ENR, RCC_APB1ENR = 0x30, 0x40
RCC_BDCR, RCC_CSR = 0x70, 0x74
RCC_RESETS = {
    RCC_CR: 0x0000_0083,
    RCC_PLLCFGR: 0x2400_3010,
    RCC_CSR: 0x0E00_0000,
    0x50: 0x6067_90FF,  # AHB1LPENR
    0x84: 0x2400_3000,  # PLLI2SCFGR
    0x88: 0x2400_3000,  # PLLSAICFGR
}
# In each register: an "on" bit and the "ready" bit the hardware sets after it.
RCC_READY = {
    RCC_CR: ((0, 1), (16, 17), (24, 25), (26, 27), (28, 29)),
    RCC_BDCR: ((0, 1),),
    RCC_CSR: ((0, 1),),
}

# PWR: RM0390 section 5.4. CSR reports VOSRDY (14), ODRDY (16) and ODSWRDY (17).
PWR_CR, PWR_CSR = 0x00, 0x04
PWR_RESETS = {PWR_CR: 0x0000_C000, PWR_CSR: 0x0000_4000}
VOSRDY, OD_BITS = 1 << 14, 0b11 << 16

# Flash interface: RM0390 section 3.8. CR comes out of reset locked (bit 31).
FLASH_CR = 0x10
FLASH_RESETS = {0x00: 0, 0x0C: 0, FLASH_CR: 0x8000_0000, 0x14: 0x0FFF_AAED}

# GPIO: RM0390 section 7.4.
GPIO_MODER, GPIO_IDR, GPIO_ODR, GPIO_BSRR, GPIO_AFRL = 0x00, 0x10, 0x14, 0x18, 0x20
GPIO_PUPDR = 0x0C
GPIOA_RESETS = {GPIO_MODER: 0xA800_0000, 0x08: 0x0C00_0000, GPIO_PUPDR: 0x6400_0000}
GPIOB_RESETS = {GPIO_MODER: 0x0000_0280, 0x08: 0x0000_00C0, GPIO_PUPDR: 0x0000_0100}
LED_PIN = 5  # LD2 is PA5: UM1724 section "LEDs"
BUTTON_PIN = 13  # B1 is PC13, high when released: UM1724 section "Push-buttons"
TX_PIN, RX_PIN, USART_FUNCTION = 2, 3, 7  # PA2, PA3 as AF7: data sheet, alternate functions

# USART: RM0390 section 25.6.
USART_SR, USART_DR, USART_BRR, USART_CR1 = 0x00, 0x04, 0x08, 0x0C
SR_FE, SR_NF, SR_ORE, SR_RXNE, SR_TC, SR_TXE = 1 << 1, 1 << 2, 1 << 3, 1 << 5, 1 << 6, 1 << 7
CR1_RE, CR1_TE, CR1_UE, CR1_OVER8 = 1 << 2, 1 << 3, 1 << 13, 1 << 15
BAUD_TOLERANCE = 0.02  # RM0390 section 25.4.5 (receiver's tolerance), each side

# DBGMCU_IDCODE: RM0390 section 33.6.1; the low 12 bits name the device.
DBGMCU_RESETS = {0x00: 0x1000_0421}

# DWT: ARMv7-M ARM section C1.8. CTRL says in bits 31:28 that there are four comparators.
DWT_CTRL, DWT_CYCCNT = 0x00, 0x04
DWT_NUMCOMP, CYCCNTENA = 4 << 28, 1 << 0

# System control space: ARMv7-M ARM section B3.2, PM0214 sections 4.3 to 4.6.
SYST_CSR, SYST_RVR, SYST_CVR, SYST_CALIB = 0x010, 0x014, 0x018, 0x01C
NVIC_ISER, CPUID, AIRCR = range(0x100, 0x120), 0xD00, 0xD0C
VTOR, SHCSR, CFSR, HFSR, DFSR = 0xD08, 0xD24, 0xD28, 0xD2C, 0xD30
MMFAR, BFAR = 0xD34, 0xD38
CPACR, DEMCR = 0xD88, 0xDFC
SCS_RESETS = {CPUID: 0x410F_C241, AIRCR: 0xFA05_0000, 0xD14: 0x200, 0xF34: 0xC0000000}
AIRCR_KEY, SYSRESETREQ = 0x05FA, 1 << 2
SYSTICK_ENABLE, TICKINT, CLKSOURCE, COUNTFLAG = 1 << 0, 1 << 1, 1 << 2, 1 << 16
TRCENA = 1 << 24
FPU_FULL_ACCESS = 0b1111 << 20
