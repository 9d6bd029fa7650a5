"""MNIST is the real one; drawings become like MNIST; what is not an image is refused clearly."""

import hashlib
import re
import struct
from pathlib import Path

import numpy as np
import pytest
from depth import many
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image, ImageDraw

from kit.digits import check_image, load_mnist
from kit.digits.mnist import MNIST
from kit.errors import KitError
from kit.paths import DATA
from kit.pictures import like_mnist, read_image
from kit.pictures.normalize import stroke_width

# Published with the original files and repeated by every loader of MNIST.
PUBLISHED = {
    "x_train": "6bbc9ace898e44ae57da46a324031adb",
    "y_train": "a25bea736e30d166cdddb491f175f624",
    "x_test": "2646ac647ad5339dbf082846283269ea",
    "y_test": "27ae3e4e09519cfbb04c329615203637",
}


@pytest.fixture(scope="module")
def mnist():
    (x_train, y_train), (x_test, y_test) = load_mnist()
    return {"x_train": x_train, "y_train": y_train, "x_test": x_test, "y_test": y_test}


def line(*points, width=20, side=280):
    """A polyline, light on dark, as the drawing pad makes it."""
    picture = Image.new("L", (side, side))
    ImageDraw.Draw(picture).line(points, fill=255, width=width, joint="curve")
    return np.asarray(picture)


SEVEN = line((60, 60), (200, 60), (110, 230))


# --- MNIST ---------------------------------------------------------------------------------------


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


def test_mnist_cannot_be_changed_by_accident(mnist):
    """The arrays are shared between calls: writing into one must fail."""
    with pytest.raises(ValueError, match="read-only"):
        mnist["x_test"][0] = 0


def copy_of_mnist(path, change):
    with np.load(MNIST) as file:
        arrays = {name: file[name] for name in ("x_test", "y_test")}
    small = {"x_train": arrays["x_test"], "y_train": arrays["y_test"]}
    np.savez(path, **change({**small, **arrays}))


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (lambda path: None, "no such file"),
        (lambda path: path.write_bytes(MNIST.read_bytes()[:100_000]), "damaged|not a readable"),
        (lambda path: path.write_text("version https://git-lfs"), "not a readable"),
        (lambda path: np.savez(path, x_train=np.zeros(3)), "x_train is not there as uint8"),
        (lambda path: copy_of_mnist(path, dict), "x_train is not there as uint8"),
    ],
    ids=["missing", "truncated", "pointer", "other arrays", "too few"],
)
def test_another_file_in_its_place_is_refused(tmp_path, make, why):
    """A damaged or foreign mnist.npz says so instead of training on rubbish."""
    path = tmp_path / "mnist.npz"
    make(path)
    with pytest.raises(KitError, match=why) as caught:
        load_mnist(path)
    assert "data/mnist.npz" in caught.value.next_step


def test_other_images_of_the_same_shape_are_refused(tmp_path, mnist):
    """A dataset with MNIST's shapes (Fashion-MNIST, say) is not taken for MNIST."""
    path = tmp_path / "mnist.npz"
    np.savez(path, **{**mnist, "y_test": mnist["y_test"][::-1]})
    with pytest.raises(KitError, match="y_test are not those of MNIST"):
        load_mnist(path)


# --- check_image ---------------------------------------------------------------------------------


def test_a_good_image_passes_unchanged_and_contiguous(mnist):
    """What goes over the wire row by row has its rows in order, even of a transposed view."""
    image = mnist["x_test"][0].T
    checked = check_image(image)
    assert checked.flags.c_contiguous
    assert np.array_equal(checked, image)


