"""The rules of clocks, power, flash and bus: each has a program that breaks it on purpose.

firmware/rules.c breaks the rule that a byte from the host chooses; what a chip's
manuals allow passes in silence; and with `strict=off` the chip goes on as silicon does.
"""

import re
from fractions import Fraction

import pytest
import serial
from bare import SOURCES, ask, marked_line, word
from depth import first
from hypothesis import given
from hypothesis import strategies as st
from made import VIRTUAL, firmware, own_build
from networks import Spec

from kit.board import Board, flash
from kit.boards import MCUS
from virtual_nucleo.clocks import Rcc
from virtual_nucleo.errors import VirtualError
from virtual_nucleo.faults import BoardFault
from virtual_nucleo.mcus import find_mcu
from virtual_nucleo.options import parse

STM32F401RE = MCUS["stm32f401re"]
STM32F446RE = MCUS["stm32f446re"]
SOURCE = (SOURCES / "rules.c").read_text()
NAMES = re.findall(r"\w+", SOURCE.split("rules[])(void) = {")[1].split("}")[0])
CODES = {name: code for code, name in enumerate(NAMES)}
# For each rule: what the program did, what a real chip does about it, how to put it right.
RULES = {
    "port_clock": ("wrote to GPIOC_MODER before the clock", "ignores the write", "RCC_AHB1ENR |="),
    "port_clock_read": ("read GPIOC_IDR before the clock", "reads zero", "1 << 2 (GPIOCEN)"),
    "power_clock": ("wrote to PWR_CR before the clock", "ignores", "RCC_APB1ENR |= 1 << 28"),
    "crystal": ("as a crystal oscillator", "no crystal", "HSEBYP"),
    "bypass_late": ("changed HSEBYP in RCC_CR while the HSE was on", "ignores", "before"),
    "pll_source": ("before its source, the HSE, was ready", "does not lock", "wait for its ready"),
    "pll_m": ("4 MHz at the VCO's input; 0.95 to 2.1 MHz is", "may not lock", "RCC_PLLCFGR"),
    "pll_n": ("N = 49; 50 to 432 is allowed", "may not lock", "RCC_PLLCFGR"),
    "pll_q": ("Q = 0; 2 to 15 is allowed", "may not lock", "RCC_PLLCFGR"),
    "pll_vco": ("500 MHz at the VCO's output; 100 to 432 MHz", "unstable", "100 to 432 MHz"),
    "pll_output": ("200 MHz at its output P", "unstable", "at most 180 MHz"),
    "pll_changed": ("wrote to RCC_PLLCFGR while the PLL was", "keeps its factors", "PLLRDY is 0"),
    "not_ready": ("asked for the HSE", "stays on the HSI, as SWS tells", "wait for its ready bit"),
    "never_ready": ("asked for the PLL", "stays on the HSI", "Switch the PLL on"),
    "hsi_off": ("switched the HSI off while it ran the core", "stays on", "another clock first"),
    "source_off": ("switched the HSE off while it ran the core", "stays on", "another clock first"),
    "system_clock": ("SYSCLK 200 MHz, and the STM32F446RE allows 180 MHz", "may fail", "PLLCFGR"),
    "apb1_clock": ("APB1 bus, 180 MHz, and the STM32F446RE allows 45 MHz", "may fail", "PPRE1"),
    "apb2_clock": ("APB2 bus, 180 MHz, and the STM32F446RE allows 90 MHz", "may fail", "PPRE2"),
    "prescaler_late": ("APB1 bus, 180 MHz", "may fail", "PPRE1 in RCC_CFGR before"),
    "no_overdrive": ("180 MHz in voltage scale 1 without over-drive", "168|computes", "ODSWEN"),
    "low_voltage": ("voltage scale 3", "computes wrongly or stops", "VOS in PWR_CR"),
    "too_few_wait_states": ("4 wait states of the flash, which needs 5", "wrong instr", "LATENCY"),
    "wait_states_fall": ("with 0 wait states of the flash", "wrong instr", "lower it only after"),
    "voltage_late": ("changed the voltage scale", "ignores", "Set VOS first"),
    "backup_domain": ("wrote to RCC_BDCR, which is protected", "ignores", "DBP"),
    "overdrive_early": ("set ODSWEN in PWR_CR before over-drive was ready", "", "wait for ODRDY"),
    "overdrive_late": ("switched over-drive while the PLL ran the core", "", "HSI or HSE"),
    "wrong_key": ("wrote 0x12345678 to FLASH_KEYR", "until the next reset", "0xCDEF89AB"),
    "flash_locked": ("wrote to FLASH_CR while it was locked", "ignores", "FLASH_KEYR first"),
    "flash_program": ("began to program or erase the flash", "from outside only", "RAM"),
    "option_bytes": ("option bytes", "has none", "programming tool"),
    "cache_reset": ("reset the flash's instruction cache while", "ignores", "enable bit"),
    "byte_access": ("wrote to 8 bits of USART2_CR1 alone", "16 or 32 bits", "uint32_t"),
    "no_register": ("wrote to 0x40023828, where RCC has no register", "reserved", "0x28"),
    "other_peripheral": ("which is ADC1-3", "has RCC", ""),
    "no_peripheral": ("wrote to 0x40023400, where this chip has nothing", "BusFault", ""),
}
F401_RULES = {
    "f446_register": ("wrote to 0x40023894, where RCC has no register", "reserved", "0x94"),
    "overdrive_absent": ("over-drive, which the STM32F401RE does not", "does not do", "scale only"),
    "pll_n": ("N = 49; 192 to 432 is allowed", "DS10086", "192 to 432 MHz"),
    "pll_vco": ("500 MHz at the VCO's output; 192 to 432 MHz", "RM0368", "at most 84 MHz"),
    "pll_output": ("200 MHz at its output P; at most 84 MHz", "unstable", "at most 84 MHz"),
    "apb1_clock": ("84 MHz, and the STM32F401RE allows 42 MHz", "may fail", "PPRE1"),
    "low_voltage": ("84 MHz in voltage scale 3, which is good for 60 MHz", "stops", "VOS"),
    "too_few_wait_states": ("84 MHz with 1 wait state of the flash", "RM0368", "to 2 before"),
    "other_peripheral": ("which is ADC1-3", "has RCC", ""),
}
LIMITED = [*[("", rule) for rule in RULES], *[("F401", rule) for rule in F401_RULES]]


