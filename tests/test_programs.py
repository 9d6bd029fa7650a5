"""kit/programs.py: a program is run to its end, or ended with all that it started."""

import contextlib
import sys
import time

import psutil
import pytest

from kit import programs
from kit.programs import run_program


@pytest.mark.skipif(sys.platform == "win32", reason="a shell script")
def test_a_build_that_takes_too_long_is_ended_with_all_that_it_started(tmp_path):
    """CMake starts Ninja, and that zig: ending the first alone would leave the others at work."""
    script, child = tmp_path / "cmake", tmp_path / "child"
    script.write_text(f"#!/bin/sh\nsleep 60 &\necho $! > {child}\necho so far\nwait\n")
    script.chmod(0o755)
    done = run_program([script], 1)
    assert done.printed == "so far\n" and "timed out" in done.trouble
    with contextlib.suppress(psutil.NoSuchProcess):
        ended = psutil.Process(int(child.read_text()))
        deadline = time.monotonic() + 10  # a busy computer takes its time over a signal
        while ended.status() != "zombie" and time.monotonic() < deadline:
            time.sleep(0.01)
        assert ended.status() == "zombie"


def test_lines_are_shown_as_they_come():
    """Of one that a progress bar redraws, the fullest; who watches may break off."""
    script = "import time; print('1 %\\r100 %\\r', flush=True); print(flush=True); time.sleep(60)"

    def watch(line):
        raise KeyError(line)

    with pytest.raises(KeyError, match="100 %"):
        run_program([sys.executable, "-c", script], 60, watch=watch)


def test_a_program_that_cannot_be_started(tmp_path):
    done = run_program([tmp_path / "missing"], 1)
    assert (done.code and "No such file" in done.trouble) or "WinError" in done.trouble


def test_a_child_that_keeps_the_pipe_open_is_not_waited_for(monkeypatch):
    """As a daemon that a tool leaves behind."""
    monkeypatch.setattr(programs, "GRACE", 0.5)
    script = "import subprocess, sys; subprocess.Popen([sys.executable, '-c', "
    script += "'import time; time.sleep(20)']); print('done')"
    start = time.monotonic()
    assert run_program([sys.executable, "-c", script], 60)[:2] == (0, "done\n")
    assert time.monotonic() - start < 10
