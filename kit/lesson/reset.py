"""`kit reset`: the notebooks as they came, and nothing that was made; what was changed is kept."""

import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterable
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import Any

from kit import paths
from kit.errors import KitError
from kit.lesson.artifacts import MAKERS
from kit.lesson.execute import COURSE, notebooks
from kit.lesson.exercises import FOLDER
from kit.paths import build_folder, replacing
from kit.provenance import note_of

ORIGINALS = Path(sys.prefix) / "originals" / "notebooks"  # the notebooks as the set-up found them


def reset_notebooks(names: Iterable[str] | None = None) -> dict[str, Any]:
    """Put notebooks, named as for `run_notebooks`, back as they came, and remove the artifacts that
    they make; without names, the report and the virtual boards go, too. A notebook that was changed
    and a network that the learner trained are kept in `build/exercises/kept` first.

    Returns the names of the notebooks that were changed, "restored", and of what was made,
    "removed", and the paths of the copies, "kept". Raises KitError: a name is unknown, or there is
    no original; nothing is changed then.
    """
    build, trained = build_folder(), build_folder() / "digits.keras"
    originals = _originals(names)
    present = {path: path.read_bytes() for path in originals if path.exists()}
    changed = [path for path in originals if present.get(path) != originals[path]]
    made = [name for name, maker in MAKERS.items() if maker in {path.stem for path in originals}]
    made += ["report.json", "virtual"] if names is None else []
    made = [name for name in made if (build / name).exists()]
    kept = [_keep(path) for path in changed if path in present]
    reference = _weights(paths.DATA / "digits_reference.keras")
    kept += [_keep(trained)] if trained.name in made and _weights(trained) != reference else []
    for path in changed:
        with replacing(path) as file:
            file.write_bytes(originals[path])
    for path in (build / name for name in made):
        note_of(path).unlink(missing_ok=True)
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    return {"restored": [path.name for path in changed], "removed": made, "kept": kept}


def _originals(names: Iterable[str] | None) -> dict[Path, bytes]:
    """The notebooks that are named, or all, also where a learner deleted one: what git has last
    committed, else the copy of the set-up, which is older after an update."""
    copied = {
        path.name: path.read_bytes() for path in ORIGINALS.glob("*") if COURSE.fullmatch(path.name)
    }
    listed = _git("ls-tree", "--name-only", "HEAD", "./").decode().split()
    committed = {name: _git("show", f"HEAD:./{name}") for name in listed if COURSE.fullmatch(name)}
    chosen = notebooks(names, [paths.NOTEBOOKS / name for name in committed or copied])
    if unknown := [path.name for path in chosen if path.name not in copied | committed]:
        raise KitError(
            f"There is no original of {unknown[0]} to put back.",
            f"Git does not know it, and {ORIGINALS} does not hold it.",
            "Download the project again and copy its notebooks folder here.",
        )
    return {path: (copied | committed)[path.name] for path in chosen}


def _git(*words: str) -> bytes:
    """What git says in the notebooks' folder; nothing where it is missing or does not know it."""
    command = ["git", *words]
    with suppress(OSError):
        return subprocess.run(command, cwd=paths.NOTEBOOKS, capture_output=True).stdout
    return b""


def _weights(network: Path) -> bytes:
    with suppress(OSError, KeyError, zipfile.BadZipFile), zipfile.ZipFile(network) as archive:
        return archive.read("model.weights.h5")
    return b""


def _keep(path: Path) -> Path:
    folder = build_folder() / FOLDER / "kept"
    names = (folder / f"{path.stem}-{number}{path.suffix}" for number in count(1))
    kept = next(name for name in names if not name.exists())
    with replacing(kept) as copy:
        shutil.copyfile(path, copy)
    return kept
