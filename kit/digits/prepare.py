"""A drawing, a PNG or an array made into an image like those of MNIST, or refused.

How MNIST was made, in the words of its authors (Y. LeCun, C. Cortes, C. Burges, "The MNIST database
of handwritten digits", http://yann.lecun.com/exdb/mnist/): the originals "were size normalized to
fit in a 20x20 pixel box while preserving their aspect ratio. The resulting images contain grey
levels as a result of the anti-aliasing technique used by the normalization algorithm. the images
were centered in a 28x28 image by computing the center of mass of the pixels, and translating the
image so as to position this point at the center of the 28x28 field."
"""

import warnings
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from kit.errors import KitError

Pixels = NDArray[np.uint8]
Polarity = Literal["auto", "light-on-dark", "dark-on-light"]

SIDE = 28  # of an MNIST image, in pixels
BOX = 20  # the larger side of the digit in it
CENTER = 14  # where MNIST puts the center of mass: over its images it lies in 13.5 to 14.5

# Strokes in MNIST are 2.5 pixels wide (median over the test set by `_stroke_width`; 95 % are wider
# than 1.7). Thinner ones fade when they are scaled down: of test digits redrawn with strokes 0.3
# pixels wide a 784-128-128-10 network reads 83 % as they are and 96 % when widened to 2.5 pixels.
THIN = 1.7
STROKE = 2.5
FINE = 8  # strokes are widened on a grid this many times finer than MNIST's

NOISE = 6  # background within so many median absolute deviations is paper: 4 sigma if Gaussian
EDGE = 48  # ink no darker than this (of 255) may lie outside the box: halos, ringing, dust
FAINT = 24  # gray levels by which ink must differ from paper
LARGEST = 50_000_000  # pixels of the largest PNG read


def check_image(image: Any) -> Pixels:
    """The image itself, C-contiguous, if it is uint8 of shape (28, 28); 0 = paper, 255 = ink.

    Raises:
        KitError: it is no NumPy array, has another dtype or another shape, or is dark on light.
    """
    if not isinstance(image, np.ndarray):
        raise KitError(
            f"The image is a {type(image).__name__}, not a NumPy array.",
            "The network reads 28 x 28 pixels of uint8.",
            "Convert it: np.array(image, dtype=np.uint8), or read a file with read_image(path).",
        )
    _check_dtype(image)
    if image.shape != (SIDE, SIDE):
        raise KitError(
            f"The image has shape {_times(image.shape)}, not {SIDE} x {SIDE}.",
            f"The network reads one image of {SIDE} rows and {SIDE} columns, as in MNIST.",
            f"Pass one image, such as x_test[0]; like_mnist(picture) makes any picture "
            f"{SIDE} x {SIDE}.",
        )
    _check_polarity(image)
    return np.ascontiguousarray(image)


def like_mnist(picture: Pixels, polarity: Polarity = "auto") -> Pixels:
    """A picture of one digit, prepared as MNIST's were: see the top of this file.

    Args:
        picture: uint8 of shape (height, width), any size.
        polarity: "light-on-dark", "dark-on-light", or "auto" to tell by the picture's border.

    Returns:
        uint8 of shape (28, 28), light ink on 0, its larger side 20 pixels, its center of mass in
        the middle. Strokes much thinner than MNIST's are widened to MNIST's width.

    Raises:
        KitError: not a 2-D uint8 array, or nothing is drawn on it.
    """
    ink = _crop(_ink(_check_picture(picture), polarity))
    width = _stroke_width(ink) * BOX / max(ink.shape)
    if width < THIN:
        ink = _widen(ink)
    return _center(_scale(ink, BOX))


