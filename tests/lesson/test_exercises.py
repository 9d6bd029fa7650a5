"""Every exercise, done as a student would: what it says comes true, the course stays as it was.

A notebook runs in a kernel of its own, with a copy of what the road made; the cells that an
exercise needs are run first, then those that a student would write below the text.
"""

import ast
import re
import shutil
from contextlib import ExitStack
from types import SimpleNamespace

import nbformat
import pytest
from nbclient.exceptions import CellExecutionError

from kit import paths
from kit.errors import KitError
from kit.lesson import artifacts
from kit.lesson.execute import kernel, notebooks
from kit.lesson.exercises import copy_of_firmware, watch_led
from kit.provenance import digest, note_of

CHANGE = """\
def change(file, old, new):
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))"""


class Lesson:
    """A notebook in a kernel: its cells when they are needed, and a student's own."""

    def __init__(self, name: str, build, stack: ExitStack) -> None:
        (path,) = notebooks([name])
        self.notebook = nbformat.read(path, 4)
        self.exercises = next(c.source for c in self.notebook.cells if "## Try it" in c.source)
        self._done: set[str] = set()
        own = {"KIT_BUILD": str(build), artifacts.CHAIN: ""}  # a person runs it
        self._client = stack.enter_context(kernel(self.notebook, path, **own))
        self.do(CHANGE)

    def needs(self, *ids: str) -> None:
        """Run these cells of the notebook, in this order, unless they were."""
        for one in ids:
            if one not in self._done:
                self.do(self.source(one))
                self._done.add(one)

    def source(self, one: str) -> str:
        return next(cell.source for cell in self.notebook.cells if cell.id == one)

    def given(self) -> str:
        """The code in the text of the exercises."""
        return re.search(r"```python\n(.*?)```", self.exercises, re.DOTALL)[1]

    def do(self, source: str) -> str:
        """Run a cell of one's own; what it shows as text."""
        cell = nbformat.v4.new_code_cell(source)
        self.notebook.cells.append(cell)
        self._client.execute_cell(cell, len(self.notebook.cells) - 1)
        shown = [
            out.get("text") or out.get("data", {}).get("text/plain", "") for out in cell.outputs
        ]
        return "".join(shown)

    def value(self, source: str):
        return ast.literal_eval(self.do(source))

    def refused(self, source: str) -> str:
        """What a cell says that ends in an error of the kit."""
        with pytest.raises(CellExecutionError) as caught:
            self.do(source)
        assert caught.value.ename.endswith(("Error", "Fault")), caught.value.ename
        return caught.value.evalue


@pytest.fixture(scope="module")
def build(road, tmp_path_factory):
    """What the road made, for this file alone."""
    folder = tmp_path_factory.mktemp("exercises")
    for name in artifacts.MAKERS:
        made = road["build"] / name
        copy = shutil.copytree if made.is_dir() else shutil.copyfile
        copy(made, folder / name)
        if note_of(made).exists():
            shutil.copy(note_of(made), folder)
    return folder


@pytest.fixture(scope="module")
def lesson(build):
    """lesson("03"): that notebook; the kernel of the one before is gone then."""
    opened: dict[str, Lesson] = {}
    with ExitStack() as stack:

        def open_one(name: str) -> Lesson:
            if name not in opened:
                stack.close()
                opened.clear()
                opened[name] = Lesson(name, build, stack)
            return opened[name]

        yield open_one


@pytest.fixture(autouse=True)
def untouched(request):
    """No exercise leaves the course's artifacts, notebooks or firmware other than they were."""
    if "lesson" not in request.fixturenames:
        yield
        return
    build = request.getfixturevalue("build")
    places = [*(build / name for name in artifacts.MAKERS), paths.FIRMWARE, paths.NOTEBOOKS]
    before = {place.name: digest(place) for place in places}
    yield
    assert {place.name: digest(place) for place in places} == before


def test_every_exercise_is_performed():
    """By a test of this file that is named after it."""
    found = []
    for path in notebooks()[1:]:
        text = next(c.source for c in nbformat.read(path, 4).cells if "## Try it" in c.source)
        numbers = re.findall(r"^(\d+)\. ", text, re.MULTILINE)
        found += [f"test_{path.stem[:2]}_{number}" for number in numbers]
    tests = [name.rsplit("_", 1)[0] for name in globals() if re.match(r"test_\d\d_\d_", name)]
    assert sorted(tests) == found and len(found) == 17


