"""What a board answered is answered again, and never to another question (kit.board.recording and
protocol_replay): in any order and as often as wanted, from one small file of text."""

import json
import os
import re
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import nbformat
import numpy as np
import pytest
import serial
from lines import URL
from made import copy_artifacts, share_caches
from nbformat.v4 import new_code_cell, new_notebook

from kit import paths
from kit.board import Board, Request, flash, recording
from kit.board.frame import Frame, FrameReader, encode
from kit.board.recording import file_of, read_recording, record_board
from kit.board.requests import ERROR, FAULT, REPLY
from kit.cli import main
from kit.errors import KitError
from kit.lesson import execute as running

IMAGE = np.pad(np.full((8, 8), 200, np.uint8), 10)
OTHER = np.pad(np.full((6, 8), 90, np.uint8), ((11, 11), (10, 10)))
NEVER = np.pad(np.full((8, 8), 201, np.uint8), 10)


def lesson(url):
    """What a notebook asks: all that a board can be asked."""
    with Board(url) as board:
        one = np.arange(784).astype(np.int8)
        numbers = [board.run([one]), board.watch(0, one)]
        numbers += [board.recognize(image).scores for image in (IMAGE, OTHER)]
        layers = [board.layer(number) for number in range(3)]
        told = (board.hello(), board.profile(OTHER), layers, board.status(), board.checksum())
        return [array.tolist() for array in numbers], told


@pytest.fixture(scope="module")
def recorded(program, tmp_path_factory):
    """A recording, and what the board said in it."""
    file = tmp_path_factory.mktemp("a folder, für Ä") / "lesson 1.rec"
    with record_board(URL, file):
        said = lesson(URL)
    return file, said


def test_a_recording_says_what_the_board_said(recorded):
    """As often as wanted, and to several at once: the same answers, to the last bit, at the fast
    rate that the board had, and with its estimates of cycles."""
    file, said = recorded
    with Board(f"Replay://{file}") as other, ThreadPoolExecutor(2) as pool:
        assert other.hello() == said[1][0]
        assert list(pool.map(lesson, [f"replay://{file}", f"REPLAY://{file}"])) == [said] * 2
        assert other.profile(OTHER) == said[1][1] and said[1][1].estimated
        assert other.link.baud == other.port.baudrate > 115_200


def test_cells_can_be_run_twice_and_in_another_order(recorded):
    file, (numbers, (hello, profile, layers, _, checksum)) = recorded
    with Board(f"REPLAY://{file}") as board:
        assert board.profile(OTHER) == profile == board.profile(OTHER)
        for image, scores in ((OTHER, numbers[3]), (IMAGE, numbers[2]), (OTHER, numbers[3])):
            assert board.recognize(image).scores.tolist() == scores
        assert board.layer(2) == layers[2] and board.checksum() == checksum
        assert board.hello() == hello


def test_what_was_never_asked_is_refused_and_the_rest_still_plays(recorded):
    """Somebody draws a digit in a replayed notebook: an error says which request, which file and
    what to do, and the next cell works."""
    file, (numbers, _) = recorded
    with Board(f"replay://{file}") as board:
        for _ in range(2):
            with pytest.raises(KitError, match="no answer to this RECOGNIZE") as caught:
                board.recognize(NEVER)
        assert file.name in caught.value.what and "2 RECOGNIZE requests" in caught.value.why
        assert "kit record" in caught.value.next_step
        with pytest.raises(KitError, match="no answer to this RESET"):
            board.reset()
        assert board.recognize(OTHER).scores.tolist() == numbers[3]


def test_the_same_questions_make_the_same_file(recorded, tmp_path):
    """But for the first line, which says for a person what it is, from which day, and who answers.
    A recording of a replay is the recording, too; and it is small."""
    file, said = recorded
    header = json.loads(file.read_bytes().split(b"\n")[0])
    assert header["kit recording"] == recording.VERSION
    assert re.fullmatch(r"\d{4}-\d\d-\d\d", header["date"])
    assert header["hello"]["build_id"] == said[1][0].build_id
    for name, url in (("a", URL), ("b", f"replay://{file}")):
        with record_board(url, tmp_path / name):
            assert lesson(url) == said
        assert read_recording(tmp_path / name) == read_recording(file)
        made, known = ((path.read_bytes().split(b"\n")) for path in (tmp_path / name, file))
        assert made[1:] == known[1:]
    assert file.stat().st_size < 3000


def play(tmp_path, *notes):
    """A port that plays these requests and their replies, each a kind and a payload."""
    with record_board("x", tmp_path / "made.rec"):
        for asked, payload, kind, reply in notes:
            recording.keep_reply("x", asked, payload, recording.Reply(kind, reply.hex(), []))
    return serial.serial_for_url(f"replay://{tmp_path / 'made.rec'}", timeout=0)