@pytest.mark.deep
@pytest.mark.parametrize("chip, rule", LIMITED, ids=[" ".join(pair).strip() for pair in LIMITED])
def test_a_broken_rule_is_told_with_line_effect_and_fix(board, chip, rule):
    """What the code did, at which C line, what the chip would do, how to fix it."""
    what, effect, fix = (F401_RULES if chip else RULES)[rule]
    port = board("rules", *filter(None, [chip]))
    with pytest.raises(BoardFault) as caught:
        ask(port, bytes([CODES[rule]]), 2)
    fault, line = caught.value, marked_line(rule, "rules.c")
    assert what in fault.what and re.search(effect, fault.why) and len(fault.why) > 40
    assert fix in fault.next_step and f"line {line} of rules.c" in fault.next_step
    assert (fault.location.function, fault.location.line) == (rule, line)


def test_every_rule_of_the_firmware_is_tested():
    """No case of rules.c is without its sentence."""
    assert {*CODES} == {*RULES, *F401_RULES}


# What is allowed


@pytest.mark.parametrize(
    "defines, cfgr", [((), 5 << 10 | 4 << 13 | 0xA), (("F401",), 4 << 10 | 0xA)], ids=["180", "84"]
)
def test_full_speed_in_the_right_order_passes_in_silence(board, defines, cfgr):
    """180 MHz with over-drive on the F446, 84 MHz on the F401, and down to the HSI again."""
    port = board("rules", *defines)
    assert ask(port, b"f", 5) == b"f" + cfgr.to_bytes(4, "little")
    port.reset()
    assert ask(port, b"s", 1) == b"s"
    assert port.inside.complaints == []


def test_the_flash_can_be_unlocked_and_locked(board):
    """LOCK is set out of reset, cleared by the two keys, and set by the program."""
    assert ask(board("rules"), b"u", 3) == b"\x01\x00\x01"


def test_the_chip_tells_why_it_was_reset(board):
    """RCC_CSR: power-on, then the software's reset, the button's; RMVF forgets them."""
    port = board("rules")
    assert word(port, b"c") >> 25 == 0b0000_111
    assert ask(port, b"C", 1) == b"C"
    assert word(port, b"c") >> 24 == 0
    assert ask(port, b"R", 1) == b"!"
    assert word(port, b"c") >> 24 == 0b0001_0100
    ask(port, b"C", 1)
    port.reset()
    assert word(port, b"c") >> 24 == 0b0000_0100


SPEC = Spec(784, (12, 10), "relu", True, True, True, True, 0.05, 3)
SOURCES_OF_CLOCK = {"": "PLL from HSE", "?hse=off": "PLL from HSI", "?pll=off": "HSI",
                    "?overdrive=off": "HSI", "?hse=off&pll=off": "HSI"}  # fmt: skip


