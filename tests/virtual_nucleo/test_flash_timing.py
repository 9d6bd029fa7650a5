"""The model of the flash: what the core waits for it, worked out by hand from RM0390 section 3.4.2
and the assumptions at the head of virtual_nucleo/flash.py, to the cycle.

W is the number of wait states. A read takes W + 1 cycles and gives 16 bytes: four instructions of
32 bits or eight of 16.
"""

import struct
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from unicorn import arm_const as arm

from virtual_nucleo.core import Core
from virtual_nucleo.flash import FlashModel
from virtual_nucleo.mcus import FLASH_START, RAM_START, FlashSettings, find_mcu
from virtual_nucleo.timing import REFILL
from virtual_nucleo.watcher import Watcher

MCU = find_mcu("stm32f446re")
CODE, DATA = 0x1000, 0x4000  # from the start of the flash: the start of a line
NOP, WIDE = "bf00", "f3af8000"  # nop, nop.w: a cycle each
WAITS = range(8)


def words(*parts):
    """Machine code from halfwords in hexadecimal."""
    text = "".join(parts)
    return b"".join(struct.pack("<H", int(text[i : i + 4], 16)) for i in range(0, len(text), 4))


def execute(code, settings, registers=(), counting=True):
    """The core after code from its first instruction to its end, what it took, and the flash."""
    flash = bytearray(b"\xff" * 0x8000)
    flash[:8] = struct.pack("<2I", RAM_START + 0x1000, FLASH_START + CODE | 1)
    flash[CODE : CODE + len(code)] = code
    core = Core(MCU, bytes(flash))
    watcher = Watcher(core.uc)
    model = FlashModel(watcher, MCU)
    model.configure(settings)
    model.count(counting)
    watcher.state.budget = 10_000_000
    core.reset()
    for number, value in enumerate(registers):
        core.uc.reg_write(arm.UC_ARM_REG_R0 + number, value)
    end = FLASH_START + CODE + len(code)
    while core.pc != end:  # it stops to have an instruction watched
        core.uc.emu_start(core.pc | 1, end)
        watcher.settle(core.pc)
    return core, watcher.state, model


def count(code, wait_states, registers=(), **chosen):
    """The cycles that code takes, and those that it waits; both caches and the prefetch are on but
    for what is `chosen`."""
    _, state, model = execute(code, FlashSettings(wait_states, **chosen), registers)
    return state.cycles, model.waits


@pytest.mark.parametrize("counting", [False, True])
@pytest.mark.parametrize("place", [0, 1020, 0x3000])
def test_what_follows_a_load_in_an_it_block_is_executed(counting, place):
    """Also where the load is the first of its page, and the next block of code begins while the
    condition does not hold."""
    code = words(
        "f04f33ff",  # mov.w r3, #-1
        "60036043608360c3",  # str r3, [r0, #0], and so on to #12
        "2400",  # movs r4, #0
        "42a1",  # 1: cmp r1, r4
        "bf8c",  # ite hi
        "f8502024",  # ldrhi.w r2, [r0, r4, lsl #2]
        "2200",  # movls r2, #0
        "18ad",  # adds r5, r5, r2
        "3401",  # adds r4, #1
        "2c04",  # cmp r4, #4
        "d3f6",  # bcc 1b: the carry is clear, so that `hi` does not hold there
    )
    for limit in (0, 2, 9):
        registers = [RAM_START + place, limit, 0, 0, 0, 0]
        core, _, _ = execute(code, FlashSettings(5), registers, counting)
        assert core.uc.reg_read(arm.UC_ARM_REG_R5) == -min(limit, 4) & 0xFFFF_FFFF


@pytest.mark.parametrize("w", WAITS)
def test_straight_code_waits_at_each_line(w):
    """Four lines of four instructions; a cache cannot help, each is executed once."""
    for caches in ({}, {"instruction_cache": False, "data_cache": False}):
        assert count(words(WIDE * 16), w, prefetch=False, **caches) == (16 + 4 * w, 4 * w)
        assert count(words(NOP * 32), w, prefetch=False, **caches) == (32 + 4 * w, 4 * w)


