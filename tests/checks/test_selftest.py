"""kit/checks/selftest.py: all is right on a right board, and each line of the page can fail."""

import json
import shutil
from dataclasses import replace
from functools import partial

import made
import pytest
from networks import EXAMPLE, Spec

from kit.board import Board, flash, link
from kit.checks import selftest
from kit.checks.selftest import run_selftest
from kit.cli import main
from kit.compile import build_firmware
from virtual_nucleo import protocol_virtual, store

SPEC = Spec(784, (12, 10), "relu", True, True, True, True, 0.05, 1)
URL = "virtual://selftest"
FAST = ["230400 baud", "460800 baud", "921600 baud"]


@pytest.fixture
def home(tmp_path, monkeypatch):
    """The user's build folder: its program is on the board. Everything is done, but less often."""
    folder = made.own_build(monkeypatch, tmp_path / "build")
    for name, count in {"FRAMES": 6, "VECTORS": 2, "IMAGES": 10}.items():
        monkeypatch.setattr(selftest, name, count)
    put_on_the_board(SPEC, folder)
    return folder


def put_on_the_board(spec, folder):
    shutil.copyfile(made.model(spec), folder / "model.tflite")
    shutil.copyfile(made.firmware(spec).elf, folder / "firmware.elf")
    flash(URL, folder / "firmware.elf")


def failed(lines):
    return [line.what for line in lines if not line.ok]


def part(one, url=URL):
    """The lines of a part alone."""
    return selftest._attempt("part", one, url)


def test_a_right_board(home, capsys, monkeypatch):
    """Text and JSON, exit code 0, on a screen or two, and no names of the user's things."""
    monkeypatch.setenv("HOME", str(home.parent))
    assert main(["selftest", "--board", URL]) == 0
    text = capsys.readouterr().out
    assert "FAILED" not in text and "0 of 10 differ from LiteRT" in text
    assert len(text.splitlines()) < 50
    assert str(home.parent) not in text and URL not in text
    assert main(["selftest", "--board", URL, "--json"]) == 0
    page = json.loads(capsys.readouterr().out)
    assert page["right"] and all(line["ok"] for line in page["lines"])
    whats = {"hello", "program", "memory", "chip", "clock", "115200 baud", *FAST, "output", "stack"}
    whats |= {"layer 0", "layer 2", "test images", "layer 0 time", "inference time"}
    assert whats <= {line["what"] for line in page["lines"]}


@pytest.mark.deep
def test_a_wrong_weight(home, tmp_path, capsys):
    """The program is whole and is firmware.elf, but it does not compute what the model says."""
    broken = shutil.copytree(made.network(SPEC).folder, tmp_path / "broken")
    data = (broken / "network_data.c").read_text()
    start = data.index("\n", data.index("layer_0_weights"))  # the first line of them: four rows
    end = data.index("\n", start + 1)
    (broken / "network_data.c").write_text(data[:start] + "99," * 16 + data[end:])
    flash(URL, build_firmware(broken).elf)
    possible = {"layer 0", "layer 1", "layer 2", "output", "test images"}
    assert {"layer 0"} <= set(failed(run_selftest(URL).lines)) <= possible
    assert main(["selftest", "--board", URL]) == 1
    assert "FAILED  layer 0" in capsys.readouterr().out


def test_another_program(home):
    """What is on the board must be firmware.elf to the last bit: also that of a layer's
    description, which nothing else compares."""
    place = store.elf_of("selftest")
    content = bytearray(place.read_bytes())
    content[content.index(b"FULLY_CONNECTED")] ^= 1
    place.write_bytes(content)
    (line,) = part(selftest._program)
    assert not line.ok and "the file has" in line.result
    shutil.copyfile(made.firmware(EXAMPLE).elf, home / "firmware.elf")
    (line,) = part(selftest._program)
    assert not line.ok and "kit flash" in line.result


