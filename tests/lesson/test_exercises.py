"""kit/lesson/exercises.py and every exercise, done as a student would: what it says comes true,
the course stays as it was.

A notebook runs in a kernel of its own, with a copy of what the road made; the cells that an
exercise needs are run first, then those that a student would write below the text.
"""

import ast
import re
from contextlib import ExitStack
from functools import lru_cache
from types import SimpleNamespace

import nbformat
import pytest
from courses import shown
from made import copy_artifacts
from nbclient.exceptions import CellExecutionError

from kit import paths
from kit.errors import KitError
from kit.lesson import artifacts
from kit.lesson.execute import kernel, notebooks
from kit.lesson.exercises import copy_of_firmware, watch_led
from kit.provenance import file_digest

NEEDS = {
    "01": ("01-01", "01-03", "01-11"),
    "02": ("02-01", "02-03", "02-13", "02-15"),
    "03": ("03-01",),
    "04": ("04-01", "04-03"),
    "05": ("05-01", "05-03"),
    "06": ("06-01", "06-02", "06-04", "06-08", "06-10", "06-13", "06-13b", "06-15", "06-15b",
           "06-17", "06-19"),
    "speed": tuple(f"speed-{cell:02}" for cell in (1, 3, 5, 7, 9, 15, 17)),
}  # fmt: skip
"""The cells of each notebook that all of its exercises need."""

CHANGE = """\
def change(file, old, new):
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))"""


def exercises_of(notebook):
    return next(cell.source for cell in notebook.cells if "## Try it" in cell.source)


class Lesson:
    """A notebook in a kernel: its cells when they are needed, and a student's own."""

    def __init__(self, name, build, stack):
        (path,) = notebooks([name])
        self.notebook = nbformat.read(path, 4)
        self.exercises = exercises_of(self.notebook)
        self._done = set()
        own = {"KIT_BUILD": str(build), artifacts.CHAIN: ""}  # a person runs it
        self._client = stack.enter_context(kernel(self.notebook, path, **own))
        self.do(CHANGE)
        self.needs(*NEEDS[name])

    def needs(self, *ids):
        """Run these cells of the notebook, in this order, unless they were."""
        for one in [each for each in ids if each not in self._done]:
            self.do(self.source(one))
            self._done.add(one)

    def source(self, one):
        return next(cell.source for cell in self.notebook.cells if cell.id == one)

    def given(self):
        """The code in the text of the exercises."""
        return re.search(r"```python\n(.*?)```", self.exercises, re.DOTALL)[1]

    def do(self, source):
        """Run a cell of one's own; what it shows as text."""
        cell = nbformat.v4.new_code_cell(source)
        self.notebook.cells.append(cell)
        self._client.execute_cell(cell, len(self.notebook.cells) - 1)
        return shown(cell)

    def value(self, source):
        return ast.literal_eval(self.do(source))

    def refused(self, source):
        """What a cell says that ends in an error of the kit."""
        with pytest.raises(CellExecutionError) as caught:
            self.do(source)
        assert caught.value.ename.endswith(("Error", "Fault")), caught.value.ename
        return caught.value.evalue


@pytest.fixture(scope="module")
def build(road, tmp_path_factory):
    """What the road made, for this file alone."""
    folder = tmp_path_factory.mktemp("exercises")
    copy_artifacts(road["build"], folder)
    return folder


@pytest.fixture(scope="module")
def opened(build):
    """opened("03"): that notebook; the kernel of the one before is gone then."""
    with ExitStack() as stack:

        @lru_cache(maxsize=1)
        def open_one(name):
            stack.close()
            return Lesson(name, build, stack)

        yield open_one


@pytest.fixture
def lesson(request, build, opened):
    """The notebook of a test's name. No exercise leaves the course's artifacts, notebooks or
    firmware other than they were."""
    places = [*(build / name for name in artifacts.MAKERS), paths.FIRMWARE, paths.NOTEBOOKS]
    before = {place.name: file_digest(place) for place in places}
    yield opened(request.node.name.split("_")[1])
    assert {place.name: file_digest(place) for place in places} == before


