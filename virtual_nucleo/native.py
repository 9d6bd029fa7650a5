"""C for this computer: libraries made by zig, and files that appear whole."""

import hashlib
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from importlib.metadata import version
from pathlib import Path
from typing import Any

import psutil

from virtual_nucleo.errors import VirtualError

FLAGS = ["-std=c11", "-O2", "-mcpu=baseline", "-ffp-contract=off", "-fPIC"]
FLAGS += ["-fno-sanitize=undefined", "-Wall", "-Wextra", "-Wconversion", "-Werror"]
SUFFIXES = {"win32": ".dll", "darwin": ".dylib"}
TIME_LIMIT = 600  # seconds; the first compilation makes zig's own runtime, too
RENAME_SECONDS = 2  # as long as another program may be reading the file, which Windows minds


def compile_library(
    sources: Sequence[Path],
    folder: Path,
    includes: Sequence[Path] = (),
    flags: Sequence[str] = (),
    static: bool = False,
) -> Path:
    """Compile C files to a shared library in `folder`, unless it is there; or to a static one,
    which may be among the `sources` of another. zig's cache is beside `folder`.
    Its name changes with the content of `sources` and of the headers in `includes`, with the flags,
    the compiler and the kind of machine: a home folder may be shared. Raises VirtualError when the
    compiler fails."""
    made_by = [*FLAGS, *flags, version("ziglang"), sys.platform, platform.machine()]
    digest = hashlib.sha256("\n".join(made_by).encode())
    headers = [path for place in includes for path in sorted(place.glob("*.h"))]
    for path in [*sources, *headers]:
        digest.update(path.read_bytes())
    suffix = ".a" if static else SUFFIXES.get(sys.platform, ".so")
    library = folder / f"{digest.hexdigest()[:16]}{suffix}"
    if library.is_file():
        return library
    what = ", ".join(path.name for path in sources)
    cache = str(folder.resolve().with_name("zig-cache"))
    words = [*FLAGS, *flags, *(f"-I{place.resolve()}" for place in includes)]
    words += [str(path.resolve()) for path in sources]
    with whole(library) as made:  # on Windows the linker leaves more files beside it
        if static:
            _zig(["cc", "-c", *words], made.parent, cache, what)
            objects = sorted(path.name for path in made.parent.glob("*.o*"))
            _zig(["ar", "crs", made.name, *objects], made.parent, cache, what)
        else:
            _zig(["cc", "-shared", *words, "-o", made.name], made.parent, cache, what)
    return library


def _zig(words: list[str], folder: Path, cache: str, what: str) -> None:
    """Run zig in `folder`, with its cache in another; VirtualError where it fails."""
    command = [sys.executable, "-m", "ziglang", *words]
    variables = os.environ | {"ZIG_GLOBAL_CACHE_DIR": cache, "ZIG_LOCAL_CACHE_DIR": cache}
    with open(folder / "zig.txt", "w+b") as said:
        done = _within_limit(command, cwd=folder, env=variables, stdout=said, stderr=said)
        said.seek(0)
        printed = said.read().decode(errors="replace").strip()[-4000:]
    if done != 0:
        why = f"zig says:\n{printed}"
        fix = "If you changed C, look at the line named above; else install ziglang again."
        if done is None:
            why = f"zig did not end within {TIME_LIMIT} seconds, and was stopped."
            fix = f"Close other programs and try again; if that does not help, delete {cache}."
        raise VirtualError(f"{what} could not be compiled for this computer.", why, fix)


def _within_limit(command: list[str], **options: Any) -> int | None:
    """The exit code of a program; None when it and what it started were ended at the limit."""
    with subprocess.Popen(command, **options) as process:
        try:
            return process.wait(TIME_LIMIT)
        except subprocess.TimeoutExpired:
            return None
        finally:
            if process.returncode is None:  # at the limit, or Ctrl-C
                with suppress(psutil.Error):  # one may have ended by itself
                    for child in psutil.Process(process.pid).children(recursive=True):
                        child.kill()
                process.kill()


@contextmanager
def whole(target: Path) -> Iterator[Path]:
    """A path to write to; it becomes `target`, at once, when the block ends without an error.
    Whoever opens `target` meanwhile has the old file or the new one. Raises VirtualError where it
    cannot be written."""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(None, ".", target.parent, True) as folder:
            yield Path(folder) / target.name
            until = time.monotonic() + RENAME_SECONDS
            while True:
                try:
                    os.replace(Path(folder) / target.name, target)
                    return
                except PermissionError:
                    if time.monotonic() > until:
                        raise
                    time.sleep(0.02)
    except OSError as error:
        why, fix = f"{error.strerror or error}.", "Close what has it open, or choose another place."
        raise VirtualError(f"{target} cannot be written.", why, fix) from error
