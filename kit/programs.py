"""Programs of this computer: finding one, and running one to its end."""

import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil

GRACE = 5  # seconds for what a program printed, after it was ended


def find_program(name: str, folders: Iterable[str] = (), beside: bool = False) -> Path | None:
    """Where a program is: on PATH, else in `folders`.

    With `beside`, beside this Python first: CMake and Ninja come as packages.
    """
    places = [os.environ.get("PATH", ""), *folders]
    if beside:
        places.insert(0, str(Path(sys.executable).parent))
    found = shutil.which(name, path=os.pathsep.join(filter(None, places)))
    return Path(found) if found else None


def run_program(
    command: Sequence[str | Path],
    seconds: float,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
) -> tuple[int, str]:
    """Run a program to its end, without input; its exit code, and all that it printed.

    When it is not waited for any longer, it is ended with all that it started.

    Raises:
        OSError: it cannot be started.
        subprocess.TimeoutExpired: it took longer than `seconds`; with all that it printed.
    """
    with subprocess.Popen(
        [str(word) for word in command],
        cwd=cwd,
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
    ) as process:
        try:
            printed, _ = process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired as error:
            end(process)
            with suppress(subprocess.TimeoutExpired):
                error.output, _ = process.communicate(timeout=GRACE)
            raise
        except BaseException:  # Ctrl-C
            end(process)
            raise
    return process.returncode, printed


def end(process: "subprocess.Popen[Any]") -> None:
    """End a program, and everything it started, at once."""
    with suppress(psutil.NoSuchProcess):
        mother = psutil.Process(process.pid)
        for member in (*mother.children(recursive=True), mother):
            with suppress(psutil.NoSuchProcess):
                member.kill()
    process.wait()


def system() -> str:
    """ "Windows", "Darwin" (macOS) or "Linux", whose advice fits every other system best."""
    return platform.system() if platform.system() in ("Windows", "Darwin") else "Linux"