def test_every_exercise_is_performed():
    """By a test of this file that is named after it."""
    found = []
    for path in notebooks()[1:]:
        numbers = re.findall(r"^(\d+)\. ", exercises_of(nbformat.read(path, 4)), re.MULTILINE)
        name = path.stem.removeprefix("appendix-").partition("-")[0]
        found += [f"test_{name}_{number}" for number in numbers]
    named = re.compile(r"test_(\d\d|speed)_\d_")
    tests = [name.rsplit("_", 1)[0] for name in globals() if named.match(name)]
    assert sorted(tests) == found and len(found) == 23


def test_a_copy_of_the_firmware_keeps_what_was_changed_in_it(tmp_path, monkeypatch):
    """Asking for it again, as a cell does that is run again, does not undo the work."""
    monkeypatch.setenv("KIT_BUILD", str(tmp_path))
    copy = copy_of_firmware("blink")
    assert file_digest(copy) == file_digest(paths.FIRMWARE)
    (copy / "app" / "light.c").write_text("changed")
    assert (copy_of_firmware("blink") / "app" / "light.c").read_text() == "changed"


def test_the_light_of_a_real_board_is_for_the_eyes():
    with pytest.raises(KitError, match="COM5"):
        watch_led(SimpleNamespace(port=object(), url="COM5"))


FIT = """\
def read_by(network, epochs):
    network.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    network.fit(x_train / 255, y_train, epochs=epochs, verbose=0)
    return network.evaluate(x_test / 255, y_test, verbose=0)[1]"""


@pytest.mark.deep
def test_01_1_one(lesson):
    """One epoch reads worse than three."""
    lesson.do(FIT)
    one = lesson.value("float(read_by(new_network(), 1))")
    lesson.needs("01-29")
    assert 0.9 < one < lesson.value("float(accuracy)")


@pytest.mark.deep
def test_01_2_small(lesson):
    """A ninth of the weights, and still 9 of 10 are right."""
    lesson.do(FIT)
    lesson.do(lesson.source("01-11").replace("128", "16").replace("new_network", "small_network"))
    assert lesson.value("tutorial.count_params()") == 784 * 16 + 16 + 16 * 16 + 16 + 16 * 10 + 10
    assert 0.9 < lesson.value("float(read_by(tutorial, 3))") < 0.97


@pytest.mark.deep
def test_01_3_mine(lesson, opened, build, monkeypatch):
    """One's own network goes to the chip, a word that is neither is refused, and back is back."""
    monkeypatch.setenv("KIT_BUILD", str(build))

    def states():
        return {row["state"] for row in artifacts.status()}

    lesson.needs("01-29")
    chosen = lesson.source("01-31")
    assert "mean 'mine'" in lesson.refused(chosen.replace('"reference"  #', '"Mine"  #'))
    lesson.do(chosen.replace('"reference"  #', '"mine"  #'))
    assert states() == {"fresh", "older than digits.keras"}
    try:
        recognize = opened("05")
        assert states() == {"fresh"}
        assert recognize.value("int(sum(board.recognize(x).digit == y for x, y in "
                               "zip(x_test[:100], y_test[:100], strict=True)))") > 90  # fmt: skip
    finally:
        opened("01").do(chosen)
        artifacts.artifact("firmware.elf")
    assert states() == {"fresh"}


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
    """The cells of the int8 networks without their last lines, which write the course's files: the
    last converter is that of digits_int8.tflite."""
    for cell in ("02-11", "02-11b"):
        quantize.do(quantize.source(cell).split("\n\nwith kit.making")[0])


