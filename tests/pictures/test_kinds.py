"""kit.pictures: photographs, scans and drawings are read as the digits that they show."""

import numpy as np
import pytest
from depth import first, many
from drawings import drawing
from networks import make_course
from PIL import Image, ImageFilter

from kit.digits import load_mnist
from kit.errors import KitError
from kit.model import Reference, pixels_to_input, read_model
from kit.pictures import like_mnist, read_image

COUNT = many(10, 40)


@pytest.fixture(scope="module")
def read(tmp_path_factory):
    """The digits that LiteRT reads in images, with the course's network."""
    path = make_course(tmp_path_factory.mktemp("model") / "digits_int8.tflite")
    network, tensor = Reference(path), read_model(path).input

    def digits(images):
        inputs = pixels_to_input(np.array(images), tensor)
        return network.run(inputs.reshape(-1, *network.input_shape)).argmax(axis=1)

    return digits


# --- Kinds of pictures: each takes how much ink covers each pixel, 0 to 1, and random numbers -----


def photo(cover, rng, light=1.0, noise=3.0):
    """Dark ink on light paper, out of focus and with grain."""
    levels = light * rng.uniform(200, 250) * (1 - 0.9 * cover)
    image = Image.fromarray(levels.astype(np.uint8)).filter(ImageFilter.GaussianBlur(0.8))
    return np.clip(image + rng.normal(0, noise, cover.shape), 0, 255).astype(np.uint8)


def across(cover, rng):
    """From -0.5 to 0.5 across the picture, in some direction."""
    angle = rng.uniform(0, 2 * np.pi)
    rows, columns = (axis / axis.max() - 0.5 for axis in np.indices(cover.shape))
    return rows * np.sin(angle) + columns * np.cos(angle)


def frame(cover, rng):
    thick, inset = rng.integers(1, 6), rng.integers(0, 15)
    line = np.pad(np.zeros_like(np.pad(cover, 4)), thick, constant_values=rng.uniform(0.4, 1))
    return photo(np.pad(np.maximum(np.pad(cover, thick + 4), line), inset), rng)


def desk(cover, rng):
    rows, columns = np.indices(cover.shape)
    sides = [(rows, columns), (rows[::-1], columns), (columns, rows), (columns[:, ::-1], rows)]
    light, cover = np.ones_like(cover), cover.copy()
    for which in rng.permutation(4)[: rng.integers(1, 3)]:
        away, along = sides[which]
        edge = rng.uniform(0.03, 0.12) * len(cover) + rng.uniform(-0.06, 0.06) * along
        light[away < edge], cover[away < edge] = rng.uniform(0.15, 0.5), 0
    return photo(cover, rng, light)


def ruled(cover, rng, squared=False):
    rows, columns = np.indices(cover.shape)
    slope, apart = rng.uniform(-0.035, 0.035), rng.uniform(0.06, 0.2) * len(cover)
    thick = rng.uniform(1, 3)
    lines = (rows + slope * columns + rng.uniform(0, apart)) % apart < thick
    if squared:
        lines |= (columns - slope * rows + rng.uniform(0, apart)) % apart < thick
    return photo(np.maximum(cover, lines * rng.uniform(0.25, 0.8)), rng)


def hard_shadow(cover, rng):
    shadow = across(cover, rng) > rng.uniform(-0.25, 0.25)
    return photo(cover, rng, np.where(shadow, rng.uniform(0.4, 0.8), 1))


def soft_shadow(cover, rng):
    edge = (across(cover, rng) - rng.uniform(-0.3, 0.3)) * rng.uniform(4, 15)
    return photo(cover, rng, 1 - rng.uniform(0.3, 0.65) / (1 + np.exp(-edge)))


def speck(cover, rng):
    cover, side = cover.copy(), int(rng.uniform(0.01, 0.05) * len(cover)) + 2
    top, left = rng.choice([3, len(cover) - side - 3], 2)
    cover[top : top + side, left : left + side] = 1
    return photo(cover, rng)


def on_transparent(cover, level):
    image = Image.new("LA", cover.shape[::-1], level)
    image.putalpha(Image.fromarray(np.rint(cover * 255).astype(np.uint8)))
    return image


