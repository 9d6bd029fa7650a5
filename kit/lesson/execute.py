"""Executing notebooks: copies for the learner (`kit run`), fresh outputs for the repository.

`python -m kit.lesson.execute NOTEBOOK.ipynb` runs one and writes its progress as lines of JSON;
that is how `kit.artifact` makes what is missing.
"""

import base64
import io
import json
import os
import re
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import nbformat
from ipykernel.kernelspec import RESOURCES, get_kernel_dict
from jupyter_client.kernelspec import KernelSpec, KernelSpecManager
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, DeadKernelError
from nbformat import NotebookNode
from PIL import Image
from traitlets import default

from kit import paths
from kit.errors import KitError
from kit.lesson.artifacts import CHAIN, MAKERS
from kit.lesson.results import read_report
from kit.progress import SWITCH, Step
from kit.progress import progress_bar as show_progress

KEPT_METADATA = ("alt", "jupyter", "tags")
"""Metadata of a cell that belongs to the lesson; `alt` describes the pictures of its output."""

WIDGET = "application/vnd.jupyter.widget-view+json"


PATTERN = "[0-9][0-9]-*.ipynb"
"""The names of the course's notebooks."""

BOARD_LINE = re.compile(r"^BOARD = .*$", re.MULTILINE)
"""The line of a notebook that a person changes who has a board."""


def run_notebooks(
    names: Iterable[str] | None = None, progress: bool = True, board: str | None = None
) -> dict[str, Any]:
    """Execute notebooks in order; what they make and copies of them land in `build()`.

    Args:
        names: for example "01", "01-train" or "01-train.ipynb"; None for all of them, which also
            starts a new report.
        progress: show a bar for each notebook (on stderr).
        board: the URL to write into the line `BOARD = …` of the copies that are executed.

    Returns:
        "notebooks" and "html": the paths of the executed copies; "artifacts": the paths of the
        artifacts that there are; "report": see `kit.lesson.results`. Paths are text.

    Raises:
        KitError: a name is unknown, a cell failed, or `board` is given and no notebook asks one.
    """
    chosen = notebooks(names)
    if names is None:
        (paths.build_folder() / "report.json").unlink(missing_ok=True)
    _check_asks(board, chosen)
    copies = [_run_copy(path, progress, board) for path in chosen]
    made = [paths.build_folder() / name for name in MAKERS]
    return {
        "notebooks": [str(copy) for copy in copies],
        "html": [str(copy.with_suffix(".html")) for copy in copies],
        "artifacts": [str(path) for path in made if path.exists()],
        "report": read_report(),
    }


def refresh_notebooks(names: Iterable[str] | None = None, progress: bool = True) -> list[Path]:
    """Execute committed notebooks and store their outputs in a form that does not change.

    Args:
        names, progress: as for `run`.

    Returns:
        The notebooks whose bytes changed; none, when it is called a second time.

    Raises:
        KitError: a name is unknown, or a cell failed; that notebook is left as it was.
    """
    return [path for path in notebooks(names) if _refresh(path, progress)]


def notebooks(names: Iterable[str] | None = None, gone: Iterable[Path] = ()) -> list[Path]:
    """The notebooks of the course, in order, or those that are named; `gone` belong to it, too.

    Raises:
        KitError: a name is unknown.
    """
    course = sorted({*paths.NOTEBOOKS.glob(PATTERN), *gone})
    if names is None:
        return course
    return sorted({_find(name, course) for name in names})


def _find(name: str, course: list[Path]) -> Path:
    for path in course:
        if name in (path.name, path.stem, path.stem.split("-")[0]):
            return path
    raise KitError(
        f"There is no notebook called {name!r}.",
        f"The notebooks are {', '.join(path.stem for path in course)}.",
        "Name one of them, for example by its number.",
    )


def _check_asks(board: str | None, chosen: list[Path]) -> None:
    """A board that no notebook asks would be forgotten without a word."""
    cells = (cell for path in chosen for cell in _read(path).cells if cell.cell_type == "code")
    if board is not None and not any(BOARD_LINE.search(cell.source) for cell in cells):
        raise KitError(
            f"None of the notebooks asks a board; {board} would not be used.",
            "None of " + ", ".join(path.stem for path in chosen) + " has a line `BOARD = …`.",
            "Name notebooks that do, such as 04 and 05.",
        )


def _run_copy(path: Path, progress: bool, board: str | None) -> Path:
    notebook = _execute_shown(path, progress, board)
    copy = Path("notebooks", path.name)
    _write(normalize(notebook), copy)
    with paths.replacing(copy.with_suffix(".html")) as page:
        page.write_text(as_html(notebook, path), encoding="utf-8", newline="\n")
    return paths.build_folder() / copy


def _refresh(path: Path, progress: bool) -> bool:
    committed = path.read_bytes()
    before = _read(path)
    after = normalize(_execute_shown(path, progress))
    keep_equal_pictures(after, before)
    _write(after, path)
    return path.read_bytes() != committed


