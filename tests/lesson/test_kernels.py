"""kit.lesson.kernels: a kernel in a notebook's cell is built, run, checked and counted."""

import numpy as np
import pytest

from kit.errors import KitError
from kit.lesson.kernels import Bench

ROWS, COLUMNS = 4, 8
PLAIN = """
void kernel(const int8_t *x, int32_t *sums)
{
    for (uint32_t row = 0; row < ROWS; row++) {
        sums[row] = 0;
        for (uint32_t i = 0; i < COLUMNS; i++) {
            sums[row] += weights[row * COLUMNS + i] * x[i];
        }
    }
}
"""


@pytest.fixture(scope="module")
def bench():
    weights = np.arange(ROWS * COLUMNS, dtype=np.int8).reshape(ROWS, COLUMNS) - 9
    x = np.array([-128, 127, 3, 0, 1, -1, 50, -77], np.int8)
    return Bench(x, weights.astype(int) @ x, weights=weights, bias=np.zeros(ROWS, np.int32))


def test_a_kernel_is_counted_and_its_sums_are_looked_at(bench):
    """Right, and WRONG where one number differs; the count says nothing about what is wrong."""
    right = bench.count("plain", PLAIN)
    wrong = bench.count("wrong", PLAIN.replace("sums[row] = 0", "sums[row] = row == 3"))
    assert (right.right, wrong.right) == (True, False)
    assert ROWS * COLUMNS < right.instructions < 20 * ROWS * COLUMNS
    assert right.instructions <= right.cycles - right.waits and right.waits > 0
    assert "sums right" in str(right) and "sums WRONG" in str(wrong)
    assert [count.name for count in bench.counts][-2:] == ["plain", "wrong"]


def test_a_mistake_in_c_is_told_with_its_line(bench):
    """As a KitError, which a notebook shows as text."""
    with pytest.raises(KitError, match=r"kernel\.c:4:.*error"):
        bench.count("mistake", PLAIN.replace("sums[row] = 0;", "sums[row] = nothing;"))
