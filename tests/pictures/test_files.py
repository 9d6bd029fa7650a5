"""kit.pictures.files: pictures and arrays are told by their content, or refused in words."""

from pathlib import Path

import numpy as np
import pytest
from drawings import SEVEN
from PIL import Image

from kit.digits import load_mnist
from kit.errors import KitError
from kit.pictures import like_mnist, read_image

IMAGE = load_mnist()[1][0][0]


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "LA", "P"])
def test_a_png_of_any_kind_gives_the_same_pixels(tmp_path, mode):
    """Gray stays exact however the drawing program stored it."""
    path = tmp_path / "digit.PNG"
    image = Image.fromarray(IMAGE)
    image = image.convert("RGB").convert("RGBA") if mode == "RGBA" else image.convert(mode)
    image.save(path, format="PNG")
    assert np.array_equal(read_image(path), IMAGE)


def test_the_transparent_color_of_a_palette_is_white(tmp_path):
    palette = Image.new("P", (28, 28))
    palette.putpalette([0, 0, 0, 10, 20, 30])
    palette.save(tmp_path / "palette.png", transparency=0)
    with pytest.raises(KitError, match="light at its border"):
        read_image(tmp_path / "palette.png")


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "BMP", "GIF", "TIFF", "WEBP"])
def test_a_format_is_told_by_its_content(kind, tmp_path):
    """JPEG bytes called .png are a picture and not damage."""
    path = tmp_path / "seven.png"
    Image.fromarray(SEVEN).save(path, kind)
    prepared = read_image(path, prepare=True)
    assert np.abs(prepared.astype(int) - like_mnist(SEVEN)).mean() < 5


DEPTHS = {
    "16 bits": Image.fromarray(SEVEN.astype(np.uint16) * 257),
    "32 bits": Image.fromarray(SEVEN.astype(np.int32) * 257),
    "float to 1": Image.fromarray(SEVEN.astype(np.float32) / 255),
    "float to 255": Image.fromarray(SEVEN.astype(np.float32)),
    "print colors": Image.fromarray(SEVEN).convert("CMYK"),
    "1 bit": Image.fromarray(SEVEN).convert("1"),
}


@pytest.mark.parametrize("depth", DEPTHS)
def test_any_depth_gives_the_same_pixels(depth, tmp_path):
    DEPTHS[depth].save(tmp_path / "a.tif")
    prepared = read_image(tmp_path / "a.tif", prepare=True)
    assert np.abs(prepared.astype(int) - like_mnist(SEVEN)).max() <= 1


@pytest.mark.parametrize("shape", [(28, 28), (1, 28, 28), (28, 28, 1), (1, 28, 28, 1)])
def test_an_array_with_axes_of_one_is_one_image(shape, tmp_path):
    """As networks take and give images."""
    np.save(tmp_path / "a.npy", IMAGE.reshape(shape))
    assert np.array_equal(read_image(str(tmp_path / "a.npy")), IMAGE)


def png(picture):
    return lambda path: Image.fromarray(picture).save(path)


def truncated(path):
    Image.fromarray(SEVEN).save(path)
    path.write_bytes(path.read_bytes()[:-200])


def promising(path):
    """An .npy file that promises 10**12 pixels and holds 784."""
    np.save(path, np.zeros((28, 28), np.uint8))
    header = b"(28, 28), }            ", b"(1000000, 1000000), }  "
    path.write_bytes(path.read_bytes().replace(*header))


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
        ("a.png", png(SEVEN), "280 x 280 pixels(?s:.*)--prepare"),
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
