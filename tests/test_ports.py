"""Which board is meant, and why a port does not open: found by itself, asked, or explained."""

import errno
import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import serial
from hypothesis import given
from hypothesis import strategies as st

from kit import cli
from kit.board import Board, ports, probes
from kit.board.address import meant
from kit.board.ports import open_port, resolve
from kit.errors import KitError
from kit.paths import ROOT

HTM = (  # as an ST-LINK/V2-1 of a NUCLEO-F446RE shows it
    "<!-- mbed Microcontroller Website and Authentication Shortcut -->\n"
    '<meta http-equiv="refresh" content="0; url=http://mbed.org/device/?code=%s0221103168772F75F1"/>'
)
posix = pytest.mark.skipif(os.name == "nt", reason="pseudo-terminals are not for Windows")
linux = pytest.mark.skipif(sys.platform != "linux", reason="/proc and /sys are Linux's")


class Port:
    """A serial port as pyserial lists it."""

    def __init__(self, device, pid=0x374B, serial_number="066EFF", vid=0x0483, location="1-1:1.2"):
        self.device, self.pid, self.vid, self.location = device, pid, vid, location
        self.serial_number, self.description = serial_number, "STM32 STLink"


ONE = Port("/dev/ttyACM0")
OTHER = Port("/dev/ttyACM1", serial_number="0671FF", location="1-2:1.2")
USB_STM32 = Port("/dev/ttyACM7", pid=0x5740)  # a program on a chip's own USB, no ST-LINK
CABLE = Port("/dev/ttyUSB0", pid=0x6001, vid=0x0403)
BUILT_IN = Port("/dev/ttyS0", pid=None, vid=None, serial_number=None, location=None)


@pytest.fixture
def plugged(tmp_path, monkeypatch):
    """`plugged(*ports)`: exactly these are there; drives are folders in `plugged.drives`."""
    folder = tmp_path / "drives"
    folder.mkdir()
    monkeypatch.setattr(probes, "places", lambda: sorted(folder.iterdir()))
    monkeypatch.setattr(probes, "build", lambda: tmp_path / "build")
    monkeypatch.setattr(probes.psutil, "disk_partitions", list)
    ports._ask.cache_clear()
    ports._say_virtual.cache_clear()

    def plug(*found):
        monkeypatch.setattr("serial.tools.list_ports.comports", lambda: list(found))

    plug.drives = folder
    plug()
    yield plug
    ports._ask.cache_clear()
    ports._say_virtual.cache_clear()


def add_drive(plugged, name="NODE_F446RE", code="0777"):
    drive = plugged.drives / name
    drive.mkdir()
    (drive / "MBED.HTM").write_text(HTM % code)
    (drive / "DETAILS.TXT").write_text("Version: 0221\r\nBuild:   Sep 18 2018 11:09:21\r\n")
    return drive


# --- kit boards -----------------------------------------------------------------------------------


def test_st_links_are_told_from_other_ports(plugged):
    """By vendor and product number; the others are only counted."""
    plugged(BUILT_IN, OTHER, USB_STM32, CABLE, ONE)
    found = probes.list_boards()
    assert [probe.port for probe in found.probes] == ["/dev/ttyACM0", "/dev/ttyACM1"]
    assert set(found.other_ports) == {"/dev/ttyS0", "/dev/ttyACM7", "/dev/ttyUSB0"}


@pytest.mark.parametrize(("pid", "kind"), sorted(probes.PROBES.items()))
def test_each_st_link_with_a_serial_port_is_known(plugged, pid, kind):
    """On Nucleos both V2-1 and V3 are found, with and without a drive."""
    plugged(Port("COM3", pid))
    assert [(probe.port, probe.kind) for probe in probes.find_probes()] == [("COM3", kind)]


def test_two_ports_of_one_st_link_are_one_board(plugged):
    """An ST-LINK/V3 can have two; the first is the chip's."""
    plugged(Port("/dev/ttyACM1", 0x3753), Port("/dev/ttyACM0", 0x3753))
    assert [probe.port for probe in probes.find_probes()] == ["/dev/ttyACM0"]


