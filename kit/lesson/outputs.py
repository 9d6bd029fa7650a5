"""Executed notebooks as they are kept: a normal form that does not change, and a page."""

import base64
import io
from pathlib import Path

import nbformat
from nbformat import NotebookNode
from PIL import Image

from kit.errors import KitError
from kit.paths import replacing

KEPT_METADATA = ("alt", "jupyter", "tags")  # of a cell; `alt` describes the pictures of its output
WIDGET = "application/vnd.jupyter.widget-view+json"
PNG = "image/png"

PAGE = """
{%- extends 'lab/index.html.j2' -%}
{%- block html_head_js -%}{%- endblock -%}
{%- block html_head_js_mathjax -%}{%- endblock -%}
{%- block html_head_js_mermaidjs -%}{%- endblock -%}
{%- block html_head_css -%}
<style>.highlight pre { font-family: monospace; line-height: 1.4; }</style>
{%- endblock -%}
{%- block data_png scoped -%}
{%- set alt = output | get_metadata('alt', 'image/png') or '' -%}
{{ super() | replace('<img ', '<img alt="' ~ (alt | e) ~ '" ') }}
{%- endblock -%}
"""
"""nbconvert's page, with alt text, without the four scripts that it would load from the network."""


def repeatable(notebook: NotebookNode) -> NotebookNode:
    """The notebook itself, without what differs between two runs or two machines: it keeps sources,
    cell ids, outputs, `KEPT_METADATA` and the names of kernel and language."""
    notebook.nbformat_minor = 5
    notebook.metadata = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    for index, cell in enumerate(notebook.cells):
        cell.setdefault("id", f"cell-{index}")
        cell.metadata = {key: cell.metadata[key] for key in KEPT_METADATA if key in cell.metadata}
        for number, output in enumerate(cell.get("outputs", [])):
            data = output.get("data", {})
            if WIDGET in data:
                data[WIDGET]["model_id"] = f"{index:016x}{number:016x}"  # the kernel's is random
            if PNG in data:
                data[PNG] = plain_png(data[PNG])
                if alt := cell.metadata.get("alt"):
                    output.metadata.setdefault(PNG, {})["alt"] = alt
    return notebook


def plain_png(encoded: str) -> str:
    """The same pixels (base64 of a PNG) without the texts that libraries add, and smaller."""
    image: Image.Image = Image.open(io.BytesIO(base64.b64decode(encoded)))
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
            pictures = [output.get("data", {}).get(PNG) for output in (new, old)]
            if all(pictures) and len(set(map(plain_png, pictures))) == 1:
                new.data[PNG] = pictures[1]


def as_html(notebook: NotebookNode, path: Path) -> str:
    """A page that needs no other file and no network; `path` is where its pictures are found."""
    from nbconvert import HTMLExporter  # half a second, and only needed here

    exporter = HTMLExporter(raw_template=PAGE, embed_images=True)  # type: ignore[no-untyped-call]
    resources = {"metadata": {"name": path.stem, "path": str(path.parent)}}
    return str(exporter.from_notebook_node(notebook, resources)[0])


def read_notebook(path: Path) -> NotebookNode:
    """A notebook of a file. Raises KitError: it cannot be read as one."""
    try:
        return NotebookNode(nbformat.read(path, as_version=4))  # type: ignore[no-untyped-call]
    except (OSError, ValueError, AttributeError, nbformat.ValidationError) as error:
        what = f"{path} cannot be read as a notebook."
        raise KitError(what, str(error), "Restore it from the repository.") from error


def write_notebook(notebook: NotebookNode, target: Path) -> None:
    """Write a notebook, checked, whole or not at all."""
    nbformat.validate(notebook)
    text: str = nbformat.writes(notebook)  # type: ignore[no-untyped-call]
    with replacing(target) as path:
        path.write_text(text.rstrip() + "\n", encoding="utf-8", newline="\n")
