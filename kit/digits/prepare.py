"""An image of a digit, checked: what is not as MNIST's images are is refused, never changed."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from kit.errors import KitError

Pixels = NDArray[np.uint8]

SIDE = 28  # of an MNIST image, in pixels
BORDER = np.flatnonzero(np.pad(np.zeros((SIDE - 2, SIDE - 2)), 1, constant_values=1))


def check_image(image: Any) -> Pixels:
    """The image itself, C-contiguous, if it is uint8 of shape (28, 28); 0 = paper, 255 = ink.

    Raises KitError: it is no NumPy array, has another dtype or another shape, or is dark on light.
    """
    check_pixels(image)
    if image.shape != (SIDE, SIDE):
        raise KitError(
            f"The image has shape {times(image.shape)}, not {SIDE} x {SIDE}.",
            f"The network reads one image of {SIDE} rows and {SIDE} columns, as in MNIST.",
            f"Pass one image, such as x_test[0]; like_mnist(picture) makes any picture "
            f"{SIDE} x {SIDE}.",
        )
    if image.ravel()[BORDER].mean() > 127:  # no MNIST image has a border lighter than 9 on average
        raise KitError(
            "The image is light at its border: it looks like dark ink on light paper.",
            "The network reads light ink on a background of 0, as in MNIST.",
            "Turn it round with 255 - image, or have it prepared: like_mnist(picture) in Python, "
            "--prepare on the command line.",
        )
    return np.ascontiguousarray(image)


def check_pixels(image: Any) -> None:
    """Raise KitError unless the image, of any shape, is a NumPy array of uint8."""
    if not isinstance(image, np.ndarray):
        raise KitError(
            f"The image is a {type(image).__name__}, not a NumPy array.",
            f"The network reads {SIDE} x {SIDE} pixels of uint8.",
            "Convert it: np.array(image, dtype=np.uint8), or read a file with read_image(path).",
        )
    if image.dtype != np.uint8:
        convert = "If all are 0 to 255, convert: image.astype('uint8')."
        if image.dtype.kind == "f":
            convert = "If these lie between 0 and 1, multiply by 255 and convert: "
            convert += "np.rint(image * 255).astype(np.uint8)."
        raise KitError(
            f"The image has dtype {image.dtype}, not uint8.",
            "Pixels are bytes of 0 to 255, as in MNIST; the chip itself does the scaling.",
            f"Pass the original pixels. {convert}",
        )


def times(shape: tuple[int, ...]) -> str:
    """A shape in words: 28 x 28."""
    return " x ".join(map(str, shape)) or "()"
