"""kit/checks/validate.py: it counts every difference, and its inputs reach everything."""

import json
from dataclasses import replace

import made
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from networks import EXAMPLE, Spec, Tflite

from kit.checks import validate
from kit.checks.validate import (
    DEFAULT,
    FLOAT_TOLERANCE,
    Comparison,
    Validation,
    compare_all,
    compare_scores,
    mnist_inputs,
    random_inputs,
)
from kit.digits import load_mnist
from kit.errors import KitError

IMAGES = Spec(784, (6, 10), "relu", True, True, True, True, 0.05, 3)
FLOATS = replace(IMAGES, int8=False)
row = st.lists(st.integers(-128, 127), min_size=3, max_size=3)
near = st.lists(st.tuples(row, row) | row.map(lambda one: (one, one)), min_size=1, max_size=9)


@given(near)
def test_every_difference_is_counted(both):
    """Against the definition in plain Python: rows that differ, largest difference, same digit."""
    ours, theirs = (np.array(side, np.int8).reshape(-1, 1, 3) for side in zip(*both, strict=True))
    largest = max(abs(a - b) for one, other in both for a, b in zip(one, other, strict=True))
    differ = sum(one != other for one, other in both)
    same_digit = sum(one.index(max(one)) == other.index(max(other)) for one, other in both)
    expected = Comparison("x", len(both), differ, largest, same_digit)
    assert compare_scores("x", ours, theirs) == expected


@pytest.mark.parametrize(
    ("dtype", "difference", "mismatches"),
    [
        (np.int8, 1, 1),
        (np.float32, 0.9 * FLOAT_TOLERANCE, 0),
        (np.float32, 1.1 * FLOAT_TOLERANCE, 1),
        (np.float32, np.nan, 1),
        (np.float32, np.inf, 1),
    ],
)
def test_only_floats_may_differ_a_little(dtype, difference, mismatches):
    """int8 to the last bit; float32 by rounding. What is no number is a difference, either way."""
    zeros, changed = np.zeros((2, 10), dtype), np.zeros((2, 10), dtype)
    changed[1, 7] = difference
    for ours, theirs in ((changed, zeros), (zeros, changed)):
        result = compare_scores("x", ours, theirs)
        assert result.mismatches == mismatches
        json.dumps(result.largest, allow_nan=False)


@pytest.mark.parametrize("different", [DEFAULT, "the C on this computer", "the C on x"])
def test_the_verdict_is_about_the_c(different):
    """LiteRT's default kernels may differ from its reference: that is not the C's fault."""
    names = (DEFAULT, "the C on this computer", "the C on x")
    comparisons = tuple(Comparison(name, 9, int(name == different), 0.0, 9) for name in names)
    assert Validation("m", "i", 9, comparisons).right is (different == DEFAULT)


def test_a_row_differs_where_any_output_does():
    """A network of several outputs: the digit is that of the first."""
    first, second = np.eye(4, 3, dtype=np.int8), np.zeros((4, 2), np.float32)
    other, changed = first.copy(), second.copy()
    other[1, 0], changed[[1, 3], 1] = 5, 2.0
    assert compare_all("x", [first, second], [other, changed]) == Comparison("x", 4, 2, 5.0, 3)
    assert compare_all("x", [first], [first, changed]).mismatches == 0  # a bare program's one


@pytest.mark.parametrize("dtype", ["int8", "uint8", "int16"])
def test_random_inputs_reach_the_whole_range_and_repeat(tmp_path, dtype):
    """Both ends too; the same inputs in each run, others for another seed. A type that has no range
    is refused in words."""

    def reshaping(dtype):
        file = Tflite()
        x, y = file.tensor((1, 2_000), dtype), file.tensor((1, 2_000), dtype)
        file.operator("RESHAPE", [x, file.tensor((2,), "int32", data=[1, 2_000])], [y])
        return file.write(tmp_path / f"{dtype}.tflite", [x], [y])

    model = reshaping(dtype)
    inputs, limits = random_inputs(model, 50), np.iinfo(dtype)
    assert (inputs.shape, inputs.dtype) == ((50, 2_000), dtype)
    assert (inputs.min() - limits.min) + (limits.max - inputs.max()) < 20
    assert len(np.unique(inputs)) == 256 or dtype == "int16"
    np.testing.assert_array_equal(inputs, random_inputs(model, 50))
    assert (inputs != random_inputs(model, 50, seed=2)).any()
    with pytest.raises(KitError, match="takes bool"):
        random_inputs(reshaping("bool"), 1)


def test_inputs_for_a_network_for_images():
    """Real numbers from 0 to 1, at random or from images, row by row; a network that takes
    something else is told apart."""
    model = made.model(FLOATS)
    reals = random_inputs(model, 50)
    assert (reals.shape, reals.dtype) == ((50, 784), np.float32)
    assert 0 <= reals.min() < 0.01 and 0.99 < reals.max() <= 1
    images = load_mnist()[1][0][:3].reshape(3, 784)
    np.testing.assert_array_equal(mnist_inputs(model, 3), images / np.float32(255))
    with pytest.raises(KitError, match="does not take images") as error:
        mnist_inputs(made.model(EXAMPLE), 3)
    assert "--random" in error.value.next_step


@pytest.mark.parametrize("spec", [IMAGES, FLOATS, EXAMPLE], ids=["int8", "float32", "twenty"])
def test_without_a_board_none_is_touched(monkeypatch, spec):
    """Host C against the reference alone; nothing is built for the chip or flashed."""
    for name in ("build_firmware", "flash", "Board"):
        monkeypatch.setattr(validate, name, lambda *_: pytest.fail("a board was touched"))
    inputs = random_inputs(made.model(spec), 30)
    result = validate.validate_model(made.model(spec), inputs, "random", board_url=None)
    assert (result.model, result.rows, result.right) == ("model.tflite", 30, True)
    assert [c.name for c in result.comparisons] == [DEFAULT, "the C on this computer"]
