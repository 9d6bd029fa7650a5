"""The virtual NUCLEO-F446RE: what it executes, keeps, counts, and says when a program goes wrong.

Each test compiles a small C program for the Cortex-M4 (the folder firmware), flashes it and talks
to it through pyserial, as everything above the virtual board does.
"""

import re
import struct
import weakref
from pathlib import Path

import numpy as np
import pytest
import serial
from bare import ask, marked_line, word

from virtual_nucleo import chip, store  # importing it registers virtual://
from virtual_nucleo.errors import VirtualError
from virtual_nucleo.faults import BoardFault
from virtual_nucleo.peripherals import Gpio
from virtual_nucleo.program import Program
from virtual_nucleo.usart import garbling

# The port


@pytest.mark.parametrize("slice_", [chip.SLICE, 5])
def test_echo_comes_back_byte_for_byte(board, monkeypatch, slice_):
    """Every byte value crosses in both directions, in order, from the first one on; also where the
    CPU stops after every few instructions."""
    monkeypatch.setattr(chip, "SLICE", slice_)
    port, message = board("echo"), bytes(range(256)) * 6
    assert ask(port, message, len(message)) == message and port.inside.complaints == []


def test_port_behaves_as_pyserial_promises(board):
    """in_waiting, out_waiting, the buffers' resets and a closed port, as in pyserial's manual."""
    port = board("echo")
    port.write(b"abc")
    assert port.out_waiting == 3
    assert port.in_waiting == 3 and port.out_waiting == 0
    port.reset_input_buffer()
    assert port.in_waiting == 0
    port.write(b"abc")
    port.reset_output_buffer()
    assert port.read(3) == b""
    port.close()
    with pytest.raises(serial.PortNotOpenError):
        port.read(1)
    port.open()
    assert ask(port, b"again", 5) == b"again"


def test_a_closed_board_leaves_nothing_behind(board):
    """Nor its memory: C keeps nothing of it alive."""
    port = board("echo")
    assert ask(port, b"a", 1) == b"a"
    parts = [weakref.ref(part) for part in (port.inside.usart, port.inside.core.uc)]
    port.close()
    assert [part() for part in parts] == [None, None]


@pytest.mark.parametrize("timeout", [0, 0.5, None])
def test_reading_from_a_waiting_program_returns_short(board, timeout):
    """A program that waits for the host has nothing to add: no timeout is slept through."""
    assert ask(board("echo", timeout=timeout), b"abc", 10) == b"abc"


def test_a_stuck_program_does_not_hang_the_host(board):
    """An endless loop ends at the timeout, and the reset button brings the program back."""
    port = board("commands", timeout=0.05)
    assert ask(port, b"l", 1) == b""
    port.reset()
    assert ask(port, b"?", 1) == b"?"


def test_a_program_that_never_stops_sending_can_be_read(board):
    """A read ends with its bytes although the program never waits for the host."""
    port = board("commands")
    assert ask(port, b"s", 100) == b"x" * 100
    assert port.read(5) == b"xxxxx"


# The flash


@pytest.mark.parametrize("other", ["virtual://bob", "virtual://"])
def test_flash_keeps_its_content(board, other):
    """Between sessions, whatever another board gets; and a board that runs goes on with what it
    started with."""
    first = board("shapes", "VERSION=65")
    second = board("shapes", "VERSION=66", url=other)
    assert first.read(1) + second.read(1) == b"AB"
    first.close()
    assert board().read(1) == (b"A" if "bob" in other else b"B")


def test_an_empty_flash_says_so(board):
    """A fresh board does not pretend to run: the error names the command that helps."""
    port = board()
    with pytest.raises(VirtualError, match="flash of this virtual board is empty") as caught:
        port.read(1)
    assert "store.program" in caught.value.next_step
    with pytest.raises(VirtualError, match="empty"):
        port.write(b"x")


HOST_ELF = struct.pack("<16sHHIQQQIHHHHHH", b"\x7fELF\2\1\1", 2, 62, 1, *[0] * 4, 64, *[0] * 5)


def test_what_is_no_program_for_the_chip_is_refused(board, compiler, tmp_path):
    """A wrong file never reaches the flash: what was there still runs."""
    board("shapes", "VERSION=65")
    (tmp_path / "text.elf").write_text("not an ELF")
    (tmp_path / "host.elf").write_bytes(HOST_ELF)
    cases = {
        tmp_path / "missing.elf": "not a program for the chip",
        tmp_path / "text.elf": "not a program for the chip",
        tmp_path / "host.elf": "64-bit EM_X86_64",
        compiler("shapes", "VERSION=66", f"PADDING={512 << 10}"): "does not fit",
        compiler("shapes", "VERSION=1", "STACK_TOP=0x10000000"): "vector table",
        compiler("rules", "F401", "BEYOND_RAM"): "vector table of the STM32F401RE",  # 128 of 96 KB
    }
    for path, message in cases.items():
        with pytest.raises(VirtualError, match=message):
            store.program("default", path)
    assert board().read(1) == b"A"
    nearly_full = f"PADDING={(512 << 10) - 4096}"  # the limit is the chip's, not ours
    assert board("shapes", "VERSION=67", nearly_full).read(1) == b"C"


