"""A picture of a digit made into an image like those of MNIST, or refused.

MNIST's originals "were size normalized to fit in a 20x20 pixel box while preserving their aspect
ratio [...] the images were centered in a 28x28 image by computing the center of mass of the pixels,
and translating the image so as to position this point at the center of the 28x28 field"
(Y. LeCun, C. Cortes, C. Burges, http://yann.lecun.com/exdb/mnist/).
"""

import math
from typing import Any

import numpy as np
from PIL import Image
from scipy import ndimage

from kit.digits.prepare import SIDE, Pixels, check_pixels, times
from kit.errors import KitError
from kit.pictures.ink import EDGE, FAINT, Polarity, find_ink, grow

BOX = 20  # the larger side of the digit in an MNIST image
CENTER = 14  # where MNIST puts the center of mass: over its images it lies in 13.5 to 14.5

# Thin strokes fade when they are scaled down: of test digits redrawn with strokes 0.3 pixels wide a
# 784-128-128-10 network reads 83 % as they are and 96 % when widened to 2.5 pixels.
STROKE = 2.5  # the median width of MNIST's strokes, in pixels, by `stroke_width`
THIN = 1.7  # 95 % of them are wider
FINE = 8  # strokes are widened on a grid this many times finer than MNIST's


def like_mnist(picture: Pixels, polarity: Polarity = "auto") -> Pixels:
    """A picture of one digit, prepared as MNIST's were: see the top of this file.

    `picture` is uint8 of shape (height, width), of any size; the image uint8 of shape (28, 28),
    light on 0, the digit 20 pixels large, its center of mass in the middle, strokes much thinner
    than MNIST's widened. `polarity` is "light-on-dark" or "dark-on-light" for a drawing, all of
    which is the digit, or "auto" for any picture, in which the digit is told from all else. An
    image that is as MNIST's are comes back as it is.

    Raises KitError: not a 2-D uint8 array, or not one digit is drawn on it.
    """
    check_picture(picture)
    if polarity != "dark-on-light" and _is_like_mnist(picture):
        return picture.copy()
    ink = _crop(find_ink(picture, polarity))
    if stroke_width(ink) * BOX / max(ink.shape) < THIN:
        ink = _widen(ink)
    return _center(_scale(ink, BOX))


def check_picture(picture: Any) -> None:
    """Raise KitError unless the picture is uint8 of shape (height, width)."""
    check_pixels(picture)
    if picture.ndim != 2 or picture.size == 0:
        raise KitError(
            f"The picture has shape {times(picture.shape)}, not height x width.",
            "One gray level per pixel is needed.",
            "Convert a colored picture to gray, or let read_image(path, prepare=True) do it.",
        )


def _is_like_mnist(picture: Pixels) -> bool:
    """Light on dark, in a box of 20 x 20 pixels, centered by its mass, as all of MNIST is."""
    if picture.shape != (SIDE, SIDE) or picture.max() < 254:
        return False
    away = np.subtract(ndimage.center_of_mass(picture), CENTER - 0.5)
    longest = max(_crop(picture, FAINT).shape)
    return abs(longest - BOX) <= 1 and float(np.abs(away).max()) <= 1


def _crop(ink: Pixels, level: int = EDGE) -> Pixels:
    drawn: Pixels = ink[ndimage.find_objects((ink > level).astype(int))[0]]
    return drawn


def stroke_width(ink: Pixels) -> float:
    """Mean width of the strokes in pixels: a stroke of width w and length l has area w l and,
    counted along pixel edges in all directions, an outline of 4 / pi * 2 l."""
    drawn = np.pad(ink > 127, 1).astype(np.int8)
    outline = np.abs(np.diff(drawn, axis=0)).sum() + np.abs(np.diff(drawn, axis=1)).sum()
    return float(8 / np.pi * drawn.sum() / max(1, outline))


def _scale(ink: Pixels, longest: int) -> Pixels:
    """Scaled so that the larger side is `longest`, keeping the aspect ratio, antialiased."""
    factor = longest / max(ink.shape)
    height, width = (max(1, round(side * factor)) for side in ink.shape)
    smooth = Image.fromarray(ink).resize((width, height), Image.Resampling.BICUBIC)
    return np.asarray(smooth)


def _widen(ink: Pixels) -> Pixels:
    """The ink on a finer grid, its strokes grown by a round pen to MNIST's width."""
    pixel = max(ink.shape) / (BOX * FINE)  # of the finer grid, in those of the picture
    if stroke_width(ink) < 2 * pixel:  # would fade when scaled down
        ink = grow(ink, math.ceil(pixel))
    fine = (_scale(ink, BOX * FINE) > 80) * np.uint8(255)
    radius = max(0, round((STROKE * FINE - stroke_width(fine)) / 2))
    away = ndimage.distance_transform_edt(np.pad(fine, radius) == 0)
    return _crop((away <= radius) * np.uint8(255))


def _center(digit: Pixels) -> Pixels:
    """The digit in a 28 x 28 image, moved by whole pixels until its center of mass is in the
    middle, but never beyond the edge."""
    room = np.subtract(SIDE, digit.shape)
    before = np.rint(np.subtract(CENTER, ndimage.center_of_mass(digit))).astype(int).clip(0, room)
    return np.pad(digit, np.stack([before, room - before], axis=1))
