"""Clock tree, power control and flash interface: what the chip needs to run fast."""

from collections.abc import Callable

from kit.board.virtual import memory_map as m
from kit.board.virtual.registers import Registers


class Rcc(Registers):
    """Clock control (RM0390 chapter 6): ready bits follow at once, SWS follows SW."""

    def __init__(self) -> None:
        super().__init__(m.RCC_RESETS)
        self.on_change: Callable[[], None] = lambda: None

    def write(self, offset: int, value: int) -> None:
        for on, ready in m.RCC_READY.get(offset, ()):
            value = value & ~(1 << ready) | (value >> on & 1) << ready
        if offset == m.RCC_CFGR:
            value = value & ~0b1100 | (value & 0b11) << 2
        super().write(offset, value)
        self.on_change()

    def clocked(self, enable: int, bit: int) -> bool:
        """Whether a peripheral's clock is on; without it its registers do not work."""
        return bool(self.values.get(enable, 0) >> bit & 1)

    def system_hz(self) -> int:
        """SYSCLK in Hz: RM0390 sections 6.3.2 (PLLCFGR) and 6.3.3 (CFGR)."""
        source = self.values.get(m.RCC_CFGR, 0) & 0b11
        if source < 2:
            return (m.HSI_HZ, m.HSE_HZ)[source]
        pll = self.values[m.RCC_PLLCFGR]
        vco_in = (m.HSE_HZ if pll >> 22 & 1 else m.HSI_HZ) / max(pll & 0x3F, 1)
        vco = vco_in * (pll >> 6 & 0x1FF)
        divider = 2 * (pll >> 16 & 0b11) + 2 if source == 2 else max(pll >> 28 & 0b111, 1)
        return round(vco / divider)

    def core_hz(self) -> int:
        """HCLK in Hz, the clock of the core: SYSCLK through the HPRE prescaler."""
        hpre = self.values.get(m.RCC_CFGR, 0) >> 4 & 0xF
        return self.system_hz() // (1, 2, 4, 8, 16, 64, 128, 256, 512)[max(hpre - 7, 0)]

    def apb1_hz(self) -> int:
        """PCLK1 in Hz, the clock of USART2: HCLK through the PPRE1 prescaler."""
        ppre1 = self.values.get(m.RCC_CFGR, 0) >> 10 & 0b111
        return self.core_hz() // (1, 2, 4, 8, 16)[max(ppre1 - 3, 0)]


class Power(Registers):
    """Power control (RM0390 chapter 5): regulator and over-drive are ready when asked for."""

    def __init__(self) -> None:
        super().__init__(m.PWR_RESETS)

    def read(self, offset: int) -> int:
        if offset == m.PWR_CSR:
            return m.VOSRDY | self.values[m.PWR_CR] & m.OD_BITS
        return super().read(offset)


class FlashInterface(Registers):
    """Flash interface (RM0390 chapter 3): latency is remembered, CR stays locked."""

    def write(self, offset: int, value: int) -> None:
        if offset != m.FLASH_CR:
            super().write(offset, value)
