"""Addresses and bits that the virtual board models, the same on all its chips.

What differs is in mcus.py. RM0390 is the reference manual of the STM32F446, RM0368 that of the
STM32F401, RM0383 that of the STM32F411; PM0214 the programming manual of the Cortex-M4, "ARMv7-M
ARM" the ARMv7-M Architecture Reference Manual, UM1724 the manual of the Nucleo-64 boards.
"""

from typing import NamedTuple

from virtual_nucleo.mcus import Mcu

FLASH_ALIAS = 0x0000_0000  # RM0390 section 2.4: with BOOT0 low the flash also appears at 0
PERIPHERALS = 0x4000_0000  # from here on there is no code: ARMv7-M ARM section B3.1
USART2 = 0x4000_4400

# What a real chip has and the virtual one has not, beside other peripherals (see peripheral_at):
# boot loader and one-time-programmable area, bit-band aliases of RAM and peripherals, other parts
# of the core.
NOT_MODELED = (
    (0x1FFF_0000, 0x1FFF_C010),
    (0x2200_0000, 0x2400_0000),
    (0x4200_0000, 0x4400_0000),
    (0xE000_0000, 0x1_0000_0000),
)

# Clock sources: RM0390 section 6.2 (HSI); UM1724 section "OSC clock" (8 MHz from the ST-LINK).
HSI_HZ, HSE_HZ = 16_000_000, 8_000_000

# RCC: RM0390 section 6.3, RM0368 section 6.3.
HSEBYP, PLLSRC_HSE = 1 << 18, 1 << 22
SW, SWS = 0b11, 0b11 << 2  # the clock asked for, the clock that runs the core
RMVF = 1 << 24  # clears the causes of the last reset, the bits from 25 on
PINRSTF, SFTRSTF = 1 << 26, 1 << 28


class Switch(NamedTuple):
    """A clock or a mode with an "on" bit and a bit by which hardware says that it is ready.
    `seconds` is how long that takes at most."""

    name: str
    on: int
    ready: int
    seconds: float


# Times: data sheets DS10693 and DS10086, "HSI oscillator characteristics", "Main PLL
# characteristics", "LSI oscillator characteristics"; none is given for an HSE from outside.
HSI, HSE, PLL = Switch("HSI", 0, 1, 4e-6), Switch("HSE", 16, 17, 10e-6), Switch("PLL", 24, 25, 3e-4)
RCC_SWITCHES = {
    "CR": (HSI, HSE, PLL, Switch("PLLI2S", 26, 27, 300e-6), Switch("PLLSAI", 28, 29, 300e-6)),
    "BDCR": (Switch("LSE", 0, 1, 2.0),),
    "CSR": (Switch("LSI", 0, 1, 40e-6),),
}

# PWR: RM0390 section 5.4. CSR reports VOSRDY; ODRDY and ODSWRDY have the positions of ODEN and
# ODSWEN in CR. Times: DS10693, "Over-drive switching characteristics" (HSE of 4 MHz).
DBP, VOS, VOSRDY = 1 << 8, 0b11 << 14, 1 << 14
ODEN = Switch("over-drive", 16, 16, 100e-6)
ODSWEN = Switch("the over-drive switch", 17, 17, 100e-6)

# Flash interface: RM0390 section 3.8. CR comes out of reset locked.
LATENCY, LOCK = 0xF, 1 << 31
FLASH_KEYS = (0x4567_0123, 0xCDEF_89AB)  # RM0390 section 3.5.1
PROGRAM_OR_ERASE = 1 << 16 | 0b111  # STRT, MER, SER, PG
CACHES = ((9, 11, "instruction"), (10, 12, "data"))  # in ACR: enable bit, reset bit

# GPIO: RM0390 section 7.4.
LED_PIN, BUTTON_PIN = 5, 13  # LD2 is PA5; B1 is PC13, high when released: UM1724
TX_PIN, RX_PIN, USART_FUNCTION = 2, 3, 7  # PA2, PA3 as AF7: data sheet, alternate functions

# USART: RM0390 section 25.6.
SR_FE, SR_NF, SR_ORE, SR_RXNE, SR_TC, SR_TXE = 1 << 1, 1 << 2, 1 << 3, 1 << 5, 1 << 6, 1 << 7
CR1_RE, CR1_TE, CR1_UE, CR1_OVER8 = 1 << 2, 1 << 3, 1 << 13, 1 << 15
BAUD_TOLERANCE = 0.02  # RM0390 section 25.4.5 (receiver's tolerance), each side

# DBGMCU_IDCODE: RM0390 section 33.6.1, RM0368 section 23.6.1; the low 12 bits name the device.
REVISION_A = 0x1000 << 16

# DWT: ARMv7-M ARM section C1.8. CTRL says in bits 31:28 that there are four comparators.
DWT_NUMCOMP, CYCCNTENA = 4 << 28, 1 << 0

# System control space: ARMv7-M ARM section B3.2, PM0214 sections 4.3 to 4.6.
NVIC_ISER, SYST = range(0x100, 0x120), range(0x010, 0x01C)
AIRCR_KEY, SYSRESETREQ = 0x05FA, 1 << 2
SYSTICK_ENABLE, TICKINT, CLKSOURCE, COUNTFLAG = 1 << 0, 1 << 1, 1 << 2, 1 << 16
TRCENA, FPU_FULL_ACCESS = 1 << 24, 0b1111 << 20


class Peripheral(NamedTuple):
    """Where a register block is, and what the bus wants: RM0390 table 1 and chapters 3 to 25.
    `registers` has the names of its words by offset, `resets` the values that are not 0 out of
    reset; `enable` is the register of RCC and its bit that switch the block's clock on; `smallest`
    the fewest bytes that one access may have. In a `partial` block any other word will do, too."""

    base: int
    registers: dict[int, str]
    resets: dict[str, int]
    enable: tuple[str, int] | None = None
    smallest: int = 1
    partial: bool = False


