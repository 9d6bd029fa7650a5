"""Handwriting that is unlike MNIST's, in images that are like MNIST's."""

from functools import cache

import numpy as np
from PIL import Image

from kit.digits.mnist import Split, read_uci
from kit.digits.prepare import SIDE
from kit.pictures.normalize import like_mnist


@cache
def load_uci() -> Split:
    """UCI's 1,797 test digits, scaled up and prepared as any other drawing (`like_mnist`): images
    uint8 (1797, 28, 28), 0 = paper and 255 = ink; labels uint8 (1797,), 0 to 9. Both are shared
    between calls and read-only.

    Raises KitError: data/uci_digits.npz is missing or damaged.
    """
    small, labels = read_uci()
    pixels = (small.astype(int) * 255 // 16).astype(np.uint8)  # 16 is ink, as published
    large = [Image.fromarray(x).resize((SIDE, SIDE), Image.Resampling.BICUBIC) for x in pixels]
    images = np.stack([like_mnist(np.asarray(one), "light-on-dark") for one in large])
    images.flags.writeable = False
    return images, labels
