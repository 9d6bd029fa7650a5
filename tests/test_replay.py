"""What a board said is played back exactly as it was, and never to another question."""

import json
import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import nbformat
import numpy as np
import pytest
import serial
from hypothesis import given, settings
from hypothesis import strategies as st
from nbformat.v4 import new_code_cell, new_notebook
from networks import Spec, make

from kit import paths
from kit.board import Board, flash, link, recording
from kit.board.link import Frame, encode
from kit.board.recording import BAUD, FROM_BOARD, TO_BOARD, Event, Recording
from kit.cli import main
from kit.compile import build_firmware
from kit.errors import KitError
from kit.generate import generate_network
from kit.lesson import execute as running

URL = "virtual://recorded"
IMAGE = np.pad(np.full((8, 8), 200, np.uint8), 10)
OTHER = np.pad(np.full((6, 8), 90, np.uint8), ((11, 11), (10, 10)))


@pytest.fixture(scope="module")
def elf(tmp_path_factory):
    """A small network on a virtual board."""
    folder = tmp_path_factory.mktemp("recorded")
    spec = Spec(784, (12, 10), "relu", True, True, True, True, 0.05, 3)
    program = build_firmware(
        generate_network(make(spec, folder / "small.tflite"), folder / "network"), folder
    ).elf
    flash(URL, program)
    return program


def lesson(url):
    """What a notebook asks: all that a board can be asked."""
    with Board(url) as board:
        scores = [*map(board.recognize, [IMAGE, OTHER])]
        one = np.arange(784).astype(np.int8)
        numbers = [board.run([one]), board.watch(0, one), *(answer.scores for answer in scores)]
        measured, profile = board.measure(IMAGE), board.profile(OTHER)
        layers = [board.layer(number) for number in range(3)]
        told = (board.hello(), measured.total, measured.layers, measured.unit, layers, profile)
        return [array.tolist() for array in numbers], told


def short_lesson(url):
    with Board(url) as board:
        return board.hello(), board.measure(OTHER).total


@pytest.fixture(scope="module")
def recorded(elf, tmp_path_factory):
    """A recording of two sessions, and what the board said in them."""
    file = tmp_path_factory.mktemp("a folder, für Ä") / "lesson 1.rec"
    with recording.recording(file):
        said = [short_lesson(URL), lesson(URL)]
    return file, said


# Playing


def test_a_recording_says_what_the_board_said(recorded):
    """Each session, in any order and as often as wanted: the same answers, to the last bit."""
    file, (short, long) = recorded
    url = f"replay://{file}"
    assert [lesson(url), short_lesson(url), lesson(url)] == [long, short, long]


def test_the_same_questions_make_the_same_file(elf, tmp_path):
    """No date, no name of a port: a recording can be compared, and kept under version control."""
    for name in "ab":
        with recording.recording(tmp_path / name):
            lesson(URL)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_a_recording_of_a_replay_is_the_recording(recorded, tmp_path):
    """Nothing is lost or added on the way through the file."""
    file, _ = recorded
    with recording.recording(tmp_path / "again.rec"):
        short_lesson(f"replay://{file}")
        lesson(f"replay://{file}")
    assert recording.read(tmp_path / "again.rec") == recording.read(file)


def test_another_image_is_refused_and_the_rest_still_plays(recorded):
    """Somebody draws a digit in a replayed notebook: an error says why, the next cell works."""
    file, (_, (numbers, _)) = recorded
    with Board(f"replay://{file}") as board:
        assert board.recognize(IMAGE).scores.tolist() == numbers[2]
        for _ in range(3):
            with pytest.raises(KitError) as caught:
                board.recognize(IMAGE)
        assert board.recognize(OTHER).scores.tolist() == numbers[3]
    assert "RECOGNIZE" in caught.value.why and "another payload" in caught.value.why
    assert "first that differs: 0x" in caught.value.why
    assert "from the top" in caught.value.next_step and "kit record" in caught.value.next_step
    assert file.name in str(caught.value)
    assert isinstance(caught.value, serial.SerialException)


