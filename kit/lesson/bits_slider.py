"""A slider for the bits of the weights: what rounding to few of them does to a network."""

import html
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import ipywidgets
import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator
from numpy.typing import ArrayLike, NDArray

from kit.errors import KitError
from kit.lesson.show.picture import BLUE, GRAY, ORANGE, PALE, Picture

Kernel = NDArray[np.float64]
BITS = (8, 7, 6, 5, 4, 3, 2, 1)
FACTORS = (0.25, 0.5, 0.71, 1.0, 1.41, 2.0, 4.0)
FOLLOWED = 12  # weights that are shown one by one


class Snap(NamedTuple):
    """How weights are quantized; the fields are the arguments of `snapped`."""

    bits: int = 8
    per_channel: bool = True
    truncate: bool = False
    factor: float = 1.0

    def __str__(self) -> str:
        scales = "a scale for each channel" if self.per_channel else "one scale"
        chosen = "" if self.factor == 1 else f", {self.factor:g} times the proper one"
        how = "truncated" if self.truncate else "rounded"
        return f"{self.bits} bit{'s' * (self.bits > 1)}, {scales}{chosen}, {how}"


def snapped(
    kernel: ArrayLike,
    bits: int,
    per_channel: bool = True,
    truncate: bool = False,
    factor: float = 1,
) -> Kernel:
    """The weights as `bits` bits can hold them, real numbers again; the outputs are the last axis.

    From 2 bits on the integers are -most to most, 2**(bits - 1) - 1, and the proper scale takes the
    largest weight, of all or of its channel, to most. 1 bit is -1 or 1, times the mean |weight|.
    `factor` spoils the scale, and `truncate` drops the fraction instead of rounding.
    """
    steps, scale = _in_steps(kernel, Snap(bits, per_channel, truncate, factor))
    return _whole(steps, bits, truncate) * scale


def _in_steps(kernel: ArrayLike, how: Snap) -> tuple[Kernel, Kernel]:
    """The weights, real numbers, in steps of their scale; and the scale."""
    if how.bits not in range(1, 17) or not how.factor > 0:
        raise KitError(f"No weight has {how}.", next_step="Take 1 to 16 bits, and a factor over 0.")
    weights = np.asarray(kernel, np.float64)
    axes = tuple(range(weights.ndim - 1)) if how.per_channel else None
    size = abs(weights)
    measure = np.mean if how.bits == 1 else np.max
    proper = measure(size, axes, keepdims=True) / _most(how.bits)
    scale = how.factor * np.where(proper > 0, proper, 1)  # all weights are 0: any scale does
    return weights / scale, scale


def _most(bits: int) -> int:
    return max((1 << bits - 1) - 1, 1)


def _whole(steps: Kernel, bits: int, truncate: bool) -> Kernel:
    if bits == 1:
        return np.where(steps < 0, -1.0, 1.0)
    whole: Kernel = np.trunc(steps) if truncate else np.round(steps)
    return whole.clip(-_most(bits), _most(bits))


class BitsSlider:
    """Bits, scales and rounding to choose, and below them the weights of the first kernel before
    and after, and what is left of the accuracy.

    Make it the last expression of a cell to show it. `kernels` are the weights, outputs last;
    `accuracy` gives the share of right answers, 0 to 1, with a list of others in their place.
    `choose(bits=4)` does what the mouse does; `message` is the result in words.
    """

    def __init__(
        self, kernels: Sequence[ArrayLike], accuracy: Callable[[list[Kernel]], float]
    ) -> None:
        self.kernels = [np.asarray(kernel, np.float64) for kernel in kernels]
        self.accuracy, self.known = accuracy, dict[Snap, tuple[str, str]]()
        self._floating, self._moving = float(accuracy(self.kernels)), False
        self._controls = _controls()
        self._figure, self._text = ipywidgets.HTML(), ipywidgets.HTML()
        bits, scales, rounding, factor = self._controls
        rows = [ipywidgets.HBox(row) for row in ([bits, scales], [factor, rounding])]
        self.widget = ipywidgets.VBox([*rows, self._text, self._figure])
        for control in self._controls:
            control.observe(self._show, "value")
        self._show()

    def _repr_mimebundle_(self, **arguments: Any) -> Any:
        return {**self.widget._repr_mimebundle_(**arguments), "text/plain": "BitsSlider"}

    @property
    def chosen(self) -> Snap:
        """What the controls say."""
        return Snap(*(control.value for control in self._controls))

    def choose(self, **settings: Any) -> None:
        """Move the controls: any of bits, per_channel, truncate and factor. Raises KitError: a
        control has no such value."""
        names = dict(zip(Snap._fields, self._controls, strict=True))
        for name, value in settings.items():
            values = [v for _, v in names[name].options] if name in names else []
            if value not in values:
                raise KitError(f"{name} cannot be {value!r} here.", f"There are: {values or names}")
        self._moving = True
        for name, value in settings.items():
            names[name].value = value
        self._moving = False
        self._show()

    def _show(self, *_: Any) -> None:
        if self._moving:
            return
        how = self.chosen
        if how not in self.known:
            after = [snapped(kernel, *how) for kernel in self.kernels]
            told = self._in_words(how, float(self.accuracy(after)))
            self.known[how] = told, _draw(self.kernels[0], how, told).as_html()
        self.message, self._figure.value = self.known[how]
        style = 'style="font-size: 1.1em"'
        self._text.value = f'<p role="status" {style}>{html.escape(self.message)}</p>'

    def _in_words(self, how: Snap, accuracy: float) -> str:
        count = sum(kernel.size for kernel in self.kernels)
        lost = 100 * (self._floating - accuracy)
        than = f"{abs(lost):.2f} points {'worse' if lost > 0 else 'better'} than"
        return (
            f"{how}: {accuracy:.2%} right, {than if round(lost, 2) else 'as good as'} float "
            f"({self._floating:.2%}); the weights take {-(-how.bits * count // 8):,} bytes instead "
            f"of {4 * count:,}."
        )