@pytest.mark.deep
def test_a_noisy_line(home, monkeypatch):
    """Every ninth frame is damaged: the lines say so, and no answer is wrong."""
    write, count = protocol_virtual.Serial.write, iter(range(10**6))

    def damage(port, data):
        content = bytearray(data)
        if next(count) % 9 == 8:
            content[len(content) // 2] ^= 0x10
        return write(port, bytes(content))

    monkeypatch.setattr(protocol_virtual.Serial, "write", damage)
    page = run_selftest(URL)
    assert failed(page.lines), page
    assert all(what.endswith("baud") for what in failed(page.lines)), page


@pytest.mark.deep
def test_a_port_that_refuses_fast_rates(home, monkeypatch):
    """The usual rate works, the others fail by name, and all else is done at the usual one."""
    reconfigure = protocol_virtual.Serial._reconfigure_port

    def refuse(port):
        if port.baudrate > link.SAFE_BAUD:
            raise ValueError("not supported")
        reconfigure(port)

    monkeypatch.setattr(protocol_virtual.Serial, "_reconfigure_port", refuse)
    page = run_selftest(URL)
    assert failed(page.lines) == FAST
    assert "stay at 115200" in str(page)


@pytest.mark.parametrize(
    ("changes", "whats"),
    [
        ({}, []),
        ({"device_id": 0x10006433}, ["chip"]),
        ({"apb1_hz": 90_000_000}, ["clock"]),
        ({"flash_wait_states": 4}, ["clock"]),
        ({"stack_used": 4096}, ["stack"]),
        ({"stack_used": 0}, ["stack"]),
    ],
)
def test_a_status_that_is_not_right(home, monkeypatch, changes, whats):
    """Another chip, a bus that is too fast, too few wait states, a stack used to its end."""
    status = Board.status
    monkeypatch.setattr(Board, "status", lambda board: replace(status(board), **changes))
    assert failed(part(selftest._clock) + part(selftest._stack)) == whats


@pytest.mark.deep
@pytest.mark.parametrize("broken", ["pll=off", "hse=off&pll=off", "overdrive=off"])
def test_a_clock_that_fell_back(home, broken):
    """The program runs on the 16 MHz of the HSI where the PLL does not start, and says so."""
    (line,) = [line for line in part(selftest._clock, f"{URL}?{broken}") if not line.ok]
    assert line.what == "clock" and line.result.startswith("16,000,000 Hz from HSI")


def test_errors_that_the_chip_noted(home, monkeypatch):
    """Frames that came through are no proof that no byte was late."""
    frames = partial(selftest._line_at, link.SAFE_BAUD)
    assert failed(part(frames)) == []
    status, count = Board.status, iter(range(100))
    monkeypatch.setattr(Board, "status", lambda board: replace(status(board), overruns=next(count)))
    assert failed(part(frames)) == ["115200 baud"]


def test_a_cycle_counter_that_stands_still(home, monkeypatch):
    """No network runs in no time."""
    profile = Board.profile

    def none(board, image):
        made = profile(board, image)
        return replace(made, layers=tuple(replace(layer, cycles=0) for layer in made.layers))

    monkeypatch.setattr(Board, "profile", none)
    assert failed(part(partial(selftest._cycles, "kit", [])))[-1] == "inference time"


@pytest.mark.deep
def test_a_part_that_breaks_off(home, monkeypatch):
    """A board that crashes or sends nonsense in one part answers in the next."""

    def nonsense(board, layer, one):
        raise IndexError("nonsense")

    monkeypatch.setattr(Board, "watch", nonsense)
    page = run_selftest(URL)
    assert failed(page.lines) == ["golden vectors"]
    assert "IndexError: nonsense" in str(page)


def test_nobody_answers(home, capsys):
    """An empty board, a port that is not there: one line, and no waiting for the others."""
    for url in ("virtual://empty", "/dev/no-such-port"):
        assert main(["selftest", "--board", url]) == 1
        text = capsys.readouterr().out
        assert "FAILED  hello" in text and "1 of 1 FAILED" in text and url not in text


def test_without_the_model(home, monkeypatch):
    """What needs it says how to get it: one's own is copied, one of the course is made."""
    (home / "model.tflite").unlink()
    images = partial(selftest._test_images, iter)
    for advice in ("copy it there", "`kit run 02` makes it"):
        for needing in (selftest._golden_vectors, images):
            (line,) = part(needing)
            assert not line.ok and advice in line.result
        monkeypatch.setitem(selftest.MAKERS, "model.tflite", "02-quantize")


@pytest.mark.deep
def test_a_network_that_takes_no_images_of_mnist(home):
    """It is asked all the same, with inputs of its own size."""
    put_on_the_board(replace(SPEC, inputs=64, units=(3,)), home)
    page = run_selftest(URL)
    assert failed(page.lines) == [], page
    assert "none: the network takes 64 values" in str(page) and "0 of 4 differ" in str(page)
