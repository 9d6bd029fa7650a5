"""kit/paths.py: what is made appears whole or not at all, beside others, and where it may be
written."""

import errno
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from kit import paths
from kit.checks.doctor import look_for
from kit.errors import KitError
from kit.lesson.results import report
from kit.paths import ROOT, build_folder, locked, replacing

WRITER = """
import sys
from kit.paths import replacing

for turn in range(150):
    with replacing(sys.argv[1]) as path:
        path.mkdir()
        for name in "abc":
            (path / name).write_text(f"{sys.argv[2]} {turn}")
"""
REPORTER = """
import sys
from kit.lesson.results import report

for turn in range(20):
    report("many", **{f"figure_{sys.argv[2]}_{turn}": turn})
"""
KILLED = """
import os, signal, sys
from kit import paths

rename = paths._rename
def die_before_the_second(source, target):
    if source.parent.name.endswith(".partial"):
        os.kill(os.getpid(), signal.SIGKILL)
    rename(source, target)
paths._rename = die_before_the_second

with paths.replacing(sys.argv[1]) as path:
    path.mkdir()
    (path / "half").write_text("")
    if sys.argv[2] == "inside":
        os.kill(os.getpid(), signal.SIGKILL)
"""


def start(script, *arguments, **environment):
    """A program beside this one."""
    command = [sys.executable, "-c", script, *map(str, arguments)]
    return subprocess.Popen(command, cwd=ROOT, env={**os.environ, **environment})


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def make(target, *inside):
    """A folder with empty files of these names."""
    with replacing(target) as path:
        path.mkdir()
        for name in inside:
            (path / name).write_text("")


def test_a_file_appears_when_it_is_complete(tmp_path):
    with replacing(tmp_path / "a" / "model.keras") as path:
        path.write_text("half")
        assert path.suffix == ".keras"  # Keras chooses a format by it
        assert not (tmp_path / "a" / "model.keras").exists()
    assert names(tmp_path / "a") == ["model.keras"]


def test_a_folder_is_replaced_as_a_whole_or_not_at_all(tmp_path):
    for name in ("first", "second"):
        make(tmp_path / "network", name)
    with pytest.raises(RuntimeError), replacing(tmp_path / "network") as path:
        path.mkdir()
        raise RuntimeError
    assert names(tmp_path) == ["network"] and names(tmp_path / "network") == ["second"]


def test_after_an_error_the_earlier_file_is_there(tmp_path):
    (tmp_path / "thing").write_text("good")
    with pytest.raises(RuntimeError), replacing(tmp_path / "thing") as path:
        path.write_text("bad")
        raise RuntimeError
    assert names(tmp_path) == ["thing"] and (tmp_path / "thing").read_text() == "good"


def test_a_file_in_the_way_of_a_folder(tmp_path):
    (tmp_path / "network").write_text("mine")
    with pytest.raises(KitError, match="cannot be written"):
        make(tmp_path / "network")
    assert names(tmp_path) == ["network"] and (tmp_path / "network").read_text() == "mine"


