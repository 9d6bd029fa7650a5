"""Clock tree, power control and flash interface, with the rules by which a chip can run fast.

A broken rule is reported (see registers.py). What then happens is what silicon does: mostly it
ignores the write. Section numbers are the same in RM0390 and RM0368 unless one is named.
"""

from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from itertools import count

from virtual_nucleo import memory_map as m
from virtual_nucleo.mcus import MHZ, VCO_INPUT_HZ, Mcu
from virtual_nucleo.registers import Registers

SOURCES = (m.HSI, m.HSE, m.PLL, m.PLL)  # CFGR's SW and SWS: HSI, HSE, PLL's P, PLL's R
READY = {at: sum(1 << each.ready for each in group) for at, group in m.RCC_SWITCHES.items()}
LOOK = 1e-6  # seconds from one look at the clock to the next where nobody gives the time

UNSTABLE = (
    "The PLL of a real chip may not lock then, or its clock is unstable ({manual} section 6.3.2; "
    "{sheet}, main PLL characteristics)."
)
PLL_FIX = (
    "Choose the factors in RCC_PLLCFGR anew: source / M is 1 to 2 MHz, that times N is {low:g} to "
    "{high:g} MHz, and that divided by P at most {top:g} MHz; Q (and R, if there is one) is 2 or "
    "more even where it is not used."
)


def megahertz(hz: float | Fraction) -> str:
    """A frequency in words: "16 MHz"."""
    return f"{float(hz / MHZ):.6g} MHz"


class _Ruled(Registers):
    """Registers with rules from the manuals of a chip."""

    def __init__(self, limits: Mcu, resets: dict[int, int]) -> None:
        super().__init__(resets)
        self.limits = limits

    def _tell(self, what: str, effect: str, fix: str) -> None:
        """Report a broken rule; the effect may name {manual} and {sheet}."""
        sources = {"manual": self.limits.manual, "sheet": self.limits.data_sheet}
        self.report(what, effect.format(**sources), fix)


