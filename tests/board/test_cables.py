"""A board behind a noisy line or a cable that is pulled (kit.board): never a wrong answer, never an
endless wait, and the next request works as soon as the line does.

Faults are injected by seed, so that a failure can be repeated. The cables are real:
pseudo-terminals and sockets, with the virtual board's chip at the other end.
"""

import errno
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
import serial
from lines import URL, damage
from made import firmware
from networks import Spec
from serial.rfc2217 import PortManager

from kit.board import Board, LinkError, Request, flash, link
from kit.errors import KitError

posix = pytest.mark.skipif(os.name == "nt", reason="Windows has no pseudo-terminals")


@pytest.fixture(scope="module")
def expected(program, images):
    """The scores on a clean line."""
    with Board(URL) as board:
        return board.scores(images)


# --- Requests on a bad line ----------------------------------------------------------------------


def make_noisy(port, seed):
    """Let the line of a port damage a share `port.noise` of the bytes in both directions."""
    rng, write, read = np.random.default_rng(seed), port.write, port.read

    def passed(data):
        return damage(data, rng, port.noise) if port.noise and data else data

    port.noise = 0.0
    port.write = lambda data: write(passed(data))
    port.read = lambda size: passed(read(size))


TURNS = 300


@pytest.mark.deep
@pytest.mark.parametrize("rate", [0.0003, 0.003, 0.01])
def test_on_a_noisy_line_every_answer_is_right_or_an_error(
    program, images, expected, rate, monkeypatch
):
    """Hundreds of requests of all lengths, at the fast rate and after falling back from it. When
    the noise is over, the very next request is answered."""
    monkeypatch.setattr(link, "QUIET_SECONDS", 0.003)  # a virtual board keeps nothing back
    with Board(URL) as board:
        hello = board.hello()
        layers = [board.layer(number) for number in range(hello.layers)]
        profile = board.profile(images[0])
        make_noisy(board.port, seed=int(rate * 10_000))
        answered = 0
        for turn in range(TURNS):
            quiet = turn % 10 == 0
            board.port.noise, board.link.reply_seconds = (0.0, 3.0) if quiet else (rate, 0.05)
            which = turn // 4 % len(images)
            try:
                if turn % 4 == 0:
                    assert board.layer(turn % len(layers)) == layers[turn % len(layers)]
                elif turn % 4 == 1:
                    assert board.hello() == hello
                elif turn % 4 == 2:
                    scores = board.recognize(images[which]).scores
                    np.testing.assert_array_equal(scores, expected[which])
                else:
                    assert board.profile(images[0]) == profile
                answered += 1
            except LinkError:
                assert not quiet, "on a quiet line every request is answered"
    assert 0.15 * TURNS < answered <= TURNS


# --- Cables that are pulled ----------------------------------------------------------------------


class Cable:
    """A virtual board on a real cable: bytes go back and forth in a thread of its own.

    `cut_after` bytes of replies the cable is pulled; the board then loses its power, and
    `silent_after` that many it says no more. `byte_seconds` is how long it takes over each byte,
    `chip` the address of the board.
    """

    def __init__(self, fd, rate=lambda: 115200, **faults):
        self.fd, self.rate, self.chip = fd, rate, URL
        self.cut_after = self.silent_after = None
        self.byte_seconds, self.sent = 0.0, 0
        self.__dict__.update(faults)
        self.plugged, self.ended = True, threading.Event()
        threading.Thread(target=self._serve, daemon=True).start()

    def pull(self):
        self.plugged = False
        assert self.ended.wait(10)

    def _serve(self):
        try:
            with serial.serial_for_url(self.chip, timeout=0) as chip:
                while self.plugged:
                    self._forward(chip)
        except OSError as error:  # the host hung up
            assert error.errno in (errno.EIO, errno.ECONNRESET, errno.EPIPE, errno.EBADF)
        finally:
            self.unplug()
            self.ended.set()

    def unplug(self):
        os.close(self.fd)

    def _forward(self, chip):
        if select.select([self.fd], [], [], 0.01)[0]:
            data = os.read(self.fd, 4096)
            self.plugged = bool(data)  # a socket that was closed gives none
            chip.baudrate = self.rate()
            chip.write(data)
        for byte in chip.read(4096):
            self._send(bytes([byte]))

    def _send(self, byte):
        time.sleep(self.byte_seconds)
        if self.sent == self.cut_after:
            self.plugged = False
        elif self.sent != self.silent_after and self.plugged:
            self.sent += os.write(self.fd, byte)


