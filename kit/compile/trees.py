"""Folders to build in: an earlier build of this program left what need not be compiled again."""

import atexit
import filecmp
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Lock

MOST = 8  # trees that are kept until the program ends
_LOCK = Lock()
_free: list[tuple[str, Path]] = []
"""What each is for, and where it is; the one that was used last is the last."""


@contextmanager
def build_tree(purpose: str) -> Iterator[Path]:
    """A folder that nobody else uses during the block: empty, or as the last block of the same
    `purpose` left it; after an error it is gone."""
    with _LOCK:
        at = next((at for at, one in enumerate(_free) if one[0] == purpose), None)
        tree = Path(tempfile.mkdtemp(prefix="kit-")) if at is None else _free.pop(at)[1]
    try:
        yield tree
    except BaseException:
        shutil.rmtree(tree, ignore_errors=True)
        raise
    with _LOCK:
        _free.append((purpose, tree))
    _remove(MOST)


def mirror(source: Path, copy: Path) -> Path:
    """`copy`, with the files of the folder `source` and no others; one that is the same keeps its
    time, by which build tools tell what changed."""
    copy.mkdir(exist_ok=True)
    for file in copy.iterdir():
        if not (source / file.name).is_file():
            file.unlink()
    for file in source.iterdir():
        same = copy / file.name
        if file.is_file() and not (same.exists() and filecmp.cmp(file, same, shallow=False)):
            shutil.copyfile(file, same)
    return copy


def _remove(most: int) -> None:
    """Remove what is free, but for the last `most`."""
    with _LOCK:
        gone = _free[: max(0, len(_free) - most)]
        del _free[: len(gone)]
    for _, tree in gone:
        shutil.rmtree(tree, ignore_errors=True)


atexit.register(_remove, 0)
