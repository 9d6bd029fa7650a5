"""What all figures have in common: a description in words, their axes, their colors.

The colors are those of Okabe and Ito (Color Universal Design, 2008), which color-blind people can
tell apart; nothing is said by color alone.
"""

import base64
import html
import io
from collections.abc import Sequence
from typing import Any

from IPython.display import display
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedFormatter, FixedLocator, NullLocator

ORANGE, SKY, GREEN, YELLOW = "#E69F00", "#56B4E9", "#009E73", "#F0E442"
BLUE, RED, PURPLE, GRAY = "#0072B2", "#D55E00", "#CC79A7", "#9A9A9A"
PALE = "#E8E8E8"
CYCLE = [BLUE, ORANGE, GREEN, PURPLE, SKY, RED, YELLOW, GRAY]
ACCURACIES = (0, 0.5, 0.8, 0.9, 0.95, 0.97, 0.98, 0.99, 0.995, 0.998, 0.999)
MARKERS = "osD^vP*X"  # one for each of CYCLE
WHITE = {"facecolor": "white", "edgecolor": "none", "pad": 1, "alpha": 0.85}  # behind a text


class Picture(Figure):
    """A figure of so many inches whose label describes it; `set_label` gives a better description.

    A cell whose last expression it is shows an image/png with the label as alt text in its
    metadata, and as its plain text, which is the same on every machine.
    """

    def __init__(self, width: float, height: float, title: str, alt: str) -> None:
        super().__init__(figsize=(width, height), layout="constrained", facecolor="white")
        self.set_label(alt)
        self.get_layout_engine().set(w_pad=0.08, h_pad=0.08)  # type: ignore[union-attr, call-arg]
        if title:
            self.suptitle(title, fontsize=12, fontweight="bold")

    def chart(self, x: str, y: str = "", place: tuple[Any, ...] = (1, 1, 1)) -> Axes:
        """Axes with these labels, and lines across the one of numbers: `y`, or `x` when rows have
        names. `place` is rows, columns and number, as for `add_subplot`, or a cell of a grid."""
        axes = self.add_subplot(*place, xlabel=x, ylabel=y)
        axes.grid(axis="y" if y else "x", color=PALE)
        axes.set_axisbelow(True)
        axes.spines[["top", "right"]].set_visible(False)
        return axes

    def as_html(self) -> str:
        """An <img> for a widget, which shows HTML but no figures."""
        alt, width = html.escape(str(self.get_label())), self._pixels()
        return f'<img alt="{alt}" width="{width}" src="data:image/png;base64,{self._png()}">'

    def _ipython_display_(self) -> None:
        alt = str(self.get_label())
        data = {"image/png": self._png(), "text/plain": alt}
        metadata = {"image/png": {"alt": alt, "width": self._pixels()}}
        display(data, metadata=metadata, raw=True)  # type: ignore[no-untyped-call]

    def _png(self) -> str:
        file = io.BytesIO()
        self.savefig(file, format="png", dpi=144, metadata={"Software": None})
        return base64.b64encode(file.getvalue()).decode("ascii")

    def _pixels(self) -> int:
        return round(self.get_figwidth() * 96)  # 144 pixels an inch as 96: sharp when zoomed


def draw_bars(
    axes: Axes, names: Sequence[str], values: Sequence[float], texts: Sequence[str], color: Any
) -> None:
    """A horizontal bar for each name, from the top down, with a text at its end."""
    rows = range(len(names))
    bars = axes.barh(rows, values, height=0.6, color=color)
    axes.bar_label(bars, texts, padding=3, bbox=WHITE)
    axes.set_yticks(rows, names)
    axes.set_ylim(len(names) - 0.4, -0.75)


def draw_limit(axes: Axes, value: float, name: str) -> None:
    """A broken line upwards at `value`, with its name."""
    axes.axvline(value, color="black", linestyle="--", linewidth=1.2)
    axes.annotate(name, (value, -0.75), (4, -2), textcoords="offset points", va="top")


def draw_accuracies(axes: Axes, accuracies: Sequence[float]) -> None:
    """Make the y axis one of errors, logarithmic and upside down, with the accuracies as labels:
    from 99 to 99.5 % is as far as from 80 to 90 %. What is drawn on it is `errors_of`."""
    errors = errors_of(accuracies)
    most, least = min(1.3 * max(errors), 1), min(errors) / 1.3
    ticks = [tick for tick in ACCURACIES if least <= 1 - tick <= most]
    axes.set(ylim=(most, least), yscale="log", ylabel="accuracy (%), errors logarithmic")
    axes.yaxis.set_major_locator(FixedLocator([1 - tick for tick in ticks]))
    axes.yaxis.set_major_formatter(FixedFormatter([f"{100 * tick:g}" for tick in ticks]))
    axes.yaxis.set_minor_locator(NullLocator())


def errors_of(accuracies: Sequence[float]) -> list[float]:
    """Shares of wrong answers; none at all, which has no place on a logarithmic axis, is a tenth
    of an image of MNIST's test set."""
    return [max(1 - accuracy, 1e-5) for accuracy in accuracies]
