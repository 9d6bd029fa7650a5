"""What training, quantization and mistakes do to a network."""

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator
from numpy.typing import ArrayLike

from kit.boards import DEFAULT
from kit.lesson.show.picture import BLUE, ORANGE, RED, Picture, draw_bars, draw_limit
from kit.tables import Rows

KB = 1024
FLASH_KB = DEFAULT.flash_bytes // KB


def history(history: Any, title: str = "Training") -> Picture:
    """Loss and accuracy per epoch, from what `model.fit` returned, or its dict of lists: loss and
    accuracy, and where there was validation, val_loss and val_accuracy."""
    values = getattr(history, "history", history)
    epochs = range(1, len(values["loss"]) + 1)
    alt = f"Two line charts over {len(epochs)} epochs: the loss and the accuracy."
    figure = Picture(8, 2.9, title, alt)
    charts = ("loss", "loss (cross-entropy)", 1), ("accuracy", "accuracy (%)", 100)
    for number, (key, label, factor) in enumerate(charts, 1):
        axes = figure.chart("epoch", label, (1, 2, number))
        axes.plot(epochs, factor * np.asarray(values[key]), "o-", color=BLUE, label="training")
        if f"val_{key}" in values:
            seen = factor * np.asarray(values[f"val_{key}"])
            axes.plot(epochs, seen, "s--", color=ORANGE, label="validation")
            axes.legend()
        axes.xaxis.set_major_locator(MaxNLocator(10, integer=True))
    return figure


def comparison(rows: Rows, title: str = "What quantization saves and costs") -> Picture:
    """Files beside the flash they must fit in, and the accuracy they keep: `rows` have a model's
    name, bytes, accuracy and agreement (0 to 1; with the float model), and fits (in flash)."""
    names = [str(row["name"]) for row in rows]
    alt = (
        f"File sizes of {', '.join(names)} as bars, with a line at the {FLASH_KB} KB of flash; "
        "beside them the accuracy of each and its agreement with float."
    )
    figure = Picture(10, 0.55 * len(rows) + 1.7, title, alt)
    _draw_sizes(figure.chart("file size (KB)", place=(1, 2, 1)), names, rows)
    axes = figure.chart("test images (%)", place=(1, 2, 2))
    right = "accuracy", "read correctly", "o", BLUE
    same = "agreement", "same answer as float", "D", ORANGE
    for key, label, marker, color in (right, same):
        percent = [100 * row[key] for row in rows]
        axes.plot(percent, names, marker, color=color, markersize=8, label=label)
        for place in zip(percent, names, strict=True):
            text = f"{place[0]:.2f}"
            axes.annotate(text, place, (0, 8), textcoords="offset points", ha="center")
    axes.set_ylim(len(rows) - 0.4, -0.75)
    axes.margins(x=0.12)
    figure.legend(loc="outside lower right", ncols=2, frameon=False)
    return figure


def _draw_sizes(axes: Axes, names: list[str], rows: Rows) -> None:
    sizes = [row["bytes"] / KB for row in rows]
    remarks = ["" if row["fits"] else ", does not fit" for row in rows]
    texts = [f"{size:,.0f} KB{remark}" for size, remark in zip(sizes, remarks, strict=True)]
    draw_limit(axes, FLASH_KB, f"{FLASH_KB} KB of flash")
    draw_bars(axes, names, sizes, texts, [BLUE if row["fits"] else RED for row in rows])
    axes.set_xlim(0, 1.6 * max([FLASH_KB, *sizes]))


def weights(
    before: ArrayLike, after: ArrayLike, title: str = "Weights before and after quantization"
) -> Picture:
    """Histograms of a layer's weights side by side: any shapes; integers get a bin each value."""
    charts = (before, BLUE, "before: real numbers"), (after, ORANGE, "after: int8")
    alt = "Two histograms of weights side by side, before: real numbers and after: int8."
    figure = Picture(9, 3, title, alt)
    for number, (values, color, name) in enumerate(charts, 1):
        flat = np.asarray(values).reshape(-1)
        whole = flat.dtype.kind in "iu"
        label = "stored value" if whole else "weight"
        axes = figure.chart(label, "number of weights", (1, 2, number))
        edges = np.arange(int(flat.min()), int(flat.max()) + 2) - 0.5
        axes.hist(flat, bins=edges.tolist() if whole else 100, color=color)
        axes.xaxis.set_major_locator(MaxNLocator(7))
        axes.set_title(name, fontsize=10)
    return figure


def failures(rows: Rows, title: str = "Three famous mistakes") -> Picture:
    """Accuracy (0 to 1) of mistakes, and of doing it right, each row with its name, as horizontal
    bars; the best is highlighted."""
    names, percent = [row["name"] for row in rows], [100 * row["accuracy"] for row in rows]
    figure = Picture(
        8, 0.5 * len(rows) + 1.3, title, f"Bars of the accuracy of: {', '.join(names)}."
    )
    axes = figure.chart("test images read correctly (%)")
    colors = [BLUE if value == max(percent) else ORANGE for value in percent]
    draw_bars(axes, names, percent, [f"{value:.1f} %" for value in percent], colors)
    draw_limit(axes, 10, "guessing: 10 %")
    axes.set(xlim=(0, 112), xticks=range(0, 101, 20))
    return figure
