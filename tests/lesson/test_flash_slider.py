"""The widget of notebook 05 tells what was measured, and never fails without a word."""

import pytest

from kit.board import FlashSettings, LayerProfile, Profile
from kit.errors import KitError
from kit.lesson.flash_slider import FlashSlider


def measure(settings):
    """A thousand cycles, and a hundred for each wait state without the data cache."""
    if not settings.prefetch and settings.data_cache:
        raise KitError("No such setting.", "It is a test.", "Choose another.")
    waits = settings.wait_states * (10 if settings.data_cache else 100)
    layer = LayerProfile("all", "", 0, 500, 1000 + waits, waits, 1.0)
    return Profile((layer,), True, 180_000_000)


def test_it_shows_what_was_measured():
    """From the start, and when a control is moved; each setting is measured once."""
    asked = []
    slider = FlashSlider(lambda settings: asked.append(settings) or measure(settings))
    assert slider.message.startswith("1,050 estimated cycles: 1,000 for the instructions, 50 (5%,")
    slider.choose(FlashSettings(0))
    assert "0 (0%, striped) waiting" in slider.message
    slider.choose(FlashSettings(7, True, True, False))
    assert "1,700 estimated cycles" in slider.message and "700 (41%" in slider.message
    assert len(asked) == len(set(asked))


@pytest.mark.parametrize("again", [False, True])
def test_what_goes_wrong_is_said_in_it(again):
    """And the next choice is answered."""
    slider = FlashSlider(measure)
    slider.choose(FlashSettings(5, prefetch=False))
    assert "No such setting." in slider.message and "Choose another." in slider.message
    if again:
        slider.choose(FlashSettings(5))
        assert slider.message.startswith("1,050 estimated cycles")
