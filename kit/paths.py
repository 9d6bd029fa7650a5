"""Where things are, and how they are written: whole or not at all, and one program at a time."""

import contextlib
import errno
import functools
import hashlib
import os
import shutil
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from kit.errors import KitError

ROOT = Path(__file__).resolve().parent.parent
DATA = ROOT / "data"
FIRMWARE = ROOT / "firmware"
NOTEBOOKS = ROOT / "notebooks"

REFUSED = (errno.EACCES, errno.EPERM, errno.EROFS)  # a folder of someone else, or a read-only disk
DAY = 24 * 60 * 60
RENAME_SECONDS = 2  # as long a virus scanner or an indexer may look at what was just written
LOCK_SECONDS = 300  # as long another program may build from a folder, on a slow computer
SILENT_SECONDS = 5

_held = threading.local()


# ---- The folder of everything made ----


def build_folder() -> Path:
    """The folder of everything made; created.

    `build/`, or the folder that the environment variable `KIT_BUILD` names; a relative one is taken
    from the project's folder, wherever a program or a notebook runs. Where the project's folder may
    not be written, one in the user's home folder, of its own for each project folder. KitError
    where that cannot be written either.
    """
    chosen = os.environ.get("KIT_BUILD")
    folder = refused = (ROOT / (chosen or "build")).resolve()
    try:
        try:
            return _writable(folder)
        except OSError as error:
            if chosen or error.errno not in REFUSED:
                raise
        own = f"{ROOT.name}-{hashlib.sha256(os.fsencode(ROOT)).hexdigest()[:8]}"
        folder = Path("~", ".digits-on-stm32", own)
        folder = _writable(folder.expanduser())
    except (OSError, RuntimeError) as error:  # RuntimeError: this user has no home folder
        raise KitError(
            f"{folder}, the folder for everything made, cannot be written.",
            f"{_reason(error)}.",
            "Set the environment variable KIT_BUILD to a folder that you may write, and try again.",
        ) from error
    _say_once(f"{refused} cannot be written: everything made goes to {folder} (KIT_BUILD names "
              "another place).")  # fmt: skip
    return folder


def _writable(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    _try_to_write(folder)
    return folder


@functools.cache  # what was written once is not tried again; a failure is not kept
def _try_to_write(folder: Path) -> None:
    tempfile.TemporaryFile(dir=folder).close()


@functools.cache
def _say_once(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


# ---- Whole or not at all ----


@contextmanager
def replacing(target: str | Path) -> Iterator[Path]:
    """A path to write to that becomes `target` when the block ends without an error.

    A relative `target` is taken inside `build_folder()`. The path offered has the same suffix,
    because Keras chooses a file format by it. After an error nothing is left behind, and a `target`
    that was there before is untouched. Works for files and for folders, and beside other programs
    that make the same; who reads several files of a folder does it inside `locked()`. KitError
    where `target` cannot be written, or the block wrote nothing.
    """
    final = _place(target)
    partial = final.with_name(f".{final.stem}.{uuid.uuid4().hex[:8]}.partial{final.suffix}")
    with _told(final.parent):
        _writable(final.parent)
    for left in final.parent.glob(".*.partial*"):  # half-written by killed programs
        with contextlib.suppress(OSError):
            if time.time() - left.lstat().st_mtime > DAY:
                _remove(left)
    try:
        yield partial
        if not partial.exists():
            raise KitError(
                f"{final} was not made.",
                "Nothing was written to the path that `replacing` offered for it.",
                "Write to that path, inside the block.",
            )
        with locked(final), _told(final):
            _put(partial, final)
    finally:
        _remove(partial)


def _place(target: str | Path) -> Path:
    path = Path(target)
    if not path.is_absolute():
        path = build_folder() / path
    return path.parent.resolve() / path.name


def _put(partial: Path, final: Path) -> None:
    """Move `partial` to `final`; a folder that was there steps aside first, and back on failure."""
    try:
        if partial.is_dir() and final.is_dir():
            _rename(final, _aside(final))
        _rename(partial, final)
    finally:
        _recover(final)


def _aside(final: Path) -> Path:
    return final.with_name(f".{final.name}.old")


def _recover(final: Path) -> None:
    """Undo a replacement of a folder that broke off, or remove what is left of a complete one."""
    if final.exists():
        _remove(_aside(final))
    elif _aside(final).exists():
        with contextlib.suppress(OSError):
            _rename(_aside(final), final)


def _rename(source: Path, target: Path) -> None:
    """Rename, and where it is refused try again: Windows refuses what another program has open."""
    until = time.monotonic() + RENAME_SECONDS
    while True:
        try:
            return os.replace(source, target)
        except PermissionError:
            if time.monotonic() > until:
                raise
            time.sleep(0.02)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with contextlib.suppress(OSError):
            path.unlink()


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)


@contextmanager
def _told(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise KitError(
            f"{path} cannot be written.",
            f"{_reason(error)}.",
            "Close programs that have it open, remove what is in the way, or choose another place.",
        ) from error


# ---- One program at a time ----


@contextmanager
def locked(target: str | Path) -> Iterator[Path]:
    """`target`, which nobody else replaces by `replacing()`, or has locked, during the block.

    A relative `target` is taken inside `build_folder()`. Blocks may be nested. The system drops the
    lock of a program that dies. Where no lock can be kept (a folder that may not be written, some
    network drives) the block runs without one. KitError where another program has had it locked for
    minutes.
    """
    final = _place(target)
    mine = vars(_held).setdefault("paths", set())
    if final in mine:
        yield final
        return
    path = final.with_name(f".{final.name}.lock")
    file = _wait_for_lock(path, final)
    mine.add(final)
    try:
        _recover(final)
        yield final
    finally:
        mine.remove(final)
        if file is not None:
            _unlock(path, file)


def _wait_for_lock(path: Path, final: Path) -> int | None:
    start = time.monotonic()
    while True:
        try:
            return _try_lock(path)
        except BlockingIOError:
            pass
        except OSError:
            return None
        waited = time.monotonic() - start
        if waited > SILENT_SECONDS:
            _say_once(f"Waiting for another program that uses {final}.")
        if waited > LOCK_SECONDS:
            raise KitError(
                f"{final} is in use.",
                f"Another program has been working with it for {LOCK_SECONDS} seconds.",
                "Wait until it is ready, or close it: another notebook or terminal, perhaps.",
            )
        time.sleep(0.005)


def _try_lock(path: Path) -> int:
    """The open, locked file; BlockingIOError while another has it, or another OSError."""
    file = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    try:
        _lock(file)
        with contextlib.suppress(FileNotFoundError):  # who had it has just removed it
            if os.path.samestat(os.fstat(file), os.stat(path)):
                return file
        raise BlockingIOError
    except OSError as error:
        os.close(file)
        if not isinstance(error, BlockingIOError):
            _remove(path)
        raise


def _unlock(path: Path, file: int) -> None:
    """POSIX removes the file while it is locked, so that nobody locks one that is gone unseen;
    Windows refuses that, and later to remove one that another has opened."""
    if os.name == "posix":
        _remove(path)
    os.close(file)
    if os.name == "nt":
        _remove(path)


if sys.platform == "win32":
    import msvcrt

    def _lock(file: int) -> None:
        try:
            msvcrt.locking(file, msvcrt.LK_NBLCK, 1)
        except PermissionError as error:
            raise BlockingIOError from error
else:
    import fcntl

    def _lock(file: int) -> None:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
