"""firmware/boards/nucleo_64/clock.c: the code of each divider of a bus."""

import ctypes
import sys

from kit.boards import DEFAULT
from kit.compile.toolchain import run_tool, zig
from kit.paths import FIRMWARE

PRESCALER = """
#include "clock.c"
#include "power.c"
uint32_t code_of(uint32_t divider);
uint32_t code_of(uint32_t divider) { return prescaler(divider); }
"""


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
