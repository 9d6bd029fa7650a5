"""The compilers: zig, which is always there, and running one with a readable error."""

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from kit.errors import KitError
from kit.paths import build

WARNINGS = ["-Wall", "-Wextra", "-Wconversion", "-Werror"]
TIME_LIMIT = 600  # seconds; the first build of zig's own runtime takes the longest


def zig() -> Path:
    """The zig executable from the `ziglang` package.

    Raises:
        KitError: the package is not installed.
    """
    try:
        import ziglang
    except ImportError as error:
        raise KitError(
            "The C compiler is missing.",
            "zig comes with the Python package ziglang, which is not installed here.",
            "Run `python3 workshop.py run`: it installs everything.",
        ) from error
    name = "zig.exe" if sys.platform == "win32" else "zig"
    return Path(ziglang.__file__).parent / name


def environment() -> dict[str, str]:
    """The environment for compilers: zig's caches stay inside build/."""
    cache = str(build() / "zig-cache")
    return os.environ | {"ZIG_GLOBAL_CACHE_DIR": cache, "ZIG_LOCAL_CACHE_DIR": cache}


def run(command: Sequence[str | Path], what: str, cwd: Path | None = None) -> str:
    """Run a compiler or build tool and return what it printed.

    Raises:
        KitError: it failed, could not be started, or took longer than TIME_LIMIT.
    """
    words = [str(word) for word in command]
    try:
        done = subprocess.run(
            words,
            cwd=cwd,
            env=environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=TIME_LIMIT,
            encoding="utf-8",
            errors="replace",
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise KitError(
            f"{what} failed.",
            f"{Path(words[0]).name} could not be run to its end: {error}",
            "Try again; if it stays so, run `kit doctor`: it says whether the compiler works.",
        ) from error
    if done.returncode != 0:
        raise KitError(
            f"{what} failed.",
            f"{Path(words[0]).name} says:\n{done.stdout.strip()[-4000:]}",
            "If you changed C, look at the line named above.",
        )
    return done.stdout
