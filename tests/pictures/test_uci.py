"""kit.pictures.uci: handwriting of others, in images like MNIST's."""

import numpy as np
import pytest
from PIL import Image
from scipy.ndimage import center_of_mass

from kit.digits import check_image, read_uci
from kit.pictures import load_uci


def drawn(image):
    """What is drawn alone, in 8 x 8 pixels."""
    rows, columns = (np.flatnonzero(image.any(axis)) for axis in (1, 0))
    ink = image[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    return np.asarray(Image.fromarray(ink).resize((8, 8))).ravel()


def test_each_image_is_as_mnist_s_are():
    """uint8, 28 x 28, light on dark, 20 pixels large, its mass in the middle; and nobody changes
    them by accident."""
    images, labels = load_uci()
    assert (images.shape, labels.tolist()) == ((1797, 28, 28), read_uci()[1].tolist())
    for image in images:
        assert check_image(image).any()
        assert max(np.ptp(places) for places in np.nonzero(image)) + 1 in (19, 20)
        assert np.abs(np.subtract(center_of_mass(image), 13.5)).max() <= 1
    with pytest.raises(ValueError, match="read-only"):
        images[0] = 0


def test_each_image_shows_what_was_published():
    """Its ink lies where that of the published 8 x 8 pixels does."""
    pairs = zip(load_uci()[0], read_uci()[0], strict=True)
    likeness = [np.corrcoef(drawn(image), drawn(small))[0, 1] for image, small in pairs]
    assert np.percentile(likeness, 1) > 0.6 and np.median(likeness) > 0.9
