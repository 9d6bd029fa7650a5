"""kit/lesson/artifacts.py: what is missing or stale is made by its notebook, in order, and said; a
board with another model is told. On a small course about flour, bread and toast."""

from types import SimpleNamespace

import pytest
from courses import BAKE, MILL, SETUP, TOAST, code_cells, shown, write

from kit import paths
from kit.errors import KitError
from kit.lesson import artifacts, execute
from kit.provenance import file_digest, made_from


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


def test_an_artifact_that_exists_is_returned_without_running_anything(course):
    """Opening a notebook twice does not train twice: there is no notebook here to run, and an
    unknown name is refused with those that there are."""
    by_hand("flour", "rye")
    assert artifacts.artifact("flour").read_text() == "rye"
    with pytest.raises(KitError, match="flour, bread, toast"):
        artifacts.artifact("flower")
    with pytest.raises(KitError, match=r"00-mill\.ipynb"):
        (paths.build_folder() / "flour").unlink()
        artifacts.artifact("flour")


def test_what_is_stale_is_made_anew_in_order_and_that_is_said(course, monkeypatch, capsys):
    """Each notebook with a line of its own, from the change on; then nothing more is run."""
    bake_everything()
    write(course, "01-bake", SETUP, BAKE)
    write(course, "02-toast", SETUP, TOAST)
    by_hand("flour", "rye")
    monkeypatch.delenv("KIT_PROGRESS")
    assert artifacts.artifact("toast").read_text() == "rye bread toast"
    printed = capsys.readouterr()
    assert printed.out == ""  # free for --json
    assert [line for line in printed.err.splitlines() if "running" in line] == [
        "bread is older than flour: running 01-bake ...",
        "bread is older than flour: running 01-bake: done",
        "toast is older than bread: running 02-toast ...",
        "toast is older than bread: running 02-toast: done",
    ]
    assert states() == FRESH
    artifacts.artifact("toast")
    assert capsys.readouterr().err == ""


@pytest.mark.deep
def test_any_notebook_can_be_run_first_and_shows_the_same(course):
    """Bread needs flour: both are made from inside the third notebook's kernel, and its outputs do
    not tell whether something had to be made, for nbval compares them."""
    write(course, "00-mill", SETUP, MILL)
    write(course, "01-bake", SETUP, BAKE)
    write(course, "02-toast", SETUP, "print(artifacts.artifact('bread').read_text())")
    for _ in range(2):
        (copy,) = execute.run_notebooks(["02"])["notebooks"]
        assert shown(code_cells(copy)[1]) == "white bread\n"


@pytest.mark.deep
def test_the_error_of_a_maker_reaches_who_asked(course, monkeypatch):
    """Through two kernels: which notebook, which cell, what it said."""
    monkeypatch.setattr(artifacts, "SOURCES", {})  # so that 01-bake finds out what it needs
    write(course, "00-mill", SETUP, "raise ValueError('no wheat')")
    write(course, "01-bake", SETUP, BAKE)
    with pytest.raises(KitError) as caught:
        artifacts.artifact("bread")
    assert "01-bake: code cell 2" in caught.value.what
    assert "00-mill: code cell 2" in caught.value.why and "no wheat" in caught.value.why


@pytest.mark.deep
@pytest.mark.parametrize(
    ("source", "said"),
    [("1 + 1", "made no flour"),
     ("artifacts.artifact('flour')", "asked for before it is made"),
     ("artifacts.artifact('flour2')", "no artifact called 'flour2'")],
)  # fmt: skip
def test_a_maker_that_makes_nothing_is_an_error(course, source, said):
    """A learner deleted the cell that saves; or asks too early: it does not start itself again."""
    write(course, "00-mill", SETUP, source)
    with pytest.raises(KitError, match=said):
        artifacts.artifact("flour")


@pytest.mark.deep
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
    monkeypatch.setattr(artifacts, "SOURCES", {"03-generate": ("a.tflite",)})
    by_hand("a.tflite", "weights")
    make("network", "C")
    if not from_it:
        by_hand("network", "of another model")
    here = file_digest(paths.build_folder() / "a.tflite")
    board = SimpleNamespace(url=url, described=SimpleNamespace(network="a.tflite", digest=here))
    artifacts.check_model(board, "a.tflite")
    board.described.digest = "0123456789abcdef"
    with pytest.raises(KitError) as caught:
        artifacts.check_model(board, "a.tflite")
    assert "0123456789abcdef" in caught.value.what and here in caught.value.what
    assert caught.value.next_step.startswith(advice)


def test_after_the_road_everything_is_fresh(road, monkeypatch):
    """Each notebook notes what it made its artifacts from."""
    monkeypatch.setenv("KIT_BUILD", str(road["build"]))
    assert {row["state"] for row in artifacts.status()} == {"fresh"}
    made = [name for name, notebook in artifacts.MAKERS.items() if notebook in artifacts.SOURCES]
    assert len(made) == 9 and all(made_from(road["build"] / name) for name in made)