@pytest.mark.parametrize(
    ("name", "htm", "board"),
    [
        ("NODE_F446RE", HTM % "0777", "NUCLEO-F446RE"),
        ("E", HTM % "0720", "NUCLEO-F401RE"),  # on Windows a drive has no name here
        ("NODE_F401RE", "", "NUCLEO-F401RE"),
        ("NOD_L476RG", "", "NUCLEO-L476RG"),
        ("X", 'content="0; url=https://www.st.com/en/nucleo-f446re.html"', "NUCLEO-F446RE"),
        ("MICROBIT", HTM % "9900", ""),
    ],
)
def test_the_board_is_named_by_its_drive(plugged, name, htm, board):
    """By the code in MBED.HTM, its words, or the label; what is no Nucleo has no name."""
    (add_drive(plugged, name) / "MBED.HTM").write_text(htm)
    (drive,) = probes.probe_drives()
    assert drive.board == board and drive.details == "Version: 0221 Build: Sep 18 2018 11:09:21"


def test_one_port_and_one_drive_are_one_board(plugged):
    """Also where the system does not tell which device a drive belongs to."""
    drive = add_drive(plugged)
    plugged(ONE)
    found = probes.list_boards()
    assert found.probes[0].drive.path == drive and found.drives == ()
    assert found.probes[0].board == "NUCLEO-F446RE"


def test_the_program_is_built_for_the_chip_of_the_board(plugged):
    """An F401 that is plugged in is not given a program for the F446; what is not known is one."""
    assert ports.chip("virtual://").name == "stm32f446re"
    plugged(ONE)
    assert ports.chip(ONE.device).name == "stm32f446re"
    add_drive(plugged, "NODE_F401RE", "0720")
    for url in (ONE.device, "auto"):
        assert ports.chip(url).name == "stm32f401re"


def test_two_of_each_are_not_guessed_at(plugged):
    """Drives stay drives as long as nothing says whose they are."""
    add_drive(plugged)
    add_drive(plugged, "NODE_F401RE", "0720")
    plugged(ONE, OTHER)
    found = probes.list_boards()
    assert [probe.drive for probe in found.probes] == [None, None] and len(found.drives) == 2


def test_a_probe_without_a_drive_gets_none(plugged):
    """Product 0x3752 is the ST-LINK/V2-1 without mass storage: the drive is another board's."""
    add_drive(plugged)
    plugged(Port("/dev/ttyACM0", 0x3752))
    found = probes.list_boards()
    assert found.probes[0].drive is None and len(found.drives) == 1


@linux
def test_linux_tells_whose_drive_it_is(plugged, tmp_path, monkeypatch):
    """/sys names the USB device of a disk: two boards are paired right, the wrong way round."""
    mounts = []
    partition = type("Partition", (), {})
    for name, usb, label in (("sda", "1-2", "NODE_F446RE"), ("sdb", "1-1", "NODE_F446RE1")):
        device = tmp_path / f"devices/usb1/{usb}/{usb}:1.1/host0/block/{name}"
        device.mkdir(parents=True)
        (tmp_path / "block").mkdir(exist_ok=True)
        (tmp_path / "block" / name).symlink_to(device)
        mounts.append(partition())
        mounts[-1].device, mounts[-1].mountpoint = f"/dev/{name}", str(add_drive(plugged, label))
    monkeypatch.setattr(probes, "SYSFS", tmp_path / "block")
    monkeypatch.setattr(probes.psutil, "disk_partitions", lambda: mounts)
    plugged(ONE, OTHER)
    assert [probe.drive.path.name for probe in probes.find_probes()] == [
        "NODE_F446RE1",
        "NODE_F446RE",
    ]


def test_virtual_boards_with_a_program_are_listed(plugged, tmp_path, capsys):
    """Under the URLs that open them, after the real ones; what is being replaced is not one."""
    for name in ("default", "alice", ".alice.old"):
        (tmp_path / "build" / "virtual" / name).mkdir(parents=True)
        (tmp_path / "build" / "virtual" / name / "firmware.elf").touch()
    monkey = pytest.MonkeyPatch()
    with monkey.context() as patch:
        patch.setattr(probes.flash_store, "mcu", lambda name: probes.MCUS["stm32f401re"])
        plugged(ONE)
        assert cli.main(["boards"]) == 0
    out = capsys.readouterr().out
    assert "virtual://alice" in out and "virtual:// " in out and "NUCLEO-F401RE" in out
    assert ".old" not in out
    assert "/dev/ttyACM0" in out and "066EFF" in out