def _execute_shown(path: Path, progress: bool, board: str | None = None) -> NotebookNode:
    with show_progress(path.stem, shown=progress) as step:
        return execute_notebook(path, step, board)


def execute_notebook(path: Path, step: Step, board: str | None = None) -> NotebookNode:
    """Execute a notebook in its own folder, with the Python that runs this; `board` as for `run`.

    Raises:
        KitError: a cell failed; the notebook as far as it got is saved in `build()/notebooks` as
            NAME.failed.ipynb; or the kernel does not answer.
    """
    notebook = _read(path)
    _set_board(notebook, board)
    failed = Path("notebooks", f"{path.stem}.failed.ipynb")
    (paths.build_folder() / failed).unlink(missing_ok=True)
    try:
        _execute_cells(notebook, path, step)
    except (CellExecutionError, DeadKernelError) as error:
        _write(normalize(notebook), failed)
        raise _failure(notebook, path, error, paths.build_folder() / failed) from error
    except RuntimeError as error:  # nbclient's, when the kernel does not answer
        raise KitError(
            f"{path.stem} was not started: its Python does not answer.",
            f"{error}. A notebook and its Python talk over 127.0.0.1, inside this computer.",
            "Allow connections to 127.0.0.1 in the firewall, then try again.",
        ) from error
    return notebook


def _set_board(notebook: NotebookNode, board: str | None) -> None:
    line = f"BOARD = {json.dumps(board, ensure_ascii=False)}"
    for cell in notebook.cells:
        if cell.cell_type == "code" and board is not None:
            cell.source = BOARD_LINE.sub(lambda _: line, cell.source)


def _execute_cells(notebook: NotebookNode, path: Path, step: Step) -> None:
    code = _clear(notebook)
    client = NotebookClient(
        notebook,
        kernel_manager_class=_Kernels,
        kernel_name="python3",
        timeout=None,
        resources={"metadata": {"path": str(path.parent)}},
        coalesce_streams=True,
        record_timing=False,
        shutdown_kernel="immediate",
        extra_arguments=["--log-level=ERROR"],  # else each kernel warns that TCP is not encrypted
    )
    with client.setup_kernel(env=kernel_environment(path.stem)):
        for count, index in enumerate(code, 1):
            step(count - 1, len(code))
            notebook.cells[index].execution_count = count
            client.execute_cell(notebook.cells[index], index)
        step(len(code), len(code))


def _clear(notebook: NotebookNode) -> list[int]:
    """Remove all outputs; the indices of the cells to execute."""
    code = [index for index, cell in enumerate(notebook.cells) if cell.cell_type == "code"]
    for index in code:
        notebook.cells[index].update(outputs=[], execution_count=None)
    return [index for index in code if notebook.cells[index].source.strip()]


def kernel_environment(notebook: str) -> dict[str, str]:
    """The environment of a kernel that runs `notebook` for a program, not for a person."""
    earlier = os.environ.get("PYTHONPATH")
    return {
        **os.environ,
        "KIT_BUILD": str(paths.build_folder()),
        "MPLBACKEND": "module://matplotlib_inline.backend_inline",
        "PYTHONPATH": os.pathsep.join([str(paths.ROOT), *([earlier] if earlier else [])]),
        CHAIN: f"{os.environ.get(CHAIN, '')} {notebook}".strip(),
        SWITCH: "0",
    }


class _ThisPython(KernelSpecManager):
    """Knows one kernel: the Python that runs this, whatever is installed for the user."""

    def get_kernel_spec(self, kernel_name: str) -> KernelSpec:
        return KernelSpec(resource_dir=RESOURCES, **get_kernel_dict())


class _Kernels(AsyncKernelManager):
    @default("kernel_spec_manager")
    def _only_this_python(self) -> KernelSpecManager:
        return _ThisPython(parent=self)


def _failure(notebook: NotebookNode, path: Path, error: Exception, saved: Path) -> KitError:
    count, cell = max(
        (cell.execution_count, cell)
        for cell in notebook.cells
        if cell.cell_type == "code" and cell.execution_count
    )
    message = f"{error.ename}: {error.evalue}" if isinstance(error, CellExecutionError) else error
    return KitError(
        f"{path.stem}: code cell {count} failed, which begins `{cell.source.splitlines()[0]}`.",
        str(message),
        f"Look at {saved}: it holds all outputs up to there. Or run {path.name} in JupyterLab.",
    )


def normalize(notebook: NotebookNode) -> NotebookNode:
    """Remove from an executed notebook what differs between two runs or two machines.

    Keeps sources, cell ids, outputs, `KEPT_METADATA` and the names of kernel and language. Changes
    the notebook that it is given, and returns it.
    """
    notebook.metadata = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    for index, cell in enumerate(notebook.cells):
        cell.setdefault("id", f"cell-{index}")
        kept = {key: cell.metadata[key] for key in KEPT_METADATA if key in cell.metadata}
        cell.metadata = kept
        for number, output in enumerate(cell.get("outputs", [])):
            _normalize_output(output, f"{index:016x}{number:016x}", kept.get("alt"))
    notebook.nbformat_minor = 5
    return notebook