@pytest.mark.deep
def test_02_1_few(lesson):
    """The same bytes, and some more images that are read differently."""
    with_converter(lesson)
    lesson.do(FEW.format(count=5, image="image[np.newaxis] / 255"))
    few, all_of_them = lesson.value('row("other")'), lesson.value('row("int8")')
    assert few["bytes"] == all_of_them["bytes"]
    assert 0.9 < few["agreement"] < all_of_them["agreement"]


@pytest.mark.deep
def test_02_2_raw(lesson):
    """By its scale it reads as well as ever; by what it was trained on, nothing."""
    with_converter(lesson)
    lesson.do(FEW.format(count=500, image="image[np.newaxis]"))
    assert lesson.value('read_model(paths["other"]).input.scale') == 1
    assert lesson.value('row("other")')["accuracy"] > 0.97
    lesson.do('inputs = pixels_to_input(x_test, read_model(paths["other"]).input, (0, 1))')
    lesson.do('blind = Reference(paths["other"]).run(inputs).argmax(axis=1)')
    assert lesson.value("float(np.mean(blind == y_test))") < 0.12
    assert lesson.value("len(np.unique(inputs))") == 2


@pytest.mark.deep
def test_02_3_differing(lesson):
    """A handful."""
    lesson.do('changed = np.flatnonzero(digits["int8"] != digits["float32"])')
    assert "digits" in lesson.do("show.images(x_test[changed], y_test[changed])")
    assert 1 <= lesson.value("len(changed)") <= 50


FLOAT = """\
float32 = kit.generate_network(kit.artifact("digits_float32.tflite"),
                       kit.build_folder() / "exercises" / "float32")"""
INT8 = 'network = kit.generate_network(model_file, kit.build_folder() / "exercises" / "network")'


def test_03_1_float(lesson):
    """The MACs stay; the weights are nearly four times as large, the arena less so: float32 wants
    no scratch."""
    lesson.do(f"{INT8}\n{FLOAT}")
    sizes = "(net.macs, net.weights_bytes, net.arena_bytes)"
    macs, weights, arena = lesson.value(sizes.replace("net", "network"))
    of_float = lesson.value(sizes.replace("net", "float32"))
    assert of_float[0] == macs and arena < of_float[2] < 2 * arena
    assert 3.5 * weights < of_float[1] < 4 * weights


@pytest.mark.deep
def test_03_2_weight(lesson):
    """A step of one weight shows in a few images, a hundred steps in hundreds; `here` sleeps on."""
    lesson.needs("03-19")
    lesson.do(f"{INT8}\nhere = kit.HostNetwork(network)")
    lesson.do(lesson.source("03-25"))
    counts = []
    for added in (1, 100):
        lesson.do(f"""\
{INT8}
file = network.folder / "network_data.c"
start = file.read_text().index("layer_0_weights[")
first = file.read_text()[start:].split("{{")[1].split(",")[0]
change(file, "{{" + first + ",", "{{" + str(int(first) + {added}) + ",")
there = kit.HostNetwork(kit.build_folder() / "exercises" / "network").run(inputs)""")
        counts.append(lesson.value("int(np.any(there != reference, axis=1).sum())"))
    assert 0 < counts[0] < 50 < counts[1] < 5000
    assert "10,000 of 10,000" in lesson.do(lesson.source("03-25"))


def test_03_3_goals(lesson):
    """Without scratch the arena is input and output of the first layer; a list of what is not zero
    takes more than the widened input."""
    lesson.do(INT8)
    arenas = [lesson.value("network.arena_bytes")]
    for goal in ("ram", "data"):
        lesson.do(INT8.replace('"network")', f'"{goal}", optimize="{goal}")'))
        arenas.append(lesson.value("network.arena_bytes"))
    time, ram, data = arenas
    assert ram == 784 + 128 < time < data