def test_each_way_of_leaving_a_recording_is_told(recorded):
    """Another request, another order, more than was asked."""
    file, _ = recorded
    with Board(f"replay://{file}") as board:
        with pytest.raises(
            KitError, match=r"after|Request \d: \w+ was asked in it; here RESET was"
        ):
            board.described and board.reset()
        with pytest.raises(KitError, match="12345 baud were set"):
            board.port.baudrate = 12345
        with pytest.raises(KitError, match="no request"):
            board.port.write(b"\0\x03\x00\0")
    with Board(f"replay://{file}") as board:
        board.measure(OTHER)
        with pytest.raises(KitError, match="BAUD was asked in it; here MEASURE was asked"):
            board.measure(OTHER)
    with Board(f"replay://{file}") as board:
        board.link._sequence = 6
        with pytest.raises(KitError, match="sequence number 1, here it is 7"):
            board.hello()


events = st.lists(
    st.one_of(
        st.builds(Event, st.just(TO_BOARD), st.binary(min_size=1, max_size=40)),
        st.builds(Event, st.just(FROM_BOARD), st.binary(min_size=1, max_size=40)),
        st.builds(Event, st.just(BAUD), st.sampled_from([9600, 460800]).map(recording.baud_bytes)),
    ),
    max_size=12,
)


def played(folder, sessions, counts="cycles"):
    """A port that plays these sessions."""
    path = folder / "made.rec"
    path.write_bytes(recording._file(Recording({}, counts, sessions)))
    return serial.serial_for_url(f"replay://{path}", 115200, timeout=0)


def changing(events):
    """Without the changes to the baud rate that there already is."""
    rate = recording.baud_bytes(115200)
    for event in events:
        if event != (BAUD, rate):
            yield event
        rate = event.data if event.kind == BAUD else rate


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("made")


@settings(deadline=None)
@given(events, st.integers(1, 9))
def test_any_traffic_comes_back_in_pieces_of_any_size(folder, events, size):
    """However the host cuts what it writes and reads, the board's bytes come when they came."""
    session = recording._joined(changing(events))
    with played(folder, [session]) as port:
        for kind, data in session:
            if kind == BAUD:
                port.baudrate = int.from_bytes(data, "little")
                continue
            pieces = [data[at : at + size] for at in range(0, len(data), size)]
            if kind == TO_BOARD:
                assert port.in_waiting == 0
                assert sum(map(port.write, pieces)) == len(data)
            else:
                port.reset_input_buffer()
                assert [port.read(len(piece)) for piece in pieces] == pieces
        assert port.read(1) == b""


@settings(deadline=None)
@given(st.binary(min_size=1, max_size=30), st.data())
def test_the_first_byte_that_differs_is_refused(folder, sent, data):
    """One changed bit in what is written, or a byte too many, and nothing is taken."""
    event = Event(TO_BOARD, sent)
    with played(folder, [[event, Event(FROM_BOARD, b"answer")]]) as port:
        wrong = bytearray(event.data)
        at = data.draw(st.integers(0, len(wrong) - 1))
        wrong[at] ^= 1 << data.draw(st.integers(0, 7))
        for refused in (bytes(wrong), event.data + b"x"):
            with pytest.raises(KitError):
                port.write(refused)
            assert port.in_waiting == 0
        port.write(event.data)
        assert port.read(6) == b"answer"


def test_of_sessions_that_begin_alike_the_one_that_goes_on_is_played(folder):
    """The board may have said something else the second time: then only that one is meant."""
    ask, again = Event(TO_BOARD, b"ask"), Event(TO_BOARD, b"again")
    sessions = [
        [ask],  # broke off
        [ask, Event(FROM_BOARD, b"one"), again, Event(FROM_BOARD, b"three")],
        [ask, Event(FROM_BOARD, b"one"), Event(TO_BOARD, b"more"), Event(FROM_BOARD, b"two")],
    ]
    for request, reply in ((b"again", b"three"), (b"more", b"two")):
        with played(folder, sessions) as port:
            port.write(b"ask")
            assert port.read(9) == b"one"
            port.write(request)
            assert port.read(9) == reply


