"""A .tflite file is described as it is, and a bad one is refused with a reason."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from networks import Spec, make, quantizing

from kit.errors import KitError
from kit.model import (
    Reference,
    Tensor,
    describe_range,
    input_range,
    output_to_scores,
    pixels_to_input,
    read,
)


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    spec = Spec(20, (12, 5), "relu", True, True, True, True, 0.3, 1)
    return make(spec, tmp_path_factory.mktemp("model") / "example.tflite")


def test_the_description_is_what_litert_says(path):
    """Names, shapes, types, scales and zero points of every tensor, against LiteRT's own."""
    from ai_edge_litert.interpreter import Interpreter

    theirs = Interpreter(str(path)).get_tensor_details()
    for tensor, detail in zip(read(path).tensors, theirs, strict=False):
        quantization = detail["quantization_parameters"]
        assert tensor.name == detail["name"]
        assert tensor.shape == tuple(detail["shape"])
        assert np.dtype(tensor.dtype) == detail["dtype"]
        np.testing.assert_array_equal(tensor.scales, quantization["scales"])
        np.testing.assert_array_equal(tensor.zero_points, quantization["zero_points"])


def test_a_missing_file(tmp_path):
    with pytest.raises(KitError, match="no file"):
        read(tmp_path / "missing.tflite")


@pytest.mark.parametrize("content", [b"", b"PNG", b"\0" * 64, b"\x89PNG\r\n\x1a\n" + b"\0" * 99])
def test_a_file_that_is_no_model(tmp_path, content):
    file = tmp_path / "wrong.tflite"
    file.write_bytes(content)
    with pytest.raises(KitError, match="TFL3"):
        read(file)


@settings(deadline=None, max_examples=30, derandomize=True)
@given(share=st.floats(0.01, 0.99))
def test_a_truncated_model(path, tmp_path_factory, share):
    """A download that stopped half-way is an error at any length, never a wrong network."""
    content = path.read_bytes()
    file = tmp_path_factory.mktemp("truncated") / "half.tflite"
    file.write_bytes(content[: int(share * len(content))])
    with pytest.raises(KitError):
        read(file)


def test_the_wrong_input_for_a_model(path):
    with pytest.raises(KitError, match="int8"):
        Reference(path).run(np.zeros((1, 20), np.float64))
    with pytest.raises(KitError, match=r"20"):
        Reference(path).run(np.zeros((1, 21), np.int8))


def _input(scale, zero_point, dtype="int8"):
    scales, zeros = np.array([scale], np.float32), np.array([zero_point])
    return Tensor(0, "x", (1, 256), dtype, scales, zeros)


def test_pixels_are_pixel_minus_128():
    """The heart of the kit: with scale 1/255 and zero point -128 preparing is a subtraction."""
    pixels = np.arange(256, dtype=np.uint8)
    np.testing.assert_array_equal(
        pixels_to_input(pixels, _input(1 / 255, -128)), pixels.astype(int) - 128
    )


@given(st.floats(1e-3, 1.0), st.integers(-128, 127))
def test_pixels_follow_scale_and_zero_point(scale, zero_point):
    """Every pixel becomes the integer that is nearest to it, kept in the range of int8."""
    tensor = _input(scale, zero_point)
    pixels = np.arange(256, dtype=np.uint8)
    exact = pixels / 255 / np.float64(tensor.scale) + zero_point
    made = pixels_to_input(pixels, tensor, (0, 1))
    np.testing.assert_array_less(np.abs(made - np.clip(exact, -128, 127)), 0.5 + 1e-3)


@pytest.mark.parametrize(
    ("scale", "zero_point", "expected"),
    [
        (1 / 255, -128, (0, 1)),
        (1 / 256, -128, (0, 1)),
        (1, -128, (0, 255)),
        (2 / 255, 0, (-1, 1)),
        (2 / 255, -1, (-1, 1)),
        (0.0129, -96, None),  # mean 0.13 and deviation 0.31 taken out
        (6 / 255, -128, None),
        (0, 0, None),
    ],
)
def test_the_input_tells_how_pixels_were_scaled_for_training(scale, zero_point, expected):
    """A network trained on other than pixels / 255 is not taken for one that was."""
    assert input_range("int8", scale, zero_point) == expected
    if expected is None:
        with pytest.raises(KitError, match="--input-range"):
            pixels_to_input(np.zeros((1, 4), np.uint8), _input(scale, zero_point))


def test_a_float32_input_does_not_tell_and_that_is_said():
    assert input_range("float32", 0, 0) == (0, 1)
    assert "float32 does not tell" in describe_range((0, 1), "float32")


@pytest.mark.parametrize("span", [(0, 1), (0, 255), (-1, 1), (-0.4242, 2.8215), (1, 0)])
@pytest.mark.parametrize("zero_point", [-128, -1, 0, 30])
def test_pixels_become_what_litert_quantizes_them_to(tmp_path, span, zero_point):
    """All 256 pixels, beside LiteRT's own QUANTIZE of the real numbers that training used."""
    low, high = map(np.float32, span)
    scale = np.float32(abs(high - low) / 255)
    path = quantizing(tmp_path / "quantize.tflite", scale, zero_point)
    pixels = np.arange(256, dtype=np.uint8)
    real = pixels_to_input(pixels, _input(0, 0, "float32"), span)
    np.testing.assert_allclose(real, low + pixels / 255 * (high - low), atol=1e-4 * abs(high))
    np.testing.assert_array_equal(
        pixels_to_input(pixels, _input(scale, zero_point), span), Reference(path).run(real[None])[0]
    )


def test_scores_are_real_numbers():
    tensor = _input(1 / 256, -128)
    values = np.array([-128, 0, 127], np.int8)
    np.testing.assert_allclose(output_to_scores(values, tensor), [0, 0.5, 255 / 256])
