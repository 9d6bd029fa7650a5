"""firmware/board/clock.c: the code of each divider of a bus."""

import ctypes

from kit.compile.toolchain import run_tool, zig
from kit.paths import FIRMWARE

PRESCALER = """
#include <stdint.h>
#include "board/clock.c"
uint32_t code_of(uint32_t divider);
uint32_t code_of(uint32_t divider) { return prescaler(divider); }
"""


def test_each_divider_of_a_bus_has_its_code(tmp_path):
    """RM0390 section 6.3.3, PPRE1: 0xx is 1, 100 to 111 are 2, 4, 8 and 16."""
    (tmp_path / "prescaler.c").write_text(PRESCALER)
    includes = [f"-I{FIRMWARE / place}" for place in (".", "board", "board/nucleo_f446re")]
    library = tmp_path / "prescaler.so"
    words = [
        "-shared",
        "-nostdlib",
        "-fPIC",
        "-fno-sanitize=all",
        *includes,
        tmp_path / "prescaler.c",
    ]
    run_tool([zig(), "cc", *words, "-o", library], "Compiling")
    code_of = ctypes.CDLL(str(library)).code_of
    assert [code_of(divider) for divider in (1, 2, 4, 8, 16)] == [0, 4, 5, 6, 7]
