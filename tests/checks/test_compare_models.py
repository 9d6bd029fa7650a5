"""kit/checks/compare_models.py: each figure is that of its own check, nothing stale is shown."""

import csv
import io
import json
import shutil
import threading
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import made
import numpy as np
import pytest
from networks import EXAMPLE, Spec, Tflite, dense

import kit
from kit import workers
from kit.board import flash
from kit.boards import DEFAULT, find_mcu
from kit.checks import compare_models
from kit.checks.compare_models import ComparedModel, _Asked, _Found, _place
from kit.checks.measure import profile_board
from kit.checks.validate import image_inputs, mnist_inputs
from kit.cli import main
from kit.compile import Footprint, build_firmware
from kit.digits import load_mnist
from kit.errors import KitError
from kit.generate import generate_network
from kit.model import IntegerLayer, Reference, save_integers
from kit.pictures import load_uci
from kit.provenance import digest, note

INT8 = Spec(784, (6, 10), "relu", True, True, True, True, 0.05, 3)
SETTINGS = {"images": 30, "board_images": 6}
WORDS = ["--images", "30", "--board-images", "6"]
ASKED = _Asked(30, 6, "virtual://compare", DEFAULT, "time")
BARE = SimpleNamespace(footprint=Footprint(9_000, 2_000, 300, ("main",)))
NAMES = ["int8.tflite", "float.tflite", "cnn.npz", "floor.tflite", "large.tflite", "twenty.tflite"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A user's models, of which the engine cannot do one, the chip has no room for one, and one
    takes no images; and a build folder."""
    folder = tmp_path_factory.mktemp("compared")
    specs = {"int8": INT8, "float": replace(INT8, int8=False), "twenty": EXAMPLE}
    for name, spec in specs.items():
        shutil.copyfile(made.model(spec), folder / f"{name}.tflite")
    generator = np.random.default_rng(1)
    kernels, rows = (generator.integers(-8, 8, shape) for shape in ((4, 5, 5, 1), (10, 4)))
    save_integers(folder / "cnn.npz", [
        IntegerLayer("CONV_2D", "", kernels, np.full(4, 0.01), np.arange(4), "int4", "RELU", (2, 2),
                     output=(0.05, -128)),
        IntegerLayer("MEAN"),
        IntegerLayer("FULLY_CONNECTED", "", rows, np.full(10, 0.1), np.arange(10), "int4",
                     output=(0.1, 3)),
    ], (28, 28, 1))  # fmt: skip
    file = Tflite()
    x, y = file.tensor((1, 784), "float32"), file.tensor((1, 784), "float32")
    file.operator("FLOOR", [x], [y])
    file.write(folder / "floor.tflite", [x], [y])
    file = Tflite()
    x = file.tensor((1, 784), "int8", 1 / 255, -128)
    file.write(folder / "large.tflite", [x], [dense(file, dense(file, x, 700, 784), 10, 700)])
    (folder / "half.tflite").write_bytes((folder / "int8.tflite").read_bytes()[:2_000])
    return folder


@pytest.fixture
def user(folder, monkeypatch):
    """In the folder, with the build folder of all tests here."""
    monkeypatch.chdir(folder)
    made.own_build(monkeypatch, folder / "build")
    return folder


@pytest.fixture
def anew(user, tmp_path, monkeypatch):
    """A build folder where nothing is kept, and programs and boards that cost no time."""
    made.own_build(monkeypatch, tmp_path / "build")
    monkeypatch.setattr(compare_models, "build_firmware", lambda *_, **__: BARE)
    monkeypatch.setattr(compare_models, "ask_board", answering(Reference("int8.tflite").run))


def answering(run):
    """A board that computes so."""
    return lambda _network, _program, _url, inputs, _bar: ([run(inputs)], None)


@pytest.fixture
def idle(monkeypatch):
    """Whoever computes fails."""
    monkeypatch.setattr(compare_models, "_compute", lambda *_: pytest.fail("computed"))


@pytest.fixture
def table(user):
    return kit.compare(NAMES, **SETTINGS)


def test_each_figure_is_that_of_its_own_check(table, user):
    """LiteRT's digits, the footprint of `kit generate`, the instructions of `kit profile`."""
    images = {name: mnist_inputs(name, 30) for name in NAMES[:3]}
    scores = {name: Reference(name).run(each) for name, each in images.items()}
    digits = {name: each.argmax(1) for name, each in scores.items()}
    for row, name in zip(table.rows, NAMES[:3], strict=False):
        assert (row.name, row.error, row.fits) == (name, "", True)
        assert row.file_bytes == (user / name).stat().st_size
        assert row.accuracy == np.mean(digits[name] == load_mnist()[1][1][:30])
        assert row.agreement == np.mean(digits[name] == digits["float.tflite"])
        unlike = Reference(name).run(image_inputs(name, load_uci()[0][:30])).argmax(1)
        assert row.uci_accuracy == np.mean(unlike == load_uci()[1][:30])
        assert (row.differ_here, row.differ_on_board) == (0, 0)
        assert row.digest == digest(scores[name]) or row.in_float
        assert row.flash_bytes == row.engine_bytes + row.network_bytes
        assert row.ram_bytes == row.buffers_bytes + row.stack_bytes
        assert row.microseconds == pytest.approx(row.cycles / 180) and row.cycles > row.instructions
    last = table.rows[2]
    network = generate_network("cnn.npz", user / "build/network")
    alone = build_firmware(network, bare=True).footprint
    assert (last.flash_bytes, last.ram_bytes) == (alone.flash_bytes, alone.ram_bytes)
    assert last.network_bytes == network.weights_bytes
    flash("virtual://alone", build_firmware(network).elf)
    assert last.instructions == profile_board("virtual://alone", 10).all.instructions
    assert (table.right, table.reference) == (True, "float.tflite")
    assert (table.mcu, table.core_hz, table.optimize) == ("stm32f446re", 180_000_000, "time")


def test_what_is_in_the_way_stands_in_the_row(table):
    """And the others go on: LiteRT reads without C, and the C is checked without a board."""
    floor, large, twenty = table.rows[3:]
    assert "cannot turn floor.tflite into C" in floor.error and "FLOOR" in floor.error
    assert floor.accuracy is not None and floor.agreement is not None and floor.fits is None
    assert "large.tflite does not fit: its weights take" in large.error
    assert (large.fits, large.differ_here, large.flash_bytes) == (False, 0, None)
    assert large.network_bytes > 512 * 1024 and large.differ_on_board is None
    assert "twenty.tflite does not take images" in twenty.error and twenty.accuracy is None


def test_it_is_shown_as_text_html_csv_and_json(table, idle, capsys):
    """All of it from what was kept; the text is narrow enough for a terminal of 120 columns."""
    text = repr(table)
    assert max(map(len, text.split("large.tflite: ")[0].splitlines())) <= 120
    for told in ("On 30 test images of MNIST, 6 of them on virtual://compare", "as float.tflite",
                 "STM32F446RE, saving time", "estimated at 180 MHz", "C is right."):  # fmt: skip
        assert told in text
    assert kit.compare([], **SETTINGS).rows == ()
    html = table._repr_html_()
    assert html.count("<table>") == 2 and "LiteRT&#x27;s" in html and "large.tflite" in html
    assert main(["compare", *NAMES, *WORDS, "--csv", "rows.csv"]) == 0
    assert capsys.readouterr().out == f"{text}\nrows.csv\n"
    assert main(["compare", *NAMES, *WORDS, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["right"] is True and told["images"] == 30
    with open("rows.csv", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert rows == list(csv.DictReader(io.StringIO(table.csv())))
    for row, other in zip(rows, told["rows"], strict=True):
        assert row == {name: "" if x is None else str(x) for name, x in other.items()}


def test_a_wrong_path_is_told_before_anything_is_computed(anew, idle, capsys):
    """And a damaged file, a setting, a chip, an address; behind models that are right."""
    for path, said in (("absent.tflite", "There is no file"), ("half.tflite", "not a usable")):
        with pytest.raises(KitError, match=said):
            kit.compare(["int8.tflite", path])
        assert main(["compare", "int8.tflite", path]) == 1
        assert said in capsys.readouterr().err
    for wrong in ({"optimize": "speed"}, {"mcu": "esp32"}, {"board": "vitual://"},
                  {"reference": "absent.tflite"}):  # fmt: skip
        with pytest.raises(KitError):
            kit.compare("int8.tflite", **wrong)


def test_a_difference_is_counted_and_an_exit_code(anew, monkeypatch, capsys):
    """Of the C here, and of the C on the board."""
    words = ["compare", "int8.tflite", *WORDS]
    right = Reference("int8.tflite").run

    def wrong(inputs):
        scores = right(inputs)
        scores[:2, 9] ^= 1
        return scores

    host = SimpleNamespace(run_all=lambda inputs: [wrong(inputs)])
    with monkeypatch.context() as changed:
        changed.setattr(compare_models, "HostNetwork", lambda _network: host)
        assert main([*words, "--json"]) == 1
    told = json.loads(capsys.readouterr().out)["rows"][0]
    assert (told["differ_here"], told["differ_on_board"], told["fits"]) == (2, 0, True)
    monkeypatch.setattr(compare_models, "ask_board", answering(wrong))
    assert main([*words, "--optimize", "ram"]) == 1
    assert "The C DIFFERS" in capsys.readouterr().out
    (row,) = kit.compare("int8.tflite", optimize="ram", **SETTINGS).rows
    assert (row.differ_here, row.differ_on_board) == (0, 2)


def test_several_are_compared_at_once_each_on_a_board_of_its_own(anew, monkeypatch):
    """The first board is the one that was asked for; a physical one is asked by one at a time."""
    boards, both = [], threading.Barrier(2, timeout=60)

    def on_a_board(_network, program, url, inputs, _bar):
        boards.append((url, program.folder))
        both.wait()
        return [Reference("int8.tflite").run(inputs)], None

    monkeypatch.setattr(workers.os, "cpu_count", lambda: 2)
    monkeypatch.setattr(compare_models, "build_firmware", lambda _, folder, *__, **___:
                        SimpleNamespace(folder=folder.name, footprint=BARE.footprint))  # fmt: skip
    monkeypatch.setattr(compare_models, "ask_board", on_a_board)
    shutil.copyfile("int8.tflite", "same.tflite")
    kit.compare(["int8.tflite", "same.tflite"], board="virtual://mine?hse=off", **SETTINGS)
    assert sorted(boards) == [("virtual://mine-1?hse=off", "1"), ("virtual://mine?hse=off", "0")]
    row, asked = ComparedModel("int8.tflite", 1, False), []
    monkeypatch.setattr(
        compare_models, "_compute", lambda *words: asked.append(words[2]) or _Found(row, [])
    )
    physical = ASKED._replace(url="socket://there:1")
    compare_models._all([Path("int8.tflite")] * 9, physical, lambda _title: iter)
    assert asked == [0] * 9


def test_what_was_kept_is_used_only_while_it_is_whole(user, anew, monkeypatch):
    """Planted with its note, it is shown; damaged or changed by hand, it is made anew. Of a
    physical board nothing is kept."""
    computed = []
    row = ComparedModel("int8.tflite", 1, False, accuracy=0.5)
    monkeypatch.setattr(
        compare_models, "_compute", lambda *_: computed.append(1) or _Found(row, [7] * 30)
    )
    asked = lambda: kit.compare("int8.tflite", **SETTINGS).rows[0].accuracy  # noqa: E731
    place = _place(user / "int8.tflite", ASKED)
    assert [asked(), asked(), len(computed)] == [0.5, 0.5, 1] and place.exists()
    place.write_text(place.read_text().replace("0.5", "0.7"))
    note(place, "int8.tflite")
    assert [asked(), len(computed)] == [0.7, 1]
    for damage in ("", place.read_text()[:90], place.read_text().replace("0.7", "0.8")):
        place.write_text(damage)
        before = len(computed)
        assert [asked(), asked(), len(computed)] == [0.5, 0.5, before + 1]
    physical = ASKED._replace(url="socket://there:1")
    place = _place(user / "int8.tflite", physical)
    compare_models._found(user / "int8.tflite", place, physical, 0, print)
    assert not place.exists()


def test_what_was_kept_belongs_to_all_that_decides_it(user, monkeypatch):
    """The file, the settings, how the board is, and the sources; not the board's name."""
    others = [{"images": 31}, {"board_images": 7}, {"mcu": find_mcu("stm32f401re")}, {"url": None},
              {"optimize": "ram"}, {"url": "virtual://compare?hse=off"}]  # fmt: skip

    def place(path="int8.tflite", **other):
        return _place(user / path, ASKED._replace(**other))

    places = [place(), place("float.tflite"), *(place(**other) for other in others)]
    assert place(url="virtual://mine") == places[0]
    source, known = user / "firmware" / "kernel.c", compare_models._deciding()
    source.parent.mkdir()
    with monkeypatch.context() as changed:
        changed.setattr(compare_models, "ROOT", user)
        for text in ("int a;", "int b;"):
            source.write_text(text)
            compare_models._deciding.cache_clear()
            places.append(place())
        (user / "firmware" / "made.pyc").write_bytes(b"x")
        compare_models._deciding.cache_clear()
        assert place() == places[-1]
    compare_models._deciding.cache_clear()
    assert compare_models._deciding() == known and len({*places}) == len(places)


def test_the_chip_the_reference_and_names(anew, user):
    """A chip without a virtual board is built for; a reference gets a row; models of one name are
    told by their folders, or called as one likes."""
    found = kit.compare("int8.tflite", mcu="STM32L476RG", reference="floor.tflite", **SETTINGS)
    floor, row = found.rows
    assert "there is no virtual STM32L476RG" in row.error and "virtual://" not in repr(found)
    assert (row.fits, row.differ_here, row.differ_on_board) == (True, 0, None)
    assert (found.reference, floor.agreement, found.board, found.core_hz) == (
        "floor.tflite", 1.0, "", 80_000_000)  # fmt: skip
    (user / "mine").mkdir()
    shutil.copyfile("int8.tflite", other := user / "mine" / "int8.tflite")
    found = kit.compare(["int8.tflite", other], **SETTINGS)
    assert [row.name for row in found.rows] == ["int8.tflite", str(other)]
    assert (found.reference, found.rows[0].agreement) == ("", None)
    names = {"ours": "int8.tflite", "theirs": other}
    found = kit.compare(names, reference="floor.tflite", **SETTINGS)
    assert [row.name for row in found.rows] == ["floor.tflite", "ours", "theirs"]
    assert found.reference == "floor.tflite"
