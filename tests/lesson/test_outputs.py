"""kit/lesson/outputs.py: `kit refresh` stores a normal form, in which a diff shows the lesson: no
machine, no time, no library versions."""

import base64
import io

import numpy as np
import pytest
from courses import FIGURE, code_cells, small_course, write
from nbformat.v4 import new_code_cell, new_notebook, new_output
from PIL import Image, PngImagePlugin

from kit.lesson.execute import refresh_notebooks
from kit.lesson.outputs import keep_equal_pictures, plain_png, repeatable

WIDGET = "application/vnd.jupyter.widget-view+json"


def png(pixels, software="none"):
    info = PngImagePlugin.PngInfo()
    info.add_text("Software", software)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG", pnginfo=info)
    return base64.b64encode(file.getvalue()).decode()


def notebook_of(data):
    output = new_output("display_data", data)
    return new_notebook(cells=[new_code_cell("plot", id="same", outputs=[output])])


@pytest.mark.deep
def test_refresh_is_idempotent_and_stores_a_normal_form(tmp_path):
    """Twice gives the same bytes, though widget ids, times and PNG texts differ each time."""
    sources = FIGURE, "import ipywidgets\nipywidgets.IntSlider()", "print(1)\nprint('grüß')\n3"
    with small_course(tmp_path) as course:
        path = write(course, "00-mill", *sources)
        ids = [cell.id for cell in code_cells(path)]
        assert refresh_notebooks() == [path]
        first = path.read_bytes()
        assert refresh_notebooks() == []
        assert path.read_bytes() == first

    text = first.decode()
    assert text.endswith("}\n") and text.startswith('{\n "cells"') and "grüß" in text
    assert [cell.id for cell in code_cells(path)] == ids
    assert [cell.execution_count for cell in code_cells(path)] == [1, 2, 3]
    assert code_cells(path)[2].outputs[0].text == "1\ngrüß\n"


def test_what_is_of_one_run_or_machine_goes_and_the_lesson_stays():
    """Ids of widgets, times, the kernel's name; tags and alt texts are the lesson's."""
    pixels = np.zeros((2, 2, 3), np.uint8)
    notebook = notebook_of({WIDGET: {"model_id": "random"}, "image/png": png(pixels)})
    notebook.metadata.update(widgets={"state": 1}, kernelspec={"name": "mine"})
    (cell,) = notebook.cells
    cell.metadata.update(tags=["a"], execution={"started": 1}, alt="a line")
    (output,) = repeatable(notebook).cells[0].outputs
    assert notebook.metadata.kernelspec.display_name == "Python 3"
    assert set(notebook.metadata) == {"kernelspec", "language_info"}
    assert cell.metadata == {"tags": ["a"], "alt": "a line"} and cell.id == "same"
    assert output.data[WIDGET]["model_id"] == "0" * 32
    assert output.data["image/png"] == plain_png(png(pixels, "another"))
    assert output.metadata["image/png"] == {"alt": "a line"}


@pytest.mark.parametrize("channels", [3, 4])
def test_a_picture_keeps_its_pixels_and_loses_its_texts(channels):
    """Pillow reads the same pixels; the version of matplotlib is gone; opaque alpha is gone."""
    pixels = np.random.default_rng(1).integers(0, 256, (5, 7, channels), dtype=np.uint8)
    plain = Image.open(io.BytesIO(base64.b64decode(plain_png(png(pixels)))))
    assert plain.info == {} and np.array_equal(np.array(plain), pixels)
    opaque = np.dstack([pixels[..., :3], np.full((5, 7), 255, np.uint8)])
    assert plain_png(png(opaque)) == plain_png(png(pixels[..., :3].copy()))


def test_equal_pixels_keep_the_committed_bytes_and_others_do_not():
    """Another computer's zlib packs differently; that alone is no change."""
    pixels = np.zeros((4, 4, 3), np.uint8)
    before = notebook_of({"image/png": png(pixels, "another zlib")})
    after, changed = (notebook_of({"image/png": png(each)}) for each in (pixels, pixels + 1))
    for notebook in (after, changed):
        keep_equal_pictures(notebook, before)
    assert after == before
    assert changed == notebook_of({"image/png": png(pixels + 1)})
