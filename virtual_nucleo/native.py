"""C for this computer: a shared library made by zig, and files that appear whole."""

import hashlib
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path

from virtual_nucleo.errors import VirtualError

FLAGS = ["-std=c11", "-O2", "-mcpu=baseline", "-ffp-contract=off", "-shared", "-fPIC"]
FLAGS += ["-fno-sanitize=undefined", "-Wall", "-Wextra", "-Wconversion", "-Werror"]
SUFFIXES = {"win32": ".dll", "darwin": ".dylib"}
COMPILE_SECONDS = 600  # the first time, when zig makes its own runtime, takes the longest
RENAME_SECONDS = 2  # as long as another program may be reading the file, which Windows minds


def compile_library(
    sources: Sequence[Path], folder: Path, headers: Sequence[Path] = (), flags: Sequence[str] = ()
) -> Path:
    """Compile C files to a library in `folder`, unless it is there; zig's cache is beside `folder`.

    Its name changes with the content of `sources` and `headers`, with the flags, the compiler and
    the kind of machine: a home folder may be shared. Raises VirtualError when the compiler fails.
    """
    options = [*FLAGS, *flags]
    made_by = [option for option in options if not option.startswith("-I")]  # headers count
    made_by += [version("ziglang"), sys.platform, platform.machine()]
    digest = hashlib.sha256("\n".join(made_by).encode())
    for path in [*sources, *headers]:
        digest.update(path.read_bytes())
    library = folder / f"{digest.hexdigest()[:16]}{SUFFIXES.get(sys.platform, '.so')}"
    if not library.is_file():
        files = [str(path.resolve()) for path in sources]
        with whole(library) as made:
            _compile([*options, *files, "-o", str(made)], made.parent)
    return library


def _compile(arguments: list[str], folder: Path) -> None:
    """Run zig in `folder`, where on Windows the linker leaves more files than are asked for."""
    cache = str(folder.parent.with_name("zig-cache"))
    environment = os.environ | {"ZIG_GLOBAL_CACHE_DIR": cache, "ZIG_LOCAL_CACHE_DIR": cache}
    command = [sys.executable, "-m", "ziglang", "cc", *arguments]
    try:
        subprocess.run(
            command,
            check=True,
            capture_output=True,
            cwd=folder,
            env=environment,
            timeout=COMPILE_SECONDS,
        )
    except (OSError, subprocess.SubprocessError) as error:
        said = (getattr(error, "stderr", None) or b"").decode(errors="replace").strip()[-4000:]
        raise VirtualError(
            "C could not be compiled for this computer.",
            f"zig says:\n{said}" if said else f"{error}",
            "If you changed C, look at the line named above; else install ziglang again.",
        ) from error


@contextmanager
def whole(target: Path) -> Iterator[Path]:
    """A path to write to; it becomes `target`, at once, when the block ends without an error.

    Whoever opens `target` meanwhile has the old file or the new one. Raises VirtualError where it
    cannot be written.
    """
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(
            prefix=".", dir=target.parent, ignore_cleanup_errors=True
        ) as folder:
            partial = Path(folder) / target.name
            yield partial
            _rename(partial, target)
    except OSError as error:
        raise VirtualError(
            f"{target} cannot be written.",
            f"{error.strerror or error}.",
            "Close programs that have it open, or choose another place.",
        ) from error


def _rename(partial: Path, target: Path) -> None:
    until = time.monotonic() + RENAME_SECONDS
    while True:
        try:
            os.replace(partial, target)
            return
        except PermissionError:
            if time.monotonic() > until:
                raise
            time.sleep(0.02)