def read_image(path: str | Path, prepare: bool = False) -> Pixels:
    """The image in a .png or .npy file, as uint8 of shape (28, 28); 0 = paper, 255 = ink.

    A PNG may be gray, colored, with a palette or 1-bit; transparency is laid over white.

    Args:
        path: the file.
        prepare: make any picture like MNIST with `like_mnist`; otherwise it must be 28 x 28.

    Raises:
        KitError: missing, unreadable, too large, or (without `prepare`) not 28 x 28 of uint8.
    """
    path = Path(path)
    readers = {".png": _read_png, ".npy": _read_npy}
    if path.suffix.lower() not in readers:
        raise KitError(
            f"{path} is neither a .png nor a .npy file.",
            "Other formats are not read here.",
            "Save the picture as PNG.",
        )
    if not path.is_file():
        raise KitError(f"There is no file {path}.", "", "Check the name and the folder.")
    pixels = readers[path.suffix.lower()](path)
    if prepare:
        return like_mnist(pixels)
    if pixels.shape != (SIDE, SIDE):
        raise KitError(
            f"{path} is {_times(pixels.shape)} pixels (rows x columns), not {SIDE} x {SIDE}.",
            f"The network reads {SIDE} x {SIDE} pixels, as in MNIST.",
            "Have it made like MNIST: --prepare on the command line, prepare=True in Python.",
        )
    return check_image(pixels)


def _check_polarity(image: Pixels) -> None:
    """The outermost pixels of no MNIST image are lighter than 9 of 255 on average."""
    border = np.concatenate([image[[0, -1]].ravel(), image[1:-1, [0, -1]].ravel()])
    if border.mean() > 127:
        raise KitError(
            "The image is light at its border: it looks like dark ink on light paper.",
            "The network reads light ink on a background of 0, as in MNIST.",
            "Turn it round with 255 - image, or have it prepared: like_mnist(picture) in Python, "
            "--prepare on the command line.",
        )


def _check_dtype(image: NDArray[Any]) -> None:
    if image.dtype == np.uint8:
        return
    if image.dtype.kind == "f":
        step = (
            "Pass the original pixels. If these lie between 0 and 1, multiply by 255 and convert: "
            "np.rint(image * 255).astype(np.uint8)."
        )
    else:
        step = "Pass the original pixels. If all are 0 to 255, convert: image.astype('uint8')."
    raise KitError(
        f"The image has dtype {image.dtype}, not uint8.",
        "Pixels are bytes of 0 to 255, as in MNIST; the chip itself does the scaling.",
        step,
    )


def _check_picture(picture: Any) -> Pixels:
    if not isinstance(picture, np.ndarray):
        return check_image(picture)
    _check_dtype(picture)
    if picture.ndim != 2 or picture.size == 0:
        raise KitError(
            f"The picture has shape {_times(picture.shape)}, not height x width.",
            "One gray level per pixel is needed.",
            "Convert a colored picture to gray, or let read_image(path, prepare=True) do it.",
        )
    return picture


def _ink(picture: Pixels, polarity: Polarity) -> Pixels:
    """The picture with paper at 0 and the strongest ink at 255."""
    levels = picture.astype(np.float32)
    border = np.concatenate([levels[0], levels[-1], levels[:, 0], levels[:, -1]])
    middle = (levels.min() + levels.max()) / 2
    if _is_dark_on_light(border, middle, polarity):
        levels, border, middle = -levels, -border, -middle
    paper = border[border <= middle] if (border <= middle).any() else levels.min(keepdims=True)
    level = np.median(paper)
    ink = levels - level - NOISE * np.median(np.abs(paper - level))
    strongest = ink.max()
    if strongest < FAINT:
        raise KitError(
            "Nothing is drawn.",
            "The picture is empty, or its strokes hardly differ from the background.",
            "Draw one digit, dark on light or light on dark.",
        )
    result: Pixels = np.rint(np.clip(ink / strongest, 0, 1) * 255).astype(np.uint8)
    return result


def _is_dark_on_light(border: NDArray[np.float32], middle: np.float32, polarity: Polarity) -> bool:
    if polarity == "auto":
        return bool(np.median(border) > middle)
    if polarity not in ("light-on-dark", "dark-on-light"):
        raise KitError(
            f"There is no polarity {polarity!r}.", "", "Use auto, light-on-dark or dark-on-light."
        )
    return polarity == "dark-on-light"


