"""kit.digits.prepare: an image that is not as MNIST's are is refused with the way out."""

import re

import numpy as np
import pytest

from kit.digits import check_image, load_mnist
from kit.errors import KitError

IMAGE = load_mnist()[1][0][0]


def test_a_good_image_passes_unchanged_and_contiguous():
    """What goes over the wire row by row has its rows in order, even of a transposed view."""
    checked = check_image(IMAGE.T)
    assert checked.flags.c_contiguous
    assert np.array_equal(checked, IMAGE.T)


@pytest.mark.parametrize(
    ("image", "what", "next_step"),
    [
        (np.zeros((28, 28)), "dtype float64, not uint8", "multiply by 255 and convert"),
        (np.zeros((28, 28), np.float32), "dtype float32, not uint8", "multiply by 255"),
        (np.zeros((28, 28), np.int8), "dtype int8, not uint8", "all are 0 to 255"),
        (np.zeros((27, 28), np.uint8), "shape 27 x 28, not 28 x 28", "Pass one image"),
        (np.zeros((1, 28, 28), np.uint8), "shape 1 x 28 x 28, not 28 x 28", "Pass one image"),
        ([[0] * 28] * 28, "a list, not a NumPy array", "np.array"),
        (255 - IMAGE, "dark ink on light paper", "255 - image"),
    ],
)
def test_a_wrong_image_is_refused_with_the_way_out(image, what, next_step):
    """int8 wrap and a missing scaling begin with a dtype that nobody noticed; an inverted image,
    the second of the famous mistakes, never reaches the network."""
    with pytest.raises(KitError, match=what) as caught:
        check_image(image)
    assert re.search(next_step, caught.value.next_step)


def test_no_image_of_mnist_is_taken_for_an_inverted_one():
    """The border that gives an inverted image away is dark in all 70,000."""
    for images, _ in load_mnist():
        sides = [images[:, 0], images[:, -1], images[:, 1:-1, 0], images[:, 1:-1, -1]]
        assert np.concatenate(sides, axis=1).mean(axis=1).max() < 9
