"""The clock tree and the rules by which a chip can run fast.

A broken rule is reported (see registers.py). What then happens is what silicon does: mostly it
ignores the write. Section numbers are the same in RM0390, RM0368 and RM0383 unless one is named.
"""

from collections.abc import Callable, Iterator
from fractions import Fraction
from time import monotonic
from typing import NamedTuple

from virtual_nucleo import memory_map as m
from virtual_nucleo.mcus import MHZ, VCO_INPUT_HZ, Mcu
from virtual_nucleo.registers import Registers
from virtual_nucleo.supply import FlashInterface, Power

SOURCES = (m.HSI, m.HSE, m.PLL, m.PLL)  # CFGR's SW and SWS: HSI, HSE, PLL's P, PLL's R
HPRE = (1, 2, 4, 8, 16, 64, 128, 256, 512)
CRYSTAL = (
    "switched the HSE on as a crystal oscillator (HSEBYP is not set)",
    "This Nucleo has no crystal; its HSE is the 8 MHz clock of the ST-LINK (UM1724, OSC clock). On "
    "a real board HSERDY may never come.",
    "RCC_CR |= 1 << 18 (HSEBYP), then 1 << 16 (HSEON).",
)
PLL_OFF = (
    "Run the core from the HSI, then RCC_CR &= ~(1 << 24) (PLLON), wait until PLLRDY is 0, "
    "set the factors, and switch the PLL on again."
)


class Hz(NamedTuple):
    """The frequencies of SYSCLK, HCLK (the core's), PCLK1 (USART2's) and PCLK2."""

    system: int
    core: int
    apb1: int
    apb2: int


def _mhz(hz: float | Fraction) -> str:
    return f"{float(hz / MHZ):.6g} MHz"