def _crop(ink: Pixels) -> Pixels:
    drawn = ink > EDGE
    rows, columns = np.flatnonzero(drawn.any(axis=1)), np.flatnonzero(drawn.any(axis=0))
    return ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def _scale(ink: Pixels, longest: int) -> Pixels:
    """Scaled so that the larger side is `longest`, keeping the aspect ratio, antialiased."""
    factor = longest / max(ink.shape)
    height, width = (max(1, round(side * factor)) for side in ink.shape)
    smooth = Image.fromarray(ink).resize((width, height), Image.Resampling.BICUBIC)
    return np.asarray(smooth)


def _stroke_width(ink: Pixels) -> float:
    """Mean width of the strokes in pixels: a stroke of width w and length l has area w l and,
    counted along pixel edges in all directions, an outline of 4 / pi * 2 l."""
    drawn = np.pad(ink > 127, 1).astype(np.int8)
    outline = np.abs(np.diff(drawn, axis=0)).sum() + np.abs(np.diff(drawn, axis=1)).sum()
    return float(8 / np.pi * drawn.sum() / max(1, outline))


def _widen(ink: Pixels) -> Pixels:
    """The ink on a finer grid, its strokes grown by a round pen to MNIST's width."""
    fine = np.where(_scale(ink, BOX * FINE) > 80, 255, 0).astype(np.uint8)
    radius = max(0, round((STROKE * FINE - _stroke_width(fine)) / 2))
    padded = np.pad(fine, radius)
    grown = padded.copy()
    for dy in range(-radius, radius + 1):
        for dx in range(-radius, radius + 1):
            if dx * dx + dy * dy <= radius * radius:
                np.maximum(grown, np.roll(padded, (dy, dx), (0, 1)), out=grown)
    return _crop(grown)


def _center(digit: Pixels) -> Pixels:
    """The digit in a 28 x 28 image, moved by whole pixels until its center of mass is in the
    middle, but never beyond the edge."""
    mass = digit.astype(np.float64)
    image = np.zeros((SIDE, SIDE), np.uint8)
    corner = []
    for axis, side in enumerate(digit.shape):
        center = (mass.sum(axis=1 - axis) @ np.arange(side)) / mass.sum()
        corner.append(min(max(0, round(CENTER - center)), SIDE - side))
    top, left = corner
    image[top : top + digit.shape[0], left : left + digit.shape[1]] = digit
    return image


def _read_png(path: Path) -> Pixels:
    try:
        with warnings.catch_warnings(), Image.open(path, formats=["PNG"]) as image:
            if image.width * image.height > LARGEST:
                raise Image.DecompressionBombError
            if image.mode.startswith("I"):
                raise KitError(
                    f"{path} has 16 bits per pixel.", "8 are read here.", "Save it with 8 bits."
                )
            return np.asarray(_gray(image))
    except Image.DecompressionBombError as error:
        raise KitError(
            f"{path} is larger than {LARGEST // 1_000_000} million pixels.",
            "Unpacking it could fill the memory.",
            "Save it smaller: 300 x 300 pixels are plenty.",
        ) from error
    except (OSError, SyntaxError, ValueError) as error:
        raise _unreadable(path, "a PNG image") from error


def _gray(image: Image.Image) -> Image.Image:
    if image.has_transparency_data:
        paper = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(paper, image.convert("RGBA"))
    return image.convert("L")


def _read_npy(path: Path) -> Pixels:
    try:
        # Mapped, because a header may promise more than the file or the memory holds.
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, EOFError, ValueError) as error:
        raise _unreadable(path, "a NumPy array") from error
    if not isinstance(array, np.ndarray):
        raise _unreadable(path, "a single NumPy array")
    return np.array(_check_picture(array))


def _unreadable(path: Path, kind: str) -> KitError:
    return KitError(
        f"{path} cannot be read as {kind}.",
        "The file is damaged, incomplete, or of another kind than its name says.",
        "Save it again, or take another file.",
    )


def _times(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape)) or "()"
