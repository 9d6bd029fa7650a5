"""The small course that tests of lesson run."""

from courses import course  # noqa: F401