def test_a_place_that_cannot_be(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(KitError), replacing(tmp_path / "file" / "model.tflite"):
        raise AssertionError("nothing may be written")


def test_a_rename_that_fails_puts_the_old_folder_back(tmp_path, monkeypatch):
    """As on Windows, where a file that is open cannot be replaced."""
    make(tmp_path / "network", "old")
    rename = os.replace

    def refuse(source, target):
        if (os.fspath(target).endswith("network")) and not os.fspath(source).endswith(".old"):
            raise PermissionError(13, "The file is in use")
        rename(source, target)

    monkeypatch.setattr(os, "replace", refuse)
    monkeypatch.setattr(paths, "RENAME_SECONDS", 0.1)
    with pytest.raises(KitError, match="in use"):
        make(tmp_path / "network")
    assert names(tmp_path) == ["network"] and names(tmp_path / "network") == ["old"]


def test_a_rename_that_is_refused_for_a_moment_is_tried_again(tmp_path, monkeypatch):
    """As on Windows, while a virus scanner looks at what was just written."""
    rename, refusals = os.replace, [PermissionError(13, "The file is in use")] * 3

    def refuse(source, target):
        if refusals:
            raise refusals.pop()
        rename(source, target)

    monkeypatch.setattr(os, "replace", refuse)
    with replacing(tmp_path / "model.tflite") as path:
        path.write_text("whole")
    assert names(tmp_path) == ["model.tflite"] and not refusals


def test_a_block_that_writes_nothing_is_told_so(tmp_path):
    make(tmp_path / "network")
    with pytest.raises(KitError, match="was not made"), replacing(tmp_path / "network"):
        pass
    assert names(tmp_path) == ["network"]


# ---- Beside other programs ----


def test_two_who_make_a_folder_and_one_who_reads_it(tmp_path):
    """No error, no gap, never a mixture, and nothing left behind, in 300 replacements."""
    folder = tmp_path / "network"
    start(WRITER.replace("150", "1"), folder, "first").wait()
    writers = [start(WRITER, folder, number) for number in range(2)]
    seen = set()
    while any(writer.poll() is None for writer in writers):
        with locked(folder):
            content = {(folder / name).read_text() for name in "abc"}
        assert len(content) == 1
        seen |= content
    assert [writer.returncode for writer in writers] == [0, 0]
    assert len(seen) > 3  # it read between the swaps, too
    assert names(tmp_path) == ["network"]


def test_figures_of_two_notebooks_at_once_are_all_kept(tmp_path):
    build_here = {"KIT_BUILD": str(tmp_path)}
    reporters = [start(REPORTER, "", number, **build_here) for number in range(2)]
    assert [reporter.wait() for reporter in reporters] == [0, 0]
    assert len(json.loads((tmp_path / "report.json").read_text())["many"]) == 40
    assert names(tmp_path) == ["report.json"]


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="the script kills itself as POSIX does")
@pytest.mark.parametrize("when", ["inside", "between the renames"])
def test_a_program_that_is_killed_leaves_nothing_that_stays(tmp_path, when):
    """What was there before is there for the next reader; a day later the leftovers are gone."""
    folder = tmp_path / "network"
    make(folder, "whole")
    assert start(KILLED, folder, when).wait() == -signal.SIGKILL
    with locked(folder):
        assert names(folder) == ["whole"]
    (partial,) = tmp_path.glob(".*.partial")
    for age, left in ((60, 2), (2 * paths.DAY, 1)):
        os.utime(partial, (time.time() - age,) * 2)
        make(folder)
        assert len(names(tmp_path)) == left


def test_a_lock_may_be_taken_again_inside(tmp_path):
    with locked(tmp_path / "network"), locked(tmp_path / "network") as folder:
        make(folder)
        assert names(tmp_path) == [".network.lock", "network"]
    assert names(tmp_path) == ["network"]


def test_a_folder_that_another_program_keeps_is_named(tmp_path, monkeypatch, capsys):
    """Waiting is said, and ends."""
    script = """
import sys
from kit.paths import locked
with locked(sys.argv[1]):
    print("locked", flush=True)
    sys.stdin.read()
"""
    command = [sys.executable, "-c", script, str(tmp_path / "network")]
    pipe = subprocess.PIPE
    monkeypatch.setattr(paths, "SILENT_SECONDS", 0)
    monkeypatch.setattr(paths, "LOCK_SECONDS", 0.1)
    with subprocess.Popen(command, cwd=ROOT, stdin=pipe, stdout=pipe) as other:
        assert other.stdout.readline().strip() == b"locked"
        with pytest.raises(KitError, match="is in use"), locked(tmp_path / "network"):
            pass
        other.kill()
        other.wait()
    assert "Waiting for another program" in capsys.readouterr().err
    with locked(tmp_path / "network"):  # the system dropped the lock of the killed one
        pass
    assert names(tmp_path) == []