@pytest.mark.parametrize("mcu", VIRTUAL, ids=lambda mcu: mcu.name)
@pytest.mark.parametrize("query", first(2, SOURCES_OF_CLOCK))
def test_the_kits_firmware_keeps_the_rules(tmp_path, monkeypatch, mcu, query):
    """It reaches the chip's full speed, or falls back where a part is broken, without a word."""
    elf = firmware(SPEC, mcu).elf
    own_build(monkeypatch, tmp_path)
    flash("virtual://", elf)
    boosted = mcu is not STM32F446RE and "overdrive" in query  # which the others do not need
    source = "PLL from HSE" if boosted else SOURCES_OF_CLOCK[query]
    with Board(f"virtual://{query}") as board:
        status = board.status()
        assert query or board.link.port.inside.complaints == []
    assert (status.clock_source, status.device_id & 0xFFF) == (source, mcu.device_id)
    assert status.core_hz == (16_000_000 if source == "HSI" else mcu.core_hz)


# Strictness off: the chip goes on as silicon does

LENIENT = {
    "port_clock": b".",
    "port_clock_read": b"\x00.",  # reads zero
    "power_clock": b".",
    "hsi_off": b"\x03.",  # HSION stays set, and HSIRDY
    "never_ready": b"\x02.",  # SW has the wish, SWS the HSI
    "not_ready": b"",  # the core goes over to 8 MHz when the HSE is ready, and the baud rate halves
    "flash_locked": b".",
    "wrong_key": b".",
    "backup_domain": b".",
    "no_register": b".",
}


@pytest.mark.parametrize("rule", LENIENT)
def test_without_strictness_the_chip_goes_on(board, rule):
    """A write is ignored or a read gives zero, as the manuals say, and the port has the words."""
    port, answer = board("rules", url="virtual://?strict=off"), LENIENT[rule]
    assert ask(port, bytes([CODES[rule]]), max(len(answer), 2))[: len(answer)] == answer
    complaints = " ".join(port.inside.complaints)
    assert RULES[rule][0] in complaints and RULES[rule][2] in complaints


@pytest.mark.parametrize(
    "letter, cause",
    [(b"p", "PA2 does not belong"), (b"e", "UE in USART2_CR1"), (b"b", "USART2_BRR")],
)
def test_a_byte_that_cannot_leave_is_a_complaint(board, letter, cause):
    """A silent UART stops no program; the port knows which part of its setting is missing."""
    port = board("rules")
    assert ask(port, letter, 2) == b"y"
    (sentence,) = port.inside.complaints
    assert "sent a byte through USART2 while" in sentence and cause in sentence
    assert "GPIOA_AFRL" in sentence
    assert f"line {marked_line('mute', 'rules.c')} of rules.c" in sentence


# The URL


def test_the_same_board_with_and_without_options(board, compiler):
    """Options do not choose another flash: `kit flash` and pyserial mean the same board."""
    flash("virtual://pair?strict=off&hse=off", compiler("echo"))
    assert ask(board(url="virtual://pair"), b"here", 4) == b"here"


def test_options_are_read():
    """Each option is off by its word, and nothing else is."""
    assert parse("virtual://")[1] == parse("virtual://a?strict=on&hse=on&uninitialized=allow")[1]
    name, options = parse("virtual://b?strict=off&uninitialized=refuse&pll=off&overdrive=off")
    assert (name, options.strict, options.uninitialized) == ("b", False, True)
    assert options.absent == {"pll", "overdrive"}


ADDRESSES = dict.fromkeys(["a/b", "../x", "A B"], "virtual://name")
QUERIES = ["?speed=1", "a?strict=maybe", "?uninitialized=off", "?hse", "?=on"]
ADDRESSES |= dict.fromkeys(QUERIES, "strict=on|off, uninitialized=refuse|allow")


@pytest.mark.parametrize("address", ADDRESSES)
def test_a_wrong_address_shows_the_right_form(address):
    """And a misspelled option those that there are; for pyserial's users, too."""
    with pytest.raises(serial.SerialException, match=re.escape(ADDRESSES[address])) as caught:
        serial.serial_for_url(f"virtual://{address}")
    assert isinstance(caught.value, VirtualError)


# The chip of the program


def test_a_program_for_the_f401_runs_on_an_f401(board):
    """Identity and RAM are those of the chip that the program names: 96 KB end at 0x20018000."""
    small, large = board("rules", "F401", url="virtual://small"), board("rules")
    assert word(small, b"i") & 0xFFF == 0x433
    assert word(large, b"i") & 0xFFF == 0x421
    assert ask(large, b"m", 2)[1:] == b"m"
    with pytest.raises(BoardFault, match="0x20018000, where this chip has nothing"):
        ask(small, b"m", 2)


