# ruff: noqa: F811 (a fixture that is imported, and asked for by its name)
"""kit.board.flashing: a program goes to the board that is meant by the way that is there, and is
looked for afterwards.

No probe is needed: the tools are stand-ins, small scripts that keep how they were called, the drive
is a folder, and the board is a virtual one behind a network port.
"""

import os
import threading
import time
from importlib import import_module
from types import SimpleNamespace

import made
import pytest
import usb
from networks import EXAMPLE, Spec
from real_board import SUCCESS, add_tool, line  # noqa: F401

from kit import cli
from kit.board import Board, confirm, flash, ports, probes
from kit.board.flashing import WAYS, drive, tools
from kit.boards import DEFAULT, MCUS
from kit.compile import Program, build_firmware
from kit.compile.toolchain import run_tool, zig
from kit.errors import KitError

FLASH = import_module("kit.board.flashing")  # the package gives the function of that name
PORT = "COM5"  # any real port: the ST-LINK is found by the tool
F401 = MCUS["stm32f401re"]
PROGRAMS = list(SUCCESS)

pytestmark = pytest.mark.skipif(os.name == "nt", reason="the stand-ins are shell scripts")


def program(outputs, mcu=DEFAULT):
    """A program around a network with `outputs` outputs; each number makes another one."""
    return made.firmware(Spec(20, (outputs,), None, True, True, True, True, 0.3, 1), mcu).elf


@pytest.fixture(scope="module")
def elf(tmp_path_factory):
    """In a folder of its own, with spaces in its path, and with its image beside it."""
    folder, source = tmp_path_factory.mktemp("a path with spaces"), program(5)
    for suffix in (".elf", ".bin"):
        (folder / f"firmware{suffix}").write_bytes(source.with_suffix(suffix).read_bytes())
    return folder / "firmware.elf"


@pytest.fixture(scope="module")
def other_elf():
    return program(6)