def ask(port, kind, payload=b""):
    port.write(encode(Frame(kind, 5, payload)))
    (frame,) = FrameReader().feed(port.read(port.in_waiting))
    assert frame.sequence == 5 or frame.type == FAULT
    return frame.type, frame.payload


def test_replies_come_in_their_order_and_the_last_one_repeats(tmp_path):
    """Errors and crashes are replies, too. Estimates that nobody made are not made up: else a
    profile would show what a chip counted as instructions."""
    status = (Request.STATUS, b"", Request.STATUS | REPLY)
    port = play(
        tmp_path,
        (*status, b"one"), (*status, b"one"), (*status, b"two"), (*status, b"two"),
        (Request.LAYER, b"\x07", ERROR, b"\2\5\0"), (Request.RUN, b"x", FAULT, b"crashed"),
    )  # fmt: skip
    assert [ask(port, Request.STATUS)[1] for _ in range(5)] == [b"one", b"one", *[b"two"] * 3]
    assert ask(port, Request.LAYER, b"\x07") == (ERROR, b"\2\5\0")
    assert ask(port, Request.RUN, b"x") == (FAULT, b"crashed")
    assert ask(port, Request.BAUD, b"rate") == (Request.BAUD | REPLY, b"rate")
    assert port.inside is None
    port.close()
    for use in (lambda: port.write(b"a"), lambda: port.read(1), lambda: port.in_waiting):
        with pytest.raises(serial.PortNotOpenError):
            use()
    port.open()
    assert ask(port, Request.STATUS)[1] == b"one"


def test_only_one_program_is_in_a_recording(recorded, tmp_path):
    """What a board said before it was flashed, and what others say, is not mixed with the rest."""
    file, _ = recorded
    header = json.loads(file.read_bytes().split(b"\n")[0])
    greeting = bytes.fromhex(read_recording(file).replies[recording.GREETING][0].payload)
    hello, status = (Request.HELLO, b"", Request.HELLO | REPLY), (Request.STATUS, b"", 0x89)
    port = play(tmp_path, (*hello, b"before"), (*status, b"old"), (*hello, greeting))
    assert read_recording(tmp_path / "made.rec").hello == header["hello"]
    assert ask(port, Request.HELLO)[1] == greeting
    with pytest.raises(KitError, match="no STATUS"):
        ask(port, Request.STATUS)
    with pytest.raises(KitError, match="Nothing was recorded"), record_board("COM5", file):
        Board(URL).hello()


# Files and addresses


def test_paths_are_written_as_people_write_them(recorded, tmp_path, monkeypatch):
    """Spaces and umlauts as they are or percent-encoded; relative to the notebook or the project;
    a Windows drive with and without the slash that file URLs have."""
    file, _ = recorded
    encoded = file.as_uri().removeprefix("file://")
    assert file_of(f"replay://{encoded}") == file
    assert file_of(f"REPLAY://{file}") == file
    monkeypatch.chdir(file.parent)
    for url in ("replay://lesson 1.rec", "replay://lesson%201.rec", "replay://./lesson 1.rec"):
        assert file_of(url).samefile(file)
    assert recording.absolute("replay://lesson 1.rec") == f"replay://{file.as_posix()}"
    assert recording.absolute("COM5") == "COM5"
    monkeypatch.setattr(paths, "ROOT", tmp_path)
    shutil.copy(file, tmp_path / "100%20.rec")
    assert file_of("replay://100%20.rec") == tmp_path / "100%20.rec"
    if os.name == "posix":  # a folder that is called as a drive is
        shutil.copy(file, tmp_path / "x.rec")
        (tmp_path / "C:").mkdir()
        shutil.copy(file, tmp_path / "C:" / "x.rec")
        for url in ("replay://C:/x.rec", "replay:///C:/x.rec"):
            assert file_of(url) == tmp_path / "C:" / "x.rec"


@pytest.mark.parametrize("url", ["replay://", "replay://nowhere.rec", "replay://kit"])
def test_a_file_that_is_not_there(url):
    with pytest.raises(KitError, match="There is no recording"):
        Board(url)


