"""kit.model.pixels: a pixel becomes what it was in training, as LiteRT quantizes it."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from networks import quantizing

from kit.errors import KitError
from kit.model import Reference, Tensor, describe_range, input_range, pixels_to_input
from kit.model.pixels import output_to_scores

PIXELS = np.arange(256, dtype=np.uint8)


def _input(scale, zero_point, dtype="int8"):
    scales, zeros = np.array([scale], np.float32), np.array([zero_point])
    return Tensor(0, "x", (1, 256), dtype, scales, zeros)


@pytest.mark.parametrize(("dtype", "zero_point"), [("int8", -128), ("uint8", 0)])
def test_pixels_are_pixel_minus_128(dtype, zero_point):
    """The heart of the kit: with scale 1/255 and zero point -128 preparing is a subtraction. A
    uint8 input takes the pixels themselves."""
    made = pixels_to_input(PIXELS, _input(1 / 255, zero_point, dtype))
    np.testing.assert_array_equal(made, PIXELS.astype(int) + zero_point)


@given(st.floats(1e-3, 1.0), st.integers(-128, 127))
def test_pixels_follow_scale_and_zero_point(scale, zero_point):
    """Every pixel becomes the integer that is nearest to it, kept in the range of int8."""
    tensor = _input(scale, zero_point)
    exact = PIXELS / 255 / np.float64(tensor.scale) + zero_point
    made = pixels_to_input(PIXELS, tensor, (0, 1))
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
    ],
)
def test_the_input_tells_how_pixels_were_scaled_for_training(scale, zero_point, expected):
    """A network trained on other than pixels / 255 is not taken for one that was."""
    assert input_range(_input(scale, zero_point)) == expected
    if expected is None:
        with pytest.raises(KitError, match="--input-range"):
            pixels_to_input(np.zeros((1, 4), np.uint8), _input(scale, zero_point))


def test_a_float32_input_does_not_tell_and_that_is_said():
    assert input_range(_input(0, 0, "float32")) == (0, 1)
    assert "float32 does not tell" in describe_range((0, 1), "float32")


@pytest.mark.parametrize(("most", "expected"), [(1, (0, 1)), (255, (0, 255)), (3, None)])
def test_an_int16_input_tells_only_its_upper_end(most, expected):
    """Its zero point is 0 for 0 to 1 as for -1 to 1: the first is assumed, and that is said."""
    assert input_range(_input(most / 32767, 0, "int16")) == expected
    assert "int16 does not tell" in describe_range((0, 1), "int16")


@pytest.mark.parametrize("span", [(0, 1), (0, 255), (-1, 1), (-0.4242, 2.8215), (1, 0)])
@pytest.mark.parametrize("zero_point", [-128, -1, 0, 30])
def test_pixels_become_what_litert_quantizes_them_to(tmp_path, span, zero_point):
    """All 256 pixels, beside LiteRT's own QUANTIZE of the real numbers that training used."""
    low, high = map(np.float32, span)
    scale = np.float32(abs(high - low) / 255)
    path = quantizing(tmp_path / "quantize.tflite", scale, zero_point)
    real = pixels_to_input(PIXELS, _input(0, 0, "float32"), span)
    np.testing.assert_allclose(real, low + PIXELS / 255 * (high - low), atol=1e-4 * abs(high))
    np.testing.assert_array_equal(
        pixels_to_input(PIXELS, _input(scale, zero_point), span), Reference(path).run(real[None])[0]
    )


@pytest.mark.parametrize(
    ("dtype", "scale"), [("float16", 0), ("int4", 0.1), ("bool", 0), ("unknown", 0), ("int8", 0)]
)
def test_an_input_that_takes_no_pixels_says_so(dtype, scale):
    for span in (None, (0, 1)):
        with pytest.raises(KitError, match=f"for an input of {dtype}"):
            pixels_to_input(np.zeros((1, 4), np.uint8), _input(scale, 0, dtype), span)


def test_scores_are_real_numbers():
    tensor = _input(1 / 256, -128)
    values = np.array([-128, 0, 127], np.int8)
    np.testing.assert_allclose(output_to_scores(values, tensor), [0, 0.5, 255 / 256])