class Rcc(Registers):
    """Reset and clock control (chapter 6) of a chip on which `absent` ("hse", "pll", "overdrive")
    never becomes ready. `power` and `flash` are the blocks that belong to it. `now` gives the time
    in seconds, `causes` has the flags in CSR that say why the last reset came, `on_change` is
    called after each change."""

    def __init__(self, mcu: Mcu, absent: frozenset[str] = frozenset()) -> None:
        super().__init__("RCC", mcu.absent.get("RCC", ""))
        self.mcu, self.absent, self.chip = mcu, absent, mcu.name.upper()
        self.now: Callable[[], float] = monotonic
        self.on_change: Callable[[], None] = lambda: None
        self.causes = self.where.resets["CSR"]
        self.power, self.flash = Power(self), FlashInterface(self)
        self.reset()

    def reset(self) -> None:
        super().reset()
        self.values["CSR"] = self.causes
        self.started = {m.HSI.name: float("-inf")}
        self._broken: set[str] = set()

    def ignores(self, what: str, section: str, fix: str, does: str = "ignores that") -> None:
        """Report a write that breaks a rule, and what a real chip `does` about it."""
        self.report(what, f"A real chip {does} ({self.mcu.manual} section {section}).", fix)

    # What is on, and ready

    def follow(self, switch: m.Switch, value: int) -> None:
        """Note when a register's new value switches something on."""
        if value >> switch.on & 1:
            self.started.setdefault(switch.name, self.now())
        else:
            self.started.pop(switch.name, None)

    def passed(self, switch: m.Switch) -> bool:
        """Whether something is on and has had its time to become ready."""
        since = self.started.get(switch.name)
        return since is not None and self.now() - since >= switch.seconds

    def _can_start(self, switch: m.Switch) -> bool:
        """The crystal of the Nucleo is not fitted; a PLL needs its source."""
        if switch.name.lower() in self.absent:
            return False
        if switch is m.HSE:
            return bool(self.values["CR"] & m.HSEBYP)
        return not switch.name.startswith("PLL") or self.is_ready(self._pll_source())

    def is_on(self, source: m.Switch) -> bool:
        return bool(self.values["CR"] >> source.on & 1)

    def is_ready(self, source: m.Switch) -> bool:
        return bool(self.values["CR"] >> source.ready & 1)

    def _pll_source(self) -> m.Switch:
        return m.HSE if self.values["PLLCFGR"] & m.PLLSRC_HSE else m.HSI

    def _cfgr(self, low: int, mask: int) -> int:
        return self.values["CFGR"] >> low & mask

    def running(self) -> m.Switch:
        """The clock that runs the core: CFGR's SWS."""
        return SOURCES[self._cfgr(2, 0b11)]

    def _settle(self, name: str) -> None:
        """Ready bits as time passes, and SWS, which follows SW when the clock is there (6.2.6)."""
        for switch in m.RCC_SWITCHES.get(name, ()):
            bit = 1 << switch.ready
            if switch.name not in self.started:
                self.values[name] &= ~bit
            elif not self.values[name] & bit and self._can_start(switch) and self.passed(switch):
                self.values[name] |= bit
        wanted = self._cfgr(0, m.SW)
        if self._cfgr(2, m.SW) != wanted and self._may_run(wanted):
            self.values["CFGR"] = self.values["CFGR"] & ~m.SWS | wanted << 2
            self.check()

    def _may_run(self, wanted: int) -> bool:
        return self.is_ready(SOURCES[wanted]) and (wanted < 3 or self.mcu.pll_has_r)

    def read(self, offset: int) -> int:
        if self.words[offset] in m.RCC_SWITCHES:
            self._settle(self.words[offset])
        return super().read(offset)

    def write(self, offset: int, value: int) -> None:
        self._settle("CR")
        name = self.words[offset]
        switches = m.RCC_SWITCHES.get(name, ())
        hardware = sum(1 << switch.ready for switch in switches)
        super().write(offset, value & ~hardware | self.values[name] & hardware)
        for switch in switches:
            self.follow(switch, self.values[name])
        self._settle(name)
        self.check()

    # What a register takes of a new value

    def write_cr(self, old: int, value: int) -> int:
        running = self.running()
        needed = (running, self._pll_source()) if running is m.PLL else (running,)
        stopped = [each for each in needed if (old & ~value) >> each.on & 1]
        rising = value & ~old
        if stopped:
            names = " and the ".join(sorted(each.name for each in stopped))
            what = f"switched the {names} off while it ran the core"
            fix = "Switch to another clock first: RCC_CFGR's SW, then wait for SWS."
            self.ignores(what, "6.3.1", fix, "ignores that: the clock in use stays on")
        if (old ^ value) & m.HSEBYP and old >> m.HSE.on & 1:
            what = "changed HSEBYP in RCC_CR while the HSE was on"
            self.ignores(what, "6.3.1", "Set HSEBYP before or together with HSEON.")
            value ^= m.HSEBYP
        if rising >> m.HSE.on & 1 and not value & m.HSEBYP:
            self.report(*CRYSTAL)
        if rising >> m.PLL.on & 1:
            self._check_pll()
        return value | sum(1 << each.on for each in stopped)

    def write_pllcfgr(self, old: int, value: int) -> int:
        if value == old or not self.is_on(m.PLL):
            return value
        does = "ignores that: the PLL keeps its factors"
        self.ignores("wrote to RCC_PLLCFGR while the PLL was on", "6.3.2", PLL_OFF, does)
        return old

    def write_cfgr(self, old: int, value: int) -> int:
        wanted = value & m.SW
        if wanted != old & m.SW and not self._may_run(wanted):
            source, here = SOURCES[wanted].name, self.running().name
            stays = f"stays on the {here}, as SWS tells, until the {source} is ready, if ever"
            what = f"asked for the {source} as the core's clock before it was ready"
            fix = f"Switch the {source} on, wait for its ready bit for a bounded time, then set SW."
            self.ignores(what, "6.2.6", fix, stays)
        return value & ~m.SWS | old & m.SWS

    def write_bdcr(self, old: int, value: int) -> int:
        if self.power.values["CR"] & m.DBP:
            return value
        what, fix = "wrote to RCC_BDCR, which is protected", "PWR_CR |= 1 << 8 (DBP) first."
        self.ignores(what, "6.3.20", fix, "ignores that until DBP in PWR_CR is set")
        return old

    def write_csr(self, _old: int, value: int) -> int:
        if value & m.RMVF:
            self.causes = 0
        return value & 0b11 | self.causes

    # Frequencies

    def clocked(self, enable: str, bit: int) -> bool:
        """Whether a peripheral's clock is on; without it its registers do not work."""
        return bool(self.values[enable] >> bit & 1)

    def _pll(self) -> tuple[Fraction, ...]:
        """Hz at the input and the output of the VCO, at P and at R: section 6.3.2."""
        cfg = self.values["PLLCFGR"]
        source = m.HSE_HZ if self._pll_source() is m.HSE else m.HSI_HZ
        into = Fraction(source, max(cfg & 0x3F, 1))
        vco = into * (cfg >> 6 & 0x1FF)
        return into, vco, vco / (2 * (cfg >> 16 & 0b11) + 2), vco / max(cfg >> 28 & 0b111, 1)

    def hz(self) -> Hz:
        """Sections 6.3.2 (PLLCFGR) and 6.3.3 (CFGR): through the prescalers HPRE, PPRE1, PPRE2."""
        sources = Fraction(m.HSI_HZ), Fraction(m.HSE_HZ), *self._pll()[2:]
        system = round(sources[self._cfgr(2, 0b11)])
        core = system // HPRE[max(self._cfgr(4, 0xF) - 7, 0)]
        apb1, apb2 = (core >> max(self._cfgr(low, 0b111) - 3, 0) for low in (10, 13))
        return Hz(system, core, apb1, apb2)

    # Limits

    def _check_pll(self) -> None:
        """What section 6.3.2 and the data sheet demand, at the moment the PLL is switched on."""
        source, mcu, cfg = self._pll_source(), self.mcu, self.values["PLLCFGR"]
        if not self.is_ready(source):
            what = f"switched the PLL on before its source, the {source.name}, was ready"
            fix = f"Switch the {source.name} on and wait for its ready bit, for a bounded time."
            self.ignores(what, "6.2.3", fix, "does not lock its PLL without the source")
        factors = {"M": (0, 0x3F, (2, 63)), "N": (6, 0x1FF, mcu.pll_n), "Q": (24, 0xF, (2, 15))}
        if mcu.pll_has_r:
            factors["R"] = (28, 0b111, (2, 7))
        for name, (position, mask, (low, high)) in factors.items():
            value = cfg >> position & mask
            if not low <= value <= high:
                self._report_pll(f"{name} = {value}; {low} to {high} is allowed")
        places = ("at the VCO's input", "at the VCO's output", "at its output P")
        limits = (VCO_INPUT_HZ, mcu.vco_hz, (0, mcu.core_hz))
        for place, hz, (low, high) in zip(places, self._pll(), limits, strict=False):
            if not low <= hz <= high:
                allowed = f"{low / MHZ:g} to" if low else "at most"
                self._report_pll(f"{_mhz(hz)} {place}; {allowed} {_mhz(high)} is allowed")

    def _report_pll(self, setting: str) -> None:
        mcu, (low, high) = self.mcu, (hz / MHZ for hz in self.mcu.vco_hz)
        sources = f"{mcu.manual} section 6.3.2; {mcu.data_sheet}, main PLL characteristics"
        self.report(
            f"switched the PLL on with {setting} on the {self.chip}",
            f"The PLL of a real chip may not lock then, or its clock is unstable ({sources}).",
            "Choose the factors in RCC_PLLCFGR anew: source / M is 1 to 2 MHz, that times N is "
            f"{low:g} to {high:g} MHz, and that divided by P at most {mcu.core_hz / MHZ:g} "
            "MHz; Q (and R, if there is one) is 2 or more even where it is not used.",
        )

    def check(self) -> None:
        """Report each limit that the last change broke; one that was broken before is not new."""
        broken = {kind: sentences for kind, *sentences in self._broken_limits()}
        for kind, (what, effect, fix) in broken.items():
            if kind not in self._broken:
                self.report(what, effect, fix)
        self._broken = set(broken)
        self.on_change()

    def _broken_limits(self) -> Iterator[tuple[str, str, str, str]]:
        """What each limit that is broken is known by, and what to report."""
        mcu, (system, core, apb1, apb2) = self.mcu, self.hz()
        sheet = f"{mcu.data_sheet}, operating conditions"
        for name, hz, highest, field in (
            ("SYSCLK", system, mcu.core_hz, "the factors in RCC_PLLCFGR"),
            ("PCLK1, the clock of the APB1 bus,", apb1, mcu.apb1_hz, "PPRE1 in RCC_CFGR"),
            ("PCLK2, the clock of the APB2 bus,", apb2, mcu.apb2_hz, "PPRE2 in RCC_CFGR"),
        ):
            if hz > highest:
                what = f"made {name} {_mhz(hz)}, and the {self.chip} allows {_mhz(highest)}"
                effect = f"What runs on it may fail on a real chip ({sheet})."
                yield field, what, effect, f"Set {field} before switching to the faster clock."
        scale, highest, boosted = self.power.scale()
        if core > highest:
            mode = (" without over-drive", " and over-drive")[boosted] * mcu.overdrive
            boost = ", and over-drive (ODEN, ODRDY, ODSWEN, ODSWRDY)" * mcu.overdrive
            at, good = f"{_mhz(core)} in voltage scale {scale}{mode}", f"good for {_mhz(highest)}"
            yield (
                "voltage",
                f"ran the core at {at}, which is {good}",
                "A real chip computes wrongly or stops: its logic is too slow at this core voltage "
                f"({mcu.manual} section 5.1.3; {sheet}).",
                f"Before switching the clock: VOS in PWR_CR while the PLL is off{boost}.",
            )
        states = self.flash.values["ACR"] & m.LATENCY
        needed = sum(core > limit for limit in mcu.wait_states[:-1])  # 3.4.1
        if states < needed:
            at = f"{_mhz(core)} with {states} wait state{'s' * (states != 1)}"
            yield (
                "wait states",
                f"ran the core at {at} of the flash, which needs {needed}",
                "A real chip reads wrong instructions from its flash and goes astray "
                f"({mcu.manual} section 3.4.1).",
                f"Set LATENCY in FLASH_ACR to {needed} before the clock rises, and lower it only "
                "after the clock has fallen.",
            )
