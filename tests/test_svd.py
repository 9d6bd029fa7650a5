"""Registers and bits against ST's own descriptions of the chips, and the core's against a list.

ST's SVD files may not be copied into this repository: `.ci/svd` fetches them into build/svd, and
KIT_SVD may name another folder. Where they are not, the tests of this file are skipped.
"""

import os
import re
import xml.etree.ElementTree as ET
from functools import cache
from pathlib import Path

import pytest
from made import VIRTUAL

from kit.boards import MCUS
from kit.paths import FIRMWARE, ROOT
from virtual_nucleo import memory_map as m
from virtual_nucleo.mcus import find_mcu

STM32F446RE = MCUS["stm32f446re"]
SVD = Path(os.environ.get("KIT_SVD") or ROOT / "build" / "svd")
FILES = {
    "stm32f446re": "STM32F446x.svd",
    "stm32f401re": "STM32F401xE.svd",
    "stm32f411re": "STM32F411xx.svd",
    "stm32l476rg": "STM32L4x6.svd",
}
WRONG_IN_FILE = {"RCC_AHB1ENR_CRCEN": 1 << 12}  # of the STM32L4, as RM0351 section 6.4.16 has it
RESET_HZ = {"stm32f4": m.HSI_HZ, "stm32l4": 4_000_000}  # RM0351 section 6.2.3
ONLY_F446 = re.compile(r"STM32F446 only")
# The core's registers are Arm's, not ST's: ARMv7-M ARM sections B3.2.2, B3.2.6, B3.3.2, C1.6, C1.8.
CORE = {  # each register's address, and its fields in place
    "STK_CTRL": (0xE000E010, {"ENABLE": 1 << 0, "COUNTFLAG": 1 << 16}),
    "STK_LOAD": (0xE000E014, {}),
    "STK_VAL": (0xE000E018, {}),
    "SCB_AIRCR": (0xE000ED0C, {"VECTKEY": 0x05FA << 16, "SYSRESETREQ": 1 << 2}),
    "SCB_CFSR": (0xE000ED28, {}),
    "SCB_HFSR": (0xE000ED2C, {}),
    "SCB_MMFAR": (0xE000ED34, {}),
    "SCB_BFAR": (0xE000ED38, {}),
    "SCB_CPACR": (0xE000ED88, {"CP10_CP11_FULL": 0xF << 20}),
    "FPU_FPCCR": (0xE000EF34, {"LSPACT": 1 << 0}),
    "COREDEBUG_DEMCR": (0xE000EDFC, {"TRCENA": 1 << 24}),
    "DWT_CTRL": (0xE0001000, {"CYCCNTENA": 1 << 0}),
    "DWT_CYCCNT": (0xE0001004, {}),
}


@cache
def described(chip):
    """All that an SVD file says: registers by name with their address, fields with their mask.

    A field that the file splits into bits, PLLM0 to PLLM5, is also there as a whole, PLLM.
    """
    path = SVD / FILES[chip.name]
    if not path.exists():
        pytest.skip(f"{path.name} is neither in KIT_SVD nor in build/svd: run .ci/svd")
    blocks = {each.findtext("name"): each for each in ET.parse(path).getroot().iter("peripheral")}
    registers, fields, resets, bases = {}, {}, {}, {}
    for name, block in blocks.items():
        bases[name] = int(block.findtext("baseAddress").lower(), 16)
        source = blocks[block.get("derivedFrom")] if block.get("derivedFrom") else block
        for register in source.iter("register"):
            full = f"{name.upper()}_{register.findtext('name')}"
            registers[full] = bases[name] + int(register.findtext("addressOffset"), 16)
            resets[full] = int(register.findtext("resetValue"), 16)
            for field in register.iter("field"):
                width, low = int(field.findtext("bitWidth")), int(field.findtext("bitOffset"))
                add_field(fields, f"{full}_{field.findtext('name')}", ((1 << width) - 1) << low)
    if chip.family == "stm32l4":
        fields |= WRONG_IN_FILE
    return registers, fields, resets, bases


def add_field(fields, name, mask):
    """A field by its own name, and as a part of the field it is a bit of."""
    fields[name] = mask
    if mask & mask - 1 == 0 and name[-1].isdigit():
        whole = name.rstrip("0123456789")
        fields[whole] = fields.get(whole, 0) | mask


