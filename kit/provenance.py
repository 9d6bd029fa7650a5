"""Digests: of scores, so that boards far apart are compared; of files, so that a stale one is seen
and not guessed from times."""

import hashlib
import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from kit.paths import replacing

DATED = "metadata.json"  # the member of a .keras file that holds the time of saving: no content


def digest(scores: npt.NDArray[Any]) -> str:
    """The first 8 hex digits of the SHA-256 of scores, shape (n, outputs), row by row as the chip
    holds them: equal digests mean equal scores, to the last bit."""
    return hashlib.sha256(np.ascontiguousarray(scores).tobytes()).hexdigest()[:8]


def file_digest(path: str | Path) -> str:
    """The first 16 hex digits of the SHA-256 of a file's content, or of a folder's files.

    A .keras file counts by its members, without what only dates it; a folder without what is
    hidden in it. A file or folder that is not there has the digest of nothing.
    """
    total = hashlib.sha256()
    for name, content in _parts(Path(path)):
        total.update(f"{name}\0{len(content)}\0".encode() if name else b"")
        total.update(content)
    return total.hexdigest()[:16]


def _parts(path: Path) -> list[tuple[str, bytes]]:
    if path.is_dir():
        files = sorted((file.relative_to(path), file) for file in path.rglob("*") if file.is_file())
        seen = [pair for pair in files if not any(part[0] == "." for part in pair[0].parts)]
        return [(inside.as_posix(), file.read_bytes()) for inside, file in seen]
    if path.suffix == ".keras" and zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            names = sorted(name for name in archive.namelist() if name != DATED)
            return [(name, archive.read(name)) for name in names]
    return [("", path.read_bytes())] if path.is_file() else []


def note(made: str | Path, *sources: str | Path, known: Mapping[str, str] | None = None) -> None:
    """Write beside `made`, a file or folder that is complete, what it was made from.

    `known` are the digests of some sources, by name, as they were when they were read. KitError
    where the note cannot be written.
    """
    made = Path(made).resolve()
    digests = {Path(source).name: file_digest(source) for source in sources} | dict(known or {})
    content = {"made": file_digest(made), "from": digests}
    with replacing(note_of(made)) as file:
        file.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8", newline="\n")


def made_from(made: str | Path) -> dict[str, str]:
    """The name and digest of each file that `made` was made from.

    Empty where that is not known: nothing was noted, or the file was replaced since by another.
    """
    made = Path(made).resolve()
    try:
        content = json.loads(note_of(made).read_text(encoding="utf-8"))
        return dict(content["from"]) if content["made"] == file_digest(made) else {}
    except (OSError, ValueError, KeyError, TypeError):
        return {}


def note_of(made: Path) -> Path:
    """Where `note` keeps what `made` was made from."""
    return made.with_name(f".{made.name}.from.json")
