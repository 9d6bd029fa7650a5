"""kit/lesson/execute.py: `kit run` executes copies, by this Python, and says which cell failed;
`kit refresh` keeps what is committed unless all went well. On small notebooks of its own."""

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from unittest.mock import Mock

import nbformat
import psutil
import pytest
from courses import BAKE, FIGURE, MILL, SETUP, code_cells, shown, small_course, write
from PIL import Image

from kit import paths
from kit.errors import KitError
from kit.lesson import execute
from kit.lesson.results import report

DECOY = {"argv": ["another-python", "{connection_file}"], "display_name": "x", "language": "python"}
"""A kernelspec python3 of another environment, as a JupyterLab of the system installs it."""

WHERE = "import sys, os, kit\nprint([sys.executable, os.getcwd(), kit.__path__[0]])"
BAR = """\
os.environ.pop('KIT_PROGRESS')
from kit.progress import each
for _ in each('making')('ab'): pass"""


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    """A course of two notebooks, and what `run_notebooks` said of it."""
    place = tmp_path_factory.mktemp("ran")
    decoy = place / "jupyter" / "kernels" / "python3"
    decoy.mkdir(parents=True)
    (decoy / "kernel.json").write_text(json.dumps(DECOY))
    with small_course(place) as folder, pytest.MonkeyPatch.context() as patch:
        patch.setenv("JUPYTER_PATH", str(place / "jupyter"))
        report("old", figure=1)
        write(folder, "01-bake", SETUP, "print((paths.build_folder() / 'flour').read_text())", BAKE)
        slider = "import ipywidgets\nipywidgets.IntSlider()"
        add = "from kit.lesson.results import report\nreport('mill', grains=3)"
        mill = write(folder, "00-mill", SETUP, MILL, WHERE, BAR, slider, add, FIGURE)
        notebook = nbformat.read(mill, 4)
        Image.new("RGB", (2, 2)).save(folder / "picture.png")
        notebook.cells[0].source = "# Title\n![a square](picture.png) and $x^2$"
        notebook.cells[-1].metadata["alt"] = 'a "rising" line'
        nbformat.write(notebook, mill)
        write(folder, "solutions", "raise SystemExit")
        write(folder, "06-beyond-the-road", "raise SystemExit")
        before = {path: path.read_bytes() for path in folder.iterdir()}
        result = execute.run_notebooks()
        assert {path: path.read_bytes() for path in folder.iterdir()} == before
        yield result | {"folder": folder}


def test_run_executes_in_order_and_lists_what_was_made(ran):
    """A notebook finds what the one before it made; what git tracks does not change; what is
    beyond the road is run when it is asked for."""
    assert [Path(path).stem for path in ran["notebooks"]] == ["00-mill", "01-bake"]
    assert shown(code_cells(ran["notebooks"][1])[1]) == "white\n"
    assert [Path(path).name for path in ran["artifacts"]] == ["flour", "bread"]
    assert ran["report"] == {"mill": {"grains": 3}}  # figures of an earlier run are gone
    assert json.loads(json.dumps(result := ran | {"folder": ""})) == result


def test_kernels_are_this_python_whatever_the_user_has_installed(ran):
    """In the notebook's folder, with this kit."""
    expected = [sys.executable, str(ran["folder"]), str(paths.ROOT / "kit")]
    assert shown(code_cells(ran["notebooks"][0])[2]) == f"{expected}\n"


def test_progress_in_a_notebook_leaves_nothing_behind(ran):
    """The learner sees a bar; the saved notebook holds one empty output."""
    outputs = code_cells(ran["notebooks"][0])[3].outputs
    assert [output.data for output in outputs] == [{"text/html": "", "text/plain": ""}]


def test_html_needs_no_network_and_no_other_file(ran):
    """With the network unplugged the pages look the same: pictures inside, nothing loaded."""
    page = Path(ran["html"][0]).read_text(encoding="utf-8")
    tags = re.findall(r"<(?:script|link|img|iframe)\b[^>]*>", page)
    loading = [tag for tag in tags if re.search(r"\b(src|href)=", tag)]
    assert len(loading) == 2 and all('src="data:image/png' in tag for tag in loading)
    alts = [re.search(r"""\balt=(["'])(.*?)\1""", tag)[2] for tag in loading]
    assert alts == ["a square", 'a "rising" line']
    assert not re.findall(r"url\((?!data:)", page)
    assert 'class="kn"' in page  # Python is highlighted