@pytest.mark.parametrize(
    ("image", "what", "next_step"),
    [
        (np.zeros((28, 28)), "dtype float64, not uint8", "multiply by 255 and convert"),
        (np.zeros((28, 28), np.float32), "dtype float32, not uint8", "multiply by 255"),
        (np.zeros((28, 28), np.int8), "dtype int8, not uint8", "all are 0 to 255"),
        (np.zeros((27, 28), np.uint8), "shape 27 x 28, not 28 x 28", "Pass one image"),
        (np.zeros((1, 28, 28), np.uint8), "shape 1 x 28 x 28, not 28 x 28", "Pass one image"),
        ([[0] * 28] * 28, "a list, not a NumPy array", "np.array"),
    ],
)
def test_a_wrong_image_is_refused_with_the_way_out(image, what, next_step):
    """int8 wrap and a missing scaling begin with a wrong dtype that nobody noticed."""
    with pytest.raises(KitError, match=what) as caught:
        check_image(image)
    assert re.search(next_step, caught.value.next_step)


def test_dark_ink_on_light_paper_is_refused(mnist):
    """An inverted image, the second of the famous mistakes, never reaches the network."""
    with pytest.raises(KitError, match="dark ink on light paper") as caught:
        check_image(255 - mnist["x_test"][0])
    assert "255 - image" in caught.value.next_step


def test_no_image_of_mnist_is_taken_for_an_inverted_one(mnist):
    """The border that gives an inverted image away is dark in all 70,000."""
    for images in (mnist["x_train"], mnist["x_test"]):
        sides = [images[:, 0], images[:, -1], images[:, 1:-1, 0], images[:, 1:-1, -1]]
        assert np.concatenate(sides, axis=1).mean(axis=1).max() < 9


# --- like_mnist ----------------------------------------------------------------------------------


def center_of_mass(image):
    mass = image.astype(float)
    rows, columns = np.indices(image.shape)
    return np.array([(mass * rows).sum(), (mass * columns).sum()]) / mass.sum()


def box(image):
    rows, columns = np.flatnonzero(image.any(axis=1)), np.flatnonzero(image.any(axis=0))
    return rows[-1] - rows[0] + 1, columns[-1] - columns[0] + 1


def redrawn(image, seed):
    """The digit four times larger, somewhere on a canvas of 280 x 280."""
    large = np.asarray(Image.fromarray(image).resize((112, 112), Image.Resampling.BICUBIC))
    canvas = np.zeros((280, 280), np.uint8)
    top, left = np.random.default_rng(seed).integers(0, 280 - 112, 2)
    canvas[top : top + 112, left : left + 112] = large
    return canvas


@pytest.fixture(scope="module")
def prepared(mnist):
    originals = mnist["x_test"][: many(150, 500)]
    return originals, np.array([like_mnist(redrawn(x, i)) for i, x in enumerate(originals)])


def test_mnist_itself_comes_back(prepared):
    """An enlarged, displaced MNIST digit returns to where and as it was."""
    shifts = [
        np.hypot(*(center_of_mass(a) - center_of_mass(b))) for a, b in zip(*prepared, strict=True)
    ]
    assert np.mean(shifts) < 0.5
    assert max(shifts) < 1.5
    assert max(max(box(image)) for image in prepared[1]) == 20
    assert prepared[1].mean() == pytest.approx(prepared[0].mean(), rel=0.05)


def nearest_labels(images, mnist):
    """The label of the nearest of 10,000 training images: a classifier with nothing to train."""
    known = mnist["x_train"][:10_000].reshape(-1, 784).astype(np.float32)
    asked = images.reshape(-1, 784).astype(np.float32)
    distance = (known**2).sum(1) - 2 * asked @ known.T
    return mnist["y_train"][distance.argmin(axis=1)]


def test_prepared_digits_are_recognized_as_well_as_mnist(prepared, mnist):
    """The preparation costs no recognition: at most 1 point of accuracy."""
    originals, images = prepared
    labels = mnist["y_test"][: len(originals)]
    before = np.mean(nearest_labels(originals, mnist) == labels)
    after = np.mean(nearest_labels(images, mnist) == labels)
    assert before > 0.9
    assert after > before - 0.01


def test_an_mnist_image_stays_as_it_is(mnist):
    """What is prepared already is left alone, to the last gray level, in all 10,000."""
    assert all(np.array_equal(like_mnist(image), image) for image in mnist["x_test"])


