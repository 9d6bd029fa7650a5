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
        super().__init__("PWR", resets={"CR": rcc.mcu.vos_at_reset << 14})
        self.rcc, self.on_write = rcc, rcc.check

    def scale(self) -> tuple[int, int, bool]:
        """The voltage scale, the highest HCLK in it, and whether over-drive works: switched on,
        switched over to, and both ready. It is scale 3 while the PLL is off (5.1.3)."""
        vos = self.values["CR"] >> 14 & 0b11 if self.rcc.is_on(m.PLL) else 1
        scale, *highest = self.rcc.mcu.scales[vos]
        boosted = self._ready(m.ODEN) and self._ready(m.ODSWEN)
        return scale, highest[boosted], boosted

    def _ready(self, switch: m.Switch) -> bool:
        return "overdrive" not in self.rcc.absent and self.rcc.passed(switch)

    def read_csr(self) -> int:
        ready = sum(self._ready(switch) << switch.ready for switch in (m.ODEN, m.ODSWEN))
        return self.values["CSR"] | m.VOSRDY | ready

    def write_cr(self, old: int, value: int) -> int:
        value = self._overdrive(old, value)
        changed = (old ^ value) & m.VOS
        if changed and self.rcc.is_on(m.PLL):
            what = "changed the voltage scale (VOS in PWR_CR) while the PLL was on"
            self.rcc.ignores(what, "5.4.1", "Set VOS first, then switch the PLL on.")
            value ^= changed
        for switch in (m.ODEN, m.ODSWEN):
            self.rcc.follow(switch, value)
        return value

    def _overdrive(self, old: int, value: int) -> int:
        """RM0390 section 5.1.4: HSI or HSE runs the core; ODEN, ODRDY, then ODSWEN, ODSWRDY."""
        oden, odswen = 1 << m.ODEN.on, 1 << m.ODSWEN.on
        changed = (old ^ value) & (oden | odswen)
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
        super().__init__("FLASH")
        self.rcc, self.on_write, self.keys = rcc, rcc.check, 0

    def reset(self) -> None:
        super().reset()
        self.keys = 0  # of the two keys, how many came; 3 after a wrong one

    def write_keyr(self, _old: int, value: int) -> int:
        """The same key again may be a store that is executed twice: it changes nothing."""
        if self.keys < 2 and value == m.FLASH_KEYS[self.keys]:
            self.keys += 1
        elif not (0 < self.keys < 3 and value == m.FLASH_KEYS[self.keys - 1]):
            self.keys = 3
            what = f"wrote 0x{value:08x} to FLASH_KEYR, which is not the next key"
            does = "answers with a bus error and keeps the flash locked until the next reset"
            self.rcc.ignores(what, "3.5.1", "Write 0x45670123, then 0xCDEF89AB, once each.", does)
        self.values["CR"] = self.values["CR"] & ~m.LOCK | (self.keys != 2) * m.LOCK
        return 0

    def write_cr(self, old: int, value: int) -> int:
        if old & m.LOCK:
            fix = "Write 0x45670123, then 0xCDEF89AB to FLASH_KEYR first."
            self.rcc.ignores("wrote to FLASH_CR while it was locked", "3.5.1", fix)
            return old
        if value & m.PROGRAM_OR_ERASE:
            effect = "A real chip does so; the virtual board's flash changes from outside only."
            self.report("began to program or erase the flash", effect, "Keep what changes in RAM.")
            return old
        self.keys = 0 if value & m.LOCK else self.keys
        return value

    def write_acr(self, old: int, value: int) -> int:
        for enable, reset, name in m.CACHES:
            if value >> reset & 1 and (value | old) >> enable & 1:
                what = f"reset the flash's {name} cache while it was enabled"
                self.rcc.ignores(what, "3.8.1", "Clear its enable bit in FLASH_ACR first.")
        return value

    def write_sr(self, old: int, _value: int) -> int:
        return old

    def write_optcr(self, old: int, _value: int) -> int:
        effect = "A real chip can; the virtual board has none to change."
        fix = "Use a programming tool for option bytes."
        self.report("tried to change the option bytes", effect, fix)
        return old

    write_optkeyr = write_optcr
