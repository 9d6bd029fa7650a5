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
PATIENCE = 600_000  # ms: on a busy computer a kernel takes its time
SEVEN = [(70, 60), (210, 60), (120, 230)]
ONE = [(140, 40), (140, 240)]
THREE = [(90, 60), (150, 40), (190, 80), (180, 120), (130, 135), (185, 155), (200, 205),
         (150, 240), (85, 220)]  # fmt: skip

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


def draw(page, canvas, points):
    canvas.scroll_into_view_if_needed()
    box = canvas.bounding_box()
    (x, y), *others = [(box["x"] + x, box["y"] + y) for x, y in points]
    page.mouse.move(x, y)
    page.mouse.down()
    for x, y in others:
        page.mouse.move(x, y, steps=12)
    page.mouse.up()


@pytest.mark.deep
def test_the_course_opens_and_its_links_lead_to_notebooks_and_code(tmp_path):
    """00-start is in front, with no question over it; from it to 03-generate, and to a C file."""
    with lab(tmp_path) as url, browser_page() as page:
        page.goto(url, timeout=PATIENCE)
        page.get_by_text("| Idle").first.wait_for(timeout=PATIENCE)
        assert page.url == f"{url}/lab/tree/notebooks/00-start.ipynb"
        assert page.get_by_text("Jupyter news").count() == 0
        page.get_by_role("link", name="03-generate").first.click()
        page.locator('.jp-RenderedMarkdown a[href*="dense_int8_cortex_m4.c"]').first.click()
        page.locator(".jp-FileEditor").get_by_text("nn_dense_int8(").first.wait_for(
            timeout=PATIENCE
        )


@contextmanager
def lesson(place, name, wanted):
    """JupyterLab with a copy of a notebook's cells that are `wanted`, all of them run: its page."""
    folder = place / "a lesson"
    (folder / "notebooks").mkdir(parents=True)
    notebook = nbformat.read(ROOT / "notebooks" / f"{name}.ipynb", 4)
    notebook.cells = [cell for cell in notebook.cells if wanted(cell)]
    nbformat.write(notebook, folder / "notebooks" / f"{name}.ipynb")
    with lab(folder, f"--ServerApp.root_dir={folder}") as url, browser_page() as page:
        page.goto(f"{url}/lab/tree/notebooks/{name}.ipynb?reset", timeout=PATIENCE)
        # Before the kernel is connected "Run All Cells" asks which one to take, or runs nothing.
        page.get_by_text("| Idle").first.wait_for(timeout=PATIENCE)
        page.get_by_role("menuitem", name="Run", exact=True).click()
        page.locator('[data-command="runmenu:run-all"]').click()
        yield page


@pytest.mark.deep  # the pad and the notebook are tested each by itself, too
def test_the_chip_reads_what_is_drawn_in_the_course(road, tmp_path):
    """Notebook 05-recognize as a learner has it, but a copy without the two cells on the whole test
    set, which nbval runs: run all cells, draw, clear, draw, and the virtual board, executing the
    firmware, reads the digits; and the slider of the flash's wait states answers."""
    answers = []
    with lesson(tmp_path, "05-recognize", lambda cell: cell.id not in ("05-19", "05-23")) as page:
        canvas = page.locator(".ipycanvas canvas, canvas.ipycanvas, .jp-OutputArea canvas").first
        canvas.wait_for(timeout=PATIENCE)  # it may have to make artifacts first
        status = page.locator(".jp-OutputArea-output:has(canvas) p[role]")
        for stroke in (ONE, SEVEN, THREE):
            if answers:
                page.get_by_role("button", name="Clear", exact=True).click()
                status.filter(has_text="Draw a digit.").wait_for(timeout=PATIENCE)
            draw(page, canvas, stroke)
            status.filter(has_not_text="Draw a digit.").wait_for(timeout=PATIENCE)
            answers.append(status.inner_text())
        slider = page.locator(".jp-OutputArea-output:has(.widget-slider)")
        slider.locator("p[role]").filter(has_text="47,732 (24%").wait_for(timeout=PATIENCE)
        slider.locator(".noUi-handle").focus()
        for _ in range(5):  # to no wait states
            page.keyboard.press("ArrowLeft")
        slider.locator("p[role]").filter(has_text=" 0 (0%").wait_for(timeout=PATIENCE)
    assert [answer[:10] for answer in answers] == ["I read a 1", "I read a 7", "I read a 3"]


@pytest.mark.deep
def test_the_slider_of_bits_rounds_the_weights(road, tmp_path):
    """Notebook 06-fewer-bits up to the slider: at 8 bits as good as float, and at 2 it breaks."""
    with lesson(tmp_path, "06-fewer-bits", lambda cell: cell.id < "06-05") as page:
        slider = page.locator(".jp-OutputArea-output:has(.widget-slider)")
        told = slider.locator("p[role]")
        told.filter(has_text="8 bits, a scale for each channel").wait_for(timeout=PATIENCE)
        slider.locator(".noUi-handle").first.focus()
        for _ in range(6):
            page.keyboard.press("ArrowRight")
        told.filter(has_text="2 bits, a scale for each channel").wait_for(timeout=PATIENCE)
        page.get_by_role("button", name="one scale for all").click()
        told.filter(has_text="2 bits, one scale").wait_for(timeout=PATIENCE)
        assert "points worse than float" in told.inner_text()
