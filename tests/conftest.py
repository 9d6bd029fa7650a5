"""The tests' own build folder, and the road walked once before notebooks are tested.

pytest loads this file when `tests` is among its arguments. Hooks of a conftest.py see only the
items beside it, so the hook that notebooks need is registered as a plugin of its own.
"""

import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import matplotlib
import pytest

ROOT = Path(__file__).resolve().parent.parent
BUILD = ROOT / "build" / "test"

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
(BUILD / "ipython").mkdir(parents=True, exist_ok=True)
sys.path.insert(0, str(ROOT))
matplotlib.use("agg")  # for plots in tests; the kernels have MPLBACKEND


class Road:
    """Runs all notebooks once, when the first test needs what they make."""

    def __init__(self, config: pytest.Config) -> None:
        self.config = config
        self.result: dict[str, Any] | None = None
        self.error: Exception | None = None

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        """Artifacts exist before a notebook is tested: kernels then show what is committed."""
        if item.path.parent == ROOT / "notebooks":
            self.walk()

    def walk(self) -> dict[str, Any]:
        """What `kit.lesson.run.run()` returns; its error again, when it failed before."""
        if self.error:
            raise self.error
        if self.result is None:
            try:
                self.result = self._run()
            except Exception as error:
                self.error = error
                raise
        return self.result

    def _run(self) -> dict[str, Any]:
        from kit.lesson.artifacts import MAKERS
        from kit.lesson.run import run

        for name in MAKERS:  # left by an earlier session
            shutil.rmtree(BUILD / name, ignore_errors=True)
            (BUILD / name).unlink(missing_ok=True)
        capture = self.config.pluginmanager.getplugin("capturemanager")
        with pytest.MonkeyPatch.context() as patch, capture.global_and_fixture_disabled():
            # ipykernel captures what C writes only when it sees no pytest.
            patch.delenv("PYTEST_CURRENT_TEST", raising=False)
            patch.delenv("KIT_PROGRESS")
            patch.setenv("KIT_BUILD", str(BUILD))
            return run()


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.register(Road(config), "road")


@pytest.fixture(scope="session")
def road(request: pytest.FixtureRequest) -> Iterator[dict[str, Any]]:
    """All notebooks were run: the result of `kit run`, with "build" for the build folder."""
    plugin = request.config.pluginmanager.getplugin("road")
    yield {**plugin.walk(), "build": BUILD}