def test_files_that_are_no_recordings_are_told_from_damaged_ones(recorded, tmp_path):
    """Cut anywhere, one bit changed anywhere, another format or version: never a wrong answer. Line
    ends as another system writes them are no damage."""
    file, _ = recorded
    whole, path = file.read_bytes(), tmp_path / "bad.rec"

    def refusal(content):
        path.write_bytes(content)
        with pytest.raises(KitError) as caught:
            read_recording(path)
        return caught.value.what

    line, body = whole.split(b"\n", 1)
    for foreign in (b"", b"\x7fELF" + bytes(200), b'{"cells": []}\n', b"[1]\n", b"7\n"):
        assert "no recording" in refusal(foreign)
    assert "another kit" in refusal(b'{"kit recording": 99}\n' + body)
    for cut in (1, 100, len(body) // 2, len(body)):
        assert "damaged" in refusal(whole[:-cut])
    assert "damaged" in refusal(whole + b"x")
    for at in range(len(line) + 1, len(whole), 97):
        assert "damaged" in refusal(whole[:at] + bytes([whole[at] ^ 4]) + whole[at + 1 :])
    with pytest.raises(KitError, match="cannot be read"):
        read_recording(tmp_path)
    path.write_bytes(whole.replace(b"\n", b"\r\n"))
    assert read_recording(path) == read_recording(file)


def test_a_file_appears_whole_or_not_at_all(program, tmp_path):
    """An error on the way, or nothing asked: an earlier recording stays."""
    file = tmp_path / "kept.rec"
    file.write_text("before")
    with pytest.raises(ZeroDivisionError), record_board(URL, file):
        Board(URL).hello()
        raise ZeroDivisionError
    with pytest.raises(KitError, match="Nothing was recorded"), record_board(URL, file):
        Board(URL).close()
    assert [path.name for path in tmp_path.iterdir()] == ["kept.rec"]
    assert file.read_text() == "before"
    assert recording.NOTES not in os.environ


def test_a_killed_process_loses_nothing_that_was_said(program, tmp_path):
    """A kernel is killed when its notebook is over; the board in it was never closed."""
    code = (
        "import os, signal; from kit.board import Board\n"
        f"board = Board({URL!r}); board.hello()\n"
        "os.kill(os.getpid(), getattr(signal, 'SIGKILL', signal.SIGTERM))"
    )
    with record_board(URL, tmp_path / "killed.rec"):
        assert subprocess.run([sys.executable, "-c", code], check=False).returncode != 0
    with Board(f"replay://{tmp_path / 'killed.rec'}") as board:
        assert board.hello().network == "model.tflite"


def test_flashing_a_recording_says_that_it_plays(recorded, program, capsys):
    """Notebook 04 flashes whatever BOARD is: nothing happens, and it is said."""
    file, _ = recorded
    before = file.read_bytes()
    done = str(flash(f"replay://{file}", program))
    assert "nothing is written" in done and "model.tflite" in done
    for scheme in ("replay", "REPLAY"):  # the whole command, which asks a recording no status
        words = ["flash", "--board", f"{scheme}://{file}", "--elf", str(program), "--json"]
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
board.recognize(image).scores.tolist(), board.profile(image).cycles"""


@pytest.fixture
def course(tmp_path, monkeypatch, program):
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
    assert made["requests"] == 6 and made["hello"]["network"] == "model.tflite" and said
    copy.unlink()

    assert main(["run", "04", "--board", "replay://lesson.rec", "--json"]) == 0
    assert outputs(copy) == said
    assert made["url"] in nbformat.read(copy, 4).cells[0].source
    assert (course / "04-ask.ipynb").read_bytes() == before


def test_what_cannot_be_run_on_a_board_is_an_error(course, tmp_path, capsys):
    """`kit run 01 --board COM5` would else forget the board without a word. A recording that fails
    shows the notebook's error, and leaves no file."""
    with pytest.raises(KitError, match="None of the notebooks asks a board"):
        running.run_notebooks(["01"], board=URL)
    assert main(["record", "--board", "COM99", "lesson.rec", "04"]) == 1
    assert "COM99" in capsys.readouterr().err
    assert not (tmp_path / "lesson.rec").exists()


@pytest.mark.deep
def test_the_course_itself_can_be_recorded_and_replayed(road, tmp_path):
    """Notebooks 04 and 05: the report of a replay has the figures of the board it was made with."""
    file, command = tmp_path / "course.rec", [sys.executable, "-m", "kit"]
    share_caches(tmp_path / "build")
    copy_artifacts(road["build"], tmp_path / "build")
    own = {"cwd": paths.ROOT, "env": os.environ | {"KIT_BUILD": str(tmp_path / "build")}}
    subprocess.run([*command, "record", str(file)], check=True, **own)
    board = road["report"]["board"]
    run = [*command, "run", "04", "05", "--board", f"replay://{file}", "--json"]
    done = subprocess.run(run, check=True, stdout=subprocess.PIPE, **own)
    replayed = json.loads(done.stdout)["report"]["board"]
    assert replayed == {**board, "url": f"replay://{file.as_posix()}"}
    assert file.stat().st_size < 4_000_000  # MNIST's 8 MB of pixels, packed