@pytest.mark.parametrize("w", WAITS)
def test_the_prefetch_hides_what_a_line_of_instructions_takes(w):
    """RM0390 figure 5: with 3 wait states, code of 32-bit instructions waits once. A line is
    executed in 4 cycles and read in W + 1, from the cycle after that in which the one before came.
    """
    late = max(0, w + 1 - 4)
    assert count(words(WIDE * 16), w) == (16 + w + 3 * late, w + 3 * late)
    assert count(words(NOP * 32), w) == (32 + w, w)  # 8 cycles for a line


def loop(lines, wide=False):
    """Code that fills so many lines: nops, subs r0, #1, and bne.w back to the start of them."""
    first = WIDE * (4 * lines - 2) + "f1b00001" if wide else NOP * (8 * lines - 3) + "3801"
    back = -8 * lines & 0xF_FFFF  # in halfwords, from behind the branch: ARMv7-M ARM A7.7.12, T3
    return words(first, f"{0xF440 | back >> 11 & 0x3F:04x}{0xA800 | back & 0x7FF:04x}")


@pytest.mark.parametrize("w", WAITS)
@pytest.mark.parametrize("times", [1, 2, 10])
def test_a_loop_that_fits_into_the_cache_waits_in_its_first_turn(w, times):
    """Up to 64 lines; from the second turn on it takes what the instructions take."""
    for lines in (1, 3, 64):
        turns = times * (8 * lines - 1) + (times - 1) * REFILL
        cycles = count(loop(lines), w, [times], prefetch=False)
        assert cycles == (turns + lines * w, lines * w)
        assert count(loop(lines), w, [times]) == (turns + w, w)  # the prefetch hides the others
        turns, late = times * 4 * lines + (times - 1) * REFILL, max(0, w + 1 - 4)
        waits = w + (lines - 1) * late  # too late is missed, and copied into the cache
        assert count(loop(lines, True), w, [times]) == (turns + waits, waits)


@pytest.mark.parametrize("w", WAITS)
def test_a_loop_that_does_not_fit_waits_in_every_turn(w):
    """With 65 lines each is thrown out right before it is wanted; without a cache only the line in
    use is kept."""
    for lines, cached, missed in ((65, True, 65), (2, False, 2), (1, False, 0)):
        turns = 10 * (8 * lines - 1) + 9 * REFILL
        found = count(loop(lines), w, [10], prefetch=False, instruction_cache=cached)
        waits = (9 * missed + lines) * w
        assert found == (turns + waits, waits)


@pytest.mark.parametrize("w", WAITS)
def test_a_branch_out_of_the_lines_that_are_known(w):
    """b.n four lines ahead. It waits at least W; a useless prefetch is read to its end first: it
    began in cycle W + 1, so the line is read from 2 W + 2 on, and was wanted in W + 1 + REFILL."""
    code = words("e01e", NOP * (31 + 8))
    assert count(code, w, prefetch=False) == (1 + REFILL + 8 + 2 * w, 2 * w)
    waits = w + (3 * w + 2 - (w + 1 + REFILL)) * (w > 0)
    assert count(code, w) == (1 + REFILL + 8 + waits, waits)


@pytest.mark.parametrize("w", WAITS)
def test_a_literal_load_waits_for_its_line(w):
    """ldr r0, ldr r1, from the same line two lines behind: with the data cache once."""
    code = words("4807", NOP, "4906", NOP * 5)
    assert count(code, w, prefetch=False) == (10 + 2 * w, 2 * w)
    assert count(code, w, prefetch=False, data_cache=False) == (10 + 3 * w, 3 * w)