# Any setting of the PLL and of the clock


def clock_of(name):
    """The clock tree of a chip, with its supply, and the list of what it reports."""
    rcc, reports = Rcc(find_mcu(name)), []
    rcc.report = rcc.power.report = rcc.flash.report = lambda *each: reports.append(each[0])
    return rcc, reports


def set_bit(block, bit, ready=None, status=0x00):
    """In CR; where hardware answers, wait for it."""
    block.write(0x00, block.read(0x00) | 1 << bit)
    while ready is not None and not block.read(status) >> ready & 1:
        pass


def limits_broken(m, n, p, q, r, source_hz, chip):
    """From the manuals, anew: does this setting break a limit of the PLL or of the core's clock?"""
    vco_in = Fraction(source_hz, m) if m else Fraction(0)
    vco, core = vco_in * n, vco_in * n / p
    n_low, vco_low, core_high = {
        STM32F446RE: (50, 100_000_000, 180_000_000),
        STM32F401RE: (192, 192_000_000, 84_000_000),
    }[chip]
    return (
        m < 2
        or not n_low <= n <= 432
        or q < 2
        or (r < 2 and chip is STM32F446RE)
        or not 950_000 <= vco_in <= 2_100_000
        or not vco_low <= vco <= 432_000_000
        or core > core_high
    )


@given(
    m=st.one_of(st.integers(0, 63), st.sampled_from([4, 5, 8, 10, 16])),
    n=st.one_of(st.integers(0, 511), st.integers(96, 216)),
    p=st.sampled_from([2, 4, 6, 8]),
    q=st.integers(0, 15),
    r=st.integers(0, 7),
    hse=st.booleans(),
    chip=st.sampled_from([STM32F446RE, STM32F401RE]),
)
def test_the_pll_is_reported_exactly_when_a_limit_is_broken(m, n, p, q, r, hse, chip):
    """No wrong setting passes and no right one is refused."""
    rcc, reports = clock_of(chip.name)
    set_bit(rcc, 18)  # HSEBYP
    set_bit(rcc, 16, 17)
    rcc.write(0x04, m | n << 6 | (p // 2 - 1) << 16 | hse << 22 | q << 24 | r << 28)
    set_bit(rcc, 24)
    source_hz = 8_000_000 if hse else 16_000_000
    assert bool(reports) == limits_broken(m, n, p, q, r, source_hz, chip), reports


@given(
    hpre=st.integers(0, 15), ppre1=st.integers(0, 7), ppre2=st.integers(0, 7),
    states=st.integers(0, 15), vos=st.integers(0, 3), boosted=st.booleans(),
    n=st.integers(50, 180),
)  # fmt: skip
def test_the_clock_is_reported_exactly_when_a_limit_is_broken(
    hpre, ppre1, ppre2, states, vos, boosted, n
):
    """Bus clocks, wait states and voltage scale, for any clock of the F446 up to 180 MHz."""
    rcc, reports = clock_of("stm32f446re")
    rcc.power.write(0x00, vos << 14)
    rcc.write(0x04, 8 | n << 6 | 8 << 24 | 2 << 28)  # HSI / 8 * N / 2 = N MHz
    set_bit(rcc, 24, 25)
    for bit in (16, 17) if boosted else ():
        set_bit(rcc.power, bit, bit, status=0x04)
    rcc.flash.write(0x00, states)
    assert reports == []
    rcc.write(0x08, 2 | hpre << 4 | ppre1 << 10 | ppre2 << 13)
    core = n / (1 if hpre < 8 else [2, 4, 8, 16, 64, 128, 256, 512][hpre - 8])
    buses = [core / (1 if ppre < 4 else 2 ** (ppre - 3)) for ppre in (ppre1, ppre2)]
    most = {0: (120, 120), 1: (120, 120), 2: (144, 168), 3: (168, 180)}[vos][boosted]
    broken = [buses[0] > 45, buses[1] > 90, core > most, core > 30 * (states + 1)]
    assert len(reports) == sum(broken), reports


def test_leaving_the_limits_again_and_again_is_told_each_time():
    """A limit that was broken, kept and broken anew is a new fault, and a broken one no second."""
    rcc, reports = clock_of("stm32f446re")
    rcc.flash.write(0x00, 1)
    rcc.write(0x04, 8 | 60 << 6 | 8 << 24 | 2 << 28)
    set_bit(rcc, 24, 25)
    for cfgr in (2, 2, 2 | 8 << 4, 2):  # 60 MHz and APB1 too fast, the same, 30 MHz, 60 MHz
        rcc.write(0x08, cfgr)
    assert ["APB1" in text for text in reports] == [True, True]
