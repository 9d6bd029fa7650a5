"""`kit run`, `kit.artifact` and `kit refresh`: first on small notebooks, then on the real road."""

import base64
import contextlib
import io
import json
import os
import re
import shutil
import subprocess
import sys
import time
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace

import nbformat
import numpy as np
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook
from PIL import Image, PngImagePlugin

from kit import paths
from kit import silence as quiet
from kit.errors import KitError
from kit.lesson import artifacts
from kit.lesson import execute as running
from kit.lesson import results as report
from kit.progress import progress_bar
from kit.provenance import digest, made_from

MAKERS = {"flour": "00-mill", "bread": "01-bake", "toast": "02-toast"}
SOURCES = {"bread": ("flour",), "toast": ("bread",)}

SETUP = f"""\
from pathlib import Path
from kit import paths
from kit.lesson import artifacts
paths.NOTEBOOKS = Path.cwd()
artifacts.MAKERS = {MAKERS}
artifacts.SOURCES = {SOURCES}"""
"""Tells a kernel about the temporary course, as the fixture `course` tells this process."""

MILL = "with artifacts.making('flour') as path: _ = path.write_text('white')"
BAKE = """\
flour = artifacts.artifact('flour').read_text()
with artifacts.making('bread') as path: _ = path.write_text(flour + ' bread')"""
TOAST = BAKE.replace("bread", "toast").replace("flour", "bread")


@pytest.fixture
def course(tmp_path, monkeypatch):
    """An empty folder of notebooks, and a build folder beside it."""
    folder = tmp_path / "a course"
    folder.mkdir()
    monkeypatch.setattr(paths, "NOTEBOOKS", folder)
    monkeypatch.setattr(artifacts, "MAKERS", MAKERS)
    monkeypatch.setattr(artifacts, "SOURCES", SOURCES)
    monkeypatch.setattr(artifacts, "_taken", {})
    monkeypatch.setattr(running, "MAKERS", MAKERS)
    monkeypatch.setenv("KIT_BUILD", str(tmp_path / "build"))
    return folder


def write(folder, name, *sources):
    """A notebook with a title and these code cells, never run."""
    cells = [new_markdown_cell("# Title"), *map(new_code_cell, sources)]
    path = folder / f"{name}.ipynb"
    nbformat.write(new_notebook(cells=cells), path)
    return path


def code_cells(path):
    return [cell for cell in nbformat.read(path, 4).cells if cell.cell_type == "code"]


def text_of(path):
    """Everything that the cells of a notebook printed or showed as text."""
    outputs = [output for cell in code_cells(path) for output in cell.outputs]
    return "".join(output.get("text") or output.data.get("text/plain", "") for output in outputs)


# Running


def test_run_executes_in_order_and_leaves_the_committed_notebooks_alone(course):
    """A notebook finds what the one before it made; what git tracks does not change."""
    write(course, "01-bake", SETUP, "print((paths.build() / 'flour').read_text())", BAKE)
    write(course, "00-mill", SETUP, MILL)
    write(course, "solutions", "raise SystemExit")
    before = {path: path.read_bytes() for path in course.iterdir()}

    result = running.run_notebooks(progress=False)

    assert [Path(path).stem for path in result["notebooks"]] == ["00-mill", "01-bake"]
    assert text_of(result["notebooks"][1]) == "white\n"
    assert [Path(path).name for path in result["artifacts"]] == ["flour", "bread"]
    assert {path: path.read_bytes() for path in course.iterdir()} == before
    assert json.loads(json.dumps(result)) == result


@pytest.mark.deep
def test_a_full_run_starts_a_new_report_and_a_partial_one_adds_to_it(course):
    """Figures of an earlier run never pass for this run's."""
    write(course, "00-mill", "from kit.lesson.results import report", "report('mill', grains=3)")
    report.report("old", figure=1)
    assert running.run_notebooks(["00"], progress=False)["report"] == {
        "old": {"figure": 1},
        "mill": {"grains": 3},
    }
    assert running.run_notebooks(progress=False)["report"] == {"mill": {"grains": 3}}


@pytest.mark.parametrize("name", ["01", "01-bake", "01-bake.ipynb"])
def test_notebooks_are_named_by_number_stem_or_file(course, name):
    """All three ways that a learner would write it."""
    write(course, "00-mill")
    bake = write(course, "01-bake")
    assert running.notebooks([name]) == [bake]


