"""The fixtures for small C programs on the virtual board, for every test of this folder."""

import pytest
from bare import board, compiler  # noqa: F401


@pytest.fixture(scope="session", autouse=True)
def compiled(compiler):  # noqa: F811
    """The virtual board's own C, before any test: some need it, but no program."""