# The firmware's headers


def headers(chip):
    """The text of the headers that say where the registers of a chip are."""
    places = ("cortex_m/cortex_m.h", f"{chip.family}/family.h", "nucleo_64/registers.h")
    text = "\n".join((FIRMWARE / "boards" / place).read_text() for place in places)
    for name, known in re.findall(r"^#define (\w+) ([A-Z]\w+)$", text, re.MULTILINE):
        text = re.sub(rf"^#define {name} .*\n", "", text, flags=re.MULTILINE)
        text = text.replace(f"#define {name}_", f"#define {known}_")  # its bits have this name
    return text


def defines(text):
    """Each #define with a value as name, value and whether it is for the STM32F446 only."""
    for line in text.splitlines():
        found = re.match(r"#define (\w+) +(.+?)(?:\s*/\*(.*))?$", line)
        if found:
            yield found[1], found[2].strip(), bool(ONLY_F446.search(found[3] or ""))


def value_of(text):
    """A register's address, or the bits of a field: (0x3U << 14)."""
    number = r"(0[xX][0-9A-Fa-f]+|\d+)U?"
    found = re.fullmatch(rf"REGISTER\({number}\)|\(?{number}(?: << {number})?\)?", text)
    assert found, f"{text!r} has none of the forms that this test reads"
    return int(found[1] or found[2], 0) << int(found[3] or "0", 0)


def mistakes(text, chip):
    """What in the headers contradicts the descriptions, and how many defines were compared."""
    registers, fields, *_ = described(chip)
    registers = registers | {name: address for name, (address, _) in CORE.items()}
    fields = fields | {"RESET_HZ": RESET_HZ[chip.family]}
    for name, (_, bits) in CORE.items():
        fields = fields | {f"{name}_{bit}": mask for bit, mask in bits.items()}
    wrong, compared = [], 0
    for name, written, only_f446 in defines(text):
        if only_f446 and chip is not STM32F446RE:
            continue
        known = (registers if "REGISTER" in written else fields).get(name)
        compared += 1
        if value_of(written) != known:
            wrong.append(f"{name} is {written}; it should be {known and hex(known)}")
    return wrong, compared


@pytest.mark.parametrize("chip", MCUS.values(), ids=lambda chip: chip.name)
def test_the_firmwares_registers_and_bits_are_those_of_the_chip(chip):
    """Every #define beside REGISTER() is in ST's file, or among the core's, with that value."""
    wrong, compared = mistakes(headers(chip), chip)
    assert wrong == []
    assert compared > 50


def test_a_wrong_define_is_found():
    """Each define of the headers, made wrong by one, is noticed: the check can fail."""
    lines = headers(STM32F446RE).splitlines()
    numbered = [line for line in lines if re.match(r"#define \w+ +.*\d+U", line)]
    assert len(numbered) > 50
    for line in numbered:
        broken = re.sub(r"(\w+)U(?=[^U]*$)", lambda n: f"{int(n[1], 0) + 1:#x}U", line)
        assert mistakes(broken, STM32F446RE)[0], broken
    assert mistakes("#define RCC_CR_NOTHING (1U << 3)", STM32F446RE)[0]


# The virtual board


@pytest.mark.parametrize("chip", VIRTUAL, ids=lambda chip: chip.name)
def test_the_virtual_boards_registers_are_those_of_the_chip(chip):
    """Base, name and offset of each register; what the F401 lacks is named here."""
    registers, *_ = described(chip)
    absent = {f"RCC_{name}" for name in find_mcu(chip.name).absent.get("RCC", "").split()}
    undescribed = set() if chip is STM32F446RE else {"RCC_DCKCFGR"}  # RM0368 section 6.3.22
    assert not absent & registers.keys()
    compared = 0
    for name, place in m.MODELED.items():
        for offset in range(0, 0 if place.partial else max(place.registers) + 4, 4):
            register = place.registers.get(offset)
            known = f"{name}_{register}" if name != "DBGMCU" else f"DBG_DBGMCU_{register}"
            if register is None:
                assert place.base + offset not in registers.values()
            elif known not in absent | undescribed:
                assert registers[known] == place.base + offset, known
                compared += 1
        if place.enable:
            register, bit = place.enable
            assert described(chip)[1][f"RCC_{register}_{name}EN"] == 1 << bit
    assert compared > 60


