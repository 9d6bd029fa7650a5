"""Digits, and how they were read."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kit.lesson.show.picture import BLUE, GRAY, GREEN, PALE, RED, Picture
from kit.model import are_shares


def images(pixels: ArrayLike, labels: ArrayLike | None = None, title: str = "") -> Picture:
    """Digits in rows of up to ten, each with its label, a number or a word, above it. `pixels` have
    the shape (n, 28, 28) or (28, 28), 0 = paper; any dtype, each shown in its own range."""
    pictures = np.asarray(pixels)
    pictures = pictures.reshape(-1, *pictures.shape[-2:])
    count, across = len(pictures), min(10, len(pictures))
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
    """Scores for the eye, shape (classes,): percentages and "%" where they are shares of 1, int8
    (scale 1/256, zero point -128) or real, as a softmax gives them; else as they are and ""."""
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
    axes.bar_label(bars, fmt="%.1f", fontsize=9)
    axes.set_xticks(range(len(numbers)))
    if unit:
        axes.set(ylim=(0, 112), yticks=range(0, 101, 25))
    if expected is not None:
        label = axes.get_xticklabels()[expected]
        color = GREEN if expected == best else RED
        label.set(fontweight="bold", color="white", bbox={"facecolor": color, "edgecolor": "none"})
        axes.set_xlabel(f"digit (expected: {expected})")
    return figure


def confusion(labels: ArrayLike, predicted: ArrayLike, title: str = "Confusion") -> Picture:
    """How often each digit (row) was read as each digit (column): a 10 x 10 grid of counts."""
    counts = np.zeros((10, 10), int)
    np.add.at(counts, (np.asarray(labels), np.asarray(predicted)), 1)
    alt = "A 10 by 10 grid: how often each digit was read as each digit."
    figure = Picture(6.2, 5.6, title, alt)
    axes = figure.add_subplot(aspect="equal")
    shades = np.log1p(counts)
    axes.pcolormesh(range(10), range(10), shades, cmap="Blues", edgecolors=PALE, linewidth=0.5)
    for (row, column), count in np.ndenumerate(counts):
        if count:
            color = "white" if shades[row, column] > shades.max() * 0.6 else "black"
            axes.text(column, row, f"{count}", ha="center", va="center", color=color, fontsize=9)
    axes.set(xticks=range(10), yticks=range(10), xlabel="read as", ylabel="digit drawn")
    axes.tick_params(length=0)
    axes.invert_yaxis()
    return figure
