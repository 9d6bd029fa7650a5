"""What fewer bits do to a network: its accuracy, and the noise in its layers."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from kit.lesson.show.picture import CYCLE, MARKERS, Picture, draw_accuracies, errors_of

HATCHES = ("", "//", "..", "xx", "\\\\", "++")


def accuracy_by_bits(
    series: Mapping[str, Mapping[float, float]],
    floating: float | None = None,
    title: str = "Accuracy against the bits of a weight",
) -> Picture:
    """A line for each name of `series`, from 8 bits down: accuracies, 0 to 1, by bits, 1.58 of them
    for three values. `floating`, that of the float network, is a broken line."""
    listed = [
        f"{name}: {', '.join(f'{bits:g} bits {row[bits]:.2%}' for bits in sorted(row)[::-1])}"
        for name, row in series.items()
    ]
    told = [] if floating is None else [f"float32: {floating:.2%}"]
    alt = f"Lines of the accuracy against the bits of a weight. {'; '.join(listed + told)}."
    figure = Picture(8, 4.2, title, alt)
    axes = figure.chart("bits of a weight", "accuracy")
    styles = zip(CYCLE, MARKERS, strict=True)
    for (name, row), (color, marker) in zip(series.items(), styles, strict=False):
        bits = sorted(row)
        errors = errors_of([row[each] for each in bits])
        axes.plot(bits, errors, f"{marker}-", color=color, label=name, markersize=7)
    if floating is not None:
        axes.axhline(errors_of([floating])[0], color="black", ls="--", lw=1.2, label="float32")
    known = [accuracy for row in series.values() for accuracy in row.values()]
    draw_accuracies(axes, known if floating is None else [*known, floating])
    ticks = sorted({*range(1, 9), *(bits for row in series.values() for bits in row)})
    axes.set(xlim=(ticks[-1] + 0.3, ticks[0] - 0.3), xticks=ticks)
    axes.set_xticklabels([f"{tick:g}" for tick in ticks])
    axes.legend()
    return figure


def layer_errors(
    errors: Mapping[str, Mapping[str, float]],
    title: str = "Signal to noise in each layer: more is better",
) -> Picture:
    """Signal to noise in dB as groups of bars: for each method of `errors`, by layer. The noise is
    the difference from the float network."""
    layers = list(dict.fromkeys(layer for row in errors.values() for layer in row))
    listed = [
        f"{method}: {', '.join(f'{layer} {row[layer]:.1f}' for layer in row)}"
        for method, row in errors.items()
    ]
    alt = f"Bars of the signal to noise in dB, by layer. {'; '.join(listed)}."
    width = 0.8 / len(errors)
    figure = Picture(max(6, 0.5 * len(layers) * len(errors) + 2), 3.6, title, alt)
    axes = figure.chart("layer", "signal to noise (dB)")
    for number, (method, row) in enumerate(errors.items()):
        places = np.arange(len(layers)) + (number - (len(errors) - 1) / 2) * width
        heights = [row.get(layer, np.nan) for layer in layers]
        color, hatch = CYCLE[number % len(CYCLE)], HATCHES[number % len(HATCHES)]
        style: dict[str, Any] = {"hatch": hatch, "edgecolor": "white", "label": method}
        bars = axes.bar(places, heights, width, color=color, **style)
        texts = ["" if np.isnan(height) else f"{height:.0f}" for height in heights]
        axes.bar_label(bars, texts, padding=2, fontsize=9)
    axes.set_xticks(range(len(layers)), layers)
    axes.margins(y=0.12)
    figure.legend(loc="outside lower center", ncols=4, frameon=False)
    return figure
