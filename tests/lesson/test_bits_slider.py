"""The slider of notebook 06: what few bits can hold, and that the slider says what came out."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from kit.errors import KitError
from kit.lesson.bits_slider import BITS, FACTORS, BitsSlider, snapped

KERNEL = np.array([[1.0, -0.26], [-0.5, 0.1], [0.45, 0.0]])
KERNELS = arrays(float, (5, 3), elements=st.floats(-9, 9).map(lambda w: round(w, 6)))


def proper_scale(kernel, bits, per_channel):
    """The largest weight, of a channel or of all, is the largest integer; 1 bit: their mean."""
    size = np.abs(kernel)
    largest, mean = (size.max(0), size.mean(0)) if per_channel else (size.max(), size.mean())
    return mean if bits == 1 else largest / (2 ** (bits - 1) - 1)


@given(KERNELS, st.sampled_from(BITS), st.booleans(), st.booleans(), st.sampled_from(FACTORS))
def test_weights_lie_on_the_grid_and_near(kernel, bits, per_channel, truncate, factor):
    """Whole multiples of the scale, at most 2**bits - 1 of them; off by half a step at most where
    the grid reaches, by less than one when truncated, and never larger then."""
    after = snapped(kernel, bits, per_channel, truncate, factor)
    scale = factor * proper_scale(kernel, bits, per_channel)
    usable = np.broadcast_to(scale > 0, kernel.shape)
    steps = (after / np.where(scale > 0, scale, 1))[usable]
    most = max(2 ** (bits - 1) - 1, 1)
    np.testing.assert_allclose(steps, np.round(steps), atol=1e-9)
    assert np.all(np.abs(steps) <= most + 1e-9) and (bits > 1 or np.all(steps != 0))
    if bits > 1:
        error, slack = np.abs(kernel - after), 1e-9
        reached = np.abs(kernel) <= most * scale
        step = np.broadcast_to(scale, kernel.shape)[reached]
        assert np.all(error[reached] <= (step if truncate else step / 2) + slack)
        assert not truncate or np.all(np.abs(after) <= np.abs(kernel) + slack)


@pytest.mark.parametrize(
    "settings, expected",
    [
        ((2,), [[1, -0.26], [0, 0], [0, 0]]),  # -0.5 is half-way, and goes to the even number
        ((2, False), [[1, 0], [0, 0], [0, 0]]),
        ((3, False), [[1, -1 / 3], [-2 / 3, 0], [1 / 3, 0]]),
        ((3, False, True), [[1, 0], [-1 / 3, 0], [1 / 3, 0]]),
        ((3, False, False, 0.5), [[0.5, -1 / 3], [-0.5, 1 / 6], [0.5, 0]]),  # cut off at 3 steps
        ((1,), [[0.65, -0.12], [-0.65, 0.12], [0.65, 0.12]]),
    ],
)
def test_snapped_by_hand(settings, expected):
    np.testing.assert_allclose(snapped(KERNEL, *settings), expected, atol=1e-12)


def test_a_channel_is_the_last_axis():
    """As Keras has the kernels of dense layers and of convolutions."""
    kernel = np.ones((3, 3, 2, 2)) * [1, 100]
    np.testing.assert_allclose(snapped(kernel, 4), kernel)
    assert snapped(kernel, 4, per_channel=False)[..., 0].max() == 0


@pytest.mark.parametrize("bits, factor", [(0, 1), (-3, 1), (2.5, 1), (4, 0), (4, -1)])
def test_what_is_no_grid_is_refused(bits, factor):
    with pytest.raises(KitError, match=r"No weight has"):
        snapped(KERNEL, bits, factor=factor)


def accuracy(kernels):
    """All right with the weights as they are; what they have lost, wrong."""
    return 1 - float(np.abs(kernels[0] - KERNEL).mean())


def test_it_says_what_is_left():
    """From the start, and when a control is moved: accuracy, the loss against float, and bytes."""
    slider = BitsSlider([KERNEL, np.ones((2, 3))], accuracy)
    assert slider.message.startswith("8 bits, a scale for each channel, rounded: 99.")
    assert "the weights take 12 bytes instead of 48." in slider.message
    slider.choose(bits=1, per_channel=False, factor=4)
    lost = 100 * (1 - accuracy([snapped(KERNEL, 1, per_channel=False, factor=4)]))
    assert slider.message.startswith("1 bit, one scale, 4 times the proper one, rounded: ")
    assert f"{lost:.2f} points worse than float (100.00%)" in slider.message
    assert "the weights take 2 bytes" in slider.message  # 12 bits
    slider.choose(bits=2, truncate=True, factor=0.71)
    assert "2 bits, one scale, 0.71 times the proper one, truncated" in slider.message


def test_each_setting_is_computed_once():
    """Moving several controls is one setting; going back computes nothing."""
    asked = []
    slider = BitsSlider([KERNEL], lambda kernels: asked.append(1) or accuracy(kernels))
    first = slider.message
    slider.choose(bits=3, per_channel=False, truncate=True, factor=2)
    slider.choose(bits=8, per_channel=True, truncate=False, factor=1)
    assert slider.message == first and len(asked) == 3  # float, and two settings


def test_its_figure_is_described():
    """The alt text has the message; the plain text is the same every time."""
    slider = BitsSlider([KERNEL], accuracy)
    slider.choose(bits=2)
    assert 'alt="Weights of the first kernel, before and after: 3 values' in slider._figure.value
    assert slider.message in slider._figure.value and "data:image/png" in slider._figure.value
    assert slider._repr_mimebundle_()["text/plain"] == "BitsSlider"


@pytest.mark.parametrize("wrong", [{"bits": 9}, {"factor": 3}, {"colour": 1}])
def test_a_value_that_no_control_has_is_refused(wrong):
    """In words; the slider stays where it was."""
    slider = BitsSlider([KERNEL], accuracy)
    before = slider.message
    with pytest.raises(KitError, match="cannot be"):
        slider.choose(**wrong)
    assert slider.message == before