def test_an_unknown_notebook_is_refused_with_those_that_there_are(course):
    """A typing error does not run everything, or nothing."""
    write(course, "00-mill")
    with pytest.raises(KitError, match="00-mill"):
        running.notebooks(["07"])


def test_kernels_are_this_python_whatever_the_user_has_installed(course, tmp_path, monkeypatch):
    """A kernelspec python3 of another environment, or a JupyterLab of the system, is not used."""
    spec = {
        "argv": ["another-python", "{connection_file}"],
        "display_name": "x",
        "language": "python",
    }
    decoy = tmp_path / "jupyter" / "kernels" / "python3"
    decoy.mkdir(parents=True)
    (decoy / "kernel.json").write_text(json.dumps(spec))
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path / "jupyter"))
    write(
        course,
        "00-mill",
        "import sys, os, kit",
        "print([sys.executable, os.getcwd(), kit.__path__[0]])",
    )
    result = running.run_notebooks(progress=False)
    expected = [sys.executable, str(course), str(paths.ROOT / "kit")]
    assert text_of(result["notebooks"][0]) == f"{expected}\n"


class _Links(HTMLParser):
    """Collects everything that a page loads."""

    def __init__(self):
        super().__init__()
        self.loaded, self.alts = [], []

    def handle_starttag(self, tag, attributes):
        given = dict(attributes)
        if tag in ("script", "link", "img", "iframe"):
            self.loaded.append(given.get("src") or given.get("href") or "")
        if tag == "img":
            self.alts.append(given.get("alt"))


def test_html_needs_no_network_and_no_other_file(course):
    """With the network unplugged the pages look the same: pictures inside, nothing loaded."""
    Image.new("RGB", (2, 2)).save(course / "picture.png")
    path = write(course, "00-mill", "import ipywidgets", "ipywidgets.IntSlider()", FIGURE)
    notebook = nbformat.read(path, 4)
    notebook.cells[0].source = "# Title\n![a square](picture.png) and $x^2$"
    notebook.cells[-1].metadata["alt"] = 'a "rising" line'
    nbformat.write(notebook, path)

    page = Path(running.run_notebooks(progress=False)["html"][0]).read_text(encoding="utf-8")

    links = _Links()
    links.feed(page)
    assert len(links.loaded) == 2 and all(src.startswith("data:image/png") for src in links.loaded)
    assert links.alts == ["a square", 'a "rising" line']
    assert not re.findall(r"url\((?!data:)", page)
    assert 'class="kn"' in page  # Python is highlighted


def test_a_failing_cell_is_named_and_what_ran_is_kept(course):
    """Which notebook, which cell, what it says; and the outputs up to there can be looked at."""
    write(course, "00-mill", "print('before')", "\n# divide\n1 / 0", "print('after')")
    with pytest.raises(KitError) as caught:
        running.run_notebooks(progress=False)
    assert "00-mill: code cell 2" in caught.value.what
    assert "ZeroDivisionError: division by zero" in caught.value.why
    failed = paths.build_folder() / "notebooks" / "00-mill.failed.ipynb"
    assert str(failed) in caught.value.next_step
    assert [cell.execution_count for cell in code_cells(failed)] == [1, 2, None]
    assert not failed.with_name("00-mill.ipynb").exists()


@pytest.mark.deep
def test_a_kernel_that_dies_is_an_error_and_not_a_hang(course):
    """Out of memory or a crash in C ends the kernel without a word."""
    write(course, "00-mill", "import os", "os._exit(7)")
    with pytest.raises(KitError, match="code cell 2"):
        running.run_notebooks(progress=False)


@pytest.mark.deep
def test_a_repaired_notebook_leaves_no_failed_copy(course):
    """NAME.failed.ipynb never tells of a failure that is over."""
    write(course, "00-mill", "1 / 0")
    with pytest.raises(KitError):
        running.run_notebooks(progress=False)
    write(course, "00-mill", "1 / 1")
    running.run_notebooks(progress=False)
    assert not list(paths.build_folder().rglob("*.failed.ipynb"))


