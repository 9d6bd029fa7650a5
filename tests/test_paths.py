"""kit/paths.py: what is made appears whole or not at all, beside others, and where it may be
written."""

import errno
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
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

for turn in range(int(sys.argv[3])):
    with replacing(sys.argv[1]) as path:
        path.mkdir()
        for name in "abc":
            (path / name).write_text(f"{sys.argv[2]} {turn}")
"""
REPORTER = """
import sys
from kit.lesson.results import report

for turn in range(20):
    report("many", **{f"figure_{sys.argv[1]}_{turn}": turn})
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
KEEPER = """
import sys
from kit.paths import locked
with locked(sys.argv[1]):
    print("locked", flush=True)
    sys.stdin.read()
"""


def start(script, *arguments, **options):
    """A program beside this one."""
    command = [sys.executable, "-c", script, *map(str, arguments)]
    return subprocess.Popen(command, cwd=ROOT, **options)


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
        assert path.name == "model.keras"  # Keras chooses a format by it
        assert not (tmp_path / "a" / "model.keras").exists()
    assert names(tmp_path / "a") == ["model.keras"]


def test_what_is_there_is_replaced_as_a_whole_or_not_at_all(tmp_path):
    (tmp_path / "thing").write_text("good")
    for name in ("first", "second"):
        make(tmp_path / "network", name)
    with pytest.raises(RuntimeError), replacing(tmp_path / "network") as path:
        path.mkdir()
        raise RuntimeError
    with pytest.raises(RuntimeError), replacing(tmp_path / "thing") as path:
        path.write_text("bad")
        raise RuntimeError
    with pytest.raises(KitError, match="was not made"), replacing(tmp_path / "network"):
        pass
    with pytest.raises(KitError, match="cannot be written"):
        make(tmp_path / "thing")  # a file in the way of a folder
    assert names(tmp_path) == ["network", "thing"]
    assert names(tmp_path / "network") == ["second"]
    assert (tmp_path / "thing").read_text() == "good"


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
    make(tmp_path / "network")
    assert names(tmp_path) == ["network"] and not refusals


# ---- Beside other programs ----


def test_two_who_make_a_folder_and_one_who_reads_it(tmp_path):
    """No error, no gap, never a mixture, and nothing left behind, in 300 replacements."""
    folder = tmp_path / "network"
    start(WRITER, folder, "first", 1).wait()
    writers = [start(WRITER, folder, number, 150) for number in range(2)]
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
    build_here = {**os.environ, "KIT_BUILD": str(tmp_path)}
    reporters = [start(REPORTER, number, env=build_here) for number in range(2)]
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


def test_a_lock_may_be_taken_again_inside_and_by_one_thread_at_a_time(tmp_path):
    other, inside = threading.Thread(target=make, args=(tmp_path / "network", "b")), []
    with locked(tmp_path / "network"), locked(tmp_path / "network") as folder:
        make(folder, "a")
        other.start()
        time.sleep(0.05)
        inside = names(tmp_path), names(folder)
    other.join()
    assert ".network.lock" in inside[0] and inside[1] == ["a"]
    assert names(tmp_path) == ["network"] and names(tmp_path / "network") == ["b"]


def test_a_folder_that_another_program_keeps_is_named(tmp_path, monkeypatch, capsys):
    """Waiting is said, and ends; the system drops the lock of one that was killed."""
    monkeypatch.setattr(paths, "SILENT_SECONDS", 0)
    monkeypatch.setattr(paths, "LOCK_SECONDS", 0.1)
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with start(KEEPER, tmp_path / "network", **pipes) as other:
        assert other.stdout.readline().strip() == b"locked"
        with pytest.raises(KitError, match="is in use"), locked(tmp_path / "network"):
            pass
        other.kill()
        other.wait()
    assert "Waiting for another program" in capsys.readouterr().err
    with locked(tmp_path / "network"):
        pass
    assert names(tmp_path) == []


@pytest.mark.skipif(os.name == "nt", reason="no fcntl there")
@pytest.mark.parametrize(
    ("lost", "code"), [("filelock.FileLock.acquire", errno.EROFS), ("fcntl.flock", errno.ENOLCK)]
)
def test_where_no_lock_can_be_kept_it_works_without(tmp_path, monkeypatch, lost, code):
    """A folder that may not be written or is not there, a network drive that knows no locks."""

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


def test_a_project_that_cannot_be_written_is_built_at_home(read_only, monkeypatch, capsys):
    """Said once, with the way to choose; another copy of the project has another folder."""
    folder = build_folder()
    assert build_folder() == folder and folder.is_dir() and folder.is_relative_to(Path.home())
    told = capsys.readouterr().err
    assert told.count(str(folder)) == told.count("KIT_BUILD") == 1
    report("int8", accuracy=1)
    assert names(folder) == ["report.json"]
    monkeypatch.setattr(paths, "ROOT", read_only.parent / "other" / "digits")
    assert build_folder() not in (folder, *folder.parents)


def test_nowhere_to_build(read_only, monkeypatch):
    """Neither here nor at home, or not where KIT_BUILD says: the error names the way out. A file
    in the way is not a reason to build elsewhere."""
    monkeypatch.setenv("KIT_BUILD", str(read_only / "chosen"))
    with pytest.raises(KitError, match="KIT_BUILD") as error:
        build_folder()
    assert str(read_only / "chosen") in error.value.what
    disk = look_for("1 GB of disk")
    assert not disk.found and "KIT_BUILD" in disk.how_to_get
    monkeypatch.delenv("KIT_BUILD")
    (Path.home() / "build").write_text("")
    for root, home in ((read_only, str(read_only)), (Path.home(), str(Path.home()))):
        monkeypatch.setattr(paths, "ROOT", root)
        for name in ("HOME", "USERPROFILE"):
            monkeypatch.setenv(name, home)
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
    (read_only.parent.parent / "file").write_text("")
    for place in (read_only, read_only.parent.parent / "file"):
        with pytest.raises(KitError, match="cannot be written"), replacing(place / "model.tflite"):
            raise AssertionError("nothing may be written")


def test_many_write_side_by_side_in_one_folder(tmp_path):
    """What another has just put in its place is gone when this one looks at what broke off."""

    def write(number):
        for turn in range(60):
            with replacing(tmp_path / f"{number}-{turn}") as file:
                file.write_text("whole")

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(write, range(6)))
    assert len(list(tmp_path.glob("[!.]*"))) == 360
