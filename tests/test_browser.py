"""`kit lab` in a real browser: what a learner sees first, where links lead, the drawing pad."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from contextlib import contextmanager, suppress
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from kit.paths import ROOT

CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
FLAGS = ["disable-gpu", "disable-quic", "no-first-run", "disable-background-networking",
         "disable-component-update", "disable-sync"]  # fmt: skip
LAB_OPTIONS = [
    "--no-browser",
    "--ServerApp.open_browser=False",
    "--ServerApp.port_retries=0",
    "--IdentityProvider.token=",
    "--ServerApp.allow_root=True",
    "--ServerApp.disable_check_xsrf=True",  # so that stop() may ask it to shut down
]
PLACES = ["IPYTHONDIR", "JUPYTER_CONFIG_DIR", "JUPYTER_RUNTIME_DIR", "JUPYTERLAB_SETTINGS_DIR",
          "JUPYTERLAB_WORKSPACES_DIR"]  # fmt: skip
SEVEN = [(70, 60), (210, 60), (120, 230)]
ONE = [(140, 40), (140, 240)]
THREE = [(90, 60), (150, 40), (190, 80), (180, 120), (130, 135), (185, 155), (200, 205),
         (150, 240), (85, 220)]  # fmt: skip

# A reader without a network: it tells a slim digit from a wide one. The pad is what is tested.
PAD = """\
from pathlib import Path
from types import SimpleNamespace
import numpy as np
from kit.lesson.pad import DrawingPad

def recognize(image):
    digit = 1 if np.ptp(np.flatnonzero(image.any(axis=0))) < 8 else 7
    return SimpleNamespace(digit=digit, values=np.where(np.arange(10) == digit, 0.89, 0.012))

assert Path("pad.ipynb").exists()  # a kernel works in its notebook's folder
DrawingPad(recognize)
"""

pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium or Chrome here")


@contextmanager
def lab(folder: Path, *options: str):
    """`kit lab` with settings and log in `folder`, apart from the user's: its URL."""
    home = folder / ".home"
    env = {name: str(home / name.lower()) for name in PLACES}
    env["PYTHONPATH"] = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    settings = home / "jupyterlab_settings_dir" / "@jupyterlab" / "notebook-extension"
    settings.mkdir(parents=True)  # cells out of sight are in the page, too:
    (settings / "tracker.jupyterlab-settings").write_text('{"windowingMode": "none"}')
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "kit", "lab", "--port", str(port), *LAB_OPTIONS, *options]
    with open(folder / "lab.log", "w") as log:
        server = subprocess.Popen(
            command, cwd=folder, env={**os.environ, **env}, stdout=log, stderr=subprocess.STDOUT
        )
        url = f"http://127.0.0.1:{port}"
        try:
            wait_until_ready(server, url, folder / "lab.log")
            yield url
        finally:
            stop(server, url)


def wait_until_ready(server, url, log):
    until = time.monotonic() + 60
    while server.poll() is None and time.monotonic() < until:
        with suppress(OSError):
            return urllib.request.urlopen(f"{url}/api", timeout=5).close()
        time.sleep(0.25)
    raise AssertionError(f"JupyterLab does not start:\n{log.read_text()[-3000:]}")


def stop(server, url):
    """Asked to shut down, so that it ends its kernels too; killed only if it does not."""
    request = urllib.request.Request(f"{url}/api/shutdown", method="POST")
    try:
        urllib.request.urlopen(request, timeout=10).close()
    except OSError:
        server.send_signal(signal.SIGTERM)
    try:
        server.wait(30)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait(30)


@contextmanager
def browser_page():
    """A page of a headless Chromium that may talk to nobody but this computer."""
    from playwright.sync_api import sync_playwright

    root = hasattr(os, "geteuid") and os.geteuid() == 0
    flags = [f"--{flag}" for flag in FLAGS + ["no-sandbox"] * root]
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=CHROMIUM, args=flags)
        try:
            yield browser.new_page(viewport={"width": 1300, "height": 900})
        finally:
            browser.close()