@given(
    arrays(np.uint8, st.tuples(st.integers(1, 40), st.integers(1, 40))),
    st.sampled_from(["auto", "light-on-dark", "dark-on-light"]),
)
@settings(deadline=None)
def test_any_picture_is_prepared_or_refused(picture, polarity):
    """Whatever is drawn: 28 x 28 of uint8 in a box of 20 around the center, or a KitError."""
    try:
        image = like_mnist(picture, polarity)
    except KitError as error:
        assert re.match("Nothing is drawn|There is more than one digit", error.what)
        return
    assert image.shape == (28, 28) and image.dtype == np.uint8 and image.max() > 0
    assert max(box(image)) <= 20


def test_auto_polarity_reads_ink_on_paper_like_chalk_on_a_board():
    """The famous failure: an inverted picture must not reach the network inverted."""
    chalk = like_mnist(SEVEN)
    assert np.array_equal(like_mnist(255 - SEVEN), chalk)
    assert np.array_equal(like_mnist(255 - SEVEN, "dark-on-light"), chalk)
    assert chalk[0, 0] == 0 and chalk.max() == 255


def test_a_stated_polarity_is_obeyed():
    """A digit cut out so tightly that its border is mostly ink fools auto: the user can say."""
    tight = np.full((40, 30), 255, np.uint8)
    tight[10:30, 10:20] = 0
    assert like_mnist(tight, "light-on-dark")[14, 14] == 0
    assert like_mnist(tight, "dark-on-light")[14, 14] > 250
    with pytest.raises(KitError, match="'inverted' is not one of the choices"):
        like_mnist(tight, "inverted")


@pytest.mark.parametrize("width", [1, 2, 4, 8])
def test_thin_strokes_become_as_wide_as_mnists(width, mnist):
    """A "1" of one pixel's width must not fade away when it is scaled down."""
    image = like_mnist(line((150, 40), (130, 240), width=width))
    widths = [stroke_width(x) for x in mnist["x_test"][mnist["y_test"] == 1]]
    low, high = np.percentile(widths, [5, 95])
    assert low < stroke_width(image) < high
    assert image.max() > 250


def test_noise_and_shadow_of_a_photo_disappear():
    """Gray paper, uneven light and grain leave the digit where it is and the paper black."""
    rng = np.random.default_rng(7)
    light = np.linspace(165, 190, 280)[:, None] + rng.normal(0, 4, (280, 280))
    photo = np.clip(light - SEVEN / 255 * 110, 0, 255).astype(np.uint8)
    image, clean = like_mnist(photo), like_mnist(SEVEN)
    assert np.abs(center_of_mass(image) - center_of_mass(clean)).max() < 1
    assert image[clean == 0].mean() < 5


@pytest.mark.parametrize("level", [0, 128, 255])
def test_an_empty_picture_says_nothing_is_drawn(level):
    """Clearing the pad must not divide by zero, nor read a digit out of nothing."""
    with pytest.raises(KitError, match="Nothing is drawn"):
        like_mnist(np.full((280, 280), level, np.uint8))


@pytest.mark.parametrize(
    ("picture", "what"),
    [
        (np.zeros((9, 9)), "dtype float64"),
        (np.zeros((9, 9, 3), np.uint8), "shape 9 x 9 x 3, not height x width"),
        (np.zeros((0, 9), np.uint8), "shape 0 x 9"),
        ("seven.png", "a str, not a NumPy array"),
    ],
)
def test_what_is_no_gray_picture_is_refused(picture, what):
    with pytest.raises(KitError, match=what):
        like_mnist(picture)


# --- read_image ----------------------------------------------------------------------------------


@pytest.fixture
def digit(mnist):
    return mnist["x_test"][0]


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "LA", "P"])
def test_a_png_of_any_kind_gives_the_same_pixels(tmp_path, digit, mode):
    """Gray stays exact however the drawing program stored it."""
    path = tmp_path / "digit.PNG"
    image = Image.fromarray(digit)
    image = image.convert("RGB").convert("RGBA") if mode == "RGBA" else image.convert(mode)
    image.save(path, format="PNG")
    assert np.array_equal(read_image(path), digit)