def run_copy(flash, name, file, old, new, then):
    """What a changed copy of the firmware does, on a virtual board of its own."""
    flash.do(flash.given())
    flash.do(f'change(copy_of_firmware("{name}") / "{file}", {old!r}, {new!r})')
    return f'with run_copy(copy_of_firmware("{name}")) as board:\n    {then}'


@pytest.mark.deep
def test_04_1_float(lesson):
    """It fits, with less than a tenth of the flash to spare."""
    lesson.do(f'{FLOAT}\nlarge = kit.build_firmware(float32, out="exercises/float32")')
    assert 0 < lesson.value("large.mcu.flash_bytes - large.memory.flash_bytes") < 52_428


@pytest.mark.deep
def test_04_2_blink(lesson):
    """Twice as many phases in the same time; the button's answer is the built-in 3."""
    press = "board.port.press_button(True); print(watch_led(board, 6))"
    for name, factor in (("same", 1), ("blink", 2)):
        source = run_copy(lesson, name, "app/light.c", "SECOND / 2", f"SECOND / {2 * factor}",
                          f"print(watch_led(board)); {press}")  # fmt: skip
        idle, answer = lesson.do(source).strip().splitlines()[-2:]
        assert 5 * factor <= idle.count("o") <= 10 * factor, idle
        dark = re.split(r"off (?:0\.[89]|1\.\d) s", answer)
        assert dark[1].count("on ") == 3, answer


@pytest.mark.deep
def test_04_3_wait(lesson):
    """The virtual board says that the flash is read too fast, where, and what to do."""
    chip = "boards/nucleo_f446re/board.toml"
    source = run_copy(lesson, "wait", chip, "wait_states = 5", "wait_states = 2", "board.hello()")
    said = lesson.refused(source)
    assert "wait state" in said and "clock.c" in said and "Next: " in said


@pytest.mark.deep
def test_04_4_crash(lesson):
    """The line of the text compiles, and the crash is named with function and line."""
    line = "(void)*(volatile uint32_t *)0x90000000;"
    assert line in lesson.exercises
    serve = "static void serve(void)\n{\n"
    changed = f"{serve}    {line}\n"
    source = run_copy(lesson, "crash", "app/main.c", serve, changed, "board.hello()")
    said = lesson.refused(source)
    assert "0x90000000" in said and "serve" in said and "main.c" in said


@pytest.mark.deep
def test_05_1_wrong(lesson):
    """About one in forty."""
    lesson.needs("05-19")
    lesson.do("wrong = np.flatnonzero(scores.argmax(axis=1) != y_test)")
    assert 200 < lesson.value("len(wrong)") < 300
    assert "20 handwritten digits" in lesson.do("show.images(x_test[wrong[:20]])")


@pytest.mark.deep
def test_05_2_pad(lesson):
    """In a corner and half as high as the pad it is a 1; a spot of the pen's own size is none."""
    lesson.do("from kit.lesson.pad import DrawingPad\npad = DrawingPad(board.recognize)")

    def read_as(height):
        lesson.do(f"pad.clear(); pad.stroke([(20, 20), (20, {20 + height})])")
        return lesson.value("pad.answer.digit")

    assert read_as(140) == 1
    assert any(read_as(height) != 1 for height in (40, 30, 20, 10))


@pytest.mark.deep
def test_05_3_inverted(lesson):
    """Worse than all three mistakes together: the wrap had turned much of it back."""
    lesson.do("""\
tutorial = Reference(kit.artifact('tutorial.tflite'))
def right(images):
    return float(np.mean(tutorial.run(images.astype(np.float32)).argmax(axis=1) == y_test))""")
    both, all_three = lesson.value("right(255 - x_test), right((255 - x_test).astype(np.int8))")
    assert both < 0.1 < all_three


