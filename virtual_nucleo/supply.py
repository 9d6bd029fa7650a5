"""Power control and flash interface: voltage scale, over-drive, wait states and the flash's lock.

Section numbers are the same in RM0390, RM0368 and RM0383 unless one is named.
"""

from typing import TYPE_CHECKING

from virtual_nucleo import memory_map as m
from virtual_nucleo.registers import Registers

if TYPE_CHECKING:
    from virtual_nucleo.clocks import Rcc


class Power(Registers):
    """Power control (chapter 5): voltage scale and over-drive."""

    def __init__(self, rcc: "Rcc") -> None:
        super().__init__("PWR", {m.PWR_CR: rcc.mcu.vos_at_reset << 14})
        self.rcc = rcc

    def scale(self) -> tuple[int, int, bool]:
        """The voltage scale, the highest HCLK in it, and whether over-drive works: switched on,
        switched over to, and both ready. It is scale 3 while the PLL is off (5.1.3)."""
        vos = self.values[m.PWR_CR] >> 14 & 0b11 if self.rcc.is_on(m.PLL) else 1
        scale, *highest = self.rcc.mcu.scales[vos]
        boosted = self._ready(m.ODEN) and self._ready(m.ODSWEN)
        return scale, highest[boosted], boosted

    def _ready(self, switch: m.Switch) -> bool:
        return "overdrive" not in self.rcc.absent and self.rcc.passed(switch)

    def read(self, offset: int) -> int:
        if offset != m.PWR_CSR:
            return super().read(offset)
        ready = sum(self._ready(switch) << switch.ready for switch in (m.ODEN, m.ODSWEN))
        return super().read(offset) | m.VOSRDY | ready

    def write(self, offset: int, value: int) -> None:
        if offset == m.PWR_CR:
            value = self._voltage(self._overdrive(value))
            for switch in (m.ODEN, m.ODSWEN):
                self.rcc.follow(switch, value)
        super().write(offset, value)
        self.rcc.check()

    def _voltage(self, value: int) -> int:
        changed = (self.values[m.PWR_CR] ^ value) & m.VOS
        if changed and self.rcc.is_on(m.PLL):
            what = "changed the voltage scale (VOS in PWR_CR) while the PLL was on"
            self.rcc.ignores(what, "5.4.1", "Set VOS first, then switch the PLL on.")
            return value ^ changed
        return value

    def _overdrive(self, value: int) -> int:
        """RM0390 section 5.1.4: HSI or HSE runs the core; ODEN, ODRDY, then ODSWEN, ODSWRDY."""
        oden, odswen = 1 << m.ODEN.on, 1 << m.ODSWEN.on
        changed = (self.values[m.PWR_CR] ^ value) & (oden | odswen)
        if changed and not self.rcc.mcu.overdrive:
            what = f"asked for over-drive, which the {self.rcc.chip} does not have"
            fix = "Leave ODEN and ODSWEN alone: its full speed needs a voltage scale only."
        elif changed and self.rcc.running() is m.PLL:
            what = "switched over-drive while the PLL ran the core"
            fix = "Set ODEN and ODSWEN before, and clear them while HSI or HSE is the clock."
        elif changed & value & odswen and not self._ready(m.ODEN):
            what = "set ODSWEN in PWR_CR before over-drive was ready"
            fix = "Set ODEN, wait for ODRDY in PWR_CSR, set ODSWEN, wait for ODSWRDY."
        else:
            return value
        self.rcc.ignores(what, "5.4.1", fix, "does not do that")
        return value ^ changed


class FlashInterface(Registers):
    """Flash interface (chapter 3): wait states and the lock; a program cannot change its flash."""

    def __init__(self, rcc: "Rcc") -> None:
        super().__init__("FLASH", m.FLASH_RESETS)
        self.rcc, self.keys = rcc, 0

    def reset(self) -> None:
        super().reset()
        self.keys = 0  # of the two keys, how many came; 3 after a wrong one

    def read(self, offset: int) -> int:
        return 0 if offset in (m.FLASH_KEYR, m.FLASH_OPTKEYR) else super().read(offset)

    def write(self, offset: int, value: int) -> None:
        if offset == m.FLASH_KEYR:
            self._key(value)
        elif offset == m.FLASH_CR:
            self._control(value)
        elif offset == m.FLASH_ACR:
            self._access(value)
        elif offset in (m.FLASH_OPTKEYR, m.FLASH_OPTCR):
            effect = "A real chip can; the virtual board has none to change."
            fix = "Use a programming tool for option bytes."
            self.report("tried to change the option bytes", effect, fix)

    def _key(self, value: int) -> None:
        """The same key again may be a store that is executed twice: it changes nothing."""
        if self.keys < 2 and value == m.FLASH_KEYS[self.keys]:
            self.keys += 1
        elif not (0 < self.keys < 3 and value == m.FLASH_KEYS[self.keys - 1]):
            self.keys = 3
            what = f"wrote 0x{value:08x} to FLASH_KEYR, which is not the next key"
            does = "answers with a bus error and keeps the flash locked until the next reset"
            self.rcc.ignores(what, "3.5.1", "Write 0x45670123, then 0xCDEF89AB, once each.", does)
        locked = self.keys != 2
        self.values[m.FLASH_CR] = self.values[m.FLASH_CR] & ~m.LOCK | locked * m.LOCK

    def _control(self, value: int) -> None:
        if self.values[m.FLASH_CR] & m.LOCK:
            fix = "Write 0x45670123, then 0xCDEF89AB to FLASH_KEYR first."
            self.rcc.ignores("wrote to FLASH_CR while it was locked", "3.5.1", fix)
        elif value & m.PROGRAM_OR_ERASE:
            effect = "A real chip does so; the virtual board's flash changes from outside only."
            self.report("began to program or erase the flash", effect, "Keep what changes in RAM.")
        else:
            self.keys = 0 if value & m.LOCK else self.keys
            self.values[m.FLASH_CR] = value

    def _access(self, value: int) -> None:
        for enable, reset, name in m.CACHES:
            if value >> reset & 1 and (value | self.values[m.FLASH_ACR]) >> enable & 1:
                what = f"reset the flash's {name} cache while it was enabled"
                self.rcc.ignores(what, "3.8.1", "Clear its enable bit in FLASH_ACR first.")
        self.values[m.FLASH_ACR] = value
        self.rcc.check()