def draw_in(notebook: Path, drawings, folder: Path, screenshot: str | None = None):
    """Run all cells of a copy of `notebook`, in an empty `folder`, in JupyterLab, draw on its pad,
    read its answers.

    A drawing is a list of strokes, a stroke points (x, y) in pixels of the pad; the pad is cleared
    before each but the first. It answers after each stroke, so the answer to a drawing of several
    may be that to the first of them.
    """
    (folder / "notebooks").mkdir(parents=True)
    shutil.copy(notebook, folder / "notebooks")
    with lab(folder, f"--ServerApp.root_dir={folder}") as url, browser_page() as page:
        page.goto(f"{url}/lab/tree/notebooks/{notebook.name}?reset", timeout=60_000)
        # Before the kernel is connected "Run All Cells" asks which one to take, or runs nothing.
        page.get_by_text("| Idle").first.wait_for(timeout=60_000)
        page.get_by_role("menuitem", name="Run", exact=True).click()
        page.locator('[data-command="runmenu:run-all"]').click()
        canvas = page.locator(".ipycanvas canvas, canvas.ipycanvas, .jp-OutputArea canvas").first
        canvas.wait_for(timeout=180_000)  # it may have to make artifacts first
        status = page.locator('[role="status"], [role="alert"]').locator(
            "xpath=self::p[ancestor::*[contains(@class, 'jp-OutputArea')]]"
        )
        answers = []
        for number, strokes in enumerate(drawings):
            if number:
                page.get_by_role("button", name="Clear", exact=True).click()
                status.filter(has_text="Draw a digit.").wait_for(timeout=20_000)
            for stroke in strokes:
                draw(page, canvas, stroke)
            status.filter(has_not_text="Draw a digit.").wait_for(timeout=30_000)
            answers.append(status.inner_text())
        if screenshot:
            page.screenshot(path=screenshot)
        return answers


def draw(page, canvas, points):
    canvas.scroll_into_view_if_needed()
    box = canvas.bounding_box()
    (x, y), *others = [(box["x"] + x, box["y"] + y) for x, y in points]
    page.mouse.move(x, y)
    page.mouse.down()
    for x, y in others:
        page.mouse.move(x, y, steps=12)
    page.mouse.up()


def test_the_course_opens_and_its_links_lead_to_notebooks_and_code(tmp_path):
    """00-start is in front, with no question over it; from it to 03-generate, and to a C file."""
    with lab(tmp_path) as url, browser_page() as page:
        page.goto(url, timeout=60_000)
        page.get_by_text("| Idle").first.wait_for(timeout=60_000)
        assert page.url == f"{url}/lab/tree/notebooks/00-start.ipynb"
        assert page.get_by_text("Jupyter news").count() == 0
        page.get_by_role("link", name="03-generate").first.click()
        page.locator('.jp-RenderedMarkdown a[href*="dense_int8_cortex_m4.c"]').first.click()
        page.locator(".jp-FileEditor").get_by_text("nn_dense_int8(").first.wait_for(timeout=30_000)


@pytest.mark.deep
def test_drawing_with_the_mouse_shows_the_answer(tmp_path):
    """From mouse events in the browser to the answer in the page, twice, with Clear between."""
    path = tmp_path / "pad.ipynb"
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    cells = [*(new_markdown_cell("# Long\n\nway down") for _ in range(30)), new_code_cell(PAD)]
    nbformat.write(new_notebook(cells=cells, metadata=kernel), path)
    answers = draw_in(path, [[SEVEN], [ONE]], tmp_path / "a lesson")
    assert answers == ["I read a 7 (89 %).", "I read a 1 (89 %)."]


@pytest.mark.deep  # the pad and the notebook are tested above and by nbval, each by itself
def test_the_chip_reads_what_is_drawn_in_the_course(road, tmp_path):
    """Notebook 05-recognize as a learner has it: run all cells, draw, and the virtual board,
    executing the firmware, reads the digit."""
    notebook, picture = ROOT / "notebooks" / "05-recognize.ipynb", os.environ.get("KIT_SCREENSHOT")
    answers = draw_in(notebook, [[ONE], [SEVEN], [THREE]], tmp_path, picture)
    assert [answer[:10] for answer in answers] == ["I read a 1", "I read a 7", "I read a 3"]