def test_more_than_was_asked_is_refused(folder):
    """Behind the last request there is nothing, and it is said how many there were."""
    with played(folder, [[Event(TO_BOARD, encode(Frame(link.HELLO, 1, b"")))]]) as port:
        port.write(encode(Frame(link.HELLO, 1, b"")))
        with pytest.raises(KitError, match="ends after 1 requests; here STATUS was asked"):
            port.write(encode(Frame(link.STATUS, 2, b"")))


class Estimating:
    """A port as the virtual board's is, with estimates of cycles: the nth is n."""

    def __init__(self):
        self.is_open, self.baudrate, self.counts, self.asked = True, 115200, "instructions", 0

    def write(self, data):
        self.asked += 1

    def read(self, size=1):
        return b"reply"

    def take_cycle_estimates(self):
        return list(range(self.asked))


def test_estimates_of_a_virtual_board_are_played_and_only_those(folder, tmp_path):
    """Else a profile would show counted instructions as the cycles of a real chip."""
    port = recording.Recorder(Estimating(), tmp_path)
    for _ in range(2):
        assert port.take_cycle_estimates() == list(range(port.asked))
        port.write(b"a")
        port.read()
    made = recording._collect(tmp_path)
    with played(folder, made.sessions, made.counts) as again:
        assert again.take_cycle_estimates() == []
        again.write(b"a")
        with pytest.raises(KitError, match="here HELLO was asked"):
            again.write(encode(Frame(link.HELLO, 1, b"")))
        assert again.take_cycle_estimates() == [0]
        with pytest.raises(KitError, match="here estimates were read"):
            again.take_cycle_estimates()
    assert not hasattr(played(folder, [[Event(TO_BOARD, b"a")]]), "take_cycle_estimates")


def test_what_the_host_did_not_read_is_skipped(folder):
    """A reply that comes in one piece with noise behind it: the noise is not taken for the next."""
    session = [Event(TO_BOARD, b"a"), Event(FROM_BOARD, b"reply noise"), Event(TO_BOARD, b"b")]
    with played(folder, [[*session, Event(FROM_BOARD, b"next")]]) as port:
        port.write(b"a")
        assert port.read(5) == b"reply"
        port.write(b"b")
        assert port.read(99) == b"next"


def test_a_port_that_is_closed_is_not_played(folder):
    port = played(folder, [[Event(TO_BOARD, b"a")]])
    port.close()
    for use in (lambda: port.write(b"a"), lambda: port.read(1), lambda: port.in_waiting):
        with pytest.raises(serial.PortNotOpenError):
            use()
    port.open()
    assert port.write(b"a") == 1


# Files and addresses


def test_paths_are_written_as_people_write_them(recorded, tmp_path, monkeypatch):
    """Spaces and umlauts as they are or percent-encoded; relative to the notebook or the project;
    a Windows drive with and without the slash that file URLs have."""
    file, _ = recorded
    encoded = file.as_uri().removeprefix("file://")
    assert recording.file_of(f"replay://{encoded}") == file
    assert recording.file_of(f"REPLAY://{file}") == file
    monkeypatch.chdir(file.parent)
    for url in ("replay://lesson 1.rec", "replay://lesson%201.rec", "replay://./lesson 1.rec"):
        assert recording.file_of(url).samefile(file)
    assert recording.absolute("replay://lesson 1.rec") == f"replay://{file.as_posix()}"
    assert recording.absolute("COM5") == "COM5"
    monkeypatch.setattr(paths, "ROOT", tmp_path)
    shutil.copy(file, tmp_path / "100%20.rec")
    assert recording.file_of("replay://100%20.rec") == tmp_path / "100%20.rec"
    if os.name == "posix":  # a folder that is called as a drive is
        shutil.copy(file, tmp_path / "x.rec")
        (tmp_path / "C:").mkdir()
        shutil.copy(file, tmp_path / "C:" / "x.rec")
        for url in ("replay://C:/x.rec", "replay:///C:/x.rec"):
            assert recording.file_of(url) == tmp_path / "C:" / "x.rec"