def test_a_copy_of_the_firmware_keeps_what_was_changed_in_it(tmp_path, monkeypatch):
    """Asking for it again, as a cell does that is run again, does not undo the work."""
    monkeypatch.setenv("KIT_BUILD", str(tmp_path))
    copy = copy_of_firmware("blink")
    assert digest(copy) == digest(paths.FIRMWARE)
    (copy / "app" / "light.c").write_text("changed")
    assert (copy_of_firmware("blink") / "app" / "light.c").read_text() == "changed"


def test_the_light_of_a_real_board_is_for_the_eyes():
    with pytest.raises(KitError, match="COM5"):
        watch_led(SimpleNamespace(port=object(), url="COM5"))


# --- 01-train ------------------------------------------------------------------------------------

TRAIN = ("01-01", "01-03", "01-11")
FIT = """\
def read_by(network, epochs):
    network.compile(
        optimizer="adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"]
    )
    network.fit(x_train / 255, y_train, epochs=epochs, verbose=0)
    return network.evaluate(x_test / 255, y_test, verbose=0)[1]"""


@pytest.mark.deep
def test_01_1_one(lesson):
    """One epoch reads worse than three."""
    train = lesson("01")
    train.needs(*TRAIN)
    train.do(FIT)
    one = train.value("float(read_by(new_network(), 1))")
    train.needs("01-29")
    assert 0.9 < one < train.value("float(accuracy)")


@pytest.mark.deep
def test_01_2_small(lesson):
    """A ninth of the weights, and still 9 of 10 are right."""
    train = lesson("01")
    train.needs(*TRAIN)
    train.do(FIT)
    train.do(train.source("01-11").replace("128", "16").replace("new_network", "small_network"))
    assert train.value("tutorial.count_params()") == 784 * 16 + 16 + 16 * 16 + 16 + 16 * 10 + 10
    assert 0.9 < train.value("float(read_by(tutorial, 3))") < 0.97


@pytest.mark.deep
def test_01_3_mine(lesson, build, monkeypatch):
    """One's own network goes to the chip, a word that is neither is refused, and back is back."""
    monkeypatch.setenv("KIT_BUILD", str(build))

    def states():
        return {row["state"] for row in artifacts.status()}

    train = lesson("01")
    train.needs(*TRAIN, "01-29")
    chosen = train.source("01-31")
    assert "mean 'mine'" in train.refused(chosen.replace('"reference"  #', '"Mine"  #'))
    train.do(chosen.replace('"reference"  #', '"mine"  #'))
    assert states() == {"fresh", "older than digits.keras"}
    try:
        recognize = lesson("05")
        recognize.needs("05-01", "05-03")
        assert states() == {"fresh"}
        assert recognize.value("int(sum(board.recognize(x).digit == y for x, y in "
                               "zip(x_test[:100], y_test[:100], strict=True)))") > 90  # fmt: skip
    finally:
        back = lesson("01")
        back.needs("01-01")
        back.do(chosen)
        artifacts.artifact("firmware.elf")
    assert states() == {"fresh"}


# --- 02-quantize ---------------------------------------------------------------------------------

MEASURE = ("02-01", "02-03", "02-13", "02-15")
FEW = """\
def other_images():
    for image in x_train[:{count}]:
        yield [({image}).astype(np.float32)]


converter.representative_dataset = other_images
with kit.making("exercises/other.tflite") as file, quiet():
    file.write_bytes(converter.convert())
paths["other"] = kit.build_folder() / "exercises" / "other.tflite"
digits["other"] = answers(paths["other"])"""


def with_converter(quantize):
    """The cell of the int8 network without its last lines, which write the course's file."""
    quantize.needs(*MEASURE)
    quantize.do(quantize.source("02-11").split("\n\nwith kit.making")[0])


@pytest.mark.deep
def test_02_1_few(lesson):
    """The same bytes, and some more images that are read differently."""
    quantize = lesson("02")
    with_converter(quantize)
    quantize.do(FEW.format(count=5, image="image[np.newaxis] / 255"))
    few, all_of_them = quantize.value('row("other")'), quantize.value('row("int8")')
    assert few["bytes"] == all_of_them["bytes"]
    assert 0.9 < few["agreement"] < all_of_them["agreement"]