def _controls() -> list[Any]:
    """One for each field of `Snap`, in its order."""
    slow = {"continuous_update": False, "layout": {"width": "360px"}}
    bits, factors = ([(f"{each:g}", each) for each in values] for values in (BITS, FACTORS))
    narrow = {"style": {"button_width": "170px"}, "layout": {"width": "auto"}}
    scales = [("a scale per channel", True), ("one scale for all", False)]
    rounding = [("round", False), ("truncate", True)]
    return [
        ipywidgets.SelectionSlider(options=bits, value=8, description="bits", **slow),
        ipywidgets.ToggleButtons(options=scales, **narrow),
        ipywidgets.ToggleButtons(options=rounding, **narrow),
        ipywidgets.SelectionSlider(options=factors, value=1.0, description="scale x", **slow),
    ]


def _draw(kernel: Kernel, how: Snap, told: str) -> Picture:
    steps, scale = _in_steps(kernel, how)
    after = _whole(steps, how.bits, how.truncate)
    used = len(np.unique(after))
    alt = f"Weights of the first kernel, before and after: {used} values are used. {told}"
    figure = Picture(9, 4.4, "", alt)
    grid = figure.add_gridspec(2, 1, height_ratios=[2, 1])
    axes = figure.chart("weight, in steps of its scale", "weights for each step", (grid[0],))
    _draw_histogram(axes, steps, after, how.bits)
    axes.set_title(f"The first kernel: pale before, blue after ({used} values used)", fontsize=10)
    sizes = abs(kernel.reshape(-1, kernel.shape[-1])).max(axis=0)
    channel = int(np.argsort(sizes)[len(sizes) // 2])  # a usual one
    step = float(np.broadcast_to(scale, kernel.shape)[..., channel].flat[0])
    was, now = (values[..., channel].reshape(-1) * step for values in (steps, after))
    _draw_moves(figure.chart("weight", "", (grid[1],)), was, now, step, how.bits)
    return figure


def _draw_histogram(axes: Axes, steps: Kernel, after: Kernel, bits: int) -> None:
    """Both count weights for each step, so that a bar stands as high as what it gathers."""
    values, counts = np.unique(after, return_counts=True)
    edge = max(_most(bits) + 0.6, float(abs(steps).max()))
    before, edges = np.histogram(steps, 120, (-edge, edge))
    axes.stairs(before / np.diff(edges), edges, fill=True, color=PALE, edgecolor=GRAY)
    axes.bar(values, counts, width=max(0.5, edge / 400), color=BLUE, alpha=0.85)
    axes.set(xlim=(-edge, edge))
    axes.xaxis.set_major_locator(MaxNLocator(11, integer=True))


def _draw_moves(axes: Axes, before: Kernel, after: Kernel, step: float, bits: int) -> None:
    """Some weights of a channel as dots, a line from where each was to where it is now."""
    order = np.argsort(before)
    some = order[np.linspace(0, len(order) - 1, FOLLOWED).astype(int)]
    grid = step * (np.arange(-_most(bits), _most(bits) + 1) if bits > 1 else np.array([-1, 1]))
    axes.vlines(grid, -0.4, 1.4, color=GRAY, linewidth=0.4)
    axes.plot([before[some], after[some]], [[1] * FOLLOWED, [0] * FOLLOWED], color=GRAY)
    axes.plot(before[some], [1] * FOLLOWED, "o", color=ORANGE)
    axes.plot(after[some], [0] * FOLLOWED, "s", color=BLUE)
    edge = 1.1 * max(abs(before).max(), abs(after[some]).max())
    axes.set(xlim=(-edge, edge), ylim=(-0.5, 1.5), yticks=[0, 1], yticklabels=["after", "before"])
    axes.grid(False)
    axes.set_title(
        f"{FOLLOWED} weights of one channel; thin lines: what can be stored", fontsize=10
    )
