"""Executing notebooks: copies for the learner (`kit run`), fresh outputs for the repository."""

import json
import os
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, DeadKernelError
from nbclient.util import run_sync
from nbformat import NotebookNode

from kit import paths
from kit.errors import KitError
from kit.lesson import outputs
from kit.lesson.artifacts import CHAIN, MAKERS
from kit.lesson.results import read_report
from kit.progress import SWITCH, each

COURSE = re.compile(r"(\d\d|appendix)-.*\.ipynb")  # the names of the course's notebooks
ROAD = ("00", "01", "02", "03", "04", "05")  # from training to a digit on the chip
ALL = "all"  # stands for the names of all of them
BOARD_LINE = re.compile(r"^BOARD = .*$", re.MULTILINE)  # which a person changes who has a board


def run_notebooks(names: Iterable[str] | None = None, board: str | None = None) -> dict[str, Any]:
    """Execute notebooks in order; what they make, copies of them and their HTML land in `build()`.

    `names` are such as "01", "01-train" or "01-train.ipynb", or "all"; None is the road, 00 to 05.
    With "all" or None the report is a new one.
    `board` is the URL to write into the line `BOARD = …` of the copies that are executed. Returns
    the paths, as text, of "notebooks" and "html", the copies, and of "artifacts", as far as there
    are any, and the "report" of `kit.lesson.results`. Raises KitError: a name is unknown, a cell
    failed, or `board` is given and no notebook asks one.
    """
    asked, build = None if names is None else {*names}, paths.build_folder()
    chosen = [path for path in notebooks(asked) if asked or _short(path) in ROAD]
    if asked is None or ALL in asked:
        (build / "report.json").unlink(missing_ok=True)
    if board is not None:
        _check_asks(board, chosen)
    copies = [build / "notebooks" / path.name for path in chosen]
    for path, copy in zip(chosen, copies, strict=True):
        page = outputs.as_html(execute_notebook(path, board=board), path)
        with paths.replacing(copy.with_suffix(".html")) as file:
            file.write_text(page, encoding="utf-8", newline="\n")
    return {
        "notebooks": [str(copy) for copy in copies],
        "html": [str(copy.with_suffix(".html")) for copy in copies],
        "artifacts": [str(build / name) for name in MAKERS if (build / name).exists()],
        "report": read_report(),
    }


def refresh_notebooks(names: Iterable[str] | None = None) -> list[Path]:
    """Execute committed notebooks, named as for `run_notebooks`, and store their outputs in a form
    that does not change; the notebooks whose bytes changed. Raises KitError: a name is unknown, or
    a cell failed; that notebook is left as it was."""
    changed = []
    for path in notebooks(names):
        before, committed = outputs.read_notebook(path), path.read_bytes()
        after = execute_notebook(path)
        outputs.keep_equal_pictures(after, before)
        outputs.write_notebook(after, path)
        changed += [path] if path.read_bytes() != committed else []
    return changed


def notebooks(names: Iterable[str] | None = None, gone: Iterable[Path] = ()) -> list[Path]:
    """The notebooks of the course, in order, or those that are named; "all" and None are all of
    them; `gone` belong to it, too.
    Raises KitError: a name is unknown."""
    there = {path for path in paths.NOTEBOOKS.iterdir() if COURSE.fullmatch(path.name)}
    course = sorted(there | {*gone})
    known = {name: path for path in course for name in (path.name, path.stem)}
    known |= {_short(path): path for path in course}
    chosen = {ALL} if names is None else set(names)
    if ALL in chosen:
        chosen = chosen - {ALL} | {*known}
    if unknown := chosen - {*known}:
        raise KitError(
            f"There is no notebook called {min(unknown)!r}.",
            f"The notebooks are {', '.join(path.stem for path in course)}.",
            "Name one of them, for example by its number.",
        )
    return sorted({known[name] for name in chosen})


def _short(path: Path) -> str:
    """03 for 03-generate, and speed for appendix-speed."""
    number, _, name = path.stem.partition("-")
    return number if number.isdigit() else name