class Rcc(_Ruled):
    """Reset and clock control (chapter 6 of both manuals).

    Args:
        mcu: the chip, for its limits.
        absent: what never becomes ready: "hse", "pll", "overdrive".

    `power` and `flash` are the blocks that belong to it. `now` gives the time in seconds, `causes`
    has the flags in CSR that say why the last reset came, `on_change` is called after each change.
    """

    def __init__(self, mcu: Mcu, absent: frozenset[str] = frozenset()) -> None:
        super().__init__(mcu, m.RCC_RESETS)
        self.mcu, self.absent = mcu, absent
        self.now: Callable[[], float] = (LOOK * look for look in count()).__next__
        self.on_change: Callable[[], None] = lambda: None
        self.causes = m.RCC_RESETS[m.RCC_CSR]
        self.power, self.flash = Power(self), FlashInterface(self)
        self.reset()

    def reset(self) -> None:
        super().reset()
        self.values[m.RCC_CSR] = self.causes
        self.started = {m.HSI.name: float("-inf")}
        self._broken: set[str] = set()

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
            return bool(self.values[m.RCC_CR] & m.HSEBYP)
        return not switch.name.startswith("PLL") or self.is_ready(self._pll_source())

    def is_ready(self, source: m.Switch) -> bool:
        """Whether a bit in CR says that a clock is there."""
        return bool(self.values[m.RCC_CR] >> source.ready & 1)

    def _pll_source(self) -> m.Switch:
        return m.HSE if self.values[m.RCC_PLLCFGR] & m.PLLSRC_HSE else m.HSI

    def running(self) -> m.Switch:
        """The clock that runs the core: CFGR's SWS."""
        return SOURCES[self.values.get(m.RCC_CFGR, 0) >> 2 & 0b11]

    def _settle(self, offset: int) -> None:
        """Ready bits as time passes, and SWS, which follows SW when the clock is there (6.2.6)."""
        for switch in m.RCC_SWITCHES.get(offset, ()):
            bit = 1 << switch.ready
            if switch.name not in self.started:
                self.values[offset] = self.values.get(offset, 0) & ~bit
            elif not self.values[offset] & bit and self._can_start(switch) and self.passed(switch):
                self.values[offset] |= bit
        cfgr = self.values.get(m.RCC_CFGR, 0)
        wanted = cfgr & m.SW
        if cfgr >> 2 & m.SW != wanted and self._may_run(wanted):
            self.values[m.RCC_CFGR] = cfgr & ~m.SWS | wanted << 2
            self.check()

    def _may_run(self, wanted: int) -> bool:
        return self.is_ready(SOURCES[wanted]) and (wanted < 3 or self.limits.pll_has_r)

    # Registers

    def read(self, offset: int) -> int:
        if offset in m.RCC_SWITCHES:
            self._settle(offset)
        return super().read(offset)

    def write(self, offset: int, value: int) -> None:
        self._settle(m.RCC_CR)
        old = self.values.get(offset, 0)
        value = value & ~READY[offset] | old & READY[offset] if offset in READY else value
        rules = {
            m.RCC_CR: self._write_cr,
            m.RCC_PLLCFGR: self._write_pllcfgr,
            m.RCC_CFGR: self._write_cfgr,
            m.RCC_BDCR: self._write_bdcr,
            m.RCC_CSR: self._write_csr,
        }
        value = rules[offset](old, value) if offset in rules else value
        super().write(offset, value)
        for switch in m.RCC_SWITCHES.get(offset, ()):
            self.follow(switch, value)
        self._settle(offset)
        self.check()

    def _write_cr(self, old: int, value: int) -> int:
        stopped = self._needed() & old & ~value
        rising = value & ~old
        if stopped:
            self._tell(
                f"switched the {self._names(stopped)} off while it ran the core",
                "A real chip ignores that: the clock in use stays on ({manual} section 6.3.1).",
                "Switch to another clock first: RCC_CFGR's SW, then wait for SWS.",
            )
        if (old ^ value) & m.HSEBYP and old >> m.HSE.on & 1:
            self._tell(
                "changed HSEBYP in RCC_CR while the HSE was on",
                "A real chip ignores that ({manual} section 6.3.1).",
                "Set HSEBYP before or together with HSEON.",
            )
            value ^= m.HSEBYP
        if rising >> m.HSE.on & 1 and not value & m.HSEBYP:
            self._tell(
                "switched the HSE on as a crystal oscillator (HSEBYP is not set)",
                "This Nucleo has no crystal; its HSE is the 8 MHz clock of the ST-LINK (UM1724, "
                "OSC clock). On a real board HSERDY may never come.",
                "RCC_CR |= 1 << 18 (HSEBYP), then 1 << 16 (HSEON).",
            )
        if rising >> m.PLL.on & 1:
            self._check_pll()
        return value | stopped

    def _needed(self) -> int:
        """The "on" bits of the clocks that run the core, directly or through the PLL."""
        source = self.running()
        through = 1 << self._pll_source().on if source is m.PLL else 0
        return 1 << source.on | through

    def _names(self, bits: int) -> str:
        named = [s.name for s in (m.HSI, m.HSE, m.PLL) if bits >> s.on & 1]
        return " and the ".join(named)

    def _write_pllcfgr(self, old: int, value: int) -> int:
        if value == old or not self.values[m.RCC_CR] >> m.PLL.on & 1:
            return value
        self._tell(
            "wrote to RCC_PLLCFGR while the PLL was on",
            "A real chip ignores that: the PLL keeps its factors ({manual} section 6.3.2).",
            "Run the core from the HSI, then RCC_CR &= ~(1 << 24) (PLLON), wait until PLLRDY is "
            "0, set the factors, and switch the PLL on again.",
        )
        return old

    def _write_cfgr(self, old: int, value: int) -> int:
        wanted = value & m.SW
        if wanted != old & m.SW and not self._may_run(wanted):
            source = SOURCES[wanted].name
            self._tell(
                f"asked for the {source} as the core's clock before it was ready",
                f"A real chip stays on the {self.running().name}, as SWS tells, until the {source} "
                "is ready, if ever ({manual} section 6.2.6).",
                f"Switch the {source} on in RCC_CR and wait for its ready bit, for a bounded time; "
                "then set SW.",
            )
        return value & ~m.SWS | old & m.SWS

    def _write_bdcr(self, old: int, value: int) -> int:
        if self.power.values[m.PWR_CR] & m.DBP:
            return value
        self._tell(
            "wrote to RCC_BDCR, which is protected",
            "A real chip ignores that until DBP in PWR_CR is set ({manual} section 6.3.20).",
            "PWR_CR |= 1 << 8 (DBP) first.",
        )
        return old

    def _write_csr(self, _old: int, value: int) -> int:
        if value & m.RMVF:
            self.causes = 0
        return value & 0b11 | self.causes

    # Frequencies

    def clocked(self, enable: int, bit: int) -> bool:
        """Whether a peripheral's clock is on; without it its registers do not work."""
        return bool(self.values.get(enable, 0) >> bit & 1)

    def _pll_input(self) -> Fraction:
        hz = m.HSE_HZ if self._pll_source() is m.HSE else m.HSI_HZ
        return Fraction(hz, max(self.values[m.RCC_PLLCFGR] & 0x3F, 1))

    def _pll_vco(self) -> Fraction:
        return self._pll_input() * (self.values[m.RCC_PLLCFGR] >> 6 & 0x1FF)

    def _pll_p(self) -> Fraction:
        return self._pll_vco() / (2 * (self.values[m.RCC_PLLCFGR] >> 16 & 0b11) + 2)

    def _pll_r(self) -> Fraction:
        return self._pll_vco() / max(self.values[m.RCC_PLLCFGR] >> 28 & 0b111, 1)

    def system_hz(self) -> int:
        """SYSCLK in Hz: sections 6.3.2 (PLLCFGR) and 6.3.3 (CFGR)."""
        source = self.values.get(m.RCC_CFGR, 0) >> 2 & 0b11
        if source < 2:
            return (m.HSI_HZ, m.HSE_HZ)[source]
        return round(self._pll_p() if source == 2 else self._pll_r())

    def core_hz(self) -> int:
        """HCLK in Hz, the clock of the core: SYSCLK through the HPRE prescaler."""
        hpre = self.values.get(m.RCC_CFGR, 0) >> 4 & 0xF
        return self.system_hz() // (1, 2, 4, 8, 16, 64, 128, 256, 512)[max(hpre - 7, 0)]

    def apb1_hz(self) -> int:
        """PCLK1 in Hz, the clock of USART2: HCLK through the PPRE1 prescaler."""
        return self._apb_hz(10)

    def apb2_hz(self) -> int:
        """PCLK2 in Hz: HCLK through the PPRE2 prescaler."""
        return self._apb_hz(13)

    def _apb_hz(self, shift: int) -> int:
        prescaler = self.values.get(m.RCC_CFGR, 0) >> shift & 0b111
        return self.core_hz() >> max(prescaler - 3, 0)

    # Limits

    def _check_pll(self) -> None:
        """What section 6.3.2 and the data sheet demand, at the moment the PLL is switched on."""
        source, limits, cfg = self._pll_source(), self.limits, self.values[m.RCC_PLLCFGR]
        if not self.is_ready(source):
            self._tell(
                f"switched the PLL on before its source, the {source.name}, was ready",
                "The PLL of a real chip does not lock without its source ({manual} section 6.2.3).",
                f"Switch the {source.name} on and wait for its ready bit, for a bounded time.",
            )
        factors = {"M": (cfg & 0x3F, (2, 63)), "N": (cfg >> 6 & 0x1FF, limits.pll_n)}
        factors["Q"] = (cfg >> 24 & 0xF, (2, 15))
        if limits.pll_has_r:
            factors["R"] = (cfg >> 28 & 0b111, (2, 7))
        for name, (value, (low, high)) in factors.items():
            if not low <= value <= high:
                self._report_pll(f"{name} = {value}; {low} to {high} is allowed")
        for name, hz, (low, high) in (
            ("at the VCO's input", self._pll_input(), VCO_INPUT_HZ),
            ("at the VCO's output", self._pll_vco(), limits.vco_hz),
            ("at its output P", self._pll_p(), (0, self.mcu.core_hz)),
        ):
            if not low <= hz <= high:
                allowed = f"{low / MHZ:g} to" if low else "at most"
                self._report_pll(f"{megahertz(hz)} {name}; {allowed} {megahertz(high)} is allowed")

    def _report_pll(self, setting: str) -> None:
        low, high = (hz / MHZ for hz in self.limits.vco_hz)
        self._tell(
            f"switched the PLL on with {setting} on the {self.mcu.name.upper()}",
            UNSTABLE,
            PLL_FIX.format(low=low, high=high, top=self.mcu.core_hz / MHZ),
        )

    def check(self) -> None:
        """Report each limit that the last change broke; one that was broken before is not new."""
        broken = {kind: args for kind, *args in self._broken_limits()}
        for kind, args in broken.items():
            if kind not in self._broken:
                self._tell(*args)
        self._broken = set(broken)
        self.on_change()

    def _broken_limits(self) -> Iterator[tuple[str, str, str, str]]:
        chip = self.mcu.name.upper()
        for name, hz, limit, field in (
            ("SYSCLK", self.system_hz(), self.mcu.core_hz, "the factors in RCC_PLLCFGR"),
            (
                "PCLK1, the clock of the APB1 bus,",
                self.apb1_hz(),
                self.mcu.apb1_hz,
                "PPRE1 in RCC_CFGR",
            ),
            (
                "PCLK2, the clock of the APB2 bus,",
                self.apb2_hz(),
                self.mcu.apb2_hz,
                "PPRE2 in RCC_CFGR",
            ),
        ):
            if hz > limit:
                yield (
                    field,
                    f"made {name} {megahertz(hz)}, and the {chip} allows {megahertz(limit)}",
                    "What runs on it may fail on a real chip ({sheet}, operating conditions).",
                    f"Set {field} before switching to the faster clock.",
                )
        yield from self._too_little_voltage()
        yield from self._too_few_wait_states()

    def _too_little_voltage(self) -> Iterator[tuple[str, str, str, str]]:
        (scale, *limits), core = self.power.scale(), self.core_hz()
        boosted = self.power.boosted()
        if core > limits[boosted]:
            mode = (" without over-drive", " and over-drive")[boosted] * self.limits.overdrive
            boost = ", and over-drive (ODEN, ODRDY, ODSWEN, ODSWRDY)" * self.limits.overdrive
            yield (
                "voltage",
                f"ran the core at {megahertz(core)} in voltage scale {scale}{mode}, which is good "
                f"for {megahertz(limits[boosted])}",
                "A real chip computes wrongly or stops: its logic is too slow at this core voltage "
                "({manual} section 5.1.3; {sheet}, operating conditions).",
                f"Before switching the clock: VOS in PWR_CR while the PLL is off{boost}.",
            )

    def _too_few_wait_states(self) -> Iterator[tuple[str, str, str, str]]:
        core, states = self.core_hz(), self.flash.wait_states()
        needed = self.limits.wait_states_for(core)
        if states < needed:
            yield (
                "wait states",
                f"ran the core at {megahertz(core)} with {states} wait "
                f"state{'s' * (states != 1)} of the flash, which needs {needed}",
                "A real chip reads wrong instructions from its flash and goes astray "
                "({manual} section 3.4.1).",
                f"Set LATENCY in FLASH_ACR to {needed} before the clock rises, and lower it only "
                "after the clock has fallen.",
            )