@pytest.mark.parametrize("url", ["replay://", "replay://nowhere.rec", "replay://kit"])
def test_a_file_that_is_not_there(url):
    with pytest.raises(KitError, match="There is no recording"):
        Board(url)


def test_files_that_are_no_recordings_are_told_from_damaged_ones(recorded, tmp_path):
    """Cut anywhere, one bit changed anywhere, another format or version: never a wrong answer."""
    file, _ = recorded
    whole = file.read_bytes()
    path = tmp_path / "bad.rec"

    def refusal(content):
        path.write_bytes(content)
        with pytest.raises(KitError) as caught:
            recording.read(path)
        return caught.value.what

    line, stream = whole.split(b"\n", 1)
    for foreign in (b"", b"\x7fELF" + bytes(200), b'{"cells": []}\n', b"[1]\n", b"7\n"):
        assert "no recording" in refusal(foreign)
    assert "another kit" in refusal(b'{"kit recording": 99}\n' + stream)
    for cut in (1, 100, len(stream) // 2, len(stream)):
        assert "damaged" in refusal(whole[:-cut])
    assert "damaged" in refusal(whole + b"x")
    for at in range(len(line) + 1, len(whole), 97):
        assert "damaged" in refusal(whole[:at] + bytes([whole[at] ^ 4]) + whole[at + 1 :])
    with pytest.raises(KitError, match="cannot be read"):
        recording.read(tmp_path)


def test_the_first_line_says_what_it_is(recorded):
    """For a person with an editor: the format, the board, what its counter counts; no date."""
    file, (_, (_, told)) = recorded
    header = json.loads(file.read_bytes().split(b"\n")[0])
    assert set(header) == {"kit recording", "counts", "hello"}
    assert header["hello"]["build_id"] == told[0].build_id
    assert header["counts"] == "instructions"


def test_a_file_appears_whole_or_not_at_all(elf, tmp_path):
    """An error on the way, or nothing asked: an earlier recording stays."""
    file = tmp_path / "kept.rec"
    file.write_text("before")
    with pytest.raises(ZeroDivisionError), recording.recording(file):
        short_lesson(URL)
        raise ZeroDivisionError
    with pytest.raises(KitError, match="Nothing was recorded"), recording.recording(file):
        Board(URL).close()
    assert [path.name for path in tmp_path.iterdir()] == ["kept.rec"]
    assert file.read_text() == "before"
    assert recording.FOLDER not in os.environ


def test_a_killed_process_loses_nothing_that_was_said(elf, tmp_path):
    """A kernel is killed when its notebook is over; the board in it was never closed."""
    code = (
        "import os, signal; from kit.board import Board\n"
        f"board = Board({URL!r}); board.hello()\n"
        "os.kill(os.getpid(), getattr(signal, 'SIGKILL', signal.SIGTERM))"
    )
    with recording.recording(tmp_path / "killed.rec"):
        assert subprocess.run([sys.executable, "-c", code], check=False).returncode != 0
    with Board(f"replay://{tmp_path / 'killed.rec'}") as board:
        assert board.hello().network == "small.tflite"


def test_ports_opened_at_the_same_time_have_a_session_each(tmp_path):
    """Two kernels of one recording, or two threads: none writes into the other's file."""
    port = SimpleNamespace(is_open=True)
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda _: recording.Recorder(port, tmp_path), range(64)))
    assert len({recorder._file for recorder in made}) == len(list(tmp_path.iterdir())) == 64


