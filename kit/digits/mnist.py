"""MNIST and UCI's digits, read from `data/` and checked."""

import zlib
from functools import cache
from pathlib import Path

import numpy as np

from kit.digits.prepare import SIDE, Pixels
from kit.errors import KitError
from kit.paths import DATA

Split = tuple[Pixels, Pixels]

MNIST = DATA / "mnist.npz"
UCI = DATA / "uci_digits.npz"

# The name of each array (Keras's for MNIST), its shape, and the CRC-32 of its bytes.
CONTENT = {
    "x_train": ((60000, SIDE, SIDE), 0xF3639B56),
    "y_train": ((60000,), 0xBA07E8EF),
    "x_test": ((10000, SIDE, SIDE), 0xE4CA5F57),
    "y_test": ((10000,), 0xEE8604D9),
}
UCI_CONTENT = {"images": ((1797, 8, 8), 0xF3A2533C), "labels": ((1797,), 0xF86FC929)}


@cache
def load_mnist(path: Path = MNIST) -> tuple[Split, Split]:
    """The whole of MNIST, in the form of `keras.datasets.mnist.load_data()`.

    `(x_train, y_train), (x_test, y_test)`: images uint8 (60000, 28, 28) and (10000, 28, 28),
    0 = paper and 255 = ink; labels uint8 (60000,) and (10000,), 0 to 9. The arrays are shared
    between calls and therefore read-only: `.copy()` one to change it.

    Raises KitError: the file is missing, damaged, or holds something other than MNIST.
    """
    arrays = _read(path, MNIST, "MNIST", CONTENT)
    return (arrays["x_train"], arrays["y_train"]), (arrays["x_test"], arrays["y_test"])


@cache
def read_uci(path: Path = UCI) -> Split:
    """The test digits of UCI's *Optical Recognition of Handwritten Digits*, as they were published:
    images uint8 (1797, 8, 8), 0 = paper and 16 = ink; labels uint8 (1797,). They are read-only.
    `kit.pictures.load_uci` makes images like MNIST's of them.

    Raises KitError: the file is missing, damaged, or holds something else.
    """
    arrays = _read(path, UCI, "UCI's digits", UCI_CONTENT)
    return arrays["images"], arrays["labels"]


def _read(
    path: Path, own: Path, what: str, content: dict[str, tuple[tuple[int, ...], int]]
) -> dict[str, Pixels]:
    """The arrays of a file, if they are those that `content` tells of; `own` is the project's."""
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in content if name in file}
    except FileNotFoundError as error:
        raise _unusable(path, own, what, "There is no such file.") from error
    except Exception as error:  # what is no archive, or a damaged one, ends in all kinds
        why = "It is not a readable .npz archive: damaged or incomplete."
        raise _unusable(path, own, what, why) from error
    for name, (shape, crc) in content.items():
        array = arrays.get(name)
        if array is None or array.dtype != np.uint8 or array.shape != shape:
            raise _unusable(path, own, what, f"{name} is not there as uint8 {shape}.")
        if zlib.crc32(array.tobytes()) != crc:
            raise _unusable(path, own, what, f"The values of {name} are not those of {what}.")
        array.flags.writeable = False
    return arrays


def _unusable(path: Path, own: Path, what: str, why: str) -> KitError:
    return KitError(
        f"{path} cannot be used: it should hold {what}.",
        why,
        f"Get a clean copy of data/{own.name}: it is part of the project "
        f"(`git checkout -- data/{own.name}`, or download the project again).",
    )
