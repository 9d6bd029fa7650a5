"""Programs of this computer: finding one, and running one to its end."""

import os
import platform
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, NamedTuple

import psutil

GRACE = 5  # seconds for what a program printed, after it ended
Watch = Callable[[str], object]


class Done(NamedTuple):
    """A program's exit code, what it printed, and why it was not run to its end, if it was not."""

    code: int
    printed: str
    trouble: str = ""


def find_program(name: str, folders: Iterable[str] = (), beside: bool = False) -> Path | None:
    """Where a program is: on PATH, else in `folders`; with `beside`, first beside this Python:
    CMake and Ninja come as packages."""
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
    watch: Watch = str,
) -> Done:
    """Run a program without input; `watch` gets each line that it prints, as it comes.

    After `seconds`, on Ctrl-C, or when `watch` raises, it is ended with all that it started.
    """
    try:
        process = subprocess.Popen(
            [str(word) for word in command],
            cwd=cwd,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # without a terminal, nothing can be asked there
        )
    except OSError as error:
        return Done(-1, "", str(error))
    lines: list[str] = []
    seen, trouble, deadline = 0, "", time.monotonic() + seconds
    reader = threading.Thread(target=_read, args=(process.stdout, lines), daemon=True)
    reader.start()
    try:
        while process.poll() is None and not trouble:
            with suppress(subprocess.TimeoutExpired):
                process.wait(0.1)
            seen = _show(lines, seen, watch)
            if time.monotonic() > deadline:
                trouble = f"timed out: no end within {seconds:g} seconds"
    finally:
        _end(process)
        reader.join(GRACE)  # so long only where a child outlives it and keeps the pipe open
    _show(lines, seen, watch)
    return Done(process.returncode, "".join(lines), trouble)


def _read(pipe: IO[bytes], lines: list[str]) -> None:
    """Collect lines as they come; of one that a progress bar redraws, the fullest."""
    for raw in pipe:
        drawn = raw.decode("utf-8", "replace").rstrip("\r\n").split("\r")
        lines.append(max(reversed(drawn), key=lambda text: len(text.strip())) + "\n")


def _show(lines: list[str], seen: int, watch: Watch) -> int:
    """Hand over the lines after the first `seen`; how many there are by now."""
    fresh = lines[seen:]
    for line in filter(str.strip, fresh):
        watch(line.rstrip())
    return seen + len(fresh)


def _end(process: "subprocess.Popen[bytes]") -> None:
    """End a program that runs, and everything it started, at once."""
    if process.poll() is None:
        with suppress(psutil.NoSuchProcess):
            mother = psutil.Process(process.pid)
            for member in (*mother.children(recursive=True), mother):
                with suppress(psutil.NoSuchProcess):
                    member.kill()
        process.wait()


def system() -> str:
    """ "Windows", "Darwin" (macOS) or "Linux", whose advice fits every other system best."""
    return platform.system() if platform.system() in ("Windows", "Darwin") else "Linux"
