"""kit.pictures.normalize: a drawing becomes as MNIST's digits are, or is refused."""

import re

import numpy as np
import pytest
from depth import many
from drawings import SEVEN, drawing
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image
from scipy.ndimage import center_of_mass

from kit.digits import load_mnist
from kit.errors import KitError
from kit.pictures import like_mnist
from kit.pictures.normalize import stroke_width

IMAGES, LABELS = load_mnist()[1]


def longest(image):
    """The larger side of what is drawn."""
    return max(np.ptp(places) for places in np.nonzero(image)) + 1


def redrawn(image, seed):
    """The digit four times larger, somewhere on a canvas of 280 x 280."""
    large = np.asarray(Image.fromarray(image).resize((112, 112), Image.Resampling.BICUBIC))
    top, left = np.random.default_rng(seed).integers(0, 280 - 112, 2)
    return np.pad(large, ((top, 168 - top), (left, 168 - left)))


def test_mnist_itself_comes_back():
    """An enlarged, displaced MNIST digit returns to where and as it was."""
    originals = IMAGES[: many(60, 300)]
    images = np.array([like_mnist(redrawn(x, i)) for i, x in enumerate(originals)])
    centers = [[center_of_mass(image) for image in each] for each in (originals, images)]
    shifts = np.linalg.norm(np.subtract(*centers), axis=1)
    assert shifts.mean() < 0.5 and shifts.max() < 1.5
    assert max(map(longest, images)) == 20
    assert images.mean() == pytest.approx(originals.mean(), rel=0.05)


def test_an_mnist_image_stays_as_it_is():
    """What is prepared already is left alone, to the last gray level, in all 10,000."""
    assert all(np.array_equal(like_mnist(image), image) for image in IMAGES)


@given(
    arrays(np.uint8, st.tuples(st.integers(1, 40), st.integers(1, 40))),
    st.sampled_from(["auto", "light-on-dark", "dark-on-light"]),
)
@settings(deadline=None)
def test_any_picture_is_prepared_or_refused(picture, polarity):
    """Whatever is drawn: 28 x 28 of uint8 in a box of 20 around the center, or a KitError."""
    try:
        image = like_mnist(picture, polarity)
    except KitError as error:
        assert re.match("Nothing is drawn|There is more than one digit", error.what)
        return
    assert image.shape == (28, 28) and image.dtype == np.uint8 and image.max() > 0
    assert longest(image) <= 20


def test_auto_polarity_reads_ink_on_paper_like_chalk_on_a_board():
    """The famous failure: an inverted picture must not reach the network inverted."""
    chalk = like_mnist(255 - SEVEN)
    assert np.array_equal(like_mnist(SEVEN), chalk)
    assert np.array_equal(like_mnist(SEVEN, "dark-on-light"), chalk)
    assert chalk[0, 0] == 0 and chalk.max() == 255


def test_a_stated_polarity_is_obeyed():
    """A digit cut out so tightly that its border is mostly ink fools auto: the user can say."""
    tight = np.full((40, 30), 255, np.uint8)
    tight[10:30, 10:20] = 0
    assert like_mnist(tight, "light-on-dark")[14, 14] == 0
    assert like_mnist(tight, "dark-on-light")[14, 14] > 250
    with pytest.raises(KitError, match="'inverted' is not one of the choices"):
        like_mnist(tight, "inverted")


@pytest.mark.parametrize("width", [1, 2, 4, 8])
def test_thin_strokes_become_as_wide_as_mnists(width):
    """A "1" of one pixel's width must not fade away when it is scaled down."""
    image = like_mnist(drawing(1, 280, width))
    low, high = np.percentile([stroke_width(x) for x in IMAGES[LABELS == 1]], [5, 95])
    assert low < stroke_width(image) < high
    assert image.max() > 250


@pytest.mark.parametrize("level", [0, 128, 255])
def test_an_empty_picture_says_nothing_is_drawn(level):
    """Clearing the pad must not divide by zero, nor read a digit out of nothing."""
    with pytest.raises(KitError, match="Nothing is drawn"):
        like_mnist(np.full((280, 280), level, np.uint8))


@pytest.mark.parametrize(
    ("picture", "what"),
    [
        (np.zeros((9, 9)), "dtype float64"),
        (np.zeros((9, 9, 3), np.uint8), "shape 9 x 9 x 3, not height x width"),
        (np.zeros((0, 9), np.uint8), "shape 0 x 9"),
        ("seven.png", "a str, not a NumPy array"),
    ],
)
def test_what_is_no_gray_picture_is_refused(picture, what):
    with pytest.raises(KitError, match=what):
        like_mnist(picture)
