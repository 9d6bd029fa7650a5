"""`kit reset`: the notebooks as they came, and nothing that was made; what was changed is kept."""

import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterable
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from kit import paths
from kit.errors import KitError
from kit.lesson.artifacts import MAKERS
from kit.lesson.execute import PATTERN, notebooks
from kit.lesson.exercises import FOLDER
from kit.paths import build_folder, replacing
from kit.provenance import note_of

ORIGINALS = Path(sys.prefix) / "originals" / "notebooks"
"""The notebooks as the set-up found them, for a folder that git does not know."""

TRAINED, REFERENCE = "digits.keras", "digits_reference.keras"


def reset_notebooks(names: Iterable[str] | None = None) -> dict[str, Any]:
    """Put notebooks back as they came, and remove the artifacts that they make.

    A notebook that was changed and a network that the learner trained are kept in
    `build/exercises/kept` first, under a name that is not taken; what else is in `build/exercises`
    stays.

    Args:
        names: as for `run_notebooks`; None for all, and then the report and the virtual boards go,
            too.

    Returns:
        "restored": the names of the notebooks that were changed; "removed": the names of what was
        made; "kept": the copies.

    Raises:
        KitError: a name is unknown, or there is no original; nothing is changed then.
    """
    chosen = notebooks(names, _course())
    originals = {path: _original(path) for path in chosen}
    changed = [path for path in chosen if _content(path) != originals[path]]
    made = [name for name, maker in MAKERS.items() if maker in {path.stem for path in chosen}]
    made += ["report.json", "virtual"] if names is None else []
    made = [name for name in made if (build_folder() / name).exists()]
    kept = [_keep(path) for path in changed if path.exists()]
    kept += [_keep(build_folder() / TRAINED)] if TRAINED in made and _is_learners() else []
    for path in changed:
        with replacing(path) as file:
            file.write_bytes(originals[path])
    for name in made:
        _remove(build_folder() / name)
    return {"restored": [path.name for path in changed], "removed": made, "kept": kept}


def _course() -> list[Path]:
    """The notebooks that there are originals of, also where a learner deleted one."""
    listed = _git("ls-tree", "--name-only", "HEAD", "./")
    names = listed.decode().split() if listed else [path.name for path in ORIGINALS.glob(PATTERN)]
    return [paths.NOTEBOOKS / name for name in names if fnmatch(name, PATTERN)]


def _original(path: Path) -> bytes:
    """What git has last committed, else the copy of the set-up, which is older after an update."""
    if committed := _git("show", f"HEAD:./{path.name}"):
        return committed
    if (ORIGINALS / path.name).is_file():
        return (ORIGINALS / path.name).read_bytes()
    raise KitError(
        f"There is no original of {path.name} to put back.",
        f"Git does not know it, and {ORIGINALS} does not hold it.",
        "Download the project again and copy its notebooks folder here.",
    )


def _git(*words: str) -> bytes:
    """What git says in the notebooks' folder; nothing where it is missing or does not know it."""
    command = ["git", *words]
    try:
        done = subprocess.run(command, cwd=paths.NOTEBOOKS, capture_output=True, check=False)
    except OSError:
        return b""
    return done.stdout if done.returncode == 0 else b""


def _content(path: Path) -> bytes:
    return path.read_bytes() if path.exists() else b""


def _is_learners() -> bool:
    """Whether the network that goes on is another one than the course's."""
    return _weights(build_folder() / TRAINED) != _weights(paths.DATA / REFERENCE)


def _weights(path: Path) -> bytes:
    try:
        with zipfile.ZipFile(path) as archive:
            return archive.read("model.weights.h5")
    except (OSError, KeyError, zipfile.BadZipFile):
        return b""


def _keep(path: Path) -> Path:
    folder, number = build_folder() / FOLDER / "kept", 1
    while (folder / f"{path.stem}-{number}{path.suffix}").exists():
        number += 1
    with replacing(folder / f"{path.stem}-{number}{path.suffix}") as copy:
        shutil.copyfile(path, copy)
    return folder / f"{path.stem}-{number}{path.suffix}"


def _remove(path: Path) -> None:
    note_of(path).unlink(missing_ok=True)
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink()
