"""A crashed program is told in plain words (kit.board.crash), with the place in its source, whether
a real board tells it by a FAULT frame or the virtual board saw it itself."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lines import Line

from kit.board import Request
from kit.board.crash import CrashError, crash_error
from kit.board.frame import Frame, encode
from kit.board.link import Link
from kit.board.requests import FAULT
from virtual_nucleo.faults import CFSR, HFSR, BoardFault
from virtual_nucleo.program import Location


def payload(cfsr=0, hfsr=0, pc=0x0800_0100, lr=0x0800_0201, exception=3):
    registers = (0, 1, 2, 3, 12, lr, pc, 1 << 24)
    return struct.pack("<B12I", exception, cfsr, hfsr, 0x11, 0x22, *registers) + b"0123456789abcdef"


@pytest.mark.parametrize(("bit", "name"), [(bit, text[0]) for bit, text in CFSR.items()])
def test_each_kind_of_fault_has_its_words(bit, name):
    error = crash_error(payload(cfsr=1 << bit, hfsr=1 << 30))
    assert CFSR[bit][1].split("{")[0] in error.what and CFSR[bit][2] in error.next_step
    assert f"{name}, FORCED" in error.why
    assert "at 0x08000100" in error.what and "source is not at hand" in error.what


@pytest.mark.parametrize(
    ("registers", "said"),
    [
        ({"cfsr": 1 << 9 | 1 << 15}, "0x00000022"),  # BFARVALID; without, BFAR holds anything
        ({"cfsr": 1 << 9}, "an address"),
        ({"cfsr": 1 << 1 | 1 << 7}, "0x00000011"),  # MMARVALID
        ({"hfsr": 1 << 31}, HFSR[31][1]),
        ({"exception": 2}, "NMI"),
        ({"exception": 21}, "interrupt 5"),
        ({"cfsr": 1 << 12, "pc": 0, "lr": 0}, "stack pointer was not in RAM"),
    ],
)
def test_the_words_name_what_the_core_tells(registers, said):
    assert said in str(crash_error(payload(**registers)))


@given(st.binary(max_size=80))
def test_whatever_a_fault_frame_holds_it_is_an_error_to_read(data):
    assert "crashed" in str(crash_error(data)) or "on the board" in str(crash_error(data))


def crashed(request, count):
    """Half a reply, which the crash has cut off; then the FAULT frame."""
    return b"\0half a reply" + encode(Frame(FAULT, 77, payload(cfsr=1 << 25)))


def test_a_crash_in_the_middle_of_a_reply_is_told():
    """The frame that was cut off is no reason to ask again: the FAULT frame follows it."""
    line = Line(crashed)
    with pytest.raises(CrashError, match="divided by zero"):
        Link(line, 0.2).request(Request.HELLO)
    assert line.requests == 1


@pytest.mark.parametrize("raised", [True, False])
def test_a_virtual_board_knows_more_about_a_crash_and_is_believed(raised):
    """It saw the fault itself; whether reading raises it or it is told beside the FAULT frame, it
    is the same error as that of a real board."""
    where = Location("main", "main.c", 7)
    fault = BoardFault("It wrote to flash.", "Flash is no RAM.", "Do not.", where, 0x0800_0100)

    def peer(request, count):
        if raised:
            raise fault
        return crashed(request, count)

    line = Line(peer)
    line.inside, line.failure, line.take_cycle_estimates = line, fault, list
    with pytest.raises(CrashError, match="wrote to flash") as caught:
        Link(line, 0.2).request(Request.HELLO)
    assert (caught.value.why, caught.value.next_step) == ("Flash is no RAM.", "Do not.")
    assert caught.value.location.line == 7


def test_a_damaged_program_of_another_board_does_not_hide_a_crash(tmp_path, monkeypatch):
    """The sources of a crash are looked for in every program there is."""
    monkeypatch.setenv("KIT_BUILD", str(tmp_path))
    for place, content in (("firmware.elf", b""), ("virtual/x.elf", b"\x7fELF" * 20)):
        (tmp_path / place).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / place).write_bytes(content)
    assert "divided by zero" in crash_error(payload(cfsr=1 << 25)).what