def test_transparent_means_white(tmp_path):
    """Black ink on nothing is black ink on paper, not black on black."""
    ink = Image.new("RGBA", (280, 280), (0, 0, 0, 0))
    ink.putalpha(Image.fromarray(SEVEN))
    ink.save(tmp_path / "seven.png")
    assert np.array_equal(read_image(tmp_path / "seven.png", prepare=True), like_mnist(SEVEN))


def test_one_bit_and_transparent_palette(tmp_path):
    """1-bit becomes 0 and 255; a palette's transparent color becomes white."""
    Image.fromarray(SEVEN > 127).save(tmp_path / "bit.png")
    assert np.array_equal(read_image(tmp_path / "bit.png", prepare=True), like_mnist(SEVEN))
    palette = Image.new("P", (28, 28))
    palette.putpalette([0, 0, 0, 10, 20, 30])
    palette.save(tmp_path / "palette.png", transparency=0)
    with pytest.raises(KitError, match="light at its border"):
        read_image(tmp_path / "palette.png")


def test_npy_round_trip(tmp_path, digit):
    np.save(tmp_path / "digit.npy", digit)
    assert np.array_equal(read_image(str(tmp_path / "digit.npy")), digit)


def png(picture):
    return lambda path: Image.fromarray(picture).save(path)


def truncated(path):
    Image.fromarray(SEVEN).save(path)
    path.write_bytes(path.read_bytes()[:-200])


def promising(path):
    """An .npy file that promises 10**12 pixels and holds 784."""
    np.save(path, np.zeros((28, 28), np.uint8))
    path.write_bytes(
        path.read_bytes().replace(b"(28, 28), }            ", b"(1000000, 1000000), }  ")
    )


@pytest.mark.parametrize(
    ("name", "make", "message"),
    [
        ("a.png", lambda path: None, "There is no file"),
        ("a.png", Path.mkdir, "There is no file"),
        ("a.pdf", lambda path: path.write_bytes(b"%PDF-1.7 "), "cannot be read"),
        ("a.png", lambda path: path.write_text("a poem"), "cannot be read"),
        ("a.png", lambda path: path.write_bytes(b""), "cannot be read"),
        ("a.png", truncated, "cannot be read"),
        ("a.png", lambda path: Image.new("1", (20000, 20000)).save(path), "larger than 50 million"),
        ("a.png", lambda path: Image.new("1", (8000, 8000)).save(path), "larger than 50 million"),
        ("a.png", png(SEVEN), "280 x 280 pixels"),
        ("a.png", png(np.zeros((27, 28), np.uint8)), "27 x 28 pixels"),
        ("a.npy", lambda path: path.write_text("a poem"), "cannot be read"),
        ("a.npy", lambda path: path.write_bytes(b""), "cannot be read"),
        ("a.npy", lambda path: np.save(path, np.array([{}])), "cannot be read"),
        ("a.npy", promising, "cannot be read"),
        ("a.npy", lambda path: np.save(path, np.zeros((28, 28))), "dtype float64"),
        ("a.npy", lambda path: np.save(path, np.zeros((27, 28), np.uint8)), "27 x 28 pixels"),
    ],
)
def test_an_unfit_file_is_refused(tmp_path, name, make, message):
    """Every kind of wrong file ends in a message with a next step, never in a stack."""
    path = tmp_path / name
    make(path)
    with pytest.raises(KitError, match=message) as caught:
        read_image(path)
    assert caught.value.next_step


def test_a_wrong_size_names_the_remedy(tmp_path):
    """The way out of 280 x 280 is one word on the command line."""
    png(SEVEN)(tmp_path / "seven.png")
    with pytest.raises(KitError, match="--prepare"):
        read_image(tmp_path / "seven.png")
    assert np.array_equal(read_image(tmp_path / "seven.png", prepare=True), like_mnist(SEVEN))