class Power(_Ruled):
    """Power control (chapter 5): voltage scale and over-drive."""

    def __init__(self, rcc: Rcc) -> None:
        super().__init__(rcc.limits, {m.PWR_CR: rcc.limits.vos_at_reset << 14})
        self.rcc = rcc

    def scale(self) -> Sequence[int]:
        """The voltage scale, and the highest HCLK in it; scale 3 while the PLL is off (5.1.3)."""
        pll_on = self.rcc.values[m.RCC_CR] >> m.PLL.on & 1
        return self.limits.scales[self.values[m.PWR_CR] >> 14 & 0b11 if pll_on else 1]

    def _ready(self, switch: m.Switch) -> bool:
        return "overdrive" not in self.rcc.absent and self.rcc.passed(switch)

    def boosted(self) -> bool:
        """Whether over-drive works: switched on, switched over to, and both ready."""
        return self._ready(m.ODEN) and self._ready(m.ODSWEN)

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
        if changed and self.rcc.values[m.RCC_CR] >> m.PLL.on & 1:
            self._tell(
                "changed the voltage scale (VOS in PWR_CR) while the PLL was on",
                "A real chip ignores that ({manual} section 5.4.1).",
                "Set VOS first, then switch the PLL on.",
            )
            return value ^ changed
        return value

    def _overdrive(self, value: int) -> int:
        """RM0390 section 5.1.4: HSI or HSE runs the core; ODEN, ODRDY, then ODSWEN, ODSWRDY."""
        oden, odswen = 1 << m.ODEN.on, 1 << m.ODSWEN.on
        changed = (self.values[m.PWR_CR] ^ value) & (oden | odswen)
        if not changed:
            return value
        if not self.limits.overdrive:
            rule = "asked for over-drive, which the STM32F401 does not have", "5.4.1"
            fix = "Leave ODEN and ODSWEN alone: 84 MHz needs voltage scale 2 only."
        elif self.rcc.running() is m.PLL:
            rule = "switched over-drive while the PLL ran the core", "5.4.1"
            fix = "Set ODEN and ODSWEN before, and clear them while HSI or HSE is the clock."
        elif changed & value & odswen and not self._ready(m.ODEN):
            rule = "set ODSWEN in PWR_CR before over-drive was ready", "5.1.4"
            fix = "Set ODEN, wait for ODRDY in PWR_CSR, set ODSWEN, wait for ODSWRDY."
        else:
            return value
        self._tell(rule[0], f"A real chip does not do that ({{manual}} section {rule[1]}).", fix)
        return value ^ changed