@pytest.mark.deep
def test_05_4_own(lesson):
    """The right way, the wrong way, and the right way again."""
    lesson.do(lesson.given())
    reads = []
    for settings in ("", "input_range=(0, 1)", ""):
        shown, right = lesson.do(f"right_of_500({settings})").splitlines()
        assert shown.endswith("(0.0, 1.0)" if settings else "(0.0, 255.0)")
        reads.append(int(right))
    assert reads[1] < 100 < 300 < reads[0] == reads[2]


@pytest.mark.deep
def test_06_1_scale(lesson):
    """Half of the scale with which all weights fit: few are cut off, and most keep something."""
    tried = "{f: accuracy([snapped(kernel, 2, factor=f) for kernel in kernels]) for f in {0}}"
    right = lesson.value(tried.replace("{0}", "(0.25, 0.5, 0.71, 1.0, 1.41)"))
    assert max(right, key=right.get) == 0.5 and right[0.5] > right[1.0] + 0.3
    lesson.do("slider.choose(bits=2, factor=0.5)")
    assert f"{right[0.5]:.2%} right" in lesson.value("slider.message")


@pytest.mark.deep
def test_06_2_wrong(lesson):
    """Trained for another grid: better than not at all, and not as good as for the right one."""
    lesson.do('wrong = saved("wrong", with_few_bits(aware["int4"], "int2"))')
    wrong, after, right = (
        lesson.value(f"read_right({path})") for path in ("wrong", "after['int2']", "during['int2']")
    )
    assert after < wrong < right - 0.01


@pytest.mark.deep
def test_06_3_layers(lesson):
    """More bits for the other layers bring nothing: all that is lost is lost in the first."""
    lesson.do('copy = with_few_bits(network, "int8")\ncopy.layers[1].packing = "int2"')
    lesson.do('mixed = saved("mixed", copy)')
    mixed, all_of_it = (
        lesson.value(f"(read_right({path}), {path}.stat().st_size)")
        for path in ("mixed", "after['int2']")
    )
    assert abs(mixed[0] - all_of_it[0]) < 0.01 and mixed[1] > all_of_it[1]


@pytest.mark.deep
def test_speed_1_turns(lesson):
    """16 instructions for 16 multiply-accumulates, 1 each, and a little around the loop."""
    lesson.needs("speed-21", "speed-23")
    lesson.do('short = by_hand.replace("FOUR_COLUMNS FOUR_COLUMNS FOUR_COLUMNS FOUR_COLUMNS", '
              '"FOUR_COLUMNS")')  # fmt: skip
    assert "sums right" in lesson.do('print(bench.count("short turns", widen + short + caller))')
    assert 1 < lesson.value("bench.counts[-1].per_mac") < 1.06
    assert 0.9 < lesson.value("bench.counts[-2].per_mac") < 0.97


@pytest.mark.deep
def test_speed_2_forgotten(lesson):
    """Wrong, and nothing but the comparison tells."""
    lesson.needs("speed-19")
    right = lesson.value("bench.counts[-1].instructions")
    wrong = 'winograd.replace(" - products", "").replace("const int32_t products = ", "")'
    assert "sums WRONG" in lesson.do(f'print(bench.count("forgotten", widen + {wrong}))')
    assert lesson.value("bench.counts[-1].instructions") <= right


@pytest.mark.deep
def test_speed_3_watched(lesson):
    """The fewest by an image of few white pixels, which is a thin digit, such as a 1."""
    lesson.needs("speed-27", "speed-29")
    lesson.do("""\
with kit.Board("virtual://speed") as board:
    taken = [sum(layer.instructions for layer in board.profile(image).layers)
             for image in x_test[:20]]
ink = np.count_nonzero(x_test[:20], axis=(1, 2))""")
    assert lesson.value("float(np.corrcoef(taken, ink)[0, 1])") > 0.9
    assert lesson.value("int(np.argmin(taken))") in lesson.value("np.argsort(ink)[:3].tolist()")
    shown = lesson.do("show.images(x_test[[np.argmin(taken), np.argmax(taken)]])")
    assert "2 handwritten digits" in shown
