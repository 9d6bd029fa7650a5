"""The shape of the course's notebooks. nbval compares their outputs; it does not see whether they
were run at all, nor whether a person can read them.

Each check returns what is wrong as a list of sentences, and is proven on notebooks broken on
purpose: a check that cannot fail protects nothing.
"""

import copy
import re
from itertools import pairwise
from statistics import median

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from kit.lesson import execute
from kit.lesson.artifacts import MAKERS, SOURCES
from kit.lesson.execute import notebooks
from kit.lesson.outputs import repeatable
from kit.paths import ROOT

NOTEBOOKS = notebooks()
ROAD = ["00-start", "01-train", "02-quantize", "03-generate", "04-flash", "05-recognize"]
NAMES = [*ROAD, "06-fewer-bits"]
APPENDICES = ["appendix-speed"]

IGNORE = "nbval-ignore-output"
"""The only way out of comparing outputs, for widgets and for what differs between machines."""

TRAINING = "training"
"""Marks what data/train_few_bits.py executes."""

IGNORED_AT_MOST = 3  # cells with that tag in a notebook

MACHINE = re.compile(
    r"/home/|/Users/|/root/|/tmp/|\b[A-Za-z]:\\|\b0x7f[0-9a-f]{6}|\b0x[0-9a-f]{9,}|ipykernel_\d"
    f"|{re.escape(str(ROOT))}/"
)
"""Folders of one machine and addresses in the memory of one process (the chip's have 8 digits)."""

METADATA = repeatable(new_notebook()).metadata


def code_cells(notebook):
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def lines(cell):
    return len([line for line in cell.source.splitlines() if line.strip()])


def texts(cell):
    """The source and all text outputs of a cell."""
    yield cell.source
    for output in cell.get("outputs", []):
        yield output.get("text", "")
        yield from (text for kind, text in output.get("data", {}).items() if "text/" in kind)


def state_problems(notebook):
    """Run once, without a warning, and nothing of one machine in it."""
    counts = [cell.execution_count for cell in code_cells(notebook)]
    if counts != list(range(1, len(counts) + 1)) or not counts:
        yield f"code cells were not run once from top to bottom: {counts}"  # nbval passes them
    kept = {key for cell in notebook.cells for key in cell.metadata}
    if notebook.metadata != METADATA or kept - {"tags", "alt", "jupyter"}:
        yield "its metadata is not what `kit refresh` writes"
    for number, cell in enumerate(notebook.cells):
        outputs = cell.get("outputs", [])
        if any(each.output_type == "error" or each.get("name") == "stderr" for each in outputs):
            yield f"cell {number} shows an error or a warning"
        for found in sorted({found for text in texts(cell) for found in MACHINE.findall(text)}):
            yield f"cell {number} shows something of one machine: {found}"


def tag_problems(notebook):
    """Few ways out of comparing outputs, and in sight; sentences instead of assertions."""
    tags = [tag for cell in notebook.cells for tag in cell.metadata.get("tags", [])]
    if set(tags) - {IGNORE, TRAINING}:
        yield f"tags that are not listed: {sorted(set(tags))}"
    if tags.count(IGNORE) > IGNORED_AT_MOST:
        yield f"more than {IGNORED_AT_MOST} cells are not compared"
    for number, cell in enumerate(notebook.cells):
        if "NBVAL_" in cell.source:
            yield f"a comment of cell {number} steers nbval: use the tag, which nobody sees"
        if cell.cell_type == "code" and re.search(r"^\s*assert\b", cell.source, re.MULTILINE):
            yield f"cell {number} asserts something: print it, and let a test hold it"


def reading_problems(notebook):
    """A frame of prose, cells of a size that reads well, every picture described."""
    first, last = notebook.cells[0], notebook.cells[-1]
    if first.cell_type != "markdown" or not first.source.startswith("# "):
        yield "it does not begin with a title"
    for pattern in (r"you will", r"\d+ minutes", r"you need"):
        if not re.search(pattern, first.source, re.IGNORECASE):
            yield f"its first cell does not say {pattern!r}"
    if last.cell_type != "markdown" or "you now have" not in last.source.lower():
        yield "its last cell does not say what you now have"
    kinds = [cell.cell_type for cell in notebook.cells]
    if list(pairwise(kinds)).count(("code", "code")) > 2:
        yield "more than 2 code cells follow another without a word between"
    for number, cell in enumerate(notebook.cells):
        if cell.cell_type == "markdown":
            for image in re.findall(r"!\[\s*\]\(|<img\b(?![^>]*\balt=\"[^\"])", cell.source):
                yield f"a picture without alt text: {image}"
        elif not 1 <= lines(cell) <= 25:
            yield f"cell {number} has {lines(cell)} lines"
        for output in cell.get("outputs", []):
            metadata = output.get("metadata", {})
            if "image/png" in output.get("data", {}) and not metadata.get("image/png", {}).get(
                "alt"
            ):
                yield f'the figure of cell {number} has no alt text (metadata "alt")'


def problems(notebook):
    checks = state_problems, tag_problems, reading_problems
    return [problem for check in checks for problem in check(notebook)]


def size_problems(notebooks):
    """Sizes that read well, over the whole course: median 4 lines, nine in ten at most 12."""
    sizes = sorted(lines(cell) for notebook in notebooks for cell in code_cells(notebook))
    if not sizes or median(sizes) > 4:
        yield "the median code cell has more than 4 lines"
    if sum(size <= 12 for size in sizes) < 0.9 * len(sizes):
        yield "more than one code cell in ten has over 12 lines"


