"""Folders to build in: an earlier build of this program left what need not be compiled again."""

import filecmp
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Lock

MOST = 8  # trees that are kept until the program ends
_LOCK = Lock()
_free: list[tuple[str, TemporaryDirectory[str]]] = []
"""What each is for, and where it is; the one that was used last is the last."""


@contextmanager
def build_tree(purpose: str) -> Iterator[Path]:
    """A folder that nobody else uses during the block: empty, or as the last block of the same
    `purpose` left it; after an error it is gone."""
    with _LOCK:
        at = next((at for at, one in enumerate(_free) if one[0] == purpose), None)
        kept = None if at is None else _free.pop(at)[1]
    tree = kept or TemporaryDirectory(prefix="kit-", ignore_cleanup_errors=True)
    try:
        yield Path(tree.name)
    except BaseException:
        tree.cleanup()
        raise
    with _LOCK:
        _free.append((purpose, tree))
        gone = [_free.pop(0)[1] for _ in _free[MOST:]]
    for old in gone:
        old.cleanup()


def mirror(source: Path, copy: Path) -> Path:
    """`copy`, with the files of the folder `source` and no others; one that is the same keeps its
    time, by which build tools tell what changed."""
    copy.mkdir(exist_ok=True)
    for file in copy.iterdir():
        if not (source / file.name).is_file():
            file.unlink()
    for file in filter(Path.is_file, source.iterdir()):
        same = copy / file.name
        if not (same.exists() and filecmp.cmp(file, same, shallow=False)):
            shutil.copyfile(file, same)
    return copy
