"""firmware/boards/cortex_m/fault.c and app/crash.c: what the chip says when a program crashes.

It runs in QEMU, whose exception entry is that of a real core.
"""

import re
import shutil

import pytest
from bare import SOURCES, marked_line
from made import network
from networks import Spec
from qemu import board_in_qemu, needs_qemu

from kit.board import Request
from kit.board.crash import CrashError
from kit.compile import build_firmware
from kit.paths import FIRMWARE

pytestmark = [pytest.mark.deep, needs_qemu]
SPEC = Spec(784, (12, 10), "relu", True, True, True, True, 0.05, 3)
CRASHES = {  # in the order of their numbers in crashes.h, and what is said
    "read_nothing": "read or wrote 0xa0000000, where this chip has nothing",
    "undefined": "an instruction that this chip does not have",
    "call_null": "jumped to 0x00000000, an even address",
    "jump_nowhere": "jumped to 0xa0000000",
    "overflow": "ran out of stack",
    "unaligned": "at no multiple of 4",
    "float_off": "floating-point unit while it was off",
    "supervisor_call": "no handler for (SVCall)",
    "wipe": "an instruction that this chip does not have",
    "lose_stack": "ran out of stack",
}
NOWHERE = ("overflow", "lose_stack")  # the core could not save where it was
MARKS = SOURCES / "crashes.h"


@pytest.fixture(scope="module")
def crashing(tmp_path_factory):
    """The firmware with crashes.h in it, in the build folder, so that its source is at hand."""
    copy = tmp_path_factory.mktemp("crashing") / "firmware"
    shutil.copytree(FIRMWARE, copy)
    shutil.copy(MARKS, copy / "app")
    main = (copy / "app" / "main.c").read_text()
    for old, new in {
        '#include "requests.h"': '#include "requests.h"\n#include "crashes.h"',
        "requests_answer(": "crash_or_answer(",
        "for (;;) {": "while (!leave) {",
        "        serve();\n    }": "        serve();\n    }\n    return 0;",
    }.items():
        assert old in main
        main = main.replace(old, new)
    (copy / "app" / "main.c").write_text(main)
    return build_firmware(network(SPEC), "exercises/crashing", sources=copy).elf


def crash(board, number):
    with pytest.raises(CrashError) as caught:
        board.link.request(Request.LAYER, bytes([200 + number]))
    return caught.value


@pytest.mark.parametrize("function", CRASHES)
def test_a_crash_is_told_with_its_place_and_ends_with_a_reset(crashing, function):
    """Whatever the program did to memory and stack: kind, function, line; then RESET works."""
    number = list(CRASHES).index(function)
    with board_in_qemu(crashing) as board:
        board.hello()
        error = crash(board, number)
        assert CRASHES[function] in error.what and error.why and error.next_step
        if function not in NOWHERE:
            line = marked_line(function, MARKS.name)
            place = (error.location.function, error.location.line)
            wipe_starts = function == "wipe" and place[0] == "wipe"  # one statement, many lines
            assert place == (function, line) or wipe_starts
        with pytest.raises(CrashError, match=re.escape(error.what)):
            board.hello()
        board.reset()
        assert board.hello().mcu == "stm32f446re"


def test_the_caller_and_a_return_from_main_are_told(crashing):
    with board_in_qemu(crashing) as board:
        assert "called from crash_or_answer() (crashes.h, line" in crash(board, 1).what
        board.reset()
        returned = crash(board, len(CRASHES)).what
        assert "returned from main(), in Reset_Handler() (startup.c" in returned