def _check_asks(board: str, chosen: list[Path]) -> None:
    """A board that no notebook asks would be forgotten without a word."""
    cells = (cell for path in chosen for cell in outputs.read_notebook(path).cells)
    if not any(cell.cell_type == "code" and BOARD_LINE.search(cell.source) for cell in cells):
        raise KitError(
            f"None of the notebooks asks a board; {board} would not be used.",
            "None of " + ", ".join(path.stem for path in chosen) + " has a line `BOARD = …`.",
            "Name notebooks that do, such as 04 and 05.",
        )


def execute_notebook(
    path: Path, title: str = "", board: str | None = None, **environment: str
) -> NotebookNode:
    """Execute a notebook in its own folder, with the Python that runs this; `board` as for
    `run_notebooks`. A bar with a title shows how far it is. A copy is saved in `build()/notebooks`.
    Raises KitError: a cell failed, and the copy, with all outputs up to there, is called
    NAME.failed.ipynb; or the kernel does not answer."""
    notebook, line = outputs.read_notebook(path), f"BOARD = {json.dumps(board, ensure_ascii=False)}"
    code = [(i, cell) for i, cell in enumerate(notebook.cells) if cell.cell_type == "code"]
    for _, cell in code:
        cell.update(outputs=[], execution_count=None)
        if board is not None:
            cell.source = BOARD_LINE.sub(lambda _: line, cell.source)
    code = [(i, cell) for i, cell in code if cell.source.strip()]
    copy = paths.build_folder() / "notebooks" / path.name
    failed = copy.with_suffix(".failed.ipynb")
    failed.unlink(missing_ok=True)
    with kernel(notebook, path, **environment) as client:
        for count, (index, cell) in enumerate(each(title or path.stem)(code), 1):
            try:
                client.execute_cell(cell, index, execution_count=count)
            except (CellExecutionError, DeadKernelError) as error:
                cell.execution_count = count
                outputs.write_notebook(outputs.repeatable(notebook), failed)
                first, why = cell.source.splitlines()[0], str(error)
                if isinstance(error, CellExecutionError):
                    why = f"{error.ename}: {error.evalue}"
                raise KitError(
                    f"{path.stem}: code cell {count} failed, which begins `{first}`.",
                    why,
                    f"Look at {failed}: it holds all outputs up to there. Or run {path.name} in "
                    "JupyterLab.",
                ) from error
    outputs.write_notebook(outputs.repeatable(notebook), copy)
    return notebook


@contextmanager
def kernel(notebook: NotebookNode, path: Path, **environment: str) -> Iterator[NotebookClient]:
    """A client that executes cells of a notebook as that of `path`: in its folder, for a program
    and not for a person, by the Python that runs this, whatever kernels the user has installed. It
    may be used in a notebook's kernel, too. Raises KitError: the new kernel does not answer."""
    manager = AsyncKernelManager(
        kernel_name="python3", kernel_spec_manager=KernelSpecManager(kernel_dirs=[])
    )
    quiet = ["--log-level=ERROR"]  # else each kernel warns that TCP is not encrypted
    client = NotebookClient(notebook, km=manager, coalesce_streams=True, extra_arguments=quiet)
    places = [str(paths.ROOT), os.environ.get("PYTHONPATH")]
    own = {
        "KIT_BUILD": str(paths.build_folder()),
        "MPLBACKEND": "module://matplotlib_inline.backend_inline",
        "PYTHONPATH": os.pathsep.join(filter(None, places)),
        CHAIN: f"{os.environ.get(CHAIN, '')} {path.stem}".strip(),
        SWITCH: "0",
    }
    try:
        with client.setup_kernel(cwd=str(path.parent), env={**os.environ, **own, **environment}):
            yield client
    except RuntimeError as error:
        raise KitError(
            f"{path.stem} was not started: its Python does not answer.",
            f"{error}. A notebook and its Python talk over 127.0.0.1, inside this computer.",
            "Allow connections to 127.0.0.1 in the firewall, then try again.",
        ) from error
    finally:  # also after Ctrl-C, at whatever moment
        run_sync(manager.shutdown_kernel)(now=True)
        if client.kc is not None:
            client.kc.stop_channels()