def _normalize_output(output: NotebookNode, model_id: str, alt: str | None) -> None:
    data = output.get("data", {})
    if WIDGET in data:
        data[WIDGET]["model_id"] = model_id  # the kernel's is random
    if "image/png" in data:
        data["image/png"] = plain_png(data["image/png"])
        if alt:
            output.metadata["image/png"] = {**output.metadata.get("image/png", {}), "alt": alt}


def plain_png(encoded: str) -> str:
    """The same pixels (base64 of a PNG) without the texts that libraries add, and smaller."""
    image = _image(encoded)
    if image.mode == "RGBA" and image.getchannel("A").getextrema() == (255, 255):
        image = image.convert("RGB")
    plain = io.BytesIO()
    Image.frombytes(image.mode, image.size, image.tobytes()).save(plain, "PNG", optimize=True)
    return base64.b64encode(plain.getvalue()).decode()


def keep_equal_pictures(after: NotebookNode, before: NotebookNode) -> None:
    """Put back a picture's earlier bytes when its pixels are the same (another zlib, say)."""
    earlier = {cell.get("id"): cell.get("outputs", []) for cell in before.cells}
    for cell in after.cells:
        for new, old in zip(cell.get("outputs", []), earlier.get(cell.get("id"), []), strict=False):
            pictures = [output.get("data", {}).get("image/png") for output in (new, old)]
            if all(pictures) and _pixels(pictures[0]) == _pixels(pictures[1]):
                new.data["image/png"] = pictures[1]


def _pixels(encoded: str) -> tuple[tuple[int, int], bytes]:
    image = _image(encoded)
    return image.size, image.convert("RGBA").tobytes()


def _image(encoded: str) -> Image.Image:
    return Image.open(io.BytesIO(base64.b64decode(encoded)))


OFFLINE = """
{%- extends 'lab/index.html.j2' -%}
{%- block html_head_js -%}{%- endblock -%}
{%- block jupyter_widgets -%}{%- endblock -%}
{%- block html_head_css -%}
{{ super() }}
<style>.highlight pre { font-family: monospace; line-height: 1.4; }</style>
{%- endblock -%}
{%- block html_head_js_mathjax -%}{%- endblock -%}
{%- block html_head_js_mermaidjs -%}{%- endblock -%}
{%- block data_png scoped -%}
{%- set alt = output | get_metadata('alt', 'image/png') -%}
{%- set width = output | get_metadata('width', 'image/png') -%}
<div class="jp-RenderedImage jp-OutputArea-output {{ extra_class }}">
<img src="data:image/png;base64,{{ output.data['image/png'] }}"
{% if width %} width="{{ width }}"{% endif %}{% if alt %} alt="{{ alt | e }}"{% endif %}>
</div>
{%- endblock -%}
"""
"""nbconvert's page, with alt text, without the four scripts that it would load from the network."""


def as_html(notebook: NotebookNode, path: Path) -> str:
    """A page that needs no other file and no network; `path` is where its pictures are found."""
    from nbconvert import HTMLExporter  # half a second, and only needed here

    exporter = HTMLExporter(raw_template=OFFLINE, embed_images=True)  # type: ignore[no-untyped-call]
    resources = {"metadata": {"name": path.stem, "path": str(path.parent)}}
    return str(exporter.from_notebook_node(notebook, resources)[0])


def _read(path: Path) -> NotebookNode:
    try:
        notebook: NotebookNode = nbformat.read(path, as_version=4)  # type: ignore[no-untyped-call]
        return notebook
    except (OSError, ValueError, AttributeError, nbformat.ValidationError) as error:
        raise KitError(
            f"{path} cannot be read as a notebook.", str(error), "Restore it from the repository."
        ) from error


def _write(notebook: NotebookNode, target: Path) -> None:
    """Write whole or not at all; `target` is taken inside `build()` when it is relative."""
    nbformat.validate(notebook)
    text: str = nbformat.writes(notebook)  # type: ignore[no-untyped-call]
    with paths.replacing(target) as path:
        path.write_text(text.rstrip() + "\n", encoding="utf-8", newline="\n")


def main() -> int:
    """Run the notebook named on the command line, for `kit.lesson.artifacts.run_apart`."""
    path = Path(sys.argv[1])
    try:
        notebook = execute_notebook(path, lambda done, total: _say(done=done, total=total))
        _write(normalize(notebook), Path("notebooks", path.name))
    except KitError as error:
        _say(error=[error.what, error.why, error.next_step])
        return 1
    return 0


def _say(**event: Any) -> None:
    print(json.dumps(event), flush=True)


if __name__ == "__main__":
    sys.exit(main())