class SerialPort:
    """A port that keeps its name: a symbolic link to the pseudo-terminal that is plugged in."""

    def __init__(self, path):
        self.path, self.url, self.cable = path, str(path), None

    def plug(self, **faults):
        import termios
        import tty

        computer_end, board_end = os.openpty()[::-1]
        tty.setraw(computer_end)
        rates = {getattr(termios, f"B{rate}"): rate for rate in (115200, *link.FASTER_BAUDS)}
        self.path.symlink_to(os.ttyname(computer_end))
        self.cable = Cable(board_end, lambda: rates[termios.tcgetattr(computer_end)[4]], **faults)
        close_board_end = self.cable.unplug

        def unplug():
            self.path.unlink()
            close_board_end()
            os.close(computer_end)

        self.cable.unplug = unplug


class Server:
    """A board behind a TCP port, `socket://`: one host at a time."""

    scheme = "socket"

    def __init__(self):
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        self.url = f"{self.scheme}://127.0.0.1:{self.port}"

    def plug(self, **faults):
        self.listener = socket.create_server(("127.0.0.1", self.port))
        threading.Thread(target=self._accept, args=(faults,), daemon=True).start()

    def _accept(self, faults):
        self.host = self.listener.accept()[0]
        self.cable = Cable(self.host.detach(), **faults)
        self.listener.close()


class Remote(Server):
    """The same with a protocol that also carries the baud rate: `rfc2217://`."""

    scheme = "rfc2217"

    def _accept(self, faults):
        self.host = self.listener.accept()[0]
        self.listener.close()
        with self.host, serial.serial_for_url(URL, timeout=0) as chip:
            self.write = self.host.sendall
            manager = PortManager(chip, self)
            while data := self._received(manager, chip):
                for byte in manager.filter(data):
                    chip.write(byte)

    def _received(self, manager, chip):
        """Bytes of the host; those of the board go out in the meantime."""
        while not select.select([self.host], [], [], 0.005)[0]:
            self.host.sendall(b"".join(manager.escape(chip.read(4096))))
        return self.host.recv(4096)


@pytest.fixture(params=["pseudo-terminal", "socket"])
def place(request, program, tmp_path):
    """Where a board can be plugged in: `plug`, `cable` and `url`."""
    made = SerialPort(tmp_path / "ttyACM0") if request.param == "pseudo-terminal" else Server()
    yield made
    if made.cable.plugged:
        made.cable.pull()


@pytest.fixture
def serial_port(program, tmp_path):
    port = SerialPort(tmp_path / "ttyACM0")
    port.plug()
    yield port
    if port.cable.plugged:
        port.cable.pull()


def opened(url):
    """A board at the safe baud rate: a socket knows no other."""
    return Board(url, fastest=link.SAFE_BAUD)


@posix
def test_after_a_pulled_cable_the_next_call_works(place, images, expected):
    """One clear error, and no other while it is out; plugged in again, the same object works."""
    place.plug()
    with opened(place.url) as board:
        assert (board.recognize(images[0]).scores == expected[0]).all()
        place.cable.pull()
        for _ in range(2):
            with pytest.raises(LinkError, match="broke off") as caught:
                board.recognize(images[1])
            assert place.url in caught.value.what and "run this again" in caught.value.next_step
        place.plug()
        assert (board.recognize(images[1]).scores == expected[1]).all()
        place.cable.pull()
        place.plug()  # between two calls: goes unnoticed
        assert (board.recognize(images[2]).scores == expected[2]).all()


@pytest.mark.deep
@posix
def test_another_board_at_the_same_plug_is_not_taken_for_the_first(place, images):
    """What it answers is not read as the first one's; from then on it is asked as what it is."""
    spec = Spec(784, (10,), "relu", True, True, True, True, 0.05, 4)  # as many bytes of answers
    flash("virtual://line-other", firmware(spec).elf)
    place.plug()
    with opened(place.url) as board:
        board.recognize(images[0])
        place.cable.pull()
        place.plug(chip="virtual://line-other")
        with pytest.raises(LinkError, match="Another board or program answers") as caught:
            board.recognize(images[0])
        with Board("virtual://line-other") as there:
            assert there.hello().build_id in caught.value.why
            expected = there.recognize(images[0]).scores
        assert (board.recognize(images[0]).scores == expected).all()


@pytest.mark.deep
@posix
@pytest.mark.parametrize("what", ["cut_after", "silent_after"])
@pytest.mark.parametrize("after", [0, 1, 60, 125])
def test_half_a_reply_is_none(place, images, expected, what, after):
    """The cable is pulled in the middle of a reply, or the board stops there: an error after a
    bounded time, and the next call works once there is a board that speaks."""
    place.plug(**{what: after})
    with opened(place.url) as board:
        board.link.reply_seconds = 0.3
        with pytest.raises(LinkError, match=r"broke off|did not answer 3 requests"):
            board.recognize(images[0])
        board.link.reply_seconds = 2.0
        place.cable.silent_after = None
        if what == "cut_after":
            assert place.cable.ended.wait(10)
            place.plug()
        assert (board.recognize(images[0]).scores == expected[0]).all()


