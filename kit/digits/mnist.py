"""MNIST, read from `data/mnist.npz` and checked."""

import zlib
from functools import cache
from pathlib import Path

import numpy as np

from kit.digits.prepare import SIDE, Pixels
from kit.errors import KitError
from kit.paths import DATA

Split = tuple[Pixels, Pixels]

MNIST = DATA / "mnist.npz"

# Keras's name of each array, its shape, and the CRC-32 of its bytes.
CONTENT = {
    "x_train": ((60000, SIDE, SIDE), 0xF3639B56),
    "y_train": ((60000,), 0xBA07E8EF),
    "x_test": ((10000, SIDE, SIDE), 0xE4CA5F57),
    "y_test": ((10000,), 0xEE8604D9),
}


@cache
def load_mnist(path: Path = MNIST) -> tuple[Split, Split]:
    """The whole of MNIST, in the form of `keras.datasets.mnist.load_data()`.

    `(x_train, y_train), (x_test, y_test)`: images uint8 (60000, 28, 28) and (10000, 28, 28),
    0 = paper and 255 = ink; labels uint8 (60000,) and (10000,), 0 to 9. The arrays are shared
    between calls and therefore read-only: `.copy()` one to change it.

    Raises KitError: the file is missing, damaged, or holds something other than MNIST.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in CONTENT if name in file}
    except FileNotFoundError as error:
        raise _unusable(path, "There is no such file.") from error
    except Exception as error:  # what is no archive, or a damaged one, ends in all kinds
        why = "It is not a readable .npz archive: damaged or incomplete."
        raise _unusable(path, why) from error
    for name, (shape, crc) in CONTENT.items():
        array = arrays.get(name)
        if array is None or array.dtype != np.uint8 or array.shape != shape:
            raise _unusable(path, f"{name} is not there as uint8 {shape}.")
        if zlib.crc32(array.tobytes()) != crc:
            raise _unusable(path, f"The pixels or labels of {name} are not those of MNIST.")
        array.flags.writeable = False
    return (arrays["x_train"], arrays["y_train"]), (arrays["x_test"], arrays["y_test"])


def _unusable(path: Path, why: str) -> KitError:
    return KitError(
        f"MNIST cannot be read from {path}.",
        why,
        "Get a clean copy of data/mnist.npz: it is part of the project "
        "(`git checkout -- data/mnist.npz`, or download the project again).",
    )
