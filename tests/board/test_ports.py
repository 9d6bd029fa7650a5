"""Which board is meant, and why a port does not open (kit.board.ports, kit.board.address): found by
itself, asked, or explained."""

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
from usb import BUILT_IN, CABLE, ONE, OTHER, add_drive

from kit import cli
from kit.board import Board, ports
from kit.board.address import meant
from kit.board.ports import open_port, resolve
from kit.errors import KitError
from kit.paths import ROOT

posix = pytest.mark.skipif(os.name == "nt", reason="pseudo-terminals are not for Windows")
linux = pytest.mark.skipif(sys.platform != "linux", reason="/proc and /sys are Linux's")


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
    assert resolve("auto") == Board("auto").url == "virtual://"
    out, err = capsys.readouterr()
    assert out == "" and err.count("No board is plugged in") == 1 and "virtual://" in err


CLOSED = io.StringIO()
CLOSED.close()


@pytest.mark.parametrize("stdin", ["as it is", None, io.StringIO("2\n"), CLOSED])
def test_several_boards_and_nobody_to_ask(plugged, monkeypatch, stdin):
    """In a notebook, in a test, in a script, with a closed or a missing stdin: nobody types into a
    pipe, and the error has the line to write."""
    if stdin != "as it is":
        monkeypatch.setattr(sys, "stdin", stdin)
    plugged(ONE, OTHER)
    with pytest.raises(KitError, match="Several boards") as error:
        resolve("auto")
    assert "0671FF" in error.value.why
    assert 'BOARD = "/dev/ttyACM0"' in error.value.next_step
    assert "--board /dev/ttyACM0" in error.value.next_step


def in_a_terminal(typed):
    """Runs resolve("auto") twice with two boards at a real terminal; all that it shows."""
    code = (
        "import serial.tools.list_ports as l\n"
        "from usb import ONE, OTHER\n"
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


def test_every_command_understands_auto(plugged, capsys):
    """`--board auto` is resolved before a command starts, also for JSON."""
    cli.main(["doctor", "--board", "auto", "--json"])
    out, err = capsys.readouterr()
    assert json.loads(out)["checks"][-1]["name"] == "board at virtual://"
    assert "No board is plugged in" in err


def test_the_program_is_built_for_the_chip_of_the_board(plugged):
    """An F401 that is plugged in is not given a program for the F446; what is not known is one."""
    assert ports.chip("virtual://").name == "stm32f446re"
    plugged(ONE)
    assert ports.chip(ONE.device).name == "stm32f446re"
    add_drive(plugged, "NODE_F401RE", "0720")
    for url in (ONE.device, "auto"):
        assert ports.chip(url).name == "stm32f401re"


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


def test_a_port_that_is_open_here_is_said_to_be_so(terminal):
    """The usual mistake in a notebook: the board of an earlier cell is still open."""
    first = open_port(terminal)
    with pytest.raises(KitError, match="is in use") as error:
        open_port(terminal)
    if sys.platform == "linux":
        assert f"process {os.getpid()}" in error.value.why
        assert "board.close()" in error.value.next_step
    first.close()
    open_port(terminal).close()


@linux
def test_the_program_that_has_the_port_is_named(terminal):
    """As far as Linux lets this user see it; a killed program leaves no port locked."""
    code = "import sys, kit.board.ports as p; port = p.open_port(sys.argv[1]); print(), input()"
    words, pipe = [sys.executable, "-u", "-c", code, terminal], subprocess.PIPE
    with subprocess.Popen(words, cwd=ROOT, stdin=pipe, stdout=pipe) as holder:
        assert holder.stdout.readline()
        with pytest.raises(KitError, match="is in use") as error:
            open_port(terminal)
        assert f"(process {holder.pid})" in error.value.why
        holder.kill()
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
    [
        ("socket://127.0.0.1:9", "Start the program"),
        ("rfc2217://127.0.0.1:9", "Start the program"),
        ("nonsense://x", "virtual://"),
        ("/dev/ttyACM9", "kit boards"),
    ],
)
def test_what_is_absent_decides_the_advice(plugged, url, said):
    """A cable helps where there is one, and so does a list of the ports, whose numbers change from
    one socket to the next; nobody needs a permission for what does not exist."""
    plugged(CABLE, ONE)
    with pytest.raises(KitError, match="cannot be opened") as error:
        open_port(url)
    assert said in error.value.next_step and "sudo" not in str(error.value)
    assert ("cable" in error.value.next_step) is (url == "/dev/ttyACM9")
    assert ("/dev/ttyACM0 (STM32 STLink)" in error.value.why) is (url == "/dev/ttyACM9")


@posix
def test_a_port_of_another_user_names_the_group(terminal):
    """dialout on Debian, uucp on Arch: the one that the port has."""
    if os.getuid() == 0:
        pytest.skip("root may open every port")
    os.chmod(terminal, 0)
    with pytest.raises(KitError, match="You may not use") as error:
        open_port(terminal)
    assert f"usermod -aG {Path(terminal).group()} $USER" in error.value.next_step
