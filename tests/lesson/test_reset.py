"""`kit reset`: as it came, and nothing of the learner's is lost."""

import shutil
import subprocess
from types import SimpleNamespace

import pytest

from kit import paths
from kit.errors import KitError
from kit.lesson import reset
from kit.provenance import note, note_of

NAMES = ["01-train.ipynb", "02-quantize.ipynb"]


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A project of two notebooks whose set-up kept the originals; both were run."""
    place = SimpleNamespace(notebooks=tmp_path / "notebooks", build=tmp_path / "build")
    place.notebooks.mkdir()
    for name in NAMES:
        (place.notebooks / name).write_text(f"{name} as it came")
    shutil.copytree(place.notebooks, tmp_path / "originals")
    monkeypatch.setattr(paths, "NOTEBOOKS", place.notebooks)
    monkeypatch.setattr(reset, "ORIGINALS", tmp_path / "originals")
    monkeypatch.setenv("KIT_BUILD", str(place.build))
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    place.build.mkdir()
    shutil.copy(paths.DATA / "digits_reference.keras", place.build / "digits.keras")
    (place.build / "digits_int8.tflite").write_text("weights")
    note(place.build / "digits_int8.tflite", place.build / "digits.keras")
    (place.build / "virtual" / "default").mkdir(parents=True)
    (place.build / "exercises").mkdir()
    (place.build / "exercises" / "few.tflite").write_text("few")
    (place.build / "report.json").write_text("{}")
    return place


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def change(place, name="01-train.ipynb", text="of the learner"):
    (place.notebooks / name).write_text(text)


def test_everything_is_put_back_and_what_was_changed_is_kept(place):
    """The course's artifacts and notes are gone, exercises stay; a second time nothing happens."""
    change(place)
    result = reset.reset_notebooks()
    kept = place.build / "exercises" / "kept" / "01-train-1.ipynb"
    assert result == {
        "restored": ["01-train.ipynb"],
        "removed": ["digits.keras", "digits_int8.tflite", "report.json", "virtual"],
        "kept": [kept],
    }
    assert (place.notebooks / "01-train.ipynb").read_text() == "01-train.ipynb as it came"
    assert kept.read_text() == "of the learner"
    assert names(place.build) == ["exercises"]
    assert (place.build / "exercises" / "few.tflite").exists()
    assert reset.reset_notebooks() == {"restored": [], "removed": [], "kept": []}


def test_named_notebooks_and_what_they_make_only(place):
    """What others made stays, with a note that tells that it is older."""
    for name in NAMES:
        change(place, name)
    assert reset.reset_notebooks(["02"])["restored"] == ["02-quantize.ipynb"]
    assert (place.notebooks / "01-train.ipynb").read_text() == "of the learner"
    assert not note_of(place.build / "digits_int8.tflite").exists()
    assert names(place.build) == ["digits.keras", "exercises", "report.json", "virtual"]


def test_what_is_kept_gets_a_name_that_is_not_taken(place):
    """Three groups in a row."""
    for text in ("first", "second"):
        change(place, text=text)
        reset.reset_notebooks()
    kept = place.build / "exercises" / "kept"
    assert [(kept / f"01-train-{n}.ipynb").read_text() for n in (1, 2)] == ["first", "second"]


def test_a_notebook_that_was_deleted_comes_back(place):
    (place.notebooks / "01-train.ipynb").unlink()
    assert reset.reset_notebooks(["01"])["restored"] == ["01-train.ipynb"]
    assert (place.notebooks / "01-train.ipynb").read_text() == "01-train.ipynb as it came"


def test_a_network_of_the_learners_own_is_kept(place):
    """A training cannot be repeated; the reference can."""
    (place.build / "digits.keras").write_bytes(b"trained here")
    (kept,) = reset.reset_notebooks(["01"])["kept"]
    assert kept.name == "digits-1.keras" and kept.read_bytes() == b"trained here"


def test_git_knows_better_than_the_copy_of_the_set_up(place):
    """After an update the copy is that of an earlier version."""
    if not shutil.which("git"):
        pytest.skip("there is no git")
    (place.notebooks / "01-train.ipynb").write_text("updated")
    identity = ("-c", "user.name=a", "-c", "user.email=a@b")
    for words in (["init", "-q"], ["add", "notebooks"], ["commit", "-qm", "update"]):
        subprocess.run(["git", *identity, *words], cwd=place.notebooks.parent, check=True)
    change(place)
    (place.notebooks / "02-quantize.ipynb").unlink()
    reset.reset_notebooks()
    assert (place.notebooks / "01-train.ipynb").read_text() == "updated"
    assert (place.notebooks / "02-quantize.ipynb").read_text() == "02-quantize.ipynb as it came"


@pytest.mark.parametrize("git", [True, False])
def test_without_an_original_nothing_is_touched(place, monkeypatch, git):
    """Not even the artifacts."""
    if not git:
        monkeypatch.setenv("PATH", "")
    shutil.rmtree(reset.ORIGINALS)
    change(place)
    before = names(place.build)
    with pytest.raises(KitError, match="Download"):
        reset.reset_notebooks()
    assert (place.notebooks / "01-train.ipynb").read_text() == "of the learner"
    assert names(place.build) == before


def test_the_command_says_what_it_did_and_status_what_is_there(place, monkeypatch, capsys):
    """For people, with a word on JupyterLab, and as JSON."""
    from kit import cli

    change(place)
    assert cli.main(["status"]) == 0
    assert "02-quantize" in capsys.readouterr().out
    assert cli.main(["reset", "01"]) == 0
    said = capsys.readouterr().out
    assert "put back: 01-train.ipynb" in said and "removed: digits.keras" in said
    assert "01-train-1.ipynb" in said and "JupyterLab" in said
    assert cli.main(["status", "--json"]) == 0
    assert '"state": "missing"' in capsys.readouterr().out
