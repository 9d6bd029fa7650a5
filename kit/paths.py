"""Where things are, and how they are written: whole or not at all, and one program at a time."""

import errno
import functools
import hashlib
import os
import shutil
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

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
            f"{getattr(error, 'strerror', None) or error}.",
            "Set the environment variable KIT_BUILD to a folder that you may write, and try again.",
        ) from error
    _say_once(
        f"{refused} cannot be written: everything made goes to {folder} "
        "(KIT_BUILD names another place)."
    )
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


@contextmanager
def replacing(target: str | Path) -> Iterator[Path]:
    """A path to write to that becomes `target` when the block ends without an error.

    A relative `target` is taken inside `build_folder()`. The path offered has the same name: Keras
    chooses a file format by its suffix. After an error nothing is left behind, and a `target`
    that was there before is untouched. Works for files and for folders, and beside other programs
    that make the same; who reads several files of a folder does it inside `locked()`. KitError
    where `target` cannot be written, or the block wrote nothing.
    """
    final = _place(target)
    place = final.with_name(f".{uuid.uuid4().hex[:8]}.partial")
    with _told(final.parent):
        _writable(final.parent)
        place.mkdir()
    for left in final.parent.glob(".*.partial"):  # half-written by killed programs
        with suppress(OSError):
            if time.time() - left.lstat().st_mtime > DAY:
                shutil.rmtree(left)
    try:
        yield place / final.name
        if not (place / final.name).exists():
            raise KitError(
                f"{final} was not made.",
                "Nothing was written to the path that `replacing` offered for it.",
                "Write to that path, inside the block.",
            )
        with locked(final), _told(final):
            _put(place / final.name, final)
    finally:
        shutil.rmtree(place, ignore_errors=True)


def _place(target: str | Path) -> Path:
    path = Path(target)
    path = path if path.is_absolute() else build_folder() / path
    return path.parent.resolve() / path.name


def _put(made: Path, final: Path) -> None:
    """Move `made` to `final`; a folder that was there steps aside first, and back on failure."""
    try:
        if made.is_dir() and final.is_dir():
            _rename(final, made.with_name(f"{final.name}.old"))
        _rename(made, final)
    finally:
        _recover(final)


def _recover(final: Path) -> None:
    """Put back a folder whose replacement broke off."""
    for partial in () if final.exists() else final.parent.glob(".*.partial"):
        with suppress(OSError):
            _rename(partial / f"{final.name}.old", final)


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


@contextmanager
def _told(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise KitError(
            f"{path} cannot be written.",
            f"{error.strerror or error}.",
            "Close programs that have it open, remove what is in the way, or choose another place.",
        ) from error


@contextmanager
def locked(target: str | Path) -> Iterator[Path]:
    """`target`, which nobody else replaces by `replacing()`, or has locked, during the block.

    A relative `target` is taken inside `build_folder()`. Blocks may be nested. The system drops the
    lock of a program that dies. Where no lock can be kept (a folder that may not be written, some
    network drives) the block runs without one. KitError where another program has had it locked for
    minutes.
    """
    final = _place(target)
    path = final.with_name(f".{final.name}.lock")
    lock = FileLock(path, is_singleton=True, poll_interval=0.005, fallback_to_soft=False)
    _wait_for(lock, final)
    try:
        _recover(final)
        yield final
    finally:
        if lock.lock_counter == 1 and os.name == "posix":
            with suppress(OSError):  # while it is locked; on Windows, filelock removes it
                path.unlink()
        lock.release()


def _wait_for(lock: FileLock, final: Path) -> None:
    if not final.parent.is_dir():  # filelock would make it
        return
    try:
        try:
            lock.acquire(SILENT_SECONDS)
        except Timeout:
            _say_once(f"Waiting for another program that uses {final}.")
            lock.acquire(LOCK_SECONDS)
    except Timeout:
        raise KitError(
            f"{final} is in use.",
            f"Another program has been working with it for {LOCK_SECONDS} seconds.",
            "Wait until it is ready, or close it: another notebook or terminal, perhaps.",
        ) from None
    except OSError as error:
        with suppress(OSError):
            if error.errno not in REFUSED:  # the file was made, and could not be locked
                os.unlink(lock.lock_file)