@pytest.fixture
def computer(tmp_path, monkeypatch):
    """A computer with no flashing tool, no board and no patience; all can be added. Every port that
    is named is there."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "drives").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setattr(tools, "CUBE_FOLDERS", ())
    monkeypatch.setattr(probes, "places", lambda: sorted((tmp_path / "drives").iterdir()))
    monkeypatch.setattr(probes.list_ports, "comports", list)
    monkeypatch.setattr(FLASH, "BACK_SECONDS", 1.0)
    monkeypatch.setattr(drive, "BACK_SECONDS", 1.0)
    monkeypatch.setattr(FLASH, "require", lambda url: None)
    return tmp_path


@pytest.fixture
def trusting(monkeypatch):
    """No board answers at the port of a stand-in, so its hello is left out."""
    monkeypatch.setattr(FLASH, "_greet", lambda url, elf, how: None)


def called(computer):
    """The tools that were started."""
    return [path.stem for path in computer.glob("*.called")]


def add_drive(computer, *names):
    return usb.add_drive(SimpleNamespace(drives=computer / "drives"), *names)


def plug_in(monkeypatch, *ports):
    monkeypatch.setattr(probes.list_ports, "comports", lambda: list(ports))


# --- What is no program ---------------------------------------------------------------------------

ARM = ("-target", "thumb-freestanding-eabihf", "-mcpu=cortex_m4")
COMPILED = {
    "a PC program": ("-Wl,-e,main",),
    "an Arm object": (*ARM, "-c"),
    "a shared library": ("-target", "arm-linux-gnueabihf", "-shared", "-fPIC"),
    "linked elsewhere": (*ARM, "-Wl,-e,main"),
}
CONTENTS = {
    "cut off": lambda elf: elf[: len(elf) // 3],
    "empty": lambda elf: b"",
    "a text": lambda elf: b"C",
}


def no_program(kind, elf, folder):
    """A file of this kind: each looks like a program to somebody."""
    path, source = folder / "firmware.elf", folder / "main.c"
    if kind in COMPILED:
        source.write_text("int main(void) { return 0; }")
        words = ("-nostdlib", "-fno-sanitize=all", source, "-o", path)
        run_tool([zig(), "cc", *COMPILED[kind], *words], "Compiling")
    elif kind in CONTENTS:
        path.write_bytes(CONTENTS[kind](elf.read_bytes()))
    elif kind == "a folder":
        path.mkdir()
    return path


def strip(elf, stripped):
    """Segments are all that is left: no table of sections (e_shoff, e_shnum, e_shstrndx are 0)."""
    content = bytearray(elf.read_bytes())
    content[32:36], content[48:52] = bytes(4), bytes(4)
    stripped.write_bytes(content)
    return stripped


@pytest.mark.parametrize("kind", [*COMPILED, *CONTENTS, "a folder", "missing"])
def test_what_is_no_program_goes_to_no_board(computer, elf, tmp_path, kind):
    """Refused before a tool is started, and alike for a real board and for a virtual one."""
    add_tool(computer, "openocd")
    wrong = no_program(kind, elf, tmp_path)
    flash("virtual://wrong", elf)
    said = set()
    for url in (PORT, "virtual://wrong"):
        with pytest.raises(KitError, match=r"not a program|does not fit|no vector") as error:
            flash(url, wrong)
        said.add(str(error.value))
    assert len(said) == 1 and not called(computer)
    with Board("virtual://wrong") as board:
        assert confirm(board, elf)


def test_a_stripped_program_is_one(computer, elf, line, tmp_path):
    """Without symbols it tells neither build nor names; it is flashed and compared by content."""
    add_tool(computer, "st-flash")
    stripped = strip(elf, tmp_path / "stripped.elf")
    whole, bare = Program(elf), Program(stripped)
    assert bare.build_id == "" and bare.flash_image == whole.flash_image
    done = flash(line(stripped), bare)
    assert done.hello.build_id == whole.build_id and "st-flash" in done.how


# --- By a tool ------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", PROGRAMS)
def test_each_tool_gets_the_program(computer, elf, trusting, capsys, name):
    """The file that the tool is given holds the program, flat or as ELF; what is picked and its
    command line are said before it runs, and in the result."""
    add_tool(computer, name)
    done = flash(PORT, elf)
    err = capsys.readouterr().err
    assert done.command in str(done) and done.command in err and name in err
    called = (computer / f"{name}.called").read_text()
    if name == "openocd":
        assert f"program {{{elf.as_posix()}}} verify reset exit" in called
        return
    flat = name in ("st-flash", "STM32_Programmer_CLI")
    given = (computer / f"{name}.file").read_bytes()
    assert given == (elf.with_suffix(".bin") if flat else elf).read_bytes()


@pytest.mark.parametrize("first", range(len(PROGRAMS)))
def test_the_first_of_several_tools_is_used(computer, elf, trusting, first):
    """In the order of the README, whatever else is there; `--tool` overrules it."""
    for name in PROGRAMS[first:]:
        add_tool(computer, name)
    flash(PORT, elf)
    assert called(computer) == [PROGRAMS[first]]
    flash(PORT, elf, tool=PROGRAMS[-1])
    assert set(called(computer)) == {PROGRAMS[first], PROGRAMS[-1]}


@pytest.mark.parametrize(("name", "what"), [("openocd", "not found"), ("dfu", "not one of")])
def test_a_tool_that_cannot_be_chosen(computer, elf, name, what):
    """Not installed, or not known: nothing else is used in its place."""
    add_tool(computer, "st-flash")
    with pytest.raises(KitError, match=what):
        flash(PORT, elf, tool=name)
    assert not called(computer)


def test_a_tool_that_fails_is_quoted(computer, elf):
    """Its words, the command, and another way; none is tried behind its back."""
    add_tool(computer, "openocd", code=1, says="Error: init mode failed")
    add_tool(computer, "st-flash")
    with pytest.raises(KitError, match="does not reach the chip") as error:
        flash(PORT, elf)
    assert "Error: init mode failed" in error.value.why
    assert "-f board/st_nucleo_f4.cfg" in error.value.why
    assert "kit flash --tool st-flash" in error.value.next_step
    assert called(computer) == ["openocd"]


def test_the_image_beside_the_program_is_used(computer, elf, trusting, tmp_path):
    """A shown command line can be typed again; an older image is not written by mistake."""
    add_tool(computer, "st-flash")
    assert str(elf.with_suffix(".bin")) in flash(PORT, elf).command
    moved = tmp_path / "firmware.elf"
    moved.write_bytes(elf.read_bytes())
    (tmp_path / "firmware.bin").write_bytes(b"older")
    assert str(tmp_path / "firmware.bin") not in flash(PORT, moved).command
    assert (computer / "st-flash.file").read_bytes() == elf.with_suffix(".bin").read_bytes()


NO_CORE, NO_PROBE = "Error: Unable to get core ID", "Error: open failed"


@pytest.mark.parametrize(
    ("stand_in", "what"),
    [
        ({"says": NO_CORE}, "does not reach the chip"),  # exit code 0 alone is no success
        ({"code": 1, "says": NO_PROBE}, "OpenOCD finds no ST-LINK"),
        ({"script": "#!/bin/sh\necho so far\nexec /bin/sleep 60\n"}, "did not come to an end"),
        ({"script": "#!/nowhere\n"}, "cannot be started"),
    ],
)
def test_a_tool_that_fails_in_its_own_way(computer, elf, monkeypatch, stand_in, what):
    """After a bounded time, with what it said until then. No other tool is recommended where none
    could find what is not there."""
    add_tool(computer, "openocd", **stand_in)
    add_tool(computer, "st-flash")
    monkeypatch.setattr(tools, "TIME_LIMIT", 0.5)
    with pytest.raises(KitError, match=what) as error:
        flash(PORT, elf)
    assert stand_in.get("says", "so far" if "end" in what else "") in error.value.why
    assert ("--tool" in error.value.next_step) == (NO_PROBE not in error.value.why)


@pytest.mark.parametrize(
    ("name", "says"),
    [("STM32_Programmer_CLI", "Device ID   : 0x4%s"), ("openocd", "device id = 0x100064%s")],
)
def test_another_chip_is_noticed_by_its_device_id(computer, elf, trusting, name, says):
    """The tools write any STM32F4; a program for the F446 on an F401 would only not run. The
    revision in the high bits does not matter."""
    add_tool(computer, name, says=f"{says % '21'}\n{SUCCESS[name]}")
    assert flash(PORT, elf)
    add_tool(computer, name, says=f"{says % '33'}\n{SUCCESS[name]}")
    with pytest.raises(KitError, match="another chip: STM32F401RE") as error:
        flash(PORT, elf)
    assert "--mcu" in error.value.next_step


# --- Which board ----------------------------------------------------------------------------------

TWO = (usb.ONE, usb.OTHER)


@pytest.mark.parametrize("name", PROGRAMS)
@pytest.mark.parametrize("port", TWO, ids=lambda port: port.device)
def test_of_several_boards_the_one_at_the_port_is_written(
    computer, elf, trusting, monkeypatch, name, port
):
    """The tool is told the serial number of the ST-LINK whose port was named. Where there is one,
    it is not: very old ones have numbers that no command line can hold."""
    add_tool(computer, name)
    for plugged, told in ((TWO, True), ([port], False)):
        plug_in(monkeypatch, *plugged)
        flash(port.device, elf)
        words = (computer / f"{name}.called").read_text()
        assert (port.serial_number in words.replace("=", " ").replace("}", " ").split()) == told


def test_a_port_that_is_not_there_is_noticed(computer, elf, trusting, monkeypatch, capsys):
    """Before a tool is started, with the ports that are; "auto" and the port of an ST-LINK need no
    look."""
    monkeypatch.setattr(FLASH, "require", ports.require)
    plug_in(monkeypatch, TWO[0])
    add_tool(computer, "openocd")
    with pytest.raises(KitError, match="COM5 cannot be opened") as error:
        flash(PORT, elf)
    assert "/dev/ttyACM0" in error.value.why and not called(computer)
    assert capsys.readouterr().err == ""
    for url in ("auto", "/dev/ttyACM0"):
        assert flash(url, elf).url == "/dev/ttyACM0"


def test_a_port_of_no_board_among_several_is_refused(computer, elf, monkeypatch):
    """Any of them could be meant; writing the wrong one would destroy what it holds."""
    plug_in(monkeypatch, *TWO)
    add_tool(computer, "openocd")
    with pytest.raises(KitError, match="not known") as error:
        flash("/dev/ttyUSB7", elf)
    assert "/dev/ttyACM1" in error.value.why and not called(computer)


def test_a_board_with_another_chip_is_not_written(computer, elf, monkeypatch):
    """Its drive names the board: nothing has to be destroyed to find out."""
    plug_in(monkeypatch, TWO[0])
    add_drive(computer, "NODE_F401RE", "0720")
    add_tool(computer, "openocd")
    with pytest.raises(KitError, match="another chip: NUCLEO-F401RE"):
        flash("/dev/ttyACM0", elf)
    assert not called(computer)


# --- By the drive ---------------------------------------------------------------------------------


class StLink(threading.Thread):
    """Plays the ST-LINK behind a drive: when a file has come whole, the drive vanishes and is back
    after a moment, without the file, and with FAIL.TXT when something failed."""

    def __init__(self, drive, fail=""):
        super().__init__(daemon=True)
        self.drive, self.fail, self.written = drive, fail, b""
        self.start()

    def run(self):
        copied = self.drive / "firmware.bin"
        while not (copied.exists() and copied.stat().st_size):
            time.sleep(0.01)
        time.sleep(0.1)
        self.written = copied.read_bytes()
        away = self.drive.parent.parent / "away"
        self.drive.rename(away)
        time.sleep(0.3)
        (away / "firmware.bin").unlink()
        (away / "FAIL.TXT").unlink(missing_ok=True)
        if self.fail:
            (away / "FAIL.TXT").write_text(self.fail)
        away.rename(self.drive)


def test_without_a_tool_the_drive_takes_the_image(computer, elf, trusting, capsys):
    """The whole image is copied; flash() waits until the drive is back. `--tool drive` chooses it
    also where a tool is there."""
    drive = add_drive(computer)
    (computer / "drives" / "stick").mkdir()
    for tool in (None, "drive"):
        st_link = StLink(drive)
        done = flash(PORT, elf, tool)
        assert str(drive) in str(done) and str(drive) in capsys.readouterr().err
        assert st_link.written == elf.with_suffix(".bin").read_bytes()
        assert (drive / "MBED.HTM").exists()
        add_tool(computer, "openocd")
    assert not called(computer)


WORDS = "The interface firmware FAILED to reset/halt the target MCU"


@pytest.mark.parametrize(("before", "fail"), [("", WORDS), (WORDS, WORDS), ("SWD ERROR", "")])
def test_the_drives_own_words_are_read(computer, elf, trusting, before, fail):
    """FAIL.TXT is the only way in which an ST-LINK says that it did not write. What failed
    yesterday is gone when the drive comes back without it."""
    drive = add_drive(computer)
    if before:
        (drive / "FAIL.TXT").write_text(before)
    StLink(drive, fail)
    if not fail:
        assert flash(PORT, elf)
        return
    with pytest.raises(KitError, match="does not reach the chip") as error:
        flash(PORT, elf)
    assert fail in error.value.why and "CN2" in error.value.next_step


def test_a_drive_that_never_comes_back_is_waited_for_and_no_longer(computer, elf, trusting):
    """A computer without a desktop mounts nothing; whether it worked, the board will say."""
    drive = add_drive(computer)
    threading.Timer(0.3, lambda: drive.rename(computer / "gone")).start()
    assert flash(PORT, elf)


def test_a_full_drive_is_explained(computer, elf, monkeypatch):
    """An ST-LINK without a chip shows a drive of a few kilobytes: that is the reason to give."""
    add_drive(computer)

    def full(file):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(drive.os, "fsync", full)
    with pytest.raises(KitError, match="drive of the board is full") as error:
        flash(PORT, elf)
    assert "does not reach the chip" in error.value.why


@pytest.mark.parametrize(
    ("drives", "what", "said"),
    [
        ([], "nothing to flash", "virtual://"),  # the ways out are named
        ([("NODE_F446RE",), ("NODE_F446RE1",)], "Several boards", "NODE_F446RE1"),
        ([("MBED", "1010")], "another chip", "MBED"),  # other makers' boards have MBED.HTM, too
    ],
)
def test_a_drive_is_not_guessed_at(computer, elf, drives, what, said):
    """There is none, or two and nothing that tells them apart, or another: none is written."""
    places = [add_drive(computer, *names) for names in drives]
    with pytest.raises(KitError, match=what) as error:
        flash(PORT, elf)
    assert said in str(error.value)
    assert not any((place / "firmware.bin").exists() for place in places)


# --- Afterwards -----------------------------------------------------------------------------------


def test_behind_a_network_nothing_is_written(computer, elf, other_elf, line, monkeypatch):
    """A tool would write to whatever ST-LINK is on this computer; the board must have it."""
    add_tool(computer, "st-flash")
    url = line(elf)
    monkeypatch.setitem(WAYS, "socket", WAYS["rfc2217"])
    assert "nothing is written" in str(flash(url, elf))
    with pytest.raises(KitError, match="cannot be flashed from here") as error:
        flash(url, other_elf)
    assert str(other_elf) in error.value.next_step
    assert not called(computer)


def test_a_board_with_another_program_is_an_error(computer, elf, other_elf, line):
    """What the tool believes does not count, what the board says does."""
    add_tool(computer, "st-flash")
    with pytest.raises(KitError, match="runs another program") as error:
        flash(line(other_elf), elf)
    assert "black button" in error.value.next_step


def test_a_board_that_stays_silent_is_an_error(computer, elf):
    """The tool wrote, but nobody answers: both is said."""
    add_tool(computer, "st-flash")
    with pytest.raises(KitError, match="was written, but the board on COM5 does not") as error:
        flash(PORT, elf)
    assert "st-flash wrote it" in error.value.why


def test_a_bare_program_is_not_greeted(computer, tmp_path):
    """It speaks no protocol: silence is no error, and none of it is sent to the network."""
    add_tool(computer, "st-flash")
    elf = build_firmware(made.network(EXAMPLE), tmp_path, bare=True).elf
    assert flash(PORT, elf).hello is None


def test_confirm_compares_build_and_content(elf, other_elf, tmp_path):
    """The build id alone would miss a program whose bytes were damaged on the way."""
    flash("virtual://confirmed", elf)
    damaged = tmp_path / "firmware.elf"
    content = bytearray(elf.read_bytes())
    content[content.index(elf.with_suffix(".bin").read_bytes()[:64]) + 32] ^= 1
    damaged.write_bytes(content)
    with Board("virtual://confirmed") as board:
        assert confirm(board, elf).build_id == Program(elf).build_id == Program(damaged).build_id
        for wrong in (other_elf, damaged):
            with pytest.raises(KitError, match="another program"):
                confirm(board, wrong)


def test_the_command_flashes_and_tells(computer, elf, line, capsys):
    """`kit flash --tool`, the whole way: a tool writes, and the board that answers has the program.
    The line of the tool is on stderr, the hello on stdout, the exit code 0."""
    add_tool(computer, "st-flash")
    words = ["flash", "--board", line(elf), "--elf", str(elf), "--tool", "st-flash"]
    assert cli.main(words) == 0
    out, err = capsys.readouterr()
    assert "says hello" in out and "Flashing with st-flash" in err


def test_a_program_for_the_other_board_goes_to_its_drive(computer, trusting, monkeypatch, tmp_path):
    """Of two drives that of the program's chip, not of the default one, is written; stripped, it
    still names its chip."""
    with monkeypatch.context() as patch:
        patch.setenv("PATH", os.defpath)
        elf = strip(program(5, F401), tmp_path / "firmware.elf")
    add_drive(computer)
    st_link = StLink(add_drive(computer, "NODE_F401RE", "0720"))
    flash(PORT, elf)
    assert st_link.written and not called(computer)