@pytest.mark.deep
def test_02_2_raw(lesson):
    """By its scale it reads as well as ever; by what it was trained on, nothing."""
    quantize = lesson("02")
    with_converter(quantize)
    quantize.do(FEW.format(count=500, image="image[np.newaxis]"))
    assert quantize.value('read(paths["other"]).input.scale') == 1
    assert quantize.value('row("other")')["accuracy"] > 0.97
    quantize.do('inputs = pixels_to_input(x_test, read(paths["other"]).input, (0, 1))')
    quantize.do('blind = Reference(paths["other"]).run(inputs).argmax(axis=1)')
    assert quantize.value("float(np.mean(blind == y_test))") < 0.12
    assert quantize.value("len(np.unique(inputs))") == 2


@pytest.mark.deep
def test_02_3_differing(lesson):
    """A handful."""
    quantize = lesson("02")
    quantize.needs(*MEASURE)
    quantize.do('changed = np.flatnonzero(digits["int8"] != digits["float32"])')
    assert "digits" in quantize.do("show.digits(x_test[changed], y_test[changed])")
    assert 1 <= quantize.value("len(changed)") <= 50


# --- 03-generate ---------------------------------------------------------------------------------

FLOAT = """\
float32 = kit.generate_network(kit.artifact("digits_float32.tflite"),
                       kit.build_folder() / "exercises" / "float32")"""
INT8 = 'network = kit.generate_network(model_file, kit.build_folder() / "exercises" / "network")'


def test_03_1_float(lesson):
    """The MACs stay, the arena is four times as large, the weights nearly."""
    generate = lesson("03")
    generate.needs("03-01")
    generate.do(f"{INT8}\n{FLOAT}")
    sizes = "(net.macs, net.weights_bytes, net.arena_bytes)"
    macs, weights, arena = generate.value(sizes.replace("net", "network"))
    of_float = generate.value(sizes.replace("net", "float32"))
    assert of_float[0] == macs and of_float[2] == 4 * arena
    assert 3.5 * weights < of_float[1] < 4 * weights


@pytest.mark.deep
def test_03_2_weight(lesson):
    """A step of one weight shows in a few images, a hundred steps in hundreds; `here` sleeps on."""
    generate = lesson("03")
    generate.needs("03-01")
    generate.needs("03-19")
    generate.do(f"{INT8}\nhere = kit.HostNetwork(network)")
    generate.do(generate.source("03-25"))
    counts = []
    for added in (1, 100):
        generate.do(f"""\
{INT8}
file = network.folder / "network_data.c"
start = file.read_text().index("layer_0_weights[")
first = file.read_text()[start:].split("{{")[1].split(",")[0]
change(file, "{{" + first + ",", "{{" + str(int(first) + {added}) + ",")
there = kit.HostNetwork(kit.build_folder() / "exercises" / "network").run(inputs)""")
        counts.append(generate.value("int(np.any(there != reference, axis=1).sum())"))
    assert 0 < counts[0] < 50 < counts[1] < 5000
    assert "10,000 of 10,000" in generate.do(generate.source("03-25"))


def test_03_3_dynamic(lesson):
    """Refused, with the notebook that says what to do instead."""
    generate = lesson("03")
    generate.needs("03-01")
    said = generate.refused('kit.generate_network(kit.artifact("digits_dynamic_range.tflite"), '
                            'kit.build_folder() / "exercises" / "dynamic")')  # fmt: skip
    assert "int8" in said and "Next: " in said
    assert not generate.value('(kit.build_folder() / "exercises" / "dynamic").exists()')


# --- 04-flash ------------------------------------------------------------------------------------


def run_copy(flash, name, file, old, new, then):
    """What a changed copy of the firmware does, on a virtual board of its own."""
    flash.needs("04-01", "04-03")
    flash.do(flash.given())
    flash.do(f'change(copy_of_firmware("{name}") / "{file}", {old!r}, {new!r})')
    return f'with run_copy(copy_of_firmware("{name}")) as board:\n    {then}'


