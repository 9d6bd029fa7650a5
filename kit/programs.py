"""Programs of this computer: finding one, and running one to its end."""

import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path


def find(name: str, folders: Iterable[str] = (), beside: bool = False) -> Path | None:
    """Where a program is: on PATH, else in `folders`.

    With `beside`, beside this Python first: CMake and Ninja come as packages.
    """
    places = [os.environ.get("PATH", ""), *folders]
    if beside:
        places.insert(0, str(Path(sys.executable).parent))
    found = shutil.which(name, path=os.pathsep.join(filter(None, places)))
    return Path(found) if found else None


def execute(
    command: Sequence[str | Path],
    seconds: float,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
) -> tuple[int, str]:
    """Run a program to its end, without input; its exit code, and all that it printed.

    Raises:
        OSError: it cannot be started.
        subprocess.TimeoutExpired: it took longer than `seconds`, and was ended.
    """
    done = subprocess.run(
        [str(word) for word in command],
        cwd=cwd,
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=seconds,
        encoding="utf-8",
        errors="replace",
        check=False,
    )
    return done.returncode, done.stdout


def system() -> str:
    """ "Windows", "Darwin" (macOS) or "Linux", whose advice fits every other system best."""
    return platform.system() if platform.system() in ("Windows", "Darwin") else "Linux"
