"""`artifact(name)`: a file of `build/`, made by running its notebook when it is missing or stale.

The notebooks are the program: nothing here trains, converts or compiles. The maker runs in a
process of its own, because a notebook's kernel already has a running event loop.

Two processes may find the same artifact missing and both make it. Nothing keeps them from it:
artifacts appear whole (`kit.paths.replacing`) and repeat exactly, so the later one replaces a file
by its equal, and a lock would save no more than double work.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kit import paths
from kit.errors import KitError
from kit.progress import Step, progress_bar
from kit.provenance import digest, made_from, note

if TYPE_CHECKING:
    from kit.board import Board

MAKERS = {
    "tutorial.h5": "01-train",
    "tutorial.keras": "01-train",
    "tutorial.tflite": "01-train",
    "digits.keras": "01-train",
    "digits_float32.tflite": "02-quantize",
    "digits_float16.tflite": "02-quantize",
    "digits_dynamic_range.tflite": "02-quantize",
    "digits_int8.tflite": "02-quantize",
    "network": "03-generate",
    "firmware.elf": "04-flash",
    "firmware.bin": "04-flash",
}
"""Each artifact and the notebook that makes it; `network` is a folder."""

FIRMWARE = str(paths.FIRMWARE)

SOURCES: dict[str, tuple[str, ...]] = {
    "digits_float32.tflite": ("digits.keras",),
    "digits_float16.tflite": ("digits.keras",),
    "digits_dynamic_range.tflite": ("digits.keras",),
    "digits_int8.tflite": ("digits.keras",),
    "network": ("digits_int8.tflite",),
    "firmware.elf": ("network", FIRMWARE),
    "firmware.bin": ("network", FIRMWARE),
}
"""What each artifact is made from, artifacts and folders; those of 01-train from MNIST alone."""

MODEL = "digits_int8.tflite"
"""The model that goes to the board."""

_taken: dict[str, str] = {}
"""The digest of each artifact when this process last asked for it: what it has read may be older
than what is there now."""

CHAIN = "KIT_MAKING"
"""Environment variable: the notebooks being run now, outermost first, joined by spaces."""


def artifact(name: str) -> Path:
    """The path of an artifact in `build_folder()`; makes it first when it is missing or stale.

    An artifact is stale when what it was made from has changed since, or is stale itself. One of
    which that is not known, because it was brought here by hand, is taken as it is.

    Args:
        name: a key of `MAKERS`.

    Raises:
        KitError: the name is unknown; the notebook fails, or ends without making the artifact; a
            notebook asks for what it makes itself.
    """
    if name not in MAKERS:
        raise KitError(
            f"There is no artifact called {name!r}.",
            f"The notebooks make these: {', '.join(MAKERS)}.",
            "Use one of these names.",
        )
    if not _usable(name):
        for source in SOURCES.get(name, ()):
            if source in MAKERS:
                artifact(source)
        if not _usable(name):  # a source that was made anew may have come out the same
            _make(name, MAKERS[name])
    _taken[name] = digest(paths.build_folder() / name)
    return paths.build_folder() / name


FRESH, MISSING = "fresh", "missing"


def _state(name: str) -> str:
    """FRESH, MISSING, or in words what an artifact is older than."""
    with paths.locked(name) as path:
        if not path.exists():
            return MISSING
        noted = made_from(path)
    for source in SOURCES.get(name, ()):
        state = _state_by(source, noted.get(Path(source).name))
        if state != FRESH:
            return state
    return FRESH


def _state_by(source: str, noted: str | None) -> str:
    """As `_state`, as far as one source tells; one that is not there tells nothing."""
    path = paths.build_folder() / source
    if noted is None or not path.exists():
        return FRESH
    return _state(source) if noted == digest(path) else f"older than {path.name}"


def _usable(name: str) -> bool:
    """Whether an artifact can be taken as it is; in the notebook that makes it, a stale one can."""
    state = _state(name)
    running = MAKERS[name] in os.environ.get(CHAIN, "").split()
    return state == FRESH or (running and state != MISSING)


@contextmanager
def making(target: str | Path) -> Iterator[Path]:
    """As `kit.paths.replacing`; for an artifact, what it was made from is noted.

    Raises:
        KitError: `target` cannot be written.
    """
    with paths.replacing(target) as path:
        yield path
    if sources := SOURCES.get(str(target)):
        known = {name: _taken[name] for name in sources if name in _taken}
        note(
            paths.build_folder() / target,
            *(paths.build_folder() / name for name in sources),
            known=known,
        )


def status() -> list[dict[str, str]]:
    """Each artifact: what it is made from, by which notebook, and whether it is up to date."""
    return [
        {
            "artifact": name,
            "made from": ", ".join(Path(source).name for source in SOURCES.get(name, ())),
            "by": notebook,
            "state": _state(name),
            "digest": digest(paths.build_folder() / name)
            if (paths.build_folder() / name).exists()
            else "",
        }
        for name, notebook in MAKERS.items()
    ]


def check_model(board: "Board", name: str = MODEL) -> None:
    """See that a board runs the model of an artifact, which is made first when it is missing.

    Args:
        board: it is asked to say hello, unless it did.
        name: a model among the artifacts.

    Raises:
        KitError: the board runs another model, or says no hello; or as `artifact`.
    """
    artifact(name)
    if other := other_model(board, name):
        raise KitError(
            other, f"Its answers cannot be compared with those of {name}.", _way_there(board, name)
        )


def other_model(board: "Board", name: str = MODEL) -> str:
    """In a sentence, that a board runs another model than the one in `build()`; empty when not."""
    file, hello = paths.build_folder() / name, board.described
    if not file.exists() or not hello.digest or hello.digest == digest(file):
        return ""
    return (
        f"The board on {board.url} runs another model ({hello.network}, digest {hello.digest}) "
        f"than build/{name} (digest {digest(file)})."
    )


def _way_there(board: "Board", name: str) -> str:
    if board.url.startswith("replay:"):
        return f"Put the model that was on the recorded board into build/{name}."
    noted = made_from(paths.build_folder() / "network").get(name)
    again = noted == digest(paths.build_folder() / name)
    first = "04-flash" if again else "03-generate, then 04-flash"
    return f'Run {first}, with BOARD = "{board.url}" in it.'


def _make(name: str, notebook: str) -> None:
    _refuse_circle(name, notebook)
    with progress_bar(f"{name} is {_state(name)}: running {notebook}") as step:
        run_apart(paths.NOTEBOOKS / f"{notebook}.ipynb", step)
    if not (paths.build_folder() / name).exists():
        raise KitError(
            f"{notebook} ran to its end and made no {name}.",
            f"kit/lesson/artifacts.py says that {notebook} makes it.",
            f"Put back the cell of {notebook} that saves {name}, or restore the notebook.",
        )


def _refuse_circle(name: str, notebook: str) -> None:
    chain = os.environ.get(CHAIN, "").split()
    if notebook in chain:
        raise KitError(
            f"{name} is asked for before it is made.",
            f"{notebook} makes it, and {' needs '.join([*chain, name])}.",
            f"In {notebook}, make {name} before asking for it.",
        )


def run_apart(notebook: Path, step: Step) -> None:
    """Run a notebook in a process of its own, reporting its cells to `step`.

    Raises:
        KitError: the error of the notebook, or what the process wrote before it died.
    """
    command = [sys.executable, "-m", "kit.lesson.execute", str(notebook)]
    process = subprocess.Popen(
        command,
        cwd=paths.ROOT,
        env={**os.environ, "KIT_BUILD": str(paths.build_folder()), "KIT_RECORD": ""},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
    )
    with process:
        try:
            _follow(process, step)
        except BaseException:
            process.terminate()
            raise


def _follow(process: subprocess.Popen[str], step: Step) -> None:
    log: list[str] = []
    for event in _events(process, log):
        if "error" in event:
            raise KitError(*event["error"])
        step(event["done"], event["total"])
    if process.wait():
        raise KitError(
            "The process that ran a notebook died.",
            "\n".join(log[-20:]) or "It wrote nothing.",
            "Run it in JupyterLab, where its kernel's messages are shown.",
        )


def _events(process: subprocess.Popen[str], log: list[str]) -> Iterator[dict[str, Any]]:
    """The JSON lines of `kit.lesson.execute`; every other line goes to `log`."""
    for line in process.stdout or ():
        try:
            yield json.loads(line)
        except ValueError:
            log.append(line.rstrip())
