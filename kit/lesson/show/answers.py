"""Digits, and how they were read."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kit.lesson.show.picture import BLUE, GRAY, GREEN, ORANGE, PALE, RED, Picture, draw_limit
from kit.model import are_shares
from kit.tables import Rows

WHITE = {"facecolor": "white", "edgecolor": "none", "pad": 1, "alpha": 0.85}  # behind a text


def images(
    pixels: ArrayLike, labels: ArrayLike | None = None, title: str = "", columns: int = 10
) -> Picture:
    """Digits in rows of up to `columns`, each with its label, a number or a word, above it.

    `pixels` have the shape (n, 28, 28) or (28, 28), 0 = paper; any dtype, each shown in its own
    range.
    """
    pictures = np.asarray(pixels)
    pictures = pictures.reshape(-1, *pictures.shape[-2:])
    count, across = len(pictures), min(columns, len(pictures))
    down = -(-count // across)
    names = [] if labels is None else [str(label) for label in np.atleast_1d(np.asarray(labels))]
    alt = f"{count} handwritten digit{'s' if count > 1 else ''}"
    alt += f", labeled {', '.join(names)}." if names else "."
    size = max(0.82 if count > 1 else 2, 0.09 * max(map(len, names), default=0))
    width = max(size * across, 0.11 * len(title)) + 0.3
    figure = Picture(width, (size + 0.2) * down + 0.5, title, alt)
    for number, picture in enumerate(pictures):
        axes = figure.add_subplot(down, across, number + 1)
        axes.imshow(picture, cmap="gray", interpolation="nearest")
        axes.set_axis_off()
        if names:
            axes.set_title(names[number], fontsize=10)
    return figure


def in_unit(values: ArrayLike) -> tuple[NDArray[np.float64], str]:
    """Scores for the eye: percentages and "%" where they are shares of 1, as a softmax gives them;
    else the numbers themselves and no unit.

    `values` have the shape (classes,): int8 as a softmax gives them (scale 1/256, zero point
    -128), or real numbers.
    """
    stored = np.asarray(values).reshape(-1)
    numbers = stored.astype(np.float64)
    shares = (numbers + 128) / 256 if stored.dtype.kind in "iu" else numbers
    return (100 * shares, "%") if are_shares(shares) else (numbers, "")


def scores(values: ArrayLike, title: str = "Scores", expected: int | None = None) -> Picture:
    """The scores, as `in_unit` takes them, as bars; the best is highlighted, and the `expected`
    digit marked."""
    numbers, unit = in_unit(values)
    best = int(numbers.argmax())
    alt = f"Bars of the scores of 0 to {len(numbers) - 1}; the highest is that of {best}."
    figure = Picture(7, 2.8, title, alt)
    axes = figure.chart("digit", f"score ({unit})" if unit else "output of the network")
    bars = axes.bar(range(len(numbers)), numbers, color=[PALE] * len(numbers), edgecolor=GRAY)
    bars[best].set(facecolor=BLUE, edgecolor=BLUE)
    axes.bar_label(bars, [f"{value:.1f}" for value in numbers], fontsize=9)
    axes.set(xticks=range(len(numbers)))
    if unit:
        axes.set(ylim=(0, 112), yticks=range(0, 101, 25))
    if expected is not None:
        label = axes.get_xticklabels()[expected]
        label.set(fontweight="bold", color="white")
        label.set_bbox({"facecolor": GREEN if expected == best else RED, "edgecolor": "none"})
        axes.set_xlabel(f"digit (expected: {expected})")
    return figure


def confusion(labels: ArrayLike, predicted: ArrayLike, title: str = "Confusion") -> Picture:
    """How often each digit (row) was read as each digit (column): a 10 x 10 grid of counts."""
    counts = np.zeros((10, 10), int)
    np.add.at(counts, (np.asarray(labels), np.asarray(predicted)), 1)
    alt = "A 10 by 10 grid: how often each digit was read as each digit."
    figure = Picture(6.2, 5.6, title, alt)
    axes = figure.add_subplot()
    shades = np.log1p(counts)
    axes.imshow(shades, cmap="Blues")
    for (row, column), count in np.ndenumerate(counts):
        if count:
            color = "white" if shades[row, column] > shades.max() * 0.6 else "black"
            axes.text(column, row, f"{count}", ha="center", va="center", color=color, fontsize=9)
    axes.set(xticks=range(10), yticks=range(10), xlabel="read as", ylabel="digit drawn")
    axes.set_xticks(np.arange(-0.5, 10), minor=True)
    axes.set_yticks(np.arange(-0.5, 10), minor=True)
    axes.grid(which="minor", color=PALE, linewidth=0.5)
    axes.tick_params(which="both", length=0)
    return figure


def failures(rows: Rows, title: str = "Three famous mistakes") -> Picture:
    """Accuracy of mistakes, and of doing it right, as horizontal bars; the best is highlighted.

    `rows` have a name and an accuracy (0 to 1).
    """
    names = [str(row["name"]) for row in rows]
    percent = [100 * row["accuracy"] for row in rows]
    alt = f"Bars of the accuracy of: {', '.join(names)}."
    figure = Picture(8, 0.5 * len(rows) + 1.3, title, alt)
    axes = figure.chart("test images read correctly (%)")
    colors = [BLUE if value == max(percent) else ORANGE for value in percent]
    bars = axes.barh(names, percent, color=colors, height=0.6)
    draw_limit(axes, 10, "guessing: 10 %")
    axes.bar_label(bars, [f"{value:.1f} %" for value in percent], padding=3, bbox=WHITE)
    axes.set(xlim=(0, 112), xticks=range(0, 101, 20), ylim=(len(rows) - 0.4, -0.75))
    return figure
