"""Accuracy against what it costs: the Pareto front of several networks."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import chain, pairwise
from typing import Any

from matplotlib.axes import Axes
from matplotlib.text import Text
from matplotlib.ticker import LogLocator, NullLocator, StrMethodFormatter
from matplotlib.transforms import Bbox

from kit.errors import KitError, one_of
from kit.lesson.show.picture import BLUE, GRAY, ORANGE, Picture, draw_accuracies, errors_of

COSTS = {  # the fields that may be an axis, and its label
    "flash_bytes": "whole program in flash (bytes)",
    "weights_bytes": "weights (bytes)",
    "file_bytes": "file of the model (bytes)",
    "ram_bytes": "whole program in RAM (bytes)",
    "instructions": "instructions for one inference",
    "cycles": "cycles for one inference",
    "microseconds": "time of one inference (µs)",
}
PLACES = [(x, y) for y in (0, 9, -9, 21, -21, 34, -34, 47, -47, 60, -60) for x in (8, -8)]
"""Where a point's name may stand, in points from it, the best first."""


def field(row: Any, name: str) -> Any:
    """A field of a row, which is an object or a mapping; None where it has none."""
    return row.get(name) if isinstance(row, Mapping) else getattr(row, name, None)


def pareto_front(points: Iterable[Any], x: str) -> list[Any]:
    """The points that no other beats, from the cheapest on: none costs less and is as accurate, or
    is more accurate and costs no more. Those without `x` or accuracy are on no front."""
    known = [point for point in points if _is_known(point, x)]
    best, front = -1.0, list[Any]()
    for point in sorted(known, key=lambda each: (field(each, x), -field(each, "accuracy"))):
        accuracy = field(point, "accuracy")
        same = bool(front) and (field(front[-1], x), best) == (field(point, x), accuracy)
        if accuracy > best or same:
            front.append(point)
            best = accuracy
    return front


def _is_known(point: Any, x: str) -> bool:
    return None not in (field(point, x), field(point, "accuracy"))


def pareto(
    points: Sequence[Any],
    x: str = "flash_bytes",
    peers: Sequence[Any] = (),
    title: str = "Accuracy against what it costs",
) -> Picture:
    """Accuracy (0 to 1) against a field of `COSTS`, logarithmic: `points`, objects or mappings,
    with their names, and their Pareto front as steps; `peers`, what others have published, beside
    them. Who has no such field is left out, and named in the description."""
    label = COSTS[one_of(x, tuple(COSTS))]
    own, others = ([each for each in rows if _is_known(each, x)] for rows in (points, peers))
    left_out = [field(each, "name") for each in chain(points, peers) if not _is_known(each, x)]
    if not own:
        raise KitError(f"No point has an accuracy and {x}.", next_step="Draw another field.")
    front = pareto_front(own, x)
    figure = Picture(10, 5.6, title, _describe(label, own, others, front, x, left_out))
    axes = figure.chart(label, "accuracy")
    costs, heights = _places(front, x)
    drawn = [field(each, x) for each in (*own, *others)]
    axes.step([*costs, 2 * max(drawn)], [*heights, heights[-1]], where="post", color=BLUE, lw=1.4,
              label="the best of them (Pareto front)")  # fmt: skip
    axes.plot(*_places(own, x), "o", color=BLUE, markersize=7, label="measured here")
    if others:
        axes.plot(*_places(others, x), "D", color=ORANGE, mfc="white", mew=1.6,
                  label="published by others")  # fmt: skip
    draw_accuracies(axes, [field(each, "accuracy") for each in (*own, *others)])
    axes.set(xscale="log", xlim=(min(drawn) / 1.6, 1.6 * max(drawn)))
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
    axes.xaxis.set_minor_locator(NullLocator())
    figure.legend(loc="outside lower center", ncols=3, frameon=False)
    _draw_names(figure, axes, [*own, *others], x)
    return figure


def _places(rows: Sequence[Any], x: str) -> tuple[list[float], list[float]]:
    return [field(row, x) for row in rows], errors_of([field(row, "accuracy") for row in rows])


def _describe(
    label: str, own: list[Any], others: list[Any], front: list[Any], x: str, left_out: list[str]
) -> str:
    told = [
        f"{field(each, 'name')} {field(each, x):,.0f}, {field(each, 'accuracy'):.2%}"
        f"{' (front)' * (each in front)}{' (by others)' * (each in others)}"
        for each in (*own, *others)
    ]
    rest = f" Left out, as it is not known there: {', '.join(left_out)}." if left_out else ""
    return f"Points of accuracy against {label}: {'; '.join(told)}.{rest}"


def _draw_names(figure: Picture, axes: Axes, rows: Sequence[Any], x: str) -> None:
    """Each name at the first of `PLACES` where it covers no point, no other name and no edge."""
    figure.draw_without_rendering()  # settles where the points are
    points = list(zip(*_places(rows, x), strict=True))
    centers = (axes.transData.transform(point) for point in points)
    taken = [Bbox.from_extents(a - 6, b - 6, a + 6, b + 6) for a, b in centers]
    corners = axes.transData.transform(axes.lines[0].get_path().vertices)  # of the front
    taken += [Bbox([a, b]).padded(1) for a, b in pairwise(corners)]
    line = {"arrowstyle": "-", "color": GRAY, "lw": 0.6, "shrinkA": 0, "shrinkB": 4}
    for row, point in zip(rows, points, strict=True):
        text = axes.annotate(field(row, "name"), point, (0, 0), fontsize=8.5,
                             textcoords="offset points", arrowprops=line)  # fmt: skip
        text.set_in_layout(False)
        for dx, dy in PLACES:
            text.set(position=(dx, dy), ha="left" if dx > 0 else "right", va="center")
            text.get_window_extent()  # of the text and the line to its point; it puts them there
            box = Text.get_window_extent(text)
            inside = axes.bbox.containsx(box.x0) and axes.bbox.containsx(box.x1)
            if inside and axes.bbox.containsy(box.y0) and not box.count_overlaps(taken):
                break
        taken.append(box)
