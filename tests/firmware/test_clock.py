"""firmware/boards/: each board at its full speed, or at 16 MHz; another family's builds.

The virtual boards have the limits of their chips, so a clock that breaks one does not get here.
"""

import binascii
import ctypes
import sys

import pytest
from depth import first
from made import VIRTUAL, firmware, network
from networks import Spec

from kit.board import Board, flash
from kit.boards import DEFAULT, MCUS
from kit.compile import Program
from kit.compile.toolchain import find_gcc, run_tool, zig
from kit.errors import KitError
from kit.paths import FIRMWARE
from virtual_nucleo import clocks, supply

URL = "virtual://clock"
SPEC = Spec(784, (12, 10), "relu", True, True, True, True, 0.05, 3)
HSERDY, PLLRDY, SWS, ODRDY, ODSWRDY = 1 << 17, 1 << 25, 0b1100, 1 << 16, 1 << 17
PRESCALER = """
#include "clock.c"
#include "pll.c"
uint32_t code_of(uint32_t divider);
uint32_t code_of(uint32_t divider) { return prescaler(divider); }
"""


def hide(monkeypatch, block, offset, bits):
    """Make bits of a register read as 0, as if what they stand for never became ready."""
    read_model = block.read
    monkeypatch.setattr(
        block, "read", lambda self, at: read_model(self, at) & ~(bits if at == offset else 0)
    )


@pytest.mark.parametrize("chip", VIRTUAL, ids=lambda chip: chip.name)
def test_each_chip_runs_at_its_full_speed(chip):
    """From the ST-LINK's 8 MHz through the PLL, and the chip works out the CRC of its own flash:
    the ELF's image, to the last byte."""
    elf = firmware(SPEC, chip).elf
    flash(URL, elf)
    with Board(URL) as board:
        status, found = board.status(), board.checksum()
        assert (board.hello().mcu, board.hello().core_hz) == (chip.name, chip.core_hz)
    assert (status.clock_source, status.core_hz) == ("PLL from HSE", chip.core_hz)
    assert (status.apb1_hz, status.flash_wait_states) == (chip.apb1_hz, chip.flash_wait_states)
    image = Program(elf).flash_image
    assert (found.bytes, found.crc32) == (len(image), binascii.crc32(image))


def test_without_the_st_links_clock_the_internal_one_feeds_the_pll(monkeypatch):
    hide(monkeypatch, clocks.Rcc, 0x00, HSERDY)
    flash(URL, firmware(SPEC).elf)
    with Board(URL) as board:
        status = board.status()
    assert (status.clock_source, status.core_hz) == ("PLL from HSI", DEFAULT.core_hz)


@pytest.mark.parametrize(
    ("block", "offset", "bits"),
    [
        (clocks.Rcc, 0x00, PLLRDY),
        (clocks.Rcc, 0x08, SWS),
        (supply.Power, 0x04, ODRDY),
        (supply.Power, 0x04, ODSWRDY),
        (supply.FlashInterface, 0x00, 0b111),
    ],
    ids=["PLL", "switch", "over-drive", "over-drive switch", "wait states"],
)
def test_what_does_not_become_ready_leaves_the_chip_at_16_mhz(monkeypatch, block, offset, bits):
    """The firmware gives up in a bounded time, says so, and works; the serial rates fit HSI."""
    flash(URL, firmware(SPEC).elf)
    hide(monkeypatch, block, offset, bits)
    with Board(URL) as board:
        status = board.status()
        assert board.hello().core_hz == status.core_hz == status.apb1_hz == 16_000_000
        assert (status.clock_source, status.flash_wait_states) == ("HSI", 0)
        assert board.link.baud == 460_800  # 921,600 would be 2.1 % off
        rcc, power = board.port._chip.rcc, board.port._chip.rcc.power
        assert not rcc.read(0x00) & (1 << 24 | 1 << 16) and not power.read(0x00) >> 16


def test_each_divider_of_a_bus_has_its_code(tmp_path):
    """RM0390 section 6.3.3, PPRE1: 0xx is 1, 100 to 111 are 2, 4, 8 and 16."""
    (tmp_path / "prescaler.c").write_text(PRESCALER)
    boards, library = FIRMWARE / "boards", tmp_path / "prescaler.so"
    toml = boards / DEFAULT.folder / "board.toml"
    run_tool([sys.executable, FIRMWARE / "cmake" / "board.py", toml, tmp_path], "Making chip.h")
    folders = (boards, *(boards / name for name in ("nucleo_64", "cortex_m", DEFAULT.family)))
    includes = [f"-I{folder}" for folder in (*folders, tmp_path)]
    words = ["-shared", "-nostdlib", "-fPIC", "-fno-sanitize=all", *includes]
    run_tool([zig(), "cc", *words, tmp_path / "prescaler.c", "-o", library], "Compiling")
    code_of = ctypes.CDLL(str(library)).code_of
    assert [code_of(divider) for divider in (1, 2, 4, 8, 16)] == [0, 4, 5, 6, 7]


@pytest.mark.parametrize("compiler", first(1, ["zig", *(["gcc"] if find_gcc() else [])]))
@pytest.mark.parametrize("chip", [mcu for mcu in MCUS.values() if not mcu.has_virtual],
                         ids=lambda chip: chip.name)  # fmt: skip
def test_a_chip_without_a_virtual_board_is_built_for(chip, compiler):
    """The program knows its chip, fits it, and starts its stack at the end of its RAM; the virtual
    board says that there is none of it."""
    program = Program(firmware(SPEC, chip, compiler).elf)
    program.check_fits()
    stack = int.from_bytes(program.flash_image[:4], "little")
    assert program.mcu == chip and stack == chip.ram[0].start + chip.ram[0].size
    assert program.memory.flash_bytes > network(SPEC).weights_bytes
    with pytest.raises(KitError, match=f"no virtual {chip.name.upper()}"):
        flash(URL, program.path)