def test_a_damaged_virtual_board_does_not_hide_the_others(plugged, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("KIT_BUILD", str(tmp_path / "build"))
    (tmp_path / "build" / "virtual" / "alice").mkdir(parents=True)
    (tmp_path / "build" / "virtual" / "alice" / "firmware.elf").write_bytes(b"\x7fELF")
    plugged(ONE)
    assert cli.main(["boards"]) == 0
    out = capsys.readouterr().out
    assert "/dev/ttyACM0" in out and "(damaged)" in out


def test_an_empty_list_says_how_to_plug_in(plugged, capsys):
    """Exit code 0: nothing is wrong."""
    assert cli.main(["boards"]) == 0
    assert "data cable" in capsys.readouterr().out


def test_the_list_as_json(plugged, capsys):
    """For programs: each board with its name, port, serial number and drive."""
    drive = add_drive(plugged)
    plugged(ONE, CABLE)
    assert cli.main(["boards", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["other_ports"] == ["/dev/ttyUSB0"] and found["virtual"] == []
    (probe,) = found["probes"]
    assert (probe["board"], probe["serial_number"]) == ("NUCLEO-F446RE", "066EFF")
    assert probe["drive"]["path"] == str(drive)


# --- auto -----------------------------------------------------------------------------------------


@given(st.text().filter(lambda text: text != "auto"))
def test_any_other_url_is_left_alone(url):
    """Looking for boards is only for "auto"; what is mistyped is said to be, with what was meant,
    which is right then."""
    if suggestion := meant(url):
        assert meant(suggestion) == ""
        with pytest.raises(KitError, match="Did you mean"):
            resolve(url)
    else:
        assert resolve(url) == url


@pytest.mark.parametrize(
    ("url", "suggestion"),
    [
        ("virtual:/", "virtual://"), ("", "virtual://"), ("  ", "virtual://"),
        ("virtual", "virtual://"), ("Virtual:", "virtual://"), ("virtal://", "virtual://"),
        ("virtual:alice", "virtual://alice"), ("VIRTUAL://alice", ""), ("virtual://a?hse=off", ""),
        ("COM 5", "COM5"), ("COM5:", "COM5"), (" COM5\n", "COM5"), ("com5", ""), ("COM12", ""),
        ("ttyACM0", "/dev/ttyACM0"), ("dev/ttyUSB1", "/dev/ttyUSB1"), ("/dev/ttyACM0", ""),
        ("cu.usbmodem1", "/dev/cu.usbmodem1"), ("192.168.1.5", "socket://192.168.1.5:PORT"),
        ("localhost:2000", "socket://localhost:2000"), ("sokcet://h:1", "socket://h:1"),
        ("replay:lesson.rec", "replay://lesson.rec"), ("replay:/a/b.rec", "replay:///a/b.rec"),
        ("REPLAY:///a/b.rec", ""), ("Auto", "auto"), ("loop://", ""), ("/tmp/virtual", ""),
    ],
)  # fmt: skip
def test_a_mistyped_address_is_understood(url, suggestion):
    """As learners wrote them; an address that may be right is none of them."""
    assert meant(url) == suggestion


@pytest.mark.parametrize("url", [None, 5, b"COM5"])
def test_an_address_is_a_text(url):
    with pytest.raises(KitError, match="not the address of a board"):
        Board(url)


def test_the_one_board_is_taken(plugged):
    """Other serial ports do not matter."""
    plugged(CABLE, ONE, BUILT_IN)
    assert resolve("auto") == "/dev/ttyACM0"


def test_without_a_board_it_is_the_virtual_one_said_once(plugged, capsys):
    """On stderr, so that JSON on stdout stays JSON."""
    assert resolve("auto") == resolve("auto") == "virtual://"
    out, err = capsys.readouterr()
    assert out == "" and err.count("No board is plugged in") == 1 and "virtual://" in err


def test_several_boards_and_nobody_to_ask(plugged):
    """In a notebook, in a test, in a script: the error has the line to write."""
    plugged(ONE, OTHER)
    with pytest.raises(KitError, match="Several boards") as error:
        resolve("auto")
    assert "0671FF" in error.value.why
    assert 'BOARD = "/dev/ttyACM0"' in error.value.next_step
    assert "--board /dev/ttyACM0" in error.value.next_step


@pytest.mark.parametrize("stdin", [None, io.StringIO("2\n"), "closed"])
def test_only_a_person_at_a_terminal_is_asked(plugged, monkeypatch, stdin):
    """Nobody types into a pipe, a closed or a missing stdin."""
    if stdin == "closed":
        stdin = io.StringIO()
        stdin.close()
    monkeypatch.setattr(sys, "stdin", stdin)
    plugged(ONE, OTHER)
    with pytest.raises(KitError, match="Several boards"):
        resolve("auto")


def in_a_terminal(typed):
    """Runs resolve("auto") twice with two boards at a real terminal; all that it shows."""
    code = (
        "import serial.tools.list_ports as l\n"
        "from tests.test_ports import ONE, OTHER\n"
        "l.comports = lambda: [ONE, OTHER]\n"
        "from kit.board.ports import resolve\n"
        "from kit.errors import KitError\n"
        "try: print('TAKEN', resolve('auto'), resolve('auto'))\n"
        "except KitError as error: print(error)\n"
    )
    ours, theirs = os.openpty()
    os.write(ours, typed)
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT, env=os.environ | {"PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'tests'}"},
        stdin=theirs, stderr=theirs, stdout=subprocess.PIPE, text=True, timeout=60, check=False,
    )  # fmt: skip
    shown = os.read(ours, 10_000).decode()
    os.close(ours)
    os.close(theirs)
    return done.stdout, shown


@posix
@pytest.mark.parametrize(
    ("typed", "taken"),
    [(b"2\n", "/dev/ttyACM1"), (b"7\nx\n1\n", "/dev/ttyACM0"), (b"0\n3\nq\n", None)],
)
def test_a_person_is_asked_once_with_numbers(typed, taken):
    """On stderr; a wrong answer is asked again, three times in all."""
    out, shown = in_a_terminal(typed)
    assert "1: /dev/ttyACM0" in shown and "Which board, 1 to 2?" in shown
    if taken:
        assert out.split() == ["TAKEN", taken, taken]
        assert shown.count("2: /dev/ttyACM1") == 1
    else:
        assert "Several boards" in out


def test_a_board_knows_the_url_that_was_taken(plugged, capsys):
    """`Board("auto").url` can be printed, compared, and given to `flash`."""
    with Board("auto") as board:
        assert board.url == "virtual://"


def test_every_command_understands_auto(plugged, capsys):
    """`--board auto` is resolved before a command starts, also for JSON."""
    cli.main(["doctor", "--board", "auto", "--json"])
    out, err = capsys.readouterr()
    assert json.loads(out)["checks"][-1]["name"] == "board at virtual://"
    assert "No board is plugged in" in err


# --- Opening a port -------------------------------------------------------------------------------


@pytest.fixture
def terminal():
    """A pseudo-terminal: a serial port without hardware."""
    if os.name == "nt":
        pytest.skip("pseudo-terminals are not for Windows")
    ours, theirs = os.openpty()
    yield os.ttyname(theirs)
    os.close(ours)
    os.close(theirs)


def test_a_port_opens_and_is_given_back(terminal):
    """Closing it lets the next one in."""
    for _ in range(2):
        open_port(terminal).close()


def test_a_port_that_is_open_here_is_said_to_be_so(terminal):
    """The usual mistake in a notebook: the board of an earlier cell is still open."""
    first = open_port(terminal)
    with pytest.raises(KitError, match="is in use") as error:
        open_port(terminal)
    if sys.platform == "linux":
        assert f"process {os.getpid()}" in error.value.why
        assert "board.close()" in error.value.next_step
    first.close()


HOLDER = (
    "import sys; from kit.board.ports import open_port; port = open_port(sys.argv[1]);"
    "print('open', flush=True); sys.stdin.read()"
)


def hold(terminal):
    words = [sys.executable, "-c", HOLDER, terminal]
    pipe = subprocess.PIPE
    holder = subprocess.Popen(words, cwd=ROOT, stdin=pipe, stdout=pipe, text=True)
    assert holder.stdout.readline() == "open\n"
    return holder


@linux
def test_the_program_that_has_the_port_is_named(terminal):
    """As far as Linux lets this user see it."""
    holder = hold(terminal)
    with pytest.raises(KitError, match="is in use") as error:
        open_port(terminal)
    assert f"(process {holder.pid})" in error.value.why
    holder.communicate("")


def test_a_killed_program_leaves_no_port_locked(terminal):
    """A kernel that died or was restarted: the next one opens the port at once."""
    holder = hold(terminal)
    holder.kill()
    holder.communicate()
    open_port(terminal).close()


@pytest.mark.parametrize(
    ("error", "what"),
    [
        # pyserial's serialposix.py
        (serial.SerialException(errno.EBUSY, "could not open port X: [Errno 16] busy"), "in use"),
        (serial.SerialException("Could not exclusively lock port X: [Errno 11] Not"), "in use"),
        (serial.SerialException(errno.EACCES, "could not open port X: denied"), "may not use"),
        (serial.SerialException(errno.ENOENT, "could not open port X: no such file"), "cannot be"),
        (serial.SerialException(errno.ENXIO, "could not open port X: no device"), "cannot be"),
        (serial.SerialException(errno.EIO, "could not configure port: I/O error"), "cannot be"),
        # its serialwin32.py
        (serial.SerialException(
            "could not open port 'COM5': PermissionError(13, 'Access is denied.', None, 5)"),
            "in use"),
        (serial.SerialException(
            "could not open port 'COM9': FileNotFoundError(2, 'The system cannot find the file "
            "specified.', None, 2)"), "cannot be"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("system", ["Windows", "Darwin", "Linux"])
def test_why_a_port_does_not_open(monkeypatch, plugged, error, what, system):
    """Busy, forbidden and absent are told apart on each system; the system's words are kept."""

    def refuse(*_args, **_options):
        raise error

    monkeypatch.setattr(ports, "system", lambda: system)
    monkeypatch.setattr(serial, "serial_for_url", refuse)
    with pytest.raises(KitError, match=what) as caught:
        open_port("X")
    assert str(error) in caught.value.why and caught.value.next_step


@pytest.mark.parametrize(
    ("url", "said"),
    [("socket://127.0.0.1:9", "Start the program"), ("rfc2217://127.0.0.1:9", "Start the program"),
     ("nonsense://x", "virtual://"), ("/dev/ttyACM9", "kit boards")],
)  # fmt: skip
def test_what_is_absent_decides_the_advice(plugged, url, said):
    """A cable helps where there is one; nobody needs a permission for what does not exist."""
    with pytest.raises(KitError, match="cannot be opened") as error:
        open_port(url)
    assert said in error.value.next_step and "sudo" not in str(error.value)
    assert ("cable" in error.value.next_step) is (url == "/dev/ttyACM9")


def test_an_absent_port_lists_what_is_there(plugged):
    """The number of a COM port changes from one socket to the next."""
    plugged(CABLE, ONE)
    with pytest.raises(KitError, match="cannot be opened") as error:
        open_port("/dev/ttyACM9")
    assert "/dev/ttyACM0 (STM32 STLink)" in error.value.why
    assert "kit boards" in error.value.next_step


@posix
def test_a_port_of_another_user_names_the_group(terminal):
    """dialout on Debian, uucp on Arch: the one that the port has."""
    if os.getuid() == 0:
        pytest.skip("root may open every port")
    os.chmod(terminal, 0)
    with pytest.raises(KitError, match="You may not use") as error:
        open_port(terminal)
    assert f"usermod -aG {Path(terminal).group()} $USER" in error.value.next_step


@linux
def test_two_names_of_a_port_are_one(plugged, tmp_path):
    """The links of /dev/serial/by-id name the same board."""
    device, link = tmp_path / "ttyACM0", tmp_path / "by-id"
    device.touch()
    link.symlink_to(device)
    plugged(Port(str(device)))
    assert probes.probe_at(str(link)).port == str(device)
    assert probes.probe_at("virtual://") is None
