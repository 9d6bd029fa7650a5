"""kit.digits.mnist: MNIST is the real one, and nothing else is taken for it."""

import hashlib
import re
import struct

import numpy as np
import pytest

from kit.digits import load_mnist, read_uci
from kit.digits.mnist import MNIST, UCI
from kit.errors import KitError
from kit.paths import DATA

# Published with the original files and repeated by every loader of MNIST.
PUBLISHED = {
    "x_train": "6bbc9ace898e44ae57da46a324031adb",
    "y_train": "a25bea736e30d166cdddb491f175f624",
    "x_test": "2646ac647ad5339dbf082846283269ea",
    "y_test": "27ae3e4e09519cfbb04c329615203637",
}


@pytest.fixture(scope="module")
def mnist():
    return dict(zip(PUBLISHED, sum(load_mnist(), ()), strict=True))


def idx(array):
    """The array as LeCun's IDX file: 0, 0, 8 (unsigned byte), dimensions, sizes, data."""
    header = struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape)
    return header + array.tobytes()


@pytest.mark.parametrize("name", PUBLISHED)
def test_mnist_is_the_published_one(mnist, name):
    """Not a pixel or label differs from the files LeCun published."""
    assert hashlib.md5(idx(mnist[name]), usedforsecurity=False).hexdigest() == PUBLISHED[name]


def test_the_readme_states_the_checksums_that_are_true():
    """data/README.md neither goes stale nor lists a sum that nobody checks."""
    text = (DATA / "README.md").read_text(encoding="utf-8")
    assert hashlib.sha256(MNIST.read_bytes()).hexdigest() in text
    assert set(PUBLISHED.values()) <= set(re.findall(r"`([0-9a-f]{32})`", text))


def test_uci_s_digits_are_the_published_ones():
    """How many there are of each is what `optdigits.names` says of the test set; and the sum in
    data/README.md is that of the file."""
    images, labels = read_uci()
    assert np.bincount(labels).tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]
    assert (images.max(), images.any((1, 2)).all()) == (16, True)
    assert hashlib.sha256(UCI.read_bytes()).hexdigest() in (DATA / "README.md").read_text("utf-8")


def test_mnist_cannot_be_changed_by_accident(mnist):
    """The arrays are shared between calls: writing into one must fail."""
    with pytest.raises(ValueError, match="read-only"):
        mnist["x_test"][0] = 0


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (None, "no such file"),
        (MNIST.read_bytes()[:100_000], "not a readable"),
        (b"version https://git-lfs", "not a readable"),
        ({"x_train": np.zeros(3)}, "x_train is not there as uint8"),
        ({"x_train": load_mnist()[1][0]}, "x_train is not there as uint8"),
        ({"x_train": load_mnist()[0][0][::-1]}, "x_train are not those of MNIST"),
    ],
    ids=["missing", "truncated", "pointer", "other arrays", "too few", "other images"],
)
def test_another_file_in_its_place_is_refused(tmp_path, content, why):
    """A damaged or foreign mnist.npz (Fashion-MNIST has the same shapes) says so instead of
    training on rubbish."""
    path = tmp_path / "mnist.npz"
    if isinstance(content, dict):
        np.savez(path, **content)
    elif content:
        path.write_bytes(content)
    with pytest.raises(KitError, match=why) as caught:
        load_mnist(path)
    assert "data/mnist.npz" in caught.value.next_step
    with pytest.raises(KitError, match="UCI's digits") as caught:
        read_uci(path)
    assert "data/uci_digits.npz" in caught.value.next_step