@pytest.mark.parametrize(
    ("lost", "code"), [("filelock.FileLock.acquire", errno.EROFS), ("fcntl.flock", errno.ENOLCK)]
)
@pytest.mark.skipif(os.name == "nt", reason="no fcntl there")
def test_where_no_lock_can_be_kept_it_works_without(tmp_path, monkeypatch, lost, code):
    """A folder that may not be written, and a network drive that knows no locks."""

    def refuse(*_):
        raise OSError(code, "refused")

    monkeypatch.setattr(lost, refuse)
    with locked(tmp_path / "network"), locked(tmp_path / "not" / "there"):
        make(tmp_path / "network")
    assert names(tmp_path) == ["network"]


# ---- The folder of everything made ----


@pytest.fixture
def read_only(tmp_path, monkeypatch):
    """A project and a home folder; what lies in a folder named `refused` cannot be written.

    An administrator may write anywhere, so the system's refusal is imitated.
    """
    project, home = tmp_path / "refused" / "digits", tmp_path / "home"
    project.mkdir(parents=True)
    home.mkdir()
    make = tempfile.TemporaryFile

    def refuse(*args, dir, **others):
        if "refused" in Path(dir).parts:
            raise PermissionError(errno.EACCES, "Permission denied")
        return make(*args, dir=dir, **others)

    monkeypatch.setattr(tempfile, "TemporaryFile", refuse)
    monkeypatch.setattr(paths, "ROOT", project)
    monkeypatch.delenv("KIT_BUILD")
    for name in ("HOME", "USERPROFILE"):
        monkeypatch.setenv(name, str(home))
    return project


def test_a_project_that_cannot_be_written_is_built_at_home(read_only, capsys):
    """Said once, with the way to choose; another copy of the project has another folder."""
    folder = build_folder()
    assert build_folder() == folder and folder.is_dir() and folder.is_relative_to(Path.home())
    told = capsys.readouterr().err
    assert told.count(str(folder)) == told.count("KIT_BUILD") == 1
    report("int8", accuracy=1)
    assert names(folder) == ["report.json"]


def test_two_copies_of_the_project_do_not_share_a_folder_at_home(read_only, monkeypatch):
    first = build_folder()
    monkeypatch.setattr(paths, "ROOT", read_only.parent / "other" / "digits")
    assert build_folder() not in (first, *first.parents)


def test_nowhere_to_build(read_only, monkeypatch):
    """Neither here nor at home, or not where KIT_BUILD says: the error names the way out."""
    monkeypatch.setenv("KIT_BUILD", str(read_only / "chosen"))
    with pytest.raises(KitError, match="KIT_BUILD") as error:
        build_folder()
    assert str(read_only / "chosen") in error.value.what
    disk = look_for("1 GB of disk")
    assert not disk.found and "KIT_BUILD" in disk.how_to_get
    monkeypatch.delenv("KIT_BUILD")
    for name in ("HOME", "USERPROFILE"):
        monkeypatch.setenv(name, str(read_only))
    with pytest.raises(KitError, match="KIT_BUILD"):
        build_folder()


def test_a_file_in_the_way_of_the_build_folder(tmp_path, monkeypatch):
    """Is not a reason to build elsewhere."""
    (tmp_path / "build").write_text("")
    monkeypatch.setenv("KIT_BUILD", "")
    monkeypatch.setattr(paths, "ROOT", tmp_path)
    with pytest.raises(KitError, match="KIT_BUILD"):
        build_folder()


def test_a_relative_build_folder_is_the_same_from_everywhere(tmp_path, monkeypatch):
    """A kernel runs in notebooks/, the command line anywhere."""
    monkeypatch.setattr(paths, "ROOT", tmp_path / "digits")
    monkeypatch.setenv("KIT_BUILD", "other")
    for place in (tmp_path, tmp_path / "notebooks"):
        place.mkdir(exist_ok=True)
        monkeypatch.chdir(place)
        assert build_folder() == tmp_path / "digits" / "other"


def test_a_place_that_refuses_is_no_bare_error(read_only):
    """Also when its folder is there already: found out before anything is computed."""
    with pytest.raises(KitError, match="cannot be written"), replacing(read_only / "model.tflite"):
        raise AssertionError("nothing may be written")