@pytest.mark.deep
def test_04_1_float(lesson):
    """It fits, with less than a tenth of the flash to spare."""
    flash = lesson("04")
    flash.needs("04-01", "04-03")
    flash.do(f'{FLOAT}\nlarge = kit.build_firmware(float32, out="exercises/float32")')
    assert 0 < flash.value("memories(large.mcu)[0].size - large.memory.flash_bytes") < 52_428


@pytest.mark.deep
def test_04_2_blink(lesson):
    """Twice as many phases in the same time; the button's answer is the built-in 3."""
    flash = lesson("04")
    press = "board.port.press_button(True); print(watch_led(board, 6))"
    for name, factor in (("same", 1), ("blink", 2)):
        source = run_copy(flash, name, "app/light.c", "SECOND / 2", f"SECOND / {2 * factor}",
                          f"print(watch_led(board)); {press}")  # fmt: skip
        idle, answer = flash.do(source).strip().splitlines()[-2:]
        assert 5 * factor <= idle.count("o") <= 10 * factor, idle
        dark = re.split(r"off (?:0\.[89]|1\.\d) s", answer)
        assert dark[1].count("on ") == 3, answer


@pytest.mark.deep
def test_04_3_wait(lesson):
    """The virtual board says that the flash is read too fast, where, and what to do."""
    chip = "boards/nucleo_f446re/board.toml"
    source = run_copy(
        lesson("04"), "wait", chip, "wait_states = 5", "wait_states = 2", "board.hello()"
    )
    said = lesson("04").refused(source)
    assert "wait state" in said and "clock.c" in said and "Next: " in said


@pytest.mark.deep
def test_04_4_crash(lesson):
    """The line of the text compiles, and the crash is named with function and line."""
    line = "(void)*(volatile uint32_t *)0x90000000;"
    assert line in lesson("04").exercises
    serve = "static void serve(void)\n{\n"
    changed = f"{serve}    {line}\n"
    source = run_copy(lesson("04"), "crash", "app/main.c", serve, changed, "board.hello()")
    said = lesson("04").refused(source)
    assert "0x90000000" in said and "serve" in said and "main.c" in said


# --- 05-recognize --------------------------------------------------------------------------------

START = ("05-01", "05-03")


@pytest.mark.deep
def test_05_1_wrong(lesson):
    """About one in forty."""
    recognize = lesson("05")
    recognize.needs(*START, "05-19")
    recognize.do("wrong = np.flatnonzero(scores.argmax(axis=1) != y_test)")
    assert 200 < recognize.value("len(wrong)") < 300
    assert "20 handwritten digits" in recognize.do("show.digits(x_test[wrong[:20]])")


@pytest.mark.deep
def test_05_2_pad(lesson):
    """In a corner and half as high as the pad it is a 1; a spot of the pen's own size is none."""
    recognize = lesson("05")
    recognize.needs(*START)
    recognize.do("from kit.lesson.pad import DrawingPad\npad = DrawingPad(board.recognize)")

    def read_as(height):
        recognize.do(f"pad.clear(); pad.stroke([(20, 20), (20, {20 + height})])")
        return recognize.value("pad.answer.digit")

    assert read_as(140) == 1
    assert any(read_as(height) != 1 for height in (40, 30, 20, 10))


@pytest.mark.deep
def test_05_3_inverted(lesson):
    """Worse than all three mistakes together: the wrap had turned much of it back."""
    recognize = lesson("05")
    recognize.needs(*START)
    recognize.do("tutorial = Reference(kit.artifact('tutorial.tflite'))")
    recognize.do("""\
def right(images):
    return float(np.mean(tutorial.run(images.astype(np.float32)).argmax(axis=1) == y_test))""")
    both, all_three = recognize.value("right(255 - x_test), right((255 - x_test).astype(np.int8))")
    assert both < 0.1 < all_three


@pytest.mark.deep
def test_05_4_own(lesson):
    """The right way, the wrong way, and the right way again."""
    recognize = lesson("05")
    recognize.needs(*START)
    recognize.do(recognize.given())
    reads = []
    for settings in ("", "input_range=(0, 1)", ""):
        shown, right = recognize.do(f"right_of_500({settings})").splitlines()
        assert shown.endswith("(0.0, 1.0)" if settings else "(0.0, 255.0)")
        reads.append(int(right))
    assert reads[1] < 100 < 300 < reads[0] == reads[2]
