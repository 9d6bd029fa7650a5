"""How much a test tries: less in the quick run, more in the deep one (`test --deep`)."""

import os
from collections.abc import Iterable
from typing import Any

import pytest


def many(quick: int, deep: int) -> int:
    """`deep` where the tests were started with --deep, else `quick`."""
    return deep if os.environ.get("KIT_DEEP") else quick


def first(quick: int, cases: Iterable[Any]) -> list[Any]:
    """For `pytest.mark.parametrize`: the first `quick` of the cases, the others in the deep run."""
    return [
        case if number < quick else pytest.param(*_values(case), marks=pytest.mark.deep)
        for number, case in enumerate(cases)
    ]


def _values(case: Any) -> tuple[Any, ...]:
    return case if type(case) is tuple else (case,)