def test_the_virtual_boards_bits_are_those_of_the_chip():
    """Each bit that the model gives a meaning."""
    fields = described(STM32F446RE)[1]
    switches = [each for group in m.RCC_SWITCHES.values() for each in group]
    places = {"PLLSAI": None, "LSE": "BDCR", "LSI": "CSR"}  # ST's file lacks PLLSAI in CR
    for each in switches:
        register = places.get(each.name, "CR")
        if register:
            assert fields[f"RCC_{register}_{each.name}ON"] == 1 << each.on
            assert fields[f"RCC_{register}_{each.name}RDY"] == 1 << each.ready
    for bits, names in {
        (m.HSEBYP, m.PLLSRC_HSE, m.SW, m.SWS): "CR_HSEBYP PLLCFGR_PLLSRC CFGR_SW CFGR_SWS",
        (m.RMVF, m.PINRSTF, m.SFTRSTF): "CSR_RMVF CSR_PADRSTF CSR_SFTRSTF",
    }.items():
        assert bits == tuple(fields[f"RCC_{name}"] for name in names.split())
    power = (m.DBP, m.VOS, 1 << m.ODEN.on, 1 << m.ODSWEN.on)
    assert power == tuple(fields[f"PWR_CR_{name}"] for name in ("DBP", "VOS", "ODEN", "ODSWEN"))
    ready = (m.VOSRDY, 1 << m.ODEN.ready, 1 << m.ODSWEN.ready)
    assert ready == tuple(fields[f"PWR_CSR_{name}"] for name in ("VOSRDY", "ODRDY", "ODSWRDY"))
    flash = [fields[f"FLASH_CR_{name}"] for name in ("PG", "SER", "MER", "STRT")]
    assert sum(flash) == m.PROGRAM_OR_ERASE and fields["FLASH_CR_LOCK"] == m.LOCK
    for (enable, reset, _), name in zip(m.CACHES, "ID", strict=True):
        assert fields[f"FLASH_ACR_{name}CEN"] == 1 << enable
        assert fields[f"FLASH_ACR_{name}CRST"] == 1 << reset
    status = {"RXNE": m.SR_RXNE, "TC": m.SR_TC, "TXE": m.SR_TXE}
    control = {"RE": m.CR1_RE, "TE": m.CR1_TE, "UE": m.CR1_UE, "OVER8": m.CR1_OVER8}
    assert all(fields[f"USART2_SR_{name}"] == bit for name, bit in status.items())
    assert all(fields[f"USART2_CR1_{name}"] == bit for name, bit in control.items())


def test_reset_values_are_those_of_the_chip():
    """Where ST's file agrees with the manual; it is behind it for low-power enables and PLLSAI."""
    resets = described(STM32F446RE)[2]
    behind = {"RCC_AHB1LPENR", "RCC_PLLI2SCFGR", "RCC_PLLSAICFGR", "GPIOA_OSPEEDR"}
    assert resets["PWR_CR"] == find_mcu(STM32F446RE.name).vos_at_reset << 14
    for name in ("RCC", "FLASH", "GPIOA", "GPIOB"):
        for register, value in m.MODELED[name].resets.items():
            register = f"{name}_{register}"
            assert register in behind or resets[register] == value, register


@pytest.mark.parametrize("chip", VIRTUAL, ids=lambda chip: chip.name)
def test_peripherals_without_a_model_are_known_by_name(chip):
    """Each KB of the peripherals' space is named where ST's file has something, else it is not."""
    bases = described(chip)[3]
    own = {address & ~0x3FF: name for name, address in bases.items() if address < 0xE000_0000}
    beside = {"FMPI2C1", "BKPSRAM"}  # on the F446, but not in its file
    if chip is not STM32F446RE:  # their files have a TIM8, which RM0368 and RM0383 table 1 have not
        del own[0x4001_0400]
    for address in [*range(0x4000_0000, 0x4002_8000, 0x400), 0x5005_0000, 0xA000_0000, 0xA000_1000]:
        named = m.peripheral_at(address, find_mcu(chip.name))
        assert bool(named) == (address in own) or named in beside, hex(address)
        alike = own.get(address, "")[:3] == named[:3]
        assert alike or named in beside or named == "ADC1-3", (hex(address), named)
