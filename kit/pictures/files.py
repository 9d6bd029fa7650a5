"""Pictures and arrays read from files: told by their content, not by their names."""

import warnings
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from kit.digits.prepare import SIDE, Pixels, check_image, times
from kit.errors import KitError
from kit.pictures.normalize import check_picture, like_mnist

FORMATS = ("PNG", "JPEG", "BMP", "GIF", "TIFF", "WEBP")
NPY = b"\x93NUMPY"  # what each .npy file begins with: numpy.lib.format
LARGEST = 50_000_000  # pixels of the largest picture read


def read_image(path: str | Path, prepare: bool = False) -> Pixels:
    """The image in a picture or .npy file, as uint8 of shape (28, 28); 0 = paper, 255 = ink.

    Any of `FORMATS` is read, whatever the file is called: gray (up to 16 bits and float), colored,
    with a palette or 1-bit, turned as its EXIF orientation says, and of several pictures the first.
    Transparency is laid over white, or over black where all that is seen is light. Of a .npy file,
    axes of length 1 are left out. With `prepare` any picture is made like MNIST by `like_mnist`.
    Raises KitError: missing, unreadable, too large, or (without `prepare`) not 28 x 28 of uint8.
    """
    path = Path(path)
    if not path.is_file():
        raise KitError(f"There is no file {path}.", "", "Check the name and the folder.")
    try:
        pixels = _pixels(path)
    except KitError:
        raise
    except Image.DecompressionBombError as error:
        raise KitError(
            f"{path} is larger than {LARGEST // 1_000_000} million pixels.",
            "Unpacking it could fill the memory.",
            "Save it smaller: 300 x 300 pixels are plenty.",
        ) from error
    except Exception as error:  # decoders raise whatever a damaged file leads them to
        raise KitError(
            f"{path} cannot be read as a picture or a NumPy array.",
            "The file is damaged, incomplete, or of a kind that is not read here.",
            "Save it again as PNG, JPEG, BMP, GIF, TIFF, WebP or .npy, or take another file.",
        ) from error
    if prepare:
        return like_mnist(pixels)
    if pixels.shape != (SIDE, SIDE):
        raise KitError(
            f"{path} is {times(pixels.shape)} pixels (rows x columns), not {SIDE} x {SIDE}.",
            f"The network reads {SIDE} x {SIDE} pixels, as in MNIST.",
            "Have it made like MNIST: --prepare on the command line, prepare=True in Python.",
        )
    return check_image(pixels)


def _pixels(path: Path) -> Pixels:
    with path.open("rb") as file:
        is_npy = file.read(len(NPY)) == NPY
    if is_npy:  # mapped, because a header may promise more than the file or the memory holds
        array = np.load(path, mmap_mode="r", allow_pickle=False)
        while array.ndim > 2 and 1 in array.shape:
            array = array.squeeze(array.shape.index(1))
        check_picture(array)
        return np.array(array)
    with warnings.catch_warnings(), Image.open(path, formats=FORMATS) as image:
        warnings.simplefilter("ignore")
        if image.width * image.height > LARGEST:
            raise Image.DecompressionBombError
        return np.asarray(_gray(ImageOps.exif_transpose(image)))


def _gray(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I") or image.mode == "F":
        return Image.fromarray(_eight_bits(np.asarray(image)))
    if not image.has_transparency_data:
        return image.convert("L")
    image = image.convert("RGBA")
    gray, alpha = image.convert("RGB").convert("L"), image.getchannel("A")
    seen = np.asarray(gray)[np.asarray(alpha) > 127]
    paper = 0 if seen.size and (seen > 127).all() else 255
    return Image.composite(gray, Image.new("L", image.size, paper), alpha)


def _eight_bits(pixels: NDArray[Any]) -> Pixels:
    """16 bits by their range; others by the first of 1, 255 and 65535 that holds all, or else by
    their own range."""
    levels = np.nan_to_num(pixels.astype(np.float64))
    low, high = min(0.0, levels.min()), levels.max()
    usual = [65535.0] if pixels.dtype == np.uint16 else [1.0, 255.0, 65535.0]
    if low == 0:
        high = min((limit for limit in usual if limit >= high), default=high)
    return np.rint(np.interp(levels, (low, high), (0, 255))).astype(np.uint8)
