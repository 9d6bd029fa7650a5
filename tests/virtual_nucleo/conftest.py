"""The fixtures for small C programs on the virtual board, for every test of this folder."""

from bare import board, compiler  # noqa: F401
