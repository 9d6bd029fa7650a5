"""Small courses to run instead of the road: notebooks about flour, bread and toast."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from kit import paths
from kit.lesson import artifacts, execute

MAKERS = {"flour": "00-mill", "bread": "01-bake", "toast": "02-toast"}
SOURCES = {"01-bake": ("flour",), "02-toast": ("bread",)}

SETUP = f"""\
from pathlib import Path
from kit import paths
from kit.lesson import artifacts
paths.NOTEBOOKS = Path.cwd()
artifacts.MAKERS = {MAKERS}
artifacts.SOURCES = {SOURCES}"""
"""Tells a kernel about the small course, as `small_course` tells this process."""

MILL = "with artifacts.making('flour') as path: _ = path.write_text('white')"
BAKE = """\
flour = artifacts.artifact('flour').read_text()
with artifacts.making('bread') as path: _ = path.write_text(flour + ' bread')"""
TOAST = BAKE.replace("bread", "toast").replace("flour", "bread")
FIGURE = "import matplotlib.pyplot as plt\nplt.plot([1, 2])\nplt.show()"


@contextmanager
def small_course(place: Path):
    """An empty folder of notebooks, and a build folder beside it."""
    folder = place / "a course"
    folder.mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(paths, "NOTEBOOKS", folder)
        patch.setattr(artifacts, "MAKERS", MAKERS)
        patch.setattr(artifacts, "SOURCES", SOURCES)
        patch.setattr(artifacts, "_taken", {})
        patch.setattr(execute, "MAKERS", MAKERS)
        patch.setenv("KIT_BUILD", str(place / "build"))
        yield folder


@pytest.fixture
def course(tmp_path: Path) -> Iterator[Path]:
    """A small course of one test's own."""
    with small_course(tmp_path) as folder:
        yield folder


def write(folder: Path, name: str, *sources: str) -> Path:
    """A notebook with a title and these code cells, never run."""
    cells = [new_markdown_cell("# Title"), *map(new_code_cell, sources)]
    path = folder / f"{name}.ipynb"
    nbformat.write(new_notebook(cells=cells), path)
    return path


def code_cells(path: Path | str) -> list[nbformat.NotebookNode]:
    return [cell for cell in nbformat.read(path, 4).cells if cell.cell_type == "code"]


def shown(cell: nbformat.NotebookNode) -> str:
    """Everything that a cell printed or showed as text."""
    return "".join(
        output.get("text") or output.get("data", {}).get("text/plain", "")
        for output in cell.outputs
    )
