"""The tests' own build folder, and the road walked once before notebooks are tested.

pytest loads this file when `tests` is among its arguments. Hooks of a conftest.py see only the
items beside it, so the hook that notebooks need is registered as a plugin of its own.
"""

import gc
import io
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import matplotlib
import pytest

ROOT = Path(__file__).resolve().parent.parent
BESIDE = os.environ.get("KIT_TEST_BESIDE")
"""The build folder of a pytest that the first one has started; it starts no other."""
BUILD = Path(BESIDE or ROOT / "build" / "test")
SHARES = {
    "notebooks": ("notebooks",),
    "engine": ("tests/generate",),
    "chip": ("tests/firmware",),
    "checks": ("tests/checks", "tests/compile"),
    "core": ("tests/virtual_nucleo", "tests/pictures"),
}
"""What is tested beside the rest, for the second core: one after the other, and two at a time when
the rest is done. Who needs the road stays with the rest."""
LONG = ("05-recognize.ipynb", "06-fewer-bits.ipynb", "appendix-speed.ipynb")
"""Notebooks whose outputs are compared in the deep run only: they take long. The road executes 05
in the quick one, too, and test_road.py looks at its figures."""
CHOOSING = ("keyword", "markexpr", "lf", "failedfirst", "usepdb", "collectonly")
"""Options of pytest for which all stays in the one process."""

# Kernels inherit this, so it is set before the first of them starts.
os.environ.update(
    KIT_BUILD=str(BUILD),  # a learner's own files in build/ are neither used nor touched
    KIT_PROGRESS="0",  # a notebook's outputs do not depend on what had to be made
    PYTHONPATH=os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]),
    MPLBACKEND="module://matplotlib_inline.backend_inline",
    TF_CPP_MIN_LOG_LEVEL="3",
    TF_ENABLE_ONEDNN_OPTS="0",
    IPYTHONDIR=str(BUILD / "ipython"),  # no start-up files and no history of the person testing
)
for name in ("COLUMNS", "LINES", "FORCE_COLOR", "NO_COLOR"):  # of the terminal it was started from
    os.environ.pop(name, None)
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # started in the background, with `&`
    signal.signal(signal.SIGINT, signal.default_int_handler)  # which children inherit as default
if sys.__stdin__ is None:  # closed: pytest's own stand-in for it fails then
    sys.__stdin__ = io.StringIO()
(BUILD / "ipython").mkdir(parents=True, exist_ok=True)
sys.path.insert(0, str(ROOT))
matplotlib.use("agg")  # for plots in tests; the kernels have MPLBACKEND