class FlashInterface(_Ruled):
    """Flash interface (chapter 3): wait states and the lock; a program cannot change its flash."""

    def __init__(self, rcc: Rcc) -> None:
        super().__init__(rcc.limits, m.FLASH_RESETS)
        self.rcc, self.keys = rcc, 0

    def reset(self) -> None:
        super().reset()
        self.keys = 0  # of the two keys, how many came; 3 after a wrong one

    def wait_states(self) -> int:
        """LATENCY in ACR."""
        return self.values[m.FLASH_ACR] & m.LATENCY

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
            self._tell(
                "tried to change the option bytes",
                "A real chip can; the virtual board has none to change.",
                "Use a programming tool for option bytes.",
            )

    def _key(self, value: int) -> None:
        """The same key again may be a store that is executed twice: it changes nothing."""
        if self.keys < 2 and value == m.FLASH_KEYS[self.keys]:
            self.keys += 1
        elif not (0 < self.keys < 3 and value == m.FLASH_KEYS[self.keys - 1]):
            self.keys = 3
            self._tell(
                f"wrote 0x{value:08x} to FLASH_KEYR, which is not the next key",
                "A real chip answers with a bus error and keeps the flash locked until the next "
                "reset ({manual} section 3.5.1).",
                "Write 0x45670123, then 0xCDEF89AB, once each.",
            )
        locked = self.keys != 2
        self.values[m.FLASH_CR] = self.values[m.FLASH_CR] & ~m.LOCK | locked * m.LOCK

    def _control(self, value: int) -> None:
        if self.values[m.FLASH_CR] & m.LOCK:
            self._tell(
                "wrote to FLASH_CR while it was locked",
                "A real chip ignores that ({manual} section 3.5.1).",
                "Write 0x45670123, then 0xCDEF89AB to FLASH_KEYR first.",
            )
        elif value & m.PROGRAM_OR_ERASE:
            self._tell(
                "began to program or erase the flash",
                "A real chip does so ({manual} section 3.5); the virtual board's flash changes "
                "from outside only.",
                "Keep what changes in RAM.",
            )
        else:
            self.keys = 0 if value & m.LOCK else self.keys
            self.values[m.FLASH_CR] = value

    def _access(self, value: int) -> None:
        for enable, reset, name in m.CACHES:
            if value >> reset & 1 and (value | self.values[m.FLASH_ACR]) >> enable & 1:
                self._tell(
                    f"reset the flash's {name} cache while it was enabled",
                    "A real chip ignores that ({manual} section 3.8.1).",
                    "Clear the cache's enable bit in FLASH_ACR first.",
                )
        self.values[m.FLASH_ACR] = value
        self.rcc.check()