def test_a_failing_cell_is_named_and_what_ran_is_kept(course):
    """Which notebook, which cell, what it says; the outputs up to there can be looked at, until it
    is repaired; the committed notebook and the report stay."""
    report("kept", figure=1)
    path = write(course, "00-mill", "print('before')", "\n# divide\n1 / 0", "print('after')")
    before = path.read_bytes()
    with pytest.raises(KitError) as caught:
        execute.refresh_notebooks()
    assert "00-mill: code cell 2" in caught.value.what
    assert "ZeroDivisionError: division by zero" in caught.value.why
    failed = paths.build_folder() / "notebooks" / "00-mill.failed.ipynb"
    assert str(failed) in caught.value.next_step
    assert [cell.execution_count for cell in code_cells(failed)] == [1, 2, None]
    assert path.read_bytes() == before
    assert not failed.with_name("00-mill.ipynb").exists()
    write(course, "00-mill")
    assert execute.run_notebooks(["00"])["report"] == {"kept": {"figure": 1}}
    assert failed.with_name("00-mill.ipynb").exists() and not failed.exists()


@pytest.mark.deep
def test_a_kernel_that_dies_is_an_error_and_not_a_hang(course):
    """Out of memory or a crash in C ends the kernel without a word."""
    write(course, "00-mill", "import os", "os._exit(7)")
    with pytest.raises(KitError, match="code cell 2"):
        execute.run_notebooks()


def test_a_kernel_that_does_not_answer_is_an_error_in_words(course, monkeypatch):
    """A firewall that blocks 127.0.0.1, told apart from a failing cell."""
    refuse = Mock(side_effect=RuntimeError("Kernel didn't respond in 60 seconds"))
    monkeypatch.setattr("nbclient.NotebookClient.start_new_kernel_client", refuse)
    write(course, "00-mill", "1")
    with pytest.raises(KitError, match=r"00-mill was not started[^§]*60 seconds[^§]*firewall"):
        execute.run_notebooks()


@pytest.mark.parametrize("content", ["", "{}", "[1]", '{"cells": ['])
def test_a_file_that_is_no_notebook_is_named(course, content):
    """A truncated download shows as what it is, not as a stack."""
    (course / "00-mill.ipynb").write_text(content)
    with pytest.raises(KitError, match=r"00-mill\.ipynb"):
        execute.run_notebooks()


def test_notebooks_are_named_by_number_stem_or_file(course):
    """The three ways that a learner would write it, and all; a typing error runs nothing."""
    mill = write(course, "00-mill")
    bake = write(course, "01-bake")
    for name in ("01", "01-bake", "01-bake.ipynb"):
        assert execute.notebooks([name]) == [bake]
    speed = write(course, "appendix-speed")
    assert execute.notebooks(["all"]) == execute.notebooks() == [mill, bake, speed]
    for names in (["07"], ["all", "07"]):
        with pytest.raises(KitError, match="no notebook called '07'"):
            execute.notebooks(names)


# What stops: Ctrl-C on the command line, in a notebook's kernel, and a kernel that is killed.

SLEEP = """\
import os, time
with open({0!r}, 'w') as file: _ = file.write(str(os.getpid()))
time.sleep(99)"""


@contextlib.contextmanager
def asleep(course, source):
    """Runs `source`, which runs a notebook that sleeps: the process, and the id of the sleeper."""
    flag = course.parent / "asleep"
    write(course, "00-mill", SLEEP.format(str(flag)))
    setup = SETUP.replace("Path.cwd()", f"Path({str(course)!r})")
    command = [sys.executable, "-c", f"import sys; sys.argv = ['x']\n{setup}\n{source}"]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
        try:
            wait_until(lambda: flag.exists() and flag.read_text())
            yield process, int(flag.read_text())
        finally:
            process.kill()


def wait_until(condition):
    for _ in range(600):
        if condition():
            return
        time.sleep(0.1)
    raise AssertionError("did not happen in a minute")


def runs(process):
    with contextlib.suppress(psutil.NoSuchProcess):
        return psutil.Process(process).status() != psutil.STATUS_ZOMBIE
    return False


IN_A_KERNEL = """\
import asyncio
async def cell(): artifacts.artifact('flour')
asyncio.new_event_loop().run_until_complete(cell())"""
"""A notebook's kernel executes a cell while an event loop is running."""


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGINT for one process")
@pytest.mark.parametrize(
    "source",
    [
        "from kit.lesson.execute import run_notebooks\nrun_notebooks()",
        pytest.param(IN_A_KERNEL, marks=pytest.mark.deep),
    ],
    ids=["command", "notebook"],
)
def test_ctrl_c_stops_the_kernel(course, source):
    """No kernel keeps training after the learner gave up, and nothing is half-written."""
    with asleep(course, source) as (process, sleeper):
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=60) != 0
    wait_until(lambda: not runs(sleeper))
    assert not list(paths.build_folder().glob("notebooks/*"))


@pytest.mark.deep
def test_a_kernel_ends_with_the_one_that_waits_for_it(course):
    """JupyterLab kills a kernel that is to be restarted."""
    with asleep(course, IN_A_KERNEL) as (_, sleeper):
        pass  # it is killed
    wait_until(lambda: not runs(sleeper))