@pytest.mark.parametrize("content", ["", "{}", "[1]", '{"cells": ['])
def test_a_file_that_is_no_notebook_is_named(course, content):
    """A truncated download shows as what it is, not as a stack."""
    (course / "00-mill.ipynb").write_text(content)
    with pytest.raises(KitError, match=r"00-mill\.ipynb"):
        running.run_notebooks(progress=False)


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGINT for one process")
def test_ctrl_c_stops_the_kernel(course, tmp_path):
    """No kernel keeps training after the learner gave up."""
    import signal

    flag = tmp_path / "kernel"
    write(
        course,
        "00-mill",
        f"import os, time\nopen({str(flag)!r}, 'w').write(str(os.getpid()))\ntime.sleep(99)",
    )
    command = [sys.executable, "-m", "kit.lesson.execute", str(course / "00-mill.ipynb")]
    runner = subprocess.Popen(command, cwd=paths.ROOT, stderr=subprocess.DEVNULL)
    wait_until(lambda: flag.exists() and flag.read_text())
    runner.send_signal(signal.SIGINT)
    assert runner.wait(timeout=60) != 0
    wait_until(lambda: not alive(int(flag.read_text())))


def wait_until(condition):
    for _ in range(600):
        if condition():
            return
        time.sleep(0.1)
    raise AssertionError("did not happen in a minute")


def alive(process):
    with contextlib.suppress(ProcessLookupError):
        os.kill(process, 0)
        return True
    return False


# Artifacts


def test_every_artifact_names_a_notebook_of_the_course():
    """The table follows the road; tests/test_notebooks.py holds the notebooks' names."""
    assert list(dict.fromkeys(artifacts.MAKERS.values())) == [
        "01-train", "02-quantize", "03-generate", "04-flash"
    ]  # fmt: skip


@pytest.mark.deep
def test_a_missing_artifact_is_made_and_so_is_what_it_needs(course):
    """Any notebook can be opened first: bread needs flour, and both notebooks are run."""
    write(course, "00-mill", SETUP, MILL)
    write(course, "01-bake", SETUP, BAKE)
    assert artifacts.artifact("bread").read_text() == "white bread"
    assert (paths.build_folder() / "flour").exists()


def test_an_artifact_that_exists_is_returned_without_running_anything(course):
    """Opening a notebook twice does not train twice. There is no notebook here to run."""
    (paths.build_folder() / "flour").write_text("rye")
    assert artifacts.artifact("flour").read_text() == "rye"


def test_an_unknown_artifact_is_refused_with_those_that_there_are(course):
    """A typing error names the right spellings."""
    with pytest.raises(KitError, match="flour, bread, toast"):
        artifacts.artifact("flower")


@pytest.mark.deep
def test_the_error_of_a_maker_reaches_who_asked(course, monkeypatch):
    """Through two processes and two kernels: which notebook, which cell, what it said."""
    monkeypatch.setattr(artifacts, "SOURCES", {})  # so that 01-bake finds out what it needs
    write(course, "00-mill", SETUP, "raise ValueError('no wheat')")
    write(course, "01-bake", SETUP, BAKE)
    with pytest.raises(KitError) as caught:
        artifacts.artifact("bread")
    assert "01-bake: code cell 2" in caught.value.what
    assert "00-mill: code cell 2" in caught.value.why and "no wheat" in caught.value.why


@pytest.mark.deep
def test_a_maker_that_makes_nothing_is_an_error(course):
    """A learner deleted the cell that saves: said so, instead of a path that is not there."""
    write(course, "00-mill", "1 + 1")
    with pytest.raises(KitError, match="made no flour"):
        artifacts.artifact("flour")


@pytest.mark.deep
def test_a_notebook_that_asks_for_its_own_artifact_stops(course):
    """Without the guard it would start itself again and again."""
    write(course, "00-mill", SETUP, "artifacts.artifact('flour')")
    with pytest.raises(KitError, match="asked for before it is made"):
        artifacts.artifact("flour")


def test_a_maker_that_cannot_start_says_what_it_wrote(course):
    """The process may die before it can report in its own way."""
    with pytest.raises(KitError):
        artifacts.run_apart(course / "09-nowhere.ipynb", lambda done, total: None)


