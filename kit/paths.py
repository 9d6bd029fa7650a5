"""Where things are, and how a file is written whole or not at all."""

import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

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
    """
    final = build() / target
    final.parent.mkdir(parents=True, exist_ok=True)
    partial = final.with_name(f".{final.stem}.{uuid.uuid4().hex[:8]}{final.suffix}")
    try:
        yield partial
        if partial.is_dir() and final.is_dir():
            shutil.rmtree(final)
        os.replace(partial, final)
    finally:
        if partial.is_dir():
            shutil.rmtree(partial)
        else:
            partial.unlink(missing_ok=True)
