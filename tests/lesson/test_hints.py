"""kit/lesson/hints.py: a cell that was run before those above it, in a kernel of the set-up's."""

import json

import pytest
from nbformat.v4 import new_code_cell, new_notebook

from kit.lesson.execute import kernel
from kit.lesson.hints import hint

ABOVE = "Run > Run All Above Selected Cell"
LIBRARY = """\
import types
library = types.ModuleType("library")
exec("def f(): return missing", library.__dict__)
library.f()"""


def errors(tmp_path, extension, *sources):
    """What each cell shows when it fails."""
    settings = {"InteractiveShellApp": {"extensions": [extension]}}
    (tmp_path / "profile_default").mkdir()
    (tmp_path / "profile_default" / "ipython_config.json").write_text(json.dumps(settings))
    notebook = new_notebook(cells=[new_code_cell(source) for source in sources])
    with kernel(notebook, tmp_path / "x", IPYTHONDIR=str(tmp_path)) as client:
        client.allow_errors = True
        for index, cell in enumerate(notebook.cells):
            client.execute_cell(cell, index)
    shown = [[o for o in cell.outputs if o.output_type == "error"] for cell in notebook.cells]
    return ["\n".join(output[0].traceback) if output else "" for output in shown]


def test_a_cell_before_its_set_up_says_what_to_run(tmp_path):
    """Two lines instead of a stack, and the near name; other errors as ever."""
    first, typed, inside, other, local, fine = errors(
        tmp_path, "kit.lesson.hints", "board.hello()", "board = 1\nboart", LIBRARY, "1 / 0",
        "def f():\n    print(a)\n    a = 1\nf()", "board",
    )  # fmt: skip
    assert first.startswith("NameError: name 'board' is not defined\nNext: Run the cells above")
    assert ABOVE in first and first.count("\n") == 1
    assert "Did you mean `board`? Else run the cells above" in typed
    assert ABOVE not in inside + other + local and fine == ""
    assert "ZeroDivisionError" in other and "UnboundLocalError" in local and "missing" in inside


@pytest.mark.deep
def test_a_kernel_without_the_kit_works_as_ever(tmp_path):
    """The settings may outlive the extension."""
    shown, fine = errors(tmp_path, "kit.lesson.nothing", "board", "1")
    assert "NameError" in shown and ABOVE not in shown and fine == ""


@pytest.mark.parametrize(
    ("name", "meant"), [("baord", "board"), ("pritn", "print"), ("x_tset", "x_test"), ("qqq", "")]
)
def test_the_near_name_is_one_that_is_known(name, meant):
    text = str(hint(f"name {name!r} is not defined", name, ["board", "x_test", "_board"]))
    assert (f"`{meant}`" in text) if meant else ("Did you mean" not in text)