def turned(cover, rng):
    """A photograph that a viewer has to turn, as the orientation in its EXIF data (1 to 8) says."""
    how = rng.integers(1, 9)
    back = {2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}  # Image.Transpose that undoes it
    image = Image.fromarray(photo(cover, rng))
    image = image.transpose(Image.Transpose(back[how])) if how > 1 else image
    image.getexif()[0x0112] = int(how)
    return image


KINDS = {
    "plain": photo,
    "noisy": lambda cover, rng: photo(cover, rng, noise=10),
    "chalk": lambda cover, rng: 255 - photo(cover, rng),
    "pencil": lambda cover, rng: photo(cover * 0.4, rng),
    "frame": frame,
    "desk": desk,
    "ruled": ruled,
    "squared": lambda cover, rng: ruled(cover, rng, squared=True),
    "hard shadow": hard_shadow,
    "soft shadow": soft_shadow,
    "speck": speck,
    "white on transparent": lambda cover, rng: on_transparent(cover, 255),
    "black on transparent": lambda cover, rng: on_transparent(cover, 0),
    "turned": turned,
}


def cover(image, rng):
    """An MNIST digit 8 to 20 times as large, smooth, with some paper around."""
    side = round(28 * rng.uniform(8, 20) * many(0.7, 1))
    large = Image.fromarray(image).resize((side, side), Image.Resampling.BICUBIC)
    return np.pad(np.float32(large) / 255, rng.integers(0, side // 6))


def prepared(picture, path):
    """The picture written to a file of its own format and read; nothing where it is refused."""
    picture = Image.fromarray(picture) if isinstance(picture, np.ndarray) else picture
    picture.save(path, exif=picture.getexif())
    try:
        return read_image(path, prepare=True)
    except KitError:
        return np.zeros((28, 28), np.uint8)


@pytest.mark.parametrize("kind", first(4, KINDS))
def test_a_kind_of_picture_is_read(kind, read, tmp_path):
    """At least nine in ten, of the first of MNIST's test images."""
    images, labels = (part[:COUNT] for part in load_mnist()[1])
    rng = np.random.default_rng(3)
    path = tmp_path / ("a.jpg" if kind == "turned" else "a.png")
    pictures = [prepared(KINDS[kind](cover(image, rng), rng), path) for image in images]
    assert np.sum(read(pictures) == labels) >= 0.9 * COUNT


@pytest.mark.parametrize("side", [100, 280, 480, 600, 1000, 2400])
def test_the_thinnest_pen_is_read_at_any_size(side, read):
    """A pen of one pixel neither vanishes when the picture is scaled down nor ends in an error."""
    right = read([like_mnist(drawing(digit, side)) for digit in range(10)]) == np.arange(10)
    assert right.sum() >= 9


def two(gap):
    """A 3 beside a 4, with so many pixels of paper between, 200 pixels tall."""
    left, right = (drawing(digit, 250, 18) for digit in (3, 4))
    left, right = (part[:, (part < 128).any(axis=0)] for part in (left, right))
    paper = np.full((250, gap), 255, np.uint8)
    return np.pad(np.hstack([left, paper, right]), 30, constant_values=255)


@pytest.mark.parametrize("picture", [two(15), two(90), np.vstack([drawing(3, 250, 18)] * 2)])
def test_several_digits_are_not_taken_for_one(picture, read):
    """Side by side or one above the other; the advice, to crop, helps."""
    with pytest.raises(KitError, match="more than one digit") as caught:
        like_mnist(picture)
    assert "Crop" in caught.value.next_step
    assert read([like_mnist(picture[:250, :178])]).tolist() == [3]


def test_a_digit_in_parts_stays_whole_and_a_neighbor_cut_off_is_left_out(read):
    """A 5 with its upper stroke apart; the edge of a 4 at the side of the picture."""
    five = drawing(5, 280, 18).copy()
    five[48:58] = 255  # cuts the first stroke off
    beside = drawing(4, 280, 18)[:, :140]
    assert read([like_mnist(five), like_mnist(np.hstack([five, beside]))]).tolist() == [5, 5]


def test_a_digit_at_the_edge_stays(read):
    """What touches the border is left out beside a digit only, not when it is the digit."""
    seven = drawing(7, 280, 18)
    assert read([like_mnist(seven[28:]), like_mnist(seven[:, 55:])]).tolist() == [7, 7]