# The course


def test_the_course_is_complete_and_in_order():
    """Notebooks with consecutive numbers, which kit.lesson.artifacts and the README name, and
    the appendices."""
    assert [path.stem for path in NOTEBOOKS] == NAMES + APPENDICES
    assert [name[:2] for name in ROAD] == [*execute.ROAD]
    assert list(dict.fromkeys(MAKERS.values())) == NAMES[1:5] and {*SOURCES} < {*NAMES}


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook_is_run_readable_and_normal(path):
    """Run from top to bottom, quiet, framed by prose, described pictures, nothing of a machine."""
    assert problems(nbformat.read(path, 4)) == []


def test_code_cells_are_small():
    """One idea a cell."""
    assert list(size_problems([nbformat.read(path, 4) for path in NOTEBOOKS])) == []


# The checks themselves


def good():
    """A small notebook with nothing to complain about: five cells, two of them code."""
    alt = {"image/png": {"alt": "a mill"}}
    figure = new_output("display_data", {"image/png": "AAAA"}, metadata=alt)
    cells = [
        new_markdown_cell("# Mill\n\nYou will mill flour, in about 5 minutes. You need nothing."),
        new_code_cell("hex(0x08000000)", execution_count=1),
        new_markdown_cell("![a mill](mill.png) and a figure:"),
        new_code_cell("plot()", execution_count=2, outputs=[figure]),
        new_markdown_cell("You now have flour."),
    ]
    return new_notebook(cells=cells, metadata=copy.deepcopy(METADATA))


def on(cell, **changed):
    """Changes a cell of a notebook."""
    return lambda notebook: notebook.cells[cell].update(changed)


def opening(old, new):
    return on(0, source=good().cells[0].source.replace(old, new))


def said(text, name="stdout"):
    return on(1, outputs=[new_output("stream", name=name, text=text)])


def insert_code(notebook):
    notebook.cells[4:4] = [new_code_cell("1", execution_count=count) for count in (3, 4, 5)]


ERROR = new_output("error", ename="ValueError", evalue="x", traceback=[])

BROKEN = {
    "never run": (on(3, execution_count=None), "not run"),
    "run twice": (on(3, execution_count=7), "not run"),
    "no code": (lambda n: [n.cells.pop(3), n.cells.pop(1)], "not run"),
    "stderr": (said("Warning", "stderr"), "warning"),
    "error": (on(1, outputs=[ERROR]), "error"),
    "skip": (on(1, metadata={"tags": ["nbval-skip"]}), "not listed"),
    "unknown tag": (on(1, metadata={"tags": ["nbval-ignore-outputs"]}), "not listed"),
    "too much ignored": (on(1, metadata={"tags": [IGNORE] * 4}), "more than 3"),
    "comment": (on(1, source="# NBVAL_SKIP\n1"), "steers nbval"),
    "assert": (on(3, source="if True:\n    assert accuracy > 0.9"), "asserts"),
    "no title": (opening("# Mill", "Mill"), "title"),
    "code first": (lambda n: n.cells.insert(0, n.cells.pop(1)), "title"),
    "no plan": (opening("You will", "We shall"), "you will"),
    "no minutes": (opening("5 minutes", "a while"), "minutes"),
    "no needs": (opening("You need nothing.", ""), "you need"),
    "no ending": (on(-1, source="Goodbye."), "now have"),
    "long cell": (on(1, source="1\n" * 26), "26 lines"),
    "empty cell": (on(1, source=" \n"), "0 lines"),
    "no prose": (insert_code, "without a word"),
    "no alt text": (on(2, source="![](mill.png)"), "alt text"),
    "no alt in HTML": (on(2, source='<img src="mill.png">'), "alt text"),
    "figure without alt": (lambda n: n.cells[3].outputs[0].update(metadata={}), "no alt text"),
    "home in output": (said("/home/ada/kit"), "machine"),
    "home in source": (on(1, source=r"open('C:\Users\ada')"), "machine"),
    "this checkout": (said(f"{ROOT}/build"), "machine"),
    "address": (said("<object at 0x7f3a5c0d1e80>"), "machine"),
    "kernel": (lambda n: n.metadata.kernelspec.update(name="conda-env"), "metadata"),
    "widgets": (lambda n: n.metadata.update(widgets={}), "metadata"),
    "timing": (on(1, metadata={"execution": {}}), "metadata"),
}


def test_a_good_notebook_passes():
    """The broken ones below differ from this one in one thing."""
    assert problems(good()) == []


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_notebook_is_caught(name):
    """One thing broken, one complaint, and it says which."""
    break_it, complaint = BROKEN[name]
    notebook = good()
    break_it(notebook)
    found = problems(notebook)
    assert any(complaint in problem for problem in found), found


@pytest.mark.parametrize(
    ("sizes", "complaints"),
    [([4, 4, 12], 0), ([5, 5, 5], 1), ([1] * 8 + [13] * 2, 1), ([1] * 9 + [13], 0), ([], 1)],
)
def test_cells_that_are_too_large_are_caught(sizes, complaints):
    """The limits of the design, at their edges."""
    cells = [new_code_cell("1\n" * size) for size in sizes]
    assert len(list(size_problems([new_notebook(cells=cells)]))) == complaints