@pytest.mark.deep
def test_two_askers_at_once_both_get_the_artifact(course):
    """Nothing locks: double work, and whole files for both."""
    write(course, "00-mill", SETUP, MILL)
    setup = SETUP.replace("Path.cwd()", f"Path({str(course)!r})")
    script = f"{setup}\nprint(artifacts.artifact('flour').read_text())"
    askers = [
        subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    assert [asker.communicate()[0] for asker in askers] == ["white\n", "white\n"]


@pytest.mark.deep
def test_an_artifact_shows_nothing_in_a_notebook_whether_it_was_there_or_not(course):
    """Outputs of a program's run do not depend on what had to be made: nbval compares them."""
    write(course, "00-mill", SETUP, MILL)
    write(course, "01-bake", SETUP, "print(artifacts.artifact('flour').name)")
    texts = [
        text_of(running.run_notebooks(["01"], progress=False)["notebooks"][0]) for _ in range(2)
    ]
    assert texts == ["flour\n", "flour\n"]


def make(name, text):
    """An artifact as its notebook makes it, in this process."""
    with artifacts.making(name) as path:
        path.write_text(text)


def by_hand(name, text):
    (paths.build_folder() / name).write_text(text)


def bake_everything():
    for name, text in (("flour", "white"), ("bread", "white bread"), ("toast", "white toast")):
        make(name, text)


def states():
    return {row["artifact"]: row["state"] for row in artifacts.status()}


FRESH = {"flour": "fresh", "bread": "fresh", "toast": "fresh"}
CHANGES = {
    "nothing": (lambda: None, {}),
    "the same again": (lambda: make("flour", "white"), {}),
    "the first": (
        lambda: make("flour", "rye"),
        {"bread": "older than flour", "toast": "older than flour"},
    ),
    "one by hand": (lambda: by_hand("bread", "mine"), {"toast": "older than bread"}),
    "the last by hand": (lambda: by_hand("toast", "mine"), {}),
    "a source is gone": (lambda: (paths.build_folder() / "bread").unlink(), {"bread": "missing"}),
    "back again": (lambda: (make("flour", "rye"), make("flour", "white")), {}),
}


@pytest.mark.parametrize("name", CHANGES)
def test_what_is_behind_a_change_is_stale_and_nothing_else(course, name):
    """By contents and not by times. What was brought by hand is taken as it is."""
    bake_everything()
    change, stale = CHANGES[name]
    change()
    assert states() == FRESH | stale


def test_what_was_read_counts_and_not_what_is_there_by_now(course):
    """Another notebook trained again while this one worked with the network from before."""
    bake_everything()
    artifacts.artifact("flour")
    make("flour", "rye")
    make("bread", "white bread")
    assert states()["bread"] == "older than flour"
    artifacts.artifact("flour")
    make("bread", "rye bread")
    assert states()["bread"] == "fresh"


def test_what_is_stale_is_made_anew_in_order_and_that_is_said(course, monkeypatch, capsys):
    """Each notebook with a line of its own, from the change on; then nothing more is run."""
    bake_everything()
    write(course, "01-bake", SETUP, BAKE)
    write(course, "02-toast", SETUP, TOAST)
    by_hand("flour", "rye")
    monkeypatch.delenv("KIT_PROGRESS")
    assert artifacts.artifact("toast").read_text() == "rye bread toast"
    said = [line for line in capsys.readouterr().err.splitlines() if "running" in line]
    assert said == [
        "bread is older than flour: running 01-bake ...",
        "bread is older than flour: running 01-bake: done",
        "toast is older than bread: running 02-toast ...",
        "toast is older than bread: running 02-toast: done",
    ]
    assert states() == FRESH
    artifacts.artifact("toast")
    assert capsys.readouterr().err == ""


def test_a_maker_that_leaves_something_stale_is_run_once(course):
    """No endless loop: a notebook of the learner's own may make it from something else."""
    bake_everything()
    write(course, "01-bake", SETUP, "make = artifacts.making('bread')", "with make as path: "
          "_ = path.write_text('bread'); artifacts._taken['flour'] = 'another'")  # fmt: skip
    by_hand("flour", "rye")
    assert artifacts.artifact("bread").read_text() == "bread"
    assert states()["bread"] == "older than flour"


@pytest.mark.parametrize(
    ("url", "from_it", "advice"),
    [("COM5", True, "Run 04-flash"), ("COM5", False, "Run 03-generate, then 04-flash"),
     ("replay://lesson.rec", True, "Put the model that was on the recorded board")],
)  # fmt: skip
def test_a_board_with_another_model_is_told_in_words(course, monkeypatch, url, from_it, advice):
    """Both models are named; where build/network is of another one, flashing alone is no help."""
    monkeypatch.setattr(artifacts, "MAKERS", {"a.tflite": "02-quantize", "network": "03-generate"})
    monkeypatch.setattr(artifacts, "SOURCES", {"network": ("a.tflite",)})
    by_hand("a.tflite", "weights")
    make("network", "C")
    if not from_it:
        by_hand("network", "of another model")
    here = digest(paths.build_folder() / "a.tflite")
    board = SimpleNamespace(url=url, described=SimpleNamespace(network="a.tflite", digest=here))
    artifacts.check_model(board, "a.tflite")
    board.described.digest = "0123456789abcdef"
    with pytest.raises(KitError) as caught:
        artifacts.check_model(board, "a.tflite")
    assert "0123456789abcdef" in caught.value.what and here in caught.value.what
    assert caught.value.next_step.startswith(advice)


# Progress


def test_progress_is_lines_on_stderr_where_there_is_no_terminal(capsys, monkeypatch):
    """A log stays readable, and stdout stays free for --json."""
    monkeypatch.delenv("KIT_PROGRESS")
    with progress_bar("01-train") as step:
        step(1, 2)
    out, err = capsys.readouterr()
    assert out == "" and err == "01-train ...\n01-train: done\n"


def test_progress_in_a_notebook_leaves_nothing_behind(course, monkeypatch):
    """The learner sees a bar; the saved notebook holds one empty output."""
    source = "with progress('making') as step: step(1, 2)"
    write(
        course,
        "00-mill",
        "import os\nos.environ.pop('KIT_PROGRESS')",
        "from kit.progress import progress",
        source,
    )
    cell = code_cells(running.run_notebooks(progress=False)["notebooks"][0])[2]
    assert [output.data for output in cell.outputs] == [{"text/html": "", "text/plain": ""}]


# Refreshing

FIGURE = "import matplotlib.pyplot as plt\nplt.plot([1, 2])\nplt.show()"
RANDOM = [FIGURE, "import ipywidgets\nipywidgets.IntSlider()", "print(1)\nprint(2)\n3"]


@pytest.mark.deep
def test_refresh_is_idempotent(course):
    """Twice gives the same bytes, though widget ids, times and PNG texts differ each time."""
    path = write(course, "00-mill", *RANDOM)
    ids = [cell.id for cell in nbformat.read(path, 4).cells]
    assert running.refresh_notebooks(progress=False) == [path]
    first = path.read_bytes()
    assert running.refresh_notebooks(progress=False) == []
    assert path.read_bytes() == first
    assert [cell.id for cell in nbformat.read(path, 4).cells] == ids


@pytest.mark.deep
def test_refresh_stores_a_normal_form(course):
    """What a diff shows is the lesson: no machine, no time, no library versions."""
    path = write(course, "00-mill", *RANDOM, "print('grüß')")
    notebook = nbformat.read(path, 4)
    notebook.metadata["widgets"] = {"state": 1}
    notebook.cells[1].metadata.update(tags=["a"], execution={"started": 1}, alt="a line")
    nbformat.write(notebook, path)
    running.refresh_notebooks(progress=False)

    text = path.read_text(encoding="utf-8")
    assert text.endswith("}\n") and text.startswith('{\n "cells"') and "grüß" in text
    after = nbformat.read(path, 4)
    assert after.metadata.kernelspec.display_name == "Python 3"
    assert set(after.metadata) == {"kernelspec", "language_info"}
    assert after.cells[1].metadata == {"tags": ["a"], "alt": "a line"}
    assert after.cells[1].outputs[0].metadata["image/png"]["alt"] == "a line"
    assert [cell.execution_count for cell in code_cells(path)] == [1, 2, 3, 4]
    assert after.cells[3].outputs[0].text == "1\n2\n"


def test_refresh_leaves_a_notebook_that_fails_as_it_was(course):
    """A broken road does not destroy the committed outputs."""
    path = write(course, "00-mill", "1 / 0")
    before = path.read_bytes()
    with pytest.raises(KitError):
        running.refresh_notebooks(progress=False)
    assert path.read_bytes() == before


def png(pixels, **texts):
    info = PngImagePlugin.PngInfo()
    for key, text in texts.items():
        info.add_text(key, text)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG", pnginfo=info)
    return base64.b64encode(file.getvalue()).decode()


@pytest.mark.parametrize("channels", [3, 4])
def test_a_picture_keeps_its_pixels_and_loses_its_texts(channels):
    """Pillow reads the same pixels; the version of matplotlib is gone; opaque alpha is gone."""
    pixels = np.random.default_rng(1).integers(0, 256, (5, 7, channels), dtype=np.uint8)
    plain = Image.open(io.BytesIO(base64.b64decode(running.plain_png(png(pixels, Software="x")))))
    assert plain.info == {} and np.array_equal(np.array(plain), pixels)
    opaque = np.dstack([pixels[..., :3], np.full((5, 7), 255, np.uint8)])
    assert running.plain_png(png(opaque)) == running.plain_png(png(pixels[..., :3].copy()))


def picture_notebook(encoded):
    output = nbformat.v4.new_output("display_data", {"image/png": encoded})
    return new_notebook(cells=[new_code_cell("plot", id="same", outputs=[output])])


def test_equal_pixels_keep_the_committed_bytes_and_others_do_not():
    """Another computer's zlib packs differently; that alone is no change."""
    pixels = np.zeros((4, 4, 3), np.uint8)
    before, after = picture_notebook(png(pixels, Comment="x")), picture_notebook(png(pixels))
    running.keep_equal_pictures(after, before)
    assert after == before
    changed = picture_notebook(png(pixels + 1))
    running.keep_equal_pictures(changed, before)
    assert changed == picture_notebook(png(pixels + 1))


# The report


def test_the_report_merges_sections_and_turns_numpy_into_python(course):
    """Notebooks add to it one after the other, straight from numpy."""
    report.report("int8", bytes=np.int64(129008), accuracy=np.float32(0.5), ok=np.bool_(True))
    report.report("board", url="virtual://")
    report.report("int8", accuracy=0.97)
    assert report.read_report() == {
        "int8": {"bytes": 129008, "accuracy": 0.97, "ok": True},
        "board": {"url": "virtual://"},
    }


@pytest.mark.parametrize("figure", [float("nan"), np.zeros(3), object()])
def test_the_report_refuses_what_json_cannot_hold_and_keeps_the_old(course, figure):
    """A figure that went wrong does not spoil the file for every reader."""
    report.report("int8", bytes=1)
    with pytest.raises(KitError, match="int8"):
        report.report("int8", accuracy=figure)
    assert report.read_report() == {"int8": {"bytes": 1}}


def test_a_spoiled_report_is_named(course):
    """Half a file is an error a learner can act on."""
    (paths.build_folder() / "report.json").write_text("{")
    with pytest.raises(KitError, match="Delete it"):
        report.read_report()


# Silence


LEAKING = """\
import os, sys
with quiet():
    os.write(1, b"C out")
    os.write(2, b"C err")
    print("Python")
    print("Python too", file=sys.stderr)
"""


def run_in_kernel(course, *sources):
    """The outputs of each cell in a kernel that watches descriptors 1 and 2, as JupyterLab's."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("PYTEST_CURRENT_TEST")
        path = write(course, "00-quiet", *sources)
        return [cell.outputs for cell in running.execute_notebook(path, lambda *_: None).cells[1:]]


def test_quiet_hides_c_and_python_in_a_kernel_and_nothing_after_it(course):
    """ipykernel replaces descriptors 1 and 2 itself; both replacements must come undone."""
    loud = "print('seen')\nimport os\n_ = os.system('echo C too')"
    outputs = run_in_kernel(course, "from kit.silence import quiet", LEAKING, LEAKING, loud)
    assert outputs[:3] == [[], [], []]
    assert "seen" in outputs[3][0].text
    if sys.platform != "win32":  # ipykernel does not watch descriptors on Windows
        assert "C too" in "".join(output.text for output in outputs[3])


@pytest.mark.deep
def test_tensorflow_and_its_converter_say_nothing(course):
    """Import, training and conversion: notebooks are compared by what they print."""
    outputs = run_in_kernel(
        course,
        "from kit.silence import quiet, tensorflow\ntf = tensorflow()",
        "model = tf.keras.Sequential([tf.keras.layers.Input((4,)), tf.keras.layers.Dense(2)])",
        "with quiet():\n    lite = tf.lite.TFLiteConverter.from_keras_model(model).convert()",
        "float(tf.reduce_sum(model.weights[0])), len(lite) > 500",
    )
    assert outputs[:3] == [[], [], []]
    assert "True" in outputs[3][0].data["text/plain"]


def test_quiet_shows_what_it_hid_when_the_block_fails(capfd):
    """The library's own words may be the only reason there is."""
    with pytest.raises(ZeroDivisionError), quiet.quiet():
        os.write(2, b"because")
        raise ZeroDivisionError
    assert "because" in capfd.readouterr().err


def test_a_logger_made_in_silence_still_works_afterwards(capfd):
    """absl and TensorFlow keep the stream they were born with."""
    with quiet.quiet():
        stream = sys.stderr
        print("hidden", file=stream)
    print("shown", file=stream, flush=True)
    assert "shown" in capfd.readouterr().err


# The real road


FORMATS = ["float32", "float16", "dynamic_range", "int8"]


def test_the_road_reports_each_format(road):
    """Bytes and accuracy over the whole test set, as every reader of report.json expects."""
    for name in FORMATS:
        figures = road["report"][name]
        assert figures["bytes"] == (road["build"] / f"digits_{name}.tflite").stat().st_size
        assert figures["accuracy"] >= 0.97


def test_the_road_ends_on_a_board_that_agrees_bit_for_bit(road):
    """The promise of the kit: 10,000 images, no row that differs, inside the F446."""
    board = json.loads((road["build"] / "report.json").read_text())["board"]
    assert board["url"] == "virtual://"
    assert board["images"] == 10_000
    assert board["mismatches"] == 0
    assert board["accuracy"] >= 0.97
    assert 0 < board["flash_bytes"] <= 512 * 1024
    assert 0 < board["ram_bytes"] <= 128 * 1024
    assert board["instructions_per_inference"] > 0


def test_a_fresh_training_reads_well(road):
    """Its figures differ between processors, so nbval does not compare them."""
    said = text_of(next(path for path in road["notebooks"] if "01-train" in path))
    found = re.findall(r"fresh training: .* accuracy ([\d.]+) %", said)
    assert len(found) == 2 and min(map(float, found)) > 96


def test_after_the_road_everything_is_fresh(road, monkeypatch):
    """Each notebook notes what it made its artifacts from."""
    monkeypatch.setenv("KIT_BUILD", str(road["build"]))
    assert {row["state"] for row in artifacts.status()} == {"fresh"}
    assert all(made_from(road["build"] / name) for name in artifacts.SOURCES)


def test_the_road_makes_every_artifact_and_page(road):
    """Nothing that `kit.artifact` promises is missing, and no copy holds stderr."""
    names = [Path(path).name for path in road["artifacts"]]
    assert names == list(artifacts.MAKERS)
    assert all(Path(path).stat().st_size > 10_000 for path in road["html"])
    for path in road["notebooks"]:
        outputs = [output for cell in code_cells(path) for output in cell.outputs]
        assert not [output for output in outputs if output.get("name") == "stderr"], path


@pytest.mark.deep
def test_everything_after_training_repeats_with_one_thread(road, tmp_path):
    """From the same weights the same files come out, with one thread as with all that this
    computer has: this is why every learner sees the same numbers."""
    shutil.copy(road["build"] / "digits.keras", tmp_path)
    environment = {
        **os.environ,
        "KIT_BUILD": str(tmp_path),
        "TF_NUM_INTRAOP_THREADS": "1",
        "TF_NUM_INTEROP_THREADS": "1",
    }
    command = [sys.executable, "-m", "kit", "run", "02"]
    subprocess.run(command, env=environment, check=True, capture_output=True, cwd=paths.ROOT)
    for name in FORMATS:
        file = f"digits_{name}.tflite"
        assert (tmp_path / file).read_bytes() == (road["build"] / file).read_bytes(), name