def test_flashing_a_recording_says_that_it_plays(recorded, elf, capsys):
    """Notebook 04 flashes whatever BOARD is: nothing happens, and it is said."""
    file, _ = recorded
    before = file.read_bytes()
    assert "nothing is written" in str(flash(f"replay://{file}", elf))
    assert "small.tflite" in str(flash(f"replay://{file}", elf))
    for scheme in ("replay", "REPLAY"):  # the whole command, which asks a recording no status
        words = ["flash", "--board", f"{scheme}://{file}", "--elf", str(elf), "--json"]
        assert main(words) == 0
        assert json.loads(capsys.readouterr().out)["status"] is None
    assert file.read_bytes() == before


# The commands

ASK = """\
import numpy as np
import kit
from kit.board import Board
board = Board(BOARD)
image = np.pad(np.full((8, 8), 200, np.uint8), 10)
board.recognize(image).scores.tolist(), board.measure(image).total"""


@pytest.fixture
def course(tmp_path, monkeypatch, elf):
    """A course of one notebook that asks a board which is not there, and one that asks none."""
    folder = tmp_path / "notebooks"
    folder.mkdir()
    cells = [new_code_cell('BOARD = "COM99"'), new_code_cell(ASK)]
    nbformat.write(new_notebook(cells=cells), folder / "04-ask.ipynb")
    nbformat.write(new_notebook(cells=[new_code_cell("1 + 1")]), folder / "01-other.ipynb")
    monkeypatch.setattr(paths, "NOTEBOOKS", folder)
    monkeypatch.chdir(tmp_path)
    return folder


def outputs(path):
    cells = nbformat.read(path, 4).cells
    return [output.data["text/plain"] for cell in cells for output in cell.get("outputs", [])]


def test_a_notebook_recorded_is_a_notebook_replayed(course, tmp_path, capsys, monkeypatch):
    """`kit record`, then `kit run --board replay://FILE`: the same outputs without the board."""
    before = (course / "04-ask.ipynb").read_bytes()
    assert main(["record", "--board", URL, "lesson.rec", "04", "--json"]) == 0
    made = json.loads(capsys.readouterr().out)
    copy = paths.build_folder() / "notebooks" / "04-ask.ipynb"
    said = outputs(copy)
    assert made["sessions"] == 1 and made["hello"]["network"] == "small.tflite" and said
    copy.unlink()

    assert main(["run", "04", "--board", "replay://lesson.rec", "--json"]) == 0
    assert outputs(copy) == said
    assert made["url"] in nbformat.read(copy, 4).cells[0].source
    assert (course / "04-ask.ipynb").read_bytes() == before


def test_a_board_that_no_notebook_asks_is_an_error(course):
    """`kit run 01 --board COM5` would else forget the board without a word."""
    with pytest.raises(KitError, match="None of the notebooks asks a board"):
        running.run_notebooks(["01"], board=URL)


def test_a_recording_that_fails_leaves_no_file(course, tmp_path, capsys):
    """The notebook's error is shown."""
    assert main(["record", "--board", "COM99", "lesson.rec", "04"]) == 1
    assert "COM99" in capsys.readouterr().err
    assert not (tmp_path / "lesson.rec").exists()


@pytest.mark.deep
def test_the_course_itself_can_be_recorded_and_replayed(road, tmp_path):
    """Notebooks 04 and 05: the report of a replay has the figures of the board it was made with."""
    file, command = tmp_path / "course.rec", [sys.executable, "-m", "kit"]
    made = shutil.ignore_patterns("zig-cache", "pytest*", "*.html")
    shutil.copytree(road["build"], tmp_path / "build", ignore=made)
    own = {"cwd": paths.ROOT, "env": os.environ | {"KIT_BUILD": str(tmp_path / "build")}}
    subprocess.run([*command, "record", str(file)], check=True, **own)
    board = road["report"]["board"]
    run = [*command, "run", "04", "05", "--board", f"replay://{file}", "--json"]
    done = subprocess.run(run, check=True, stdout=subprocess.PIPE, **own)
    replayed = json.loads(done.stdout)["report"]["board"]
    assert replayed == {**board, "url": f"replay://{file.as_posix()}"}
    assert file.stat().st_size < 4_000_000  # MNIST's 8 MB of pixels, packed