# The CPU


def signed16(value):
    return np.array([value], np.uint32).view(np.int16).astype(np.int64)


@pytest.mark.parametrize("seed", range(4))
def test_dsp_instructions_compute_right(board, seed):
    """SMLAD, SXTB16, SSAT and UDIV against numpy on random operands."""
    generator = np.random.default_rng(seed)
    a, b, c = (int(x) for x in generator.integers(0, 2**32, 3))
    answer = np.frombuffer(ask(board("arithmetic"), struct.pack("<3I", a, b, c), 24), "<u4")
    smlad = (int((signed16(a) * signed16(b)).sum()) + c) % 2**32
    pair = np.array([a >> 8], np.uint32).view(np.int8)[[0, 2]].astype(np.int16).view(np.uint32)[0]
    clipped = int(np.clip(np.int32(np.uint32(a)), -128, 127)) % 2**32
    np.testing.assert_array_equal(answer[:4], [smlad, pair, clipped, a // b if b else 0])


def test_float_instructions_compute_right(board):
    """VFMA rounds once and VDIV is the IEEE quotient, as numpy computes them."""
    a, b, c = np.float32(1.1), np.float32(-3.3), np.float32(3.6300004)
    answer = np.frombuffer(ask(board("arithmetic"), struct.pack("<3f", a, b, c), 24), "<f4")
    fused = np.float32(np.longdouble(a) * np.longdouble(b) + np.longdouble(c))
    np.testing.assert_array_equal(answer[4:], [fused, a / b])


def test_float_without_switching_the_unit_on_is_a_fault(board):
    """On a real chip this program stops at its first float; here too, at that line."""
    port = board("float_off")
    assert port.read(2) == b"a"
    with pytest.raises(BoardFault, match="floating-point unit while it was off") as caught:
        port.read(1)
    assert caught.value.location.line == marked_line("main", "float_off.c")
    assert "NOCP" in caught.value.why and "CPACR" in caught.value.next_step


COUNTS = [1, 4, 4, 32, 6, 9, 5, 4, 3001, 30001, 5, 835587, 5, 3, 2, 4]


@pytest.mark.parametrize("slice_, cases", [(chip.SLICE, len(COUNTS)), (5, 9)])
def test_cyccnt_is_the_exact_number_of_instructions(board, monkeypatch, slice_, cases):
    """The counts worked out by hand beside each stretch of code in counting.c, however often
    counting is interrupted: loops, calls, IT blocks, 16 and 32 bit instructions, code over several
    pages, reads in the middle of a block, the counter set, switched on and switched off."""
    monkeypatch.setattr(chip, "SLICE", slice_)
    port = board("counting")
    assert [word(port, bytes([case])) for case in range(cases)] == COUNTS[:cases]


def test_counting_is_exact_while_host_and_program_take_turns(board):
    """Empty polls stop the CPU in mid-block and start it again: nothing is lost or doubled."""
    port = board("counting")
    port.write(b"\x10")
    assert [port.read(4) for _ in range(3)] == [b""] * 3
    assert word(port, b"x") == 4


# The peripherals


@pytest.mark.parametrize("forgotten", ["FORGET_PORT_CLOCK", "FORGET_UART_CLOCK", "FORGET_FUNCTION"])
def test_what_a_program_forgets_to_set_up_does_not_work(board, forgotten):
    """Without its clock or its pins a UART is silent, as on the real chip."""
    port = board("echo", forgotten, url="virtual://?strict=off", timeout=0.1)
    assert ask(port, b"hello", 5) == b""


@pytest.mark.parametrize("request_, answer", [(b"k", b"k"), (b"t", b"ttt0"), (b"W", b"W")])
def test_the_core_answers_as_a_real_one(board, request_, answer):
    """AIRCR does nothing without its key; SysTick flags each wrap until it is read; WFI gives the
    host its turn and the program goes on (PM0214, AIRCR, section 4.5, WFI)."""
    assert ask(board("commands"), request_, len(answer)) == answer


def test_a_reset_keeps_the_ram_and_what_was_sent(board):
    """AIRCR starts the program again, and so does the black button, which is no power cycle."""
    port = board("commands")
    port.write(b"w\x78\x56\x34\x12" + b"R")
    assert port.read(1) == b"!" and word(port, b"r") == 0x12345678
    port.write(b"i")
    port.flush()
    port.reset()
    assert port.read(4)[:2] == (0x421).to_bytes(2, "little")
    assert word(port, b"r") == 0x12345678


def test_led_and_button(board):
    """LD2 follows PA5 and counts its changes; B1 pulls PC13 low."""
    port = board("echo")
    assert not port.led
    for text, lit, changes in ((b"a", True, 1), (b"c", True, 1), (b"b", False, 2)):
        ask(port, text, 1)
        assert (port.led, port.inside.led_changes) == (lit, changes)
    port = board("commands")
    assert ask(port, b"b", 1) == b"\x01"
    port.press_button(True)
    assert ask(port, b"b", 1) == b"\x00"


def test_bsrr_sets_and_clears_and_set_wins():
    """RM0390 section 7.4.7: bits 15:0 set, bits 31:16 reset, and set has priority."""
    port = Gpio("GPIOA")
    port.write(0x14, 0b1100)
    port.write(0x18, 0b0100 << 16 | 0b0001)
    assert port.read(0x14) == 0b1001
    port.write(0x18, 0b1000 << 16 | 0b1000)
    assert port.read(0x14) == 0b1001


# Baud rate


@pytest.mark.parametrize("baud", [9600, 115200, 921600])
def test_matching_baud_rates_understand_each_other(board, baud):
    """The rate is worked out from BRR and the clocks, at slow and fast rates."""
    port = board("echo", f"BAUD={baud}", baudrate=baud)
    assert ask(port, b"same rate", 9) == b"same rate"


def test_wrong_baud_rate_garbles_until_it_is_put_right(board):
    """A wrong rate spoils every byte, in the same way each time; the port can be corrected."""
    port = board("echo", baudrate=9600)
    first, second = ask(port, b"hello", 5), ask(port, b"hello", 5)
    assert first == second and all(a != b for a, b in zip(first, b"hello", strict=True))
    port.baudrate = 115200
    assert ask(port, b"hello", 5) == b"hello"


@pytest.mark.parametrize("ratio, spoiled", [(1.015, 0), (0.985, 0), (1.03, 256), (0.5, 256)])
def test_two_percent_is_the_limit(ratio, spoiled):
    """Within the receiver's tolerance nothing changes, outside it no byte arrives as it was."""
    table = garbling(115200 * ratio, 115200) or bytes(range(256))
    assert sum(entry & 0xFF != i for i, entry in enumerate(table)) == spoiled


def test_pll_changes_the_baud_rate_with_the_clock(board):
    """After the switch to 180 MHz the same rate needs another BRR; the program sets both right."""
    port = board("commands")
    assert ask(port, b"p", 1) == b"p"
    assert word(port, b"i") & 0xFFF == 0x421


# Faults


FAULTS = {
    "write_flash": (0, "wrote to 0x08000010, which is flash and locked"),
    "read_nothing": (1, "read 0x10000000, where this chip has nothing"),
    "write_nothing": (2, "wrote to 0x60000000, where this chip has nothing"),
    "jump_nowhere": (3, "jumped to 0x30000000, where there is no code"),
    "breakpoint": (4, "stopped at a breakpoint instruction"),
    "undefined": (5, "instruction that this chip does not have"),
    "supervisor_call": (6, "supervisor call"),
    "unknown_peripheral": (7, "does not model"),
    "neighbor_peripheral": (8, "0x40004804, which is USART3, and the virtual board does not"),
    "interrupts": (9, "enabled an interrupt"),
    "overflow": (10, "the stack has overflowed"),
    "inlined": (11, "wrote to 0x08000020"),
    "call_null": (12, "jumped to 0x00000000, an even address"),
}


@pytest.mark.parametrize("function", FAULTS)
def test_faults_name_the_function_and_line(board, function):
    """Each kind of fault says what happened, where in the C source, and what to do."""
    port, (code, message) = board("faults"), FAULTS[function]
    with pytest.raises(BoardFault, match=re.escape(message)) as caught:
        ask(port, bytes([code]), 1)
    fault = caught.value
    assert (fault.location.function, fault.location.line) == (function, marked_line(function))
    assert Path(fault.location.file).name == "faults.c"
    assert fault.why and fault.next_step and isinstance(fault, serial.SerialException)


@pytest.mark.parametrize(
    "name, request_, message",
    [
        ("commands", b"m", r"own fault handler, in give_up\(\)"),  # where the vectors lead
        ("faults", b"\x00", r"called from main\(\) \(faults.c, line \d+\)"),
    ],
)
def test_a_fault_names_its_handler_and_its_caller(board, name, request_, message):
    with pytest.raises(BoardFault, match=message):
        ask(board(name), request_, 1)


def test_a_fault_stays_until_reset(board):
    """A failed board answers nothing but its fault; the reset button ends that."""
    port = board("faults")
    for call in (lambda: ask(port, b"\x00", 1), lambda: port.read(1), lambda: port.write(b"x")):
        with pytest.raises(BoardFault, match="write_flash"):
            call()
    port.reset()
    assert ask(port, b"\xff", 1) == b"?"


def test_locate_answers_for_any_address(compiler, tmp_path):
    """Code has a place; what is no code has an empty one."""
    assert not str(Program(compiler("faults")).locate(0x2000_0000))
