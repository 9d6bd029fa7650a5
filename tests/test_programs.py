"""kit/programs.py: a program is run to its end, or ended with all that it started."""

import subprocess
import sys

import psutil
import pytest

from kit.programs import run_program


@pytest.mark.skipif(sys.platform == "win32", reason="a shell script")
def test_a_build_that_takes_too_long_is_ended_with_all_that_it_started(tmp_path):
    """CMake starts Ninja, and that zig: ending the first alone would leave the others at work."""
    script, child = tmp_path / "cmake", tmp_path / "child"
    script.write_text(f"#!/bin/sh\nsleep 60 &\necho $! > {child}\necho so far\nwait\n")
    script.chmod(0o755)
    with pytest.raises(subprocess.TimeoutExpired) as error:
        run_program([script], 1)
    assert error.value.output == "so far\n"
    number = int(child.read_text())
    assert not psutil.pid_exists(number) or psutil.Process(number).status() == "zombie"