class Road:
    """Walks the road once, with `kit run`, beside the tests that do not need it; then each
    of the SHARES is tested by a second pytest, beside the rest.

    The walk is started when the tests are collected and takes some minutes; who needs what it
    makes waits for its end. Shares that are tested without other tests, or of which some tests
    are chosen, by -k or such, stay in this process.
    """

    process: "subprocess.Popen[str] | None" = None
    printed: tuple[str, str] | None = None
    options: Sequence[str] = ()

    def __init__(self) -> None:
        self.waiting: dict[str, list[str]] = {}
        self.beside: dict[str, subprocess.Popen[bytes]] = {}

    def pytest_collection_modifyitems(
        self, config: pytest.Config, items: list[pytest.Item]
    ) -> None:
        """Deep tests are left out unless asked for; who needs the road comes last."""
        if BESIDE:
            items[:] = [item for item in items if not _needs_road(item)]
        deep = [item for item in items if item.get_closest_marker("deep") or _is_long(item)]
        if deep and not config.option.deep:
            config.hook.pytest_deselected(items=deep)
            items[:] = [item for item in items if item not in deep]
        others = [item for item in items if not _share(item)]
        chosen = "::" in "".join(config.args) or any(
            getattr(config.option, name, None) for name in CHOOSING
        )
        if others and not chosen:
            for name in SHARES:
                paths = sorted({str(item.path) for item in items if _share(item) == name})
                self.waiting |= {name: paths} if paths else {}
            known = {*config.args, "--deep"}  # which a pytest of notebooks alone does not know
            self.options = [one for one in config.invocation_params.args if one not in known]
            items[:] = others
        items.sort(key=_needs_road)

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        # A virtual board that is closed looks for its garbage: not among all that was imported.
        gc.collect()
        gc.freeze()
        if any(map(_needs_road, session.items)) and not session.config.option.collectonly:
            _remove_artifacts(BUILD)
            command, pipe = [sys.executable, "-m", "kit", "run", "--json"], subprocess.PIPE
            self.process = subprocess.Popen(command, cwd=ROOT, stdout=pipe, stderr=pipe, text=True)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        """Artifacts exist before a notebook is tested: kernels then show what is committed."""
        if _is_notebook(item):
            self.walk()

    def pytest_runtest_logfinish(self) -> None:
        if self.process is None or self.process.poll() is not None:
            self._start_next()

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """What fails beside is a test that fails."""
        if session.shouldfail or session.shouldstop:
            return
        while self._start_next(2) or self._running():
            time.sleep(0.5)
        for name, process in self.beside.items():
            if process.returncode:
                told = (name, None, name), {}, "failed", "Their words are below.", "call"
                report = pytest.TestReport(name, *told)
                session.config.hook.pytest_runtest_logreport(report=report)
                session.exitstatus = session.exitstatus or process.returncode

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        for name in self.beside:
            terminalreporter.section(f"{', '.join(SHARES[name])}: tested beside")
            terminalreporter.write(_said(name).read_text(encoding="utf-8", errors="replace"))

    def walk(self) -> dict[str, Any]:
        """What `kit run --json` prints; fails each time it is asked for when the run failed."""
        assert self.process is not None
        if self.printed is None:
            self.printed = self.process.communicate()
        out, err = self.printed
        assert self.process.returncode == 0, f"`kit run` failed:\n{err}"
        result: dict[str, Any] = json.loads(out)
        return result

    def pytest_unconfigure(self) -> None:
        for process in (self.process, *self.beside.values()):
            if process is not None and process.poll() is None:
                # Ctrl-C, so that its kernels end too; Windows cannot send it to one process.
                process.send_signal(signal.SIGINT if os.name == "posix" else signal.SIGTERM)
                process.wait()

    def _running(self) -> int:
        return sum(process.poll() is None for process in self.beside.values())

    def _start_next(self, most: int = 1) -> bool:
        """The next share, unless so many are still tested; in a build folder of its own."""
        if not self.waiting or self._running() >= most:
            return False
        from made import share_caches

        name, paths = next(iter(self.waiting.items()))
        del self.waiting[name]
        build = BUILD.with_name(f"test-{name}")
        share_caches(build)
        _remove_artifacts(build)  # notebooks make everything anew, in order
        self.beside[name] = subprocess.Popen(
            [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *self.options, *paths],
            cwd=ROOT,
            env=os.environ | {"KIT_BUILD": str(build), "KIT_TEST_BESIDE": str(build)},
            stdin=subprocess.DEVNULL,
            stdout=_said(name).open("wb"),
            stderr=subprocess.STDOUT,
        )
        return True


def _said(share: str) -> Path:
    return BUILD / f"{share}.txt"


def _remove_artifacts(build: Path) -> None:
    """Left by an earlier session."""
    from kit.lesson.artifacts import MAKERS

    for name in MAKERS:
        shutil.rmtree(build / name, ignore_errors=True)
        (build / name).unlink(missing_ok=True)


def _is_notebook(item: pytest.Item) -> bool:
    return item.path.parent == ROOT / "notebooks"


def _is_long(item: pytest.Item) -> bool:
    return _is_notebook(item) and item.path.name in LONG


def _share(item: pytest.Item) -> str | None:
    """Which of the SHARES an item belongs to; none when it is tested in this process."""
    if _needs_road(item) and not _is_notebook(item):
        return None
    for name, folders in SHARES.items():
        if not BESIDE and any(item.path.is_relative_to(ROOT / folder) for folder in folders):
            return name
    return None


def _needs_road(item: pytest.Item) -> bool:
    return _is_notebook(item) or "road" in getattr(item, "fixturenames", [])


def pytest_addoption(parser: pytest.Parser) -> None:
    told = bool(os.environ.get("KIT_DEEP"))  # by the pytest that started this one
    text = "the tests that take long, too"
    parser.addoption("--deep", action="store_true", default=told, help=text)


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "deep: takes long; only with --deep")
    os.environ["KIT_DEEP"] = "1" if config.option.deep else ""  # for depth.many
    config.pluginmanager.register(Road(), "road")


@pytest.fixture(scope="session")
def road(request: pytest.FixtureRequest) -> Iterator[dict[str, Any]]:
    """The result of `kit run`, which ran 00 to 05, with "build" for the build folder."""
    plugin = request.config.pluginmanager.getplugin("road")
    yield {**plugin.walk(), "build": BUILD}


@pytest.fixture
def quick_trials(monkeypatch: pytest.MonkeyPatch) -> None:
    """LiteRT tries each network in a copy of this process, not in one that loads it anew."""
    from mutants import forked

    from kit.model import reference

    if hasattr(os, "fork"):
        monkeypatch.setattr(reference, "run_program", forked)
