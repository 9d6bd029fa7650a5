"""Flashing a real board uses the tool at hand and says what happened.

No probe is needed: the tools are stand-ins, small scripts that keep how they were called.
"""

import os
from importlib import import_module

import pytest
from networks import Spec, make

from kit.board import flash
from kit.compile import build
from kit.errors import KitError
from kit.generate import generate

FLASH = import_module("kit.board.flash")  # the package gives the function of that name
PORT = "COM5"  # any real port: the ST-LINK is found by the tool
TOOLS = ["STM32_Programmer_CLI", "openocd", "st-flash", "pyocd"]  # in the order of preference

pytestmark = pytest.mark.skipif(os.name == "nt", reason="the stand-ins are shell scripts")


@pytest.fixture(scope="module")
def elf(tmp_path_factory):
    folder = tmp_path_factory.mktemp("a path with spaces")
    spec = Spec(20, (5,), None, True, True, True, True, 0.3, 1)
    return build(generate(make(spec, folder / "small.tflite"), folder / "network"), folder).elf


@pytest.fixture
def computer(tmp_path, monkeypatch):
    """A computer with no flashing tool and no board; tools can be added."""
    bin_folder = tmp_path / "bin"
    bin_folder.mkdir()
    (tmp_path / "drives").mkdir()
    monkeypatch.setenv("PATH", str(bin_folder))
    monkeypatch.setattr(FLASH, "CUBE_FOLDERS", ())
    monkeypatch.setattr(FLASH, "drives", lambda: sorted((tmp_path / "drives").iterdir()))
    return tmp_path


def add_tool(computer, name, code=0):
    """A stand-in: keeps its arguments and a copy of the file it was given."""
    script = computer / "bin" / name
    script.write_text(
        f'#!/bin/sh\nprintf "%s\\n" "$@" > "{computer}/{name}.called"\n'
        f'for word in "$@"; do [ -f "$word" ] && /bin/cp "$word" "{computer}/{name}.file"; done\n'
        f'echo "{name} speaking"\nexit {code}\n'
    )
    script.chmod(0o755)


def add_drive(computer, name="NODE_F446RE"):
    folder = computer / "drives" / name
    folder.mkdir()
    (folder / "MBED.HTM").touch()
    return folder


@pytest.mark.parametrize("name", TOOLS)
def test_each_tool_gets_the_program(computer, elf, name):
    """The file that the tool is given holds the program; st-flash takes the flat image."""
    add_tool(computer, name)
    assert name in flash(PORT, elf)
    called = (computer / f"{name}.called").read_text()
    if name == "openocd":
        assert f"program {{{elf.as_posix()}}} verify reset exit" in called
        return
    flat = name == "st-flash"
    given = (computer / f"{name}.file").read_bytes()
    assert given == (elf.with_suffix(".bin") if flat else elf).read_bytes()


@pytest.mark.parametrize("first", range(len(TOOLS)))
def test_the_first_of_several_tools_is_used(computer, elf, first):
    for name in TOOLS[first:]:
        add_tool(computer, name)
    flash(PORT, elf)
    assert [path.stem for path in computer.glob("*.called")] == [TOOLS[first]]


def test_a_tool_that_fails_is_quoted(computer, elf):
    """Its words, the command, and what to look at; no other tool is tried behind its back."""
    add_tool(computer, "openocd", code=1)
    add_tool(computer, "st-flash")
    with pytest.raises(KitError, match="OpenOCD could not write") as error:
        flash(PORT, elf)
    assert "openocd speaking" in error.value.why and "-f board/st_nucleo_f4.cfg" in error.value.why
    assert "cable" in error.value.next_step
    assert not (computer / "st-flash.called").exists()


def test_without_a_tool_the_drive_takes_the_image(computer, elf):
    drive = add_drive(computer)
    (computer / "drives" / "stick").mkdir()
    assert str(drive) in flash(PORT, elf)
    assert (drive / "firmware.bin").read_bytes() == elf.with_suffix(".bin").read_bytes()


def test_two_boards_are_not_guessed_at(computer, elf):
    for name in ("NODE_F446RE", "NODE_F401RE"):
        add_drive(computer, name)
    with pytest.raises(KitError, match="Several boards"):
        flash(PORT, elf)


def test_nothing_to_flash_with(computer, elf):
    with pytest.raises(KitError, match="nothing to flash") as error:
        flash(PORT, elf)
    assert "virtual://" in error.value.next_step