def _words(names: str) -> dict[int, str]:
    """Registers one after the other, "-" where there is none."""
    return {i << 2: name for i, name in enumerate(names.split()) if name != "-"}


_GPIO = _words("MODER OTYPER OSPEEDR PUPDR IDR ODR BSRR LCKR AFRL AFRH")
_RCC = _words(
    "CR PLLCFGR CFGR CIR AHB1RSTR AHB2RSTR AHB3RSTR - APB1RSTR APB2RSTR - - "
    "AHB1ENR AHB2ENR AHB3ENR - APB1ENR APB2ENR - - AHB1LPENR AHB2LPENR AHB3LPENR - "
    "APB1LPENR APB2LPENR - - BDCR CSR - - SSCGR PLLI2SCFGR PLLSAICFGR DCKCFGR "
    "CKGATENR DCKCFGR2"
)
_RCC_RESETS = {"CR": 0x0000_0083, "PLLCFGR": 0x2400_3010, "CSR": 0x0E00_0000}
_RCC_RESETS |= {"AHB1LPENR": 0x6067_90FF, "PLLI2SCFGR": 0x2400_3000, "PLLSAICFGR": 0x2400_3000}
_SCS = {0x010: "SYST_CSR", 0x014: "SYST_RVR", 0x018: "SYST_CVR", 0xD00: "CPUID", 0xD08: "VTOR"}
_SCS |= {0xD0C: "AIRCR", 0xD14: "CCR", 0xD24: "SHCSR", 0xD28: "CFSR", 0xD2C: "HFSR", 0xD30: "DFSR"}
_SCS |= {0xD38: "BFAR", 0xD88: "CPACR", 0xDFC: "DEMCR", 0xF34: "FPCCR"}
_SCS_RESETS = {"CPUID": 0x410F_C241, "AIRCR": 0xFA05_0000, "CCR": 0x200, "FPCCR": 0xC000_0000}
_A = {"MODER": 0xA800_0000, "OSPEEDR": 0x0C00_0000, "PUPDR": 0x6400_0000}
_B = {"MODER": 0x0000_0280, "OSPEEDR": 0x0000_00C0, "PUPDR": 0x0000_0100}
_FLASH = _words("ACR KEYR OPTKEYR SR CR OPTCR")
_USART = _words("SR DR BRR CR1 CR2 CR3 GTPR")
MODELED = {  # RM0390 table 1 "register boundary addresses"; the core's: ARMv7-M ARM section B3.1
    "USART2": Peripheral(USART2, _USART, {}, ("APB1ENR", 17), 2),
    "PWR": Peripheral(0x4000_7000, _words("CR CSR"), {}, ("APB1ENR", 28), 2),
    "GPIOA": Peripheral(0x4002_0000, _GPIO, _A, ("AHB1ENR", 0)),
    "GPIOB": Peripheral(0x4002_0400, _GPIO, _B, ("AHB1ENR", 1)),
    "GPIOC": Peripheral(0x4002_0800, _GPIO, {}, ("AHB1ENR", 2)),
    "RCC": Peripheral(0x4002_3800, _RCC, _RCC_RESETS),
    "FLASH": Peripheral(0x4002_3C00, _FLASH, {"CR": LOCK, "OPTCR": 0x0FFF_AAED}),
    "DBGMCU": Peripheral(0xE004_2000, _words("IDCODE CR APB1_FZ APB2_FZ"), {}, smallest=4),
    "DWT": Peripheral(0xE000_1000, _words("CTRL CYCCNT"), {}, partial=True),
    "SCS": Peripheral(0xE000_E000, _SCS, _SCS_RESETS, partial=True),
}

# The other peripherals of the STM32F446, by the start of their KB: RM0390 table 1.
_OTHERS = {
    0x4000_0000: "TIM2 TIM3 TIM4 TIM5 TIM6 TIM7 TIM12 TIM13 TIM14 - RTC WWDG IWDG - SPI2 SPI3 "
    "SPDIFRX USART2 USART3 UART4 UART5 I2C1 I2C2 I2C3 FMPI2C1 CAN1 CAN2 CEC PWR DAC",
    0x4001_0000: "TIM1 TIM8 - - USART1 USART6 - - ADC1-3 - - SDIO SPI1 SPI4 SYSCFG EXTI TIM9 "
    "TIM10 TIM11 - - - SAI1 SAI2",
    0x4002_0000: "GPIOA GPIOB GPIOC GPIOD GPIOE GPIOF GPIOG GPIOH - - - - CRC - RCC FLASH "
    "BKPSRAM BKPSRAM BKPSRAM BKPSRAM - - - - DMA1 DMA2",
    0x5005_0000: "DCMI",
    0xA000_0000: "FMC - - - QUADSPI",
}
_USB = ((0x4004_0000, 0x4008_0000, "USB-OTG-HS"), (0x5000_0000, 0x5004_0000, "USB-OTG-FS"))


def peripheral_at(address: int, mcu: Mcu) -> str:
    """The peripheral that the real chip has at an address, or "" where it has none."""
    found = next((name for low, high, name in _USB if low <= address < high), "-")
    for start, names in _OTHERS.items():
        if 0 <= address - start < len(names.split()) << 10:
            found = names.split()[address - start >> 10]
    if found in mcu.lacks.split():
        found = "-"
    found = next((name for name, at in mcu.adds.items() if at == address & ~0x3FF), found)
    return "" if found == "-" else found
