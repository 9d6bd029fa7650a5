"""Where things are, and how a file is written whole or not at all."""

import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from kit.errors import KitError

ROOT = Path(__file__).resolve().parent.parent
DATA = ROOT / "data"
FIRMWARE = ROOT / "firmware"
NOTEBOOKS = ROOT / "notebooks"


def build() -> Path:
    """The folder of everything made: `build/`, or the folder named by `KIT_BUILD`; created."""
    folder = Path(os.environ.get("KIT_BUILD") or ROOT / "build").resolve()
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@contextmanager
def making(target: str | Path) -> Iterator[Path]:
    """A path to write to that becomes `target` when the block ends without an error.

    A relative `target` is taken inside `build()`. The path offered has the same suffix, because
    Keras chooses a file format by it. After an error nothing is left behind, and a `target` that
    was there before is untouched. Works for files and for folders.

    Raises:
        KitError: `target` cannot be written.
    """
    final = build() / target
    partial = final.with_name(f".{final.stem}.{uuid.uuid4().hex[:8]}{final.suffix}")
    _make_folder(final.parent)
    try:
        yield partial
        _put(partial, final)
    finally:
        _remove(partial)


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _cannot_write(folder, error) from error


def _put(partial: Path, final: Path) -> None:
    """Move `partial` to `final`; a folder that was there steps aside first, and back on failure."""
    aside = partial.with_name(f"{partial.name}.old")
    try:
        if partial.is_dir() and final.is_dir():
            os.replace(final, aside)
        os.replace(partial, final)
    except OSError as error:
        if aside.exists() and not final.exists():
            os.replace(aside, final)
        raise _cannot_write(final, error) from error
    _remove(aside)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def _cannot_write(path: Path, error: OSError) -> KitError:
    return KitError(
        f"{path} cannot be written.",
        f"{error.strerror or error}.",
        "Close programs that have it open, remove what is in the way, or choose another place.",
    )
