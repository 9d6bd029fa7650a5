"""kit/lesson/reset.py: all is as it came, and nothing of the learner's is lost."""

import shutil
import subprocess
from types import SimpleNamespace

import pytest

from kit import cli, paths
from kit.errors import KitError
from kit.lesson import reset
from kit.provenance import note, note_of

NAMES = ["01-train.ipynb", "02-quantize.ipynb"]


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A project of two notebooks whose set-up kept the originals; both were run."""
    place = SimpleNamespace(notebooks=tmp_path / "notebooks", build=tmp_path / "build")
    place.kept = place.build / "exercises" / "kept"
    place.first, place.second = (place.notebooks / name for name in NAMES)
    place.notebooks.mkdir()
    for name in NAMES:
        (place.notebooks / name).write_text(f"{name} as it came")
    shutil.copytree(place.notebooks, tmp_path / "originals")
    monkeypatch.setattr(paths, "NOTEBOOKS", place.notebooks)
    monkeypatch.setattr(reset, "ORIGINALS", tmp_path / "originals")
    monkeypatch.setenv("KIT_BUILD", str(place.build))
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    (place.build / "virtual" / "default").mkdir(parents=True)
    shutil.copy(paths.DATA / "digits_reference.keras", place.build / "digits.keras")
    (place.build / "digits_int8.tflite").write_text("weights")
    note(place.build / "digits_int8.tflite", place.build / "digits.keras")
    (place.build / "exercises").mkdir()
    (place.build / "exercises" / "few.tflite").write_text("few")
    (place.build / "report.json").write_text("{}")
    return place


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_everything_is_put_back_and_what_was_changed_is_kept(place):
    """The course's artifacts and notes are gone, exercises stay; a second time nothing happens.
    What is kept gets a name that is not taken: three groups in a row."""
    place.first.write_text("of the learner")
    assert reset.reset_notebooks() == {
        "restored": ["01-train.ipynb"],
        "removed": ["digits.keras", "digits_int8.tflite", "report.json", "virtual"],
        "kept": [place.kept / "01-train-1.ipynb"],
    }
    assert place.first.read_text() == "01-train.ipynb as it came"
    assert names(place.build) == ["exercises"]
    assert names(place.kept.parent) == ["few.tflite", "kept"]
    assert reset.reset_notebooks() == {"restored": [], "removed": [], "kept": []}
    place.first.write_text("of another")
    assert reset.reset_notebooks()["kept"] == [place.kept / "01-train-2.ipynb"]
    kept = [(place.kept / f"01-train-{number}.ipynb").read_text() for number in (1, 2)]
    assert kept == ["of the learner", "of another"]


def test_named_notebooks_and_what_they_make_only(place):
    """What others made stays, with a note that tells that it is older."""
    for path in (place.first, place.second):
        path.write_text("of the learner")
    assert reset.reset_notebooks(["02"])["restored"] == ["02-quantize.ipynb"]
    assert place.first.read_text() == "of the learner"
    assert not note_of(place.build / "digits_int8.tflite").exists()
    assert names(place.build) == ["digits.keras", "exercises", "report.json", "virtual"]


def test_what_was_deleted_comes_back_and_a_trained_network_is_kept(place):
    """A training cannot be repeated; the reference can."""
    place.first.unlink()
    (place.build / "digits.keras").write_bytes(b"trained here")
    result = reset.reset_notebooks(["01"])
    assert result["restored"] == ["01-train.ipynb"]
    assert place.first.read_text() == "01-train.ipynb as it came"
    assert [path.name for path in result["kept"]] == ["digits-1.keras"]
    assert result["kept"][0].read_bytes() == b"trained here"


@pytest.mark.skipif(not shutil.which("git"), reason="there is no git")
def test_git_knows_better_than_the_copy_of_the_set_up(place):
    """After an update the copy is that of an earlier version; what git does not know is copied."""
    place.first.write_text("updated")
    identity = ("-c", "user.name=a", "-c", "user.email=a@b")
    for words in (["init", "-q"], ["add", str(place.first)], ["commit", "-qm", "update"]):
        subprocess.run(["git", *identity, *words], cwd=place.notebooks.parent, check=True)
    place.first.unlink()
    place.second.write_text("of the learner")
    reset.reset_notebooks()
    assert place.first.read_text() == "updated"
    assert place.second.read_text() == "02-quantize.ipynb as it came"


@pytest.mark.parametrize("git", [True, False])
def test_without_an_original_nothing_is_touched(place, monkeypatch, git):
    """Not even the artifacts."""
    if not git:
        monkeypatch.setenv("PATH", "")
    shutil.rmtree(reset.ORIGINALS)
    place.first.write_text("of the learner")
    before = names(place.build)
    with pytest.raises(KitError, match="Download"):
        reset.reset_notebooks()
    assert place.first.read_text() == "of the learner" and names(place.build) == before


def test_the_command_says_what_it_did_and_status_what_is_there(place, capsys):
    """For people, with a word on JupyterLab, and as JSON."""
    place.first.write_text("of the learner")
    assert cli.main(["status"]) == 0
    assert "02-quantize" in capsys.readouterr().out
    assert cli.main(["reset", "01"]) == 0
    said = capsys.readouterr().out
    for words in ("put back: 01-train.ipynb", "removed: digits.keras", "01-train-1.ipynb"):
        assert words in said
    assert "JupyterLab" in said
    assert cli.main(["status", "--json"]) == 0
    assert '"state": "missing"' in capsys.readouterr().out
