"""`artifact(name)`: a file of `build/`, made by running its notebook when it is missing or stale.

The notebooks are the program: nothing here trains, converts or compiles. Two processes may both
make what is missing: artifacts appear whole (`kit.paths.replacing`) and repeat exactly, so a lock
would save no more than double work.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from kit import paths
from kit.errors import KitError
from kit.provenance import file_digest, made_from, note

if TYPE_CHECKING:
    from kit.board import Board

MODEL = "digits_int8.tflite"  # the model that goes to the board
CONVERSIONS = ("float32", "float16", "dynamic_range", "int8_per_tensor", "int8", "int16x8")
_MADE = {
    "01-train": ["tutorial.h5", "tutorial.keras", "tutorial.tflite", "digits.keras"],
    "02-quantize": [f"digits_{name}.tflite" for name in CONVERSIONS],
    "03-generate": ["network"],
    "04-flash": ["firmware.elf", "firmware.bin"],
}
MAKERS = {name: notebook for notebook, names in _MADE.items() for name in names}
"""Each artifact and the notebook that makes it; `network` is a folder."""
SOURCES = {
    "02-quantize": ("digits.keras",),
    "03-generate": (MODEL,),
    "04-flash": ("network", str(paths.FIRMWARE)),
}
"""What each notebook makes its artifacts from, artifacts and folders; 01-train from MNIST alone."""

CHAIN = "KIT_MAKING"  # environment variable: the notebooks being run now, outermost first
FRESH, MISSING = "fresh", "missing"

_taken: dict[str, str] = {}
"""The digest of each artifact when this process last asked for it: what it has read may be older
than what is there now."""


def artifact(name: str) -> Path:
    """The path of an artifact, a key of `MAKERS`, in `build()`; made first when it is missing or
    stale: when what it was made from has changed since, or is stale itself. One of which that is
    not known, because it was brought here by hand, is taken as it is. Raises KitError: the name is
    unknown; the notebook fails or makes no such artifact; it asks for what it makes itself.
    """
    if name not in MAKERS:
        raise KitError(
            f"There is no artifact called {name!r}.",
            f"The notebooks make these: {', '.join(MAKERS)}.",
            "Use one of these names.",
        )
    if not _usable(name):
        for source in MAKERS.keys() & _sources(name):
            artifact(source)
        if not _usable(name):  # a source that was made anew may have come out the same
            _make(name, MAKERS[name])
    path = paths.build_folder() / name
    _taken[name] = file_digest(path)
    return path


def _sources(name: str) -> tuple[str, ...]:
    return SOURCES.get(MAKERS.get(name, ""), ())


def _state(name: str) -> str:
    """FRESH, MISSING, or in words what an artifact is older than."""
    with paths.locked(name) as path:
        if not path.exists():
            return MISSING
        noted = made_from(path)
    for source in _sources(name):
        made = paths.build_folder() / source
        if made.name in noted and made.exists():  # else it tells nothing
            same = noted[made.name] == file_digest(made)
            state = _state(source) if same else f"older than {made.name}"
            if state != FRESH:
                return state
    return FRESH


def _usable(name: str) -> bool:
    """Whether an artifact can be taken as it is; in the notebook that makes it, a stale one can."""
    state = _state(name)
    return state == FRESH or (state != MISSING and MAKERS[name] in _running())


def _running() -> list[str]:
    return os.environ.get(CHAIN, "").split()


def _make(name: str, notebook: str) -> None:
    from kit.lesson.execute import execute_notebook  # a second, and only needed here

    if notebook in _running():
        raise KitError(
            f"{name} is asked for before it is made.",
            f"{notebook} makes it, and {' needs '.join([*_running(), name])}.",
            f"In {notebook}, make {name} before asking for it.",
        )
    title = f"{name} is {_state(name)}: running {notebook}"
    execute_notebook(paths.NOTEBOOKS / f"{notebook}.ipynb", title, KIT_RECORD="")
    if not (paths.build_folder() / name).exists():
        raise KitError(
            f"{notebook} ran to its end and made no {name}.",
            f"kit/lesson/artifacts.py says that {notebook} makes it.",
            f"Put back the cell of {notebook} that saves {name}, or restore the notebook.",
        )


@contextmanager
def making(target: str | Path) -> Iterator[Path]:
    """As `kit.paths.replacing`; for an artifact, what it was made from is noted."""
    with paths.replacing(target) as path:
        yield path
    if sources := _sources(str(target)):
        build = paths.build_folder()
        known = {name: _taken[name] for name in sources if name in _taken}
        note(build / target, *(build / name for name in sources), known=known)


def status() -> list[dict[str, str]]:
    """Each artifact: what it is made from, by which notebook, whether it is up to date, and its
    digest where it is there."""
    return [
        {
            "artifact": name,
            "made from": ", ".join(Path(source).name for source in _sources(name)),
            "by": notebook,
            "state": (state := _state(name)),
            "digest": "" if state == MISSING else file_digest(paths.build_folder() / name),
        }
        for name, notebook in MAKERS.items()
    ]


def check_model(board: "Board", name: str = MODEL) -> None:
    """See that a board runs the model of an artifact, which is made first when it is missing.
    Raises KitError: it runs another model, or says no hello; or as `artifact`."""
    from kit.board.address import scheme  # which loads what training does not need

    file = artifact(name)
    if other := other_model(board, name):
        noted = made_from(paths.build_folder() / "network").get(name)
        first = "" if noted == file_digest(file) else "03-generate, then "
        next_step = f'Run {first}04-flash, with BOARD = "{board.url}" in it.'
        if scheme(board.url) == "replay":
            next_step = f"Put the model that was on the recorded board into build/{name}."
        raise KitError(other, f"Its answers cannot be compared with those of {name}.", next_step)


def other_model(board: "Board", name: str = MODEL) -> str:
    """In a sentence, that a board runs another model than the one in `build()`; empty when not."""
    file, hello = paths.build_folder() / name, board.described
    if not file.exists() or hello.digest in ("", file_digest(file)):
        return ""
    return (
        f"The board on {board.url} runs another model ({hello.network}, digest {hello.digest}) "
        f"than build/{name} (digest {file_digest(file)})."
    )
