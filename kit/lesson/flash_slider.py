"""A slider for the wait states of the flash: what one inference takes with them."""

import html
from collections.abc import Callable
from typing import Any

import ipywidgets

from kit.board import FlashSettings, Profile
from kit.errors import KitError
from kit.lesson.show.picture import BLUE, ORANGE

MOST = 7  # wait states to choose; FLASH_ACR takes 15, no STM32F4 needs more than 8
SWITCHES = ("prefetch", "instruction_cache", "data_cache")
BAR = '<span style="display: inline-block; height: 22px; width: {width:.1f}px; {fill}"></span>'
WIDTH = 600  # pixels, of the longest bar
STRIPES = f"background: repeating-linear-gradient(45deg, {ORANGE} 0 6px, white 6px 9px)"


class FlashSlider:
    """Wait states, prefetch and both caches to choose, and below them the estimated cycles of one
    inference as a bar, of which the striped part is spent waiting for the flash.

    Make it the last expression of a cell to show it. `measure` gives the `Profile` for settings of
    the flash; `choose(settings)` does what the mouse does; `message` is the result in words, or
    what went wrong.
    """

    def __init__(self, measure: Callable[[FlashSettings], Profile], wait_states: int = 5) -> None:
        self.measure, self.known = measure, dict[FlashSettings, Profile]()
        how = {"continuous_update": False, "layout": {"width": "320px", "flex": "none"}}
        self._slider = ipywidgets.IntSlider(wait_states, 0, MOST, description="wait states", **how)
        how = {"indent": False, "layout": {"width": "auto", "margin": "2px 0 0 28px"}}
        self._boxes = [
            ipywidgets.Checkbox(True, description=name.replace("_", " "), **how)
            for name in SWITCHES
        ]
        self._bar, self._text = ipywidgets.HTML(), ipywidgets.HTML()
        controls = ipywidgets.HBox([self._slider, *self._boxes])
        self.widget = ipywidgets.VBox([controls, self._bar, self._text])
        for control in (self._slider, *self._boxes):
            control.observe(self._show, "value")
        self._longest = self._profile(FlashSettings(MOST, False, False, False)).cycles
        self._show()

    def _repr_mimebundle_(self, **arguments: Any) -> Any:
        return {**self.widget._repr_mimebundle_(**arguments), "text/plain": "FlashSlider"}

    def choose(self, settings: FlashSettings) -> None:
        """Move the slider and the switches."""
        self._slider.value = settings.wait_states
        for box, value in zip(self._boxes, settings[1:], strict=True):
            box.value = value

    def _profile(self, settings: FlashSettings) -> Profile:
        if settings not in self.known:
            self.known[settings] = self.measure(settings)
        return self.known[settings]

    def _show(self, *_: Any) -> None:
        """Whatever goes wrong is said here: a callback of a widget has no cell to show it below."""
        chosen = FlashSettings(self._slider.value, *(box.value for box in self._boxes))
        try:
            found = self._profile(chosen)
        except KitError as error:
            return self._say(str(error), "alert")
        parts = [(found.cycles - found.waits, f"background: {BLUE}"), (found.waits, STRIPES)]
        scale = WIDTH / max(self._longest, 1)
        bars = (BAR.format(width=scale * cycles, fill=fill) for cycles, fill in parts)
        self._bar.value = f'<div style="white-space: nowrap">{"".join(bars)}</div>'
        share = found.waits / max(found.cycles, 1)
        return self._say(
            f"{found.cycles:,} estimated cycles: {found.cycles - found.waits:,} for the "
            f"instructions, {found.waits:,} ({share:.0%}, striped) waiting for the flash."
        )

    def _say(self, message: str, role: str = "status") -> None:
        self.message = message
        self._text.value = f'<p role="{role}" style="font-size: 1.1em">{html.escape(message)}</p>'
