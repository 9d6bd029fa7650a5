"""Variations of images, so that a network does not learn them by heart."""

from typing import Any

import numpy as np
import numpy.typing as npt

from kit.silence import tensorflow


def vary(
    images: npt.NDArray[np.uint8],
    random: np.random.Generator,
    degrees: float = 10,
    stretch: float = 0.1,
    shift: float = 2,
) -> npt.NDArray[np.float32]:
    """Each image turned, stretched and shifted (in pixels) by chance, up to so much either way.

    Takes uint8 (n, 28, 28), gives float32 of the same shape, pixels / 255.
    """
    angle, wide, high, right, down = random.uniform(-1, 1, (5, len(images)))
    cos, sin = np.cos(np.deg2rad(degrees * angle)), np.sin(np.deg2rad(degrees * angle))
    a, b = (1 + stretch * wide) * [cos, -sin]
    d, e = (1 + stretch * high) * [sin, cos]
    middle = (images.shape[1] - 1) / 2
    c = middle * (1 - a - b) + shift * right
    f = middle * (1 - d - e) + shift * down
    # Pixel (x, y) of the result comes from (a x + b y + c, d x + e y + f) of the image.
    source = np.stack([a, b, c, d, e, f, 0 * a, 0 * a], axis=1).astype(np.float32)
    pixels = (images[..., np.newaxis] / 255).astype(np.float32)
    varied: Any = tensorflow().keras.ops.image.affine_transform(pixels, source)
    return np.asarray(varied)[..., 0]