@posix
def test_a_slow_board_is_waited_for(place, images, expected):
    """A reply that comes a byte at a time is taken when it is whole."""
    place.plug(byte_seconds=0.001)
    with opened(place.url) as board:
        board.link.reply_seconds = 5.0
        assert (board.scores(images[:3]) == expected[:3]).all()


@pytest.mark.deep
@posix
def test_a_reply_that_comes_too_late_is_not_taken_for_the_next(place, images, expected):
    """Too slow for one request: an error; and what then arrives answers nothing else."""
    place.plug()
    with opened(place.url) as board:
        board.hello()
        board.link.reply_seconds = 0.1
        place.cable.byte_seconds = 0.02
        with pytest.raises(LinkError):
            board.recognize(images[0])
        place.cable.byte_seconds = 0.0
        board.link.reply_seconds = 2.0
        assert (board.scores(images) == expected).all()


@pytest.mark.deep
@posix
def test_nobody_reads_at_the_other_end(tmp_path, program, images):
    """A port that takes no more bytes is an error after some seconds, not a hang."""
    board_end, computer_end = os.openpty()
    try:
        with opened(os.ttyname(computer_end)) as board:
            board.port.write_timeout = board.link.reply_seconds = 0.1
            with pytest.raises(LinkError):
                for _ in range(50):
                    board.link.exchange(Request.RECOGNIZE, images[0].tobytes())
    finally:
        os.close(computer_end)
        os.close(board_end)


@posix
def test_at_the_fast_rate_a_pulled_cable_is_found_again(serial_port, images, expected):
    """The board comes back at 115200; both agree on the fast rate anew."""
    with Board(serial_port.url) as board:
        board.recognize(images[0])
        assert board.link.baud == board.port.baudrate > link.SAFE_BAUD
        serial_port.cable.pull()
        with pytest.raises(LinkError):
            board.recognize(images[0])
        serial_port.plug()
        assert (board.scores(images) == expected).all()
        assert board.link.baud == board.port.baudrate > link.SAFE_BAUD


@pytest.mark.filterwarnings("ignore:set:DeprecationWarning")  # pyserial's own
def test_a_board_on_another_computer(program, images, expected):
    """rfc2217:// as ser2net and others serve it; the fast rate is agreed on there, too."""
    place = Remote()
    place.plug()
    with Board(place.url) as board:
        assert (board.scores(images[:3]) == expected[:3]).all()
        assert board.link.baud > link.SAFE_BAUD


# --- Ports that must not stay locked -------------------------------------------------------------


@posix
def test_a_cell_that_opens_a_board_can_be_run_twice(serial_port):
    """The earlier board lives on in a variable, but its port is free; using it says so."""
    first = Board(serial_port.url)
    first.hello()
    second = Board(serial_port.url)
    assert second.hello().network == "model.tflite"
    with pytest.raises(LinkError, match="was closed") as caught:
        first.hello()
    assert "kit.Board(" in caught.value.next_step
    assert second.hello().network == "model.tflite"
    second.close()
    second.close()
    with pytest.raises(LinkError, match="was closed"):
        second.hello()


@posix
def test_a_board_that_nobody_holds_any_more_gives_its_port_back(serial_port):
    """`kit.Board(PORT).hello()` without `with`."""
    real = os.path.realpath(serial_port.url)
    Board(serial_port.url).hello()
    for url in (real, serial_port.url):
        with Board(url) as board:
            assert board.hello().network == "model.tflite"


OPENS = """
import sys, time
from kit.board import Board
board = Board(sys.argv[1])
print(board.hello().network, flush=True)
{}
"""


@posix
@pytest.mark.parametrize("end", ["time.sleep(60)", "1 / 0", "import os; os._exit(1)"])
def test_a_program_that_ends_in_any_way_leaves_no_port_locked(serial_port, end):
    """Killed, or by an error: the port can be opened at once."""
    command = [sys.executable, "-c", OPENS.format(end), serial_port.url]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True) as process:
        assert process.stdout.readline() == "model.tflite\n"
        if "sleep" in end:
            with pytest.raises(KitError, match="in use"):
                Board(serial_port.url)
            process.send_signal(signal.SIGKILL)
        assert process.wait(30) != 0
        with Board(serial_port.url) as board:
            assert board.hello().network == "model.tflite"