@pytest.mark.parametrize("w", range(1, 8))
def test_data_and_prefetch_take_turns(w):
    """A prefetch that has not begun gives way to data; one that has begun is ended first."""
    # ldr.w in cycle W wants its data in W + 1, as the prefetch does. That begins in 2 W + 2, and
    # has the line in 3 W + 2, which is wanted in 2 W + 5.
    waits = 2 * w + max(0, w - 3)
    assert count(words("f8df002c", WIDE * 7), w) == (9 + waits, waits)
    # ldr.w in cycle W + 2: the prefetch is under way until 2 W + 1; the data comes in 3 W + 2 and
    # was wanted in W + 3. Then the line of the next instruction is there.
    waits = w + 2 * w - 1
    assert count(words(WIDE * 2, "f8df0024", WIDE * 5), w) == (9 + waits, waits)


@pytest.mark.parametrize("w", WAITS)
def test_a_stream_of_data_waits_at_each_line(w):
    """ldmia r0!, {r1-r4} eight times: 5 cycles and a line each; without a cache a read a word."""
    code, at = words("c81e" * 8), [FLASH_START + DATA]
    assert count(code, w, at, prefetch=False) == (40 + 9 * w, 9 * w)
    assert count(code, w, at, prefetch=False, data_cache=False) == (40 + 33 * w, 33 * w)
    # The prefetch of the next instructions delays the second one: it is read from 2 W + 2 to
    # 3 W + 2, and data is wanted in 2 W + 6.
    waits = 9 * w + max(0, w - 3)
    assert count(code, w, at) == (40 + waits, waits)
    # ldrb r1, [r0, #0 to 7]: 2 cycles, then 1 each
    code = words(*(f"{0x7801 | k << 6:04x}" for k in range(8)))
    assert count(code, w, at, prefetch=False) == (9 + 2 * w, 2 * w)
    assert count(code, w, at, prefetch=False, data_cache=False) == (9 + 9 * w, 9 * w)
    assert count(code, w, [RAM_START], prefetch=False) == (9 + w, w)  # RAM has no wait states


@pytest.mark.parametrize("w", WAITS)
def test_the_line_that_was_not_used_for_the_longest_time_goes(w):
    """Nine lines of data in a cache of eight: line 0, used again, stays, and line 1 goes."""
    loads = [*range(8), 0, 8, 0, 1]  # ldr.w r1, [r0, #16 * line]; of these ten are misses
    code = words(*(f"f8d0{0x1000 | 16 * line:04x}{WIDE}" for line in loads))
    found = count(code, w, [FLASH_START + DATA], prefetch=False)
    assert found == (12 * 3 + 16 * w, 16 * w)  # and 6 lines of code


@pytest.mark.parametrize("place,more", [(0, 0), (1, 2), (2, 1), (3, 2)])
def test_an_access_that_is_made_in_parts_takes_cycles_more(place, more):
    """Cortex-M4 TRM section 3.3.2: ldr r1, [r0], str r1, [r0], ldrh r1, [r0], each behind a nop."""
    for code, cycles, extra in (("6801", 2, more), ("6001", 1, more), ("8801", 2, place % 2)):
        assert count(words(NOP, code), 0, [RAM_START + 64 + place]) == (1 + cycles + extra, 0)


def test_an_access_over_two_lines_waits_for_both():
    """An instruction as well as data: ldr.w r1, [r0] behind seven halfwords, 5 wait states."""
    code, at = words(NOP * 7, "f8d01000", NOP), FLASH_START + DATA
    assert count(code, 5, [at], prefetch=False) == (7 + 2 + 1 + 15, 15)
    assert count(code, 5, [at + 14], prefetch=False) == (7 + 2 + 1 + 1 + 20, 20)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from([NOP, WIDE]), min_size=1, max_size=40), st.sampled_from(WAITS))
def test_no_setting_makes_code_faster_than_its_instructions(parts, w):
    """Cycles are those of the instructions and the waits; none without wait states."""
    for prefetch, cache in product((True, False), repeat=2):
        chosen = {"prefetch": prefetch, "instruction_cache": cache}
        cycles, waits = count(words(*parts), w, **chosen)
        assert cycles == len(parts) + waits and waits >= w
        assert count(words(*parts), 0, **chosen) == (len(parts), 0)
