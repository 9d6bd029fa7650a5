"""The figures and tables of the notebooks.

Each figure function returns a Matplotlib `Figure` that carries a description in words. As the last
expression of a cell it is shown with that description as its alt text; `show` takes a better one:

    show(digits(x_test[:10], y_test[:10]), alt="Ten test digits; the third is a slanted 1.")

Colors are those of Okabe and Ito (Color Universal Design, 2008), which color-blind people can tell
apart; nothing is said by color alone.
"""

import base64
import io
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from IPython.display import display
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch
from matplotlib.ticker import MaxNLocator
from numpy.typing import ArrayLike, NDArray

from kit.boards import DEFAULT, Mcu
from kit.model import are_shares
from kit.tables import Rows, Table, in_words, table

if TYPE_CHECKING:
    from kit.board import Profile
    from kit.compile import Firmware
    from kit.generate import Generated
    from kit.generate.xcubeai import Trial

ORANGE, SKY, GREEN, YELLOW = "#E69F00", "#56B4E9", "#009E73", "#F0E442"
BLUE, RED, PURPLE, GRAY = "#0072B2", "#D55E00", "#CC79A7", "#9A9A9A"
PALE = "#E8E8E8"
WHITE = {"facecolor": "white", "edgecolor": "none", "pad": 1, "alpha": 0.85}  # behind a text
CYCLE = [BLUE, ORANGE, GREEN, PURPLE, SKY, RED, YELLOW, GRAY]

KB = 1024
FLASH_KB = DEFAULT.flash_bytes // KB

STAGES = {
    "digits": "28 x 28 pixels",
    "model": ".tflite file",
    "generate": "C code",
    "compile": "firmware.elf",
    "board": "STM32F446",
    "answer": "ten scores",
}

WAYS = {  # from a model to a program on the chip: who works, and the steps
    "this kit": "kit generate|network.c, kernels|kit build|firmware",
    "this kit with\nST's tool": (
        "kit generate\n--engine xcubeai|network.c,\nST's library|kit build|firmware"
    ),
    "STM32CubeMX with\nX-CUBE-AI": (
        "add network,\nAnalyze, Validate|Generate code:\na whole project|"
        "your calls\nin main.c|build in an IDE"
    ),
    "STM32Cube\nAI Studio": (
        "import the model,\nchoose the target|Generate: network.c,\nST's library|"
        "into a project\nof yours|build in an IDE"
    ),
}


# --- Into the notebook ---------------------------------------------------------------------------


def show(figure: Figure, alt: str = "") -> None:
    """Display a figure with alt text: `alt`, or the description the figure came with.

    The output is an image/png with the alt text in its metadata (as `IPython.display.Image` has
    it) and as its plain text, so it is the same on every machine as far as it is compared.
    """
    alt = alt or str(figure.get_label())
    picture = io.BytesIO()
    figure.savefig(picture, format="png", dpi=144, metadata={"Software": None})
    data = {"image/png": base64.b64encode(picture.getvalue()).decode("ascii"), "text/plain": alt}
    width = round(figure.get_figwidth() * 96)  # 144 pixels an inch shown as 96: sharp when zoomed
    metadata = {"image/png": {"alt": alt, "width": width}}
    display(data, metadata=metadata, raw=True)  # type: ignore[no-untyped-call]


# --- Digits and scores ---------------------------------------------------------------------------


def digits(
    images: ArrayLike, labels: ArrayLike | None = None, title: str = "", columns: int = 10
) -> Figure:
    """Digits in rows of up to `columns`, each with its label above it.

    Args:
        images: shape (n, 28, 28) or (28, 28), 0 = paper; any dtype, each shown in its own range.
        labels: n labels, numbers or words.
    """
    pictures = np.asarray(images)
    pictures = pictures.reshape(-1, *pictures.shape[-2:])
    across = min(columns, len(pictures))
    down = -(-len(pictures) // across)
    names = [] if labels is None else [str(label) for label in np.atleast_1d(np.asarray(labels))]
    alt = f"{len(pictures)} handwritten digit{'s' if len(pictures) > 1 else ''}"
    alt += f", labeled {', '.join(names)}." if names else "."
    size = max(0.82 if len(pictures) > 1 else 2, 0.09 * max(map(len, names), default=0))
    width = max(size * across, 0.11 * len(title)) + 0.3
    figure = _figure(width, (size + 0.2) * down + 0.5, title, alt)
    for index, picture in enumerate(pictures):
        axes = figure.add_subplot(down, across, index + 1)
        axes.imshow(picture, cmap="gray", interpolation="nearest")
        axes.set_axis_off()
        if names:
            axes.set_title(names[index], fontsize=10)
    return figure


def to_percent(scores: ArrayLike) -> NDArray[Any]:
    """Scores in percent: int8 as a softmax gives them (scale 1/256, zero point -128), or shares."""
    values = np.asarray(scores)
    if values.dtype.kind in "iu":
        return 100 / 256 * (values.astype(np.float64) + 128)
    return 100 * values.astype(np.float64)


def in_unit(values: ArrayLike) -> tuple[NDArray[Any], str]:
    """Scores for the eye: percentages and "%" where they are shares of 1, as a softmax gives them;
    else the numbers themselves and no unit.

    Args:
        values: shape (classes,): int8 as a softmax gives them, or real numbers.
    """
    numbers = np.asarray(values).reshape(-1)
    percent = to_percent(numbers)
    return (percent, "%") if are_shares(percent / 100) else (numbers.astype(np.float64), "")


def scores(values: ArrayLike, title: str = "", expected: int | None = None) -> Figure:
    """The scores as bars; the best is highlighted, the expected digit marked.

    Args:
        values: shape (classes,): int8 as a softmax gives them (scale 1/256, zero point -128), or
            real numbers. Shares of 1 are shown in percent, others as they are.
        expected: the digit it should be.
    """
    numbers, unit = in_unit(values)
    best = int(numbers.argmax())
    alt = f"Bars of the scores of 0 to {len(numbers) - 1}; the highest is that of {best}."
    figure = _figure(7, 2.8, title or "Scores", alt)
    axes = _axes(figure, "digit", f"score ({unit})" if unit else "output of the network")
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


def confusion(labels: ArrayLike, predicted: ArrayLike, title: str = "Confusion") -> Figure:
    """How often each digit (row) was read as each digit (column): a 10 x 10 grid of counts."""
    counts = np.zeros((10, 10), int)
    np.add.at(counts, (np.asarray(labels), np.asarray(predicted)), 1)
    figure = _figure(
        6.2, 5.6, title, "A 10 by 10 grid: how often each digit was read as each digit."
    )
    axes = figure.add_subplot()
    axes.imshow(np.log1p(counts), cmap="Blues")
    dark = np.log1p(counts) > np.log1p(counts).max() * 0.6
    for (row, column), count in np.ndenumerate(counts):
        if count:
            color = "white" if dark[row, column] else "black"
            axes.text(column, row, f"{count}", ha="center", va="center", color=color, fontsize=9)
    axes.set(xticks=range(10), yticks=range(10), xlabel="read as", ylabel="digit drawn")
    axes.set_xticks(np.arange(-0.5, 10), minor=True)
    axes.set_yticks(np.arange(-0.5, 10), minor=True)
    axes.grid(which="minor", color=PALE, linewidth=0.5)
    axes.tick_params(which="both", length=0)
    return figure


# --- Training and quantization -------------------------------------------------------------------


def history(history: Any, title: str = "Training") -> Figure:
    """Loss and accuracy per epoch.

    Args:
        history: what `model.fit` returned, or its dict of lists: loss and accuracy, and where
            there was validation, val_loss and val_accuracy.
    """
    values: Mapping[str, Sequence[float]] = getattr(history, "history", history)
    epochs = range(1, len(values["loss"]) + 1)
    alt = f"Two line charts over {len(epochs)} epochs: the loss and the accuracy."
    figure = _figure(8, 2.9, title, alt)
    for index, (key, label, factor) in enumerate(
        [("loss", "loss (cross-entropy)", 1), ("accuracy", "accuracy (%)", 100)]
    ):
        axes = _axes(figure, "epoch", label, (1, 2, index + 1))
        axes.plot(epochs, factor * np.asarray(values[key]), "o-", color=BLUE, label="training")
        if f"val_{key}" in values:
            seen = factor * np.asarray(values[f"val_{key}"])
            axes.plot(epochs, seen, "s--", color=ORANGE, label="validation")
            axes.legend()
        axes.xaxis.set_major_locator(MaxNLocator(10, integer=True))
    return figure


def comparison(rows: Rows, title: str = "What quantization saves and costs") -> Figure:
    """Files beside the flash they must fit in, and the accuracy they keep.

    Args:
        rows: for each model name, bytes, accuracy and agreement (0 to 1; with the float model),
            and fits (in flash or not).
    """
    names = [str(row["name"]) for row in rows]
    alt = (
        f"File sizes of {', '.join(names)} as bars, with a line at the 512 KB of flash; "
        "beside them the accuracy of each and its agreement with float."
    )
    figure = _figure(10, 0.55 * len(rows) + 1.7, title, alt)
    _draw_sizes(_axes(figure, "file size (KB)", "", (1, 2, 1), grid="x"), names, rows)
    axes = _axes(figure, "test images (%)", "", (1, 2, 2), grid="x")
    for key, marker, color in ("accuracy", "o", BLUE), ("agreement", "D", ORANGE):
        percent = [100 * row[key] for row in rows]
        label = {"accuracy": "read correctly", "agreement": "same answer as float"}[key]
        axes.plot(percent, names, marker, color=color, markersize=8, label=label)
        for name, value in zip(names, percent, strict=True):
            axes.annotate(
                f"{value:.2f}", (value, name), (0, 8), textcoords="offset points", ha="center"
            )
    axes.set_ylim(len(rows) - 0.4, -0.75)
    axes.margins(x=0.12)
    figure.legend(loc="outside lower right", ncols=2, frameon=False)
    return figure


def _draw_sizes(axes: Axes, names: list[str], rows: Rows) -> None:
    sizes = [row["bytes"] / KB for row in rows]
    bars = axes.barh(names, sizes, color=[BLUE if row["fits"] else RED for row in rows], height=0.6)
    texts = [
        f"{size:,.0f} KB" + ("" if row["fits"] else ", does not fit")
        for size, row in zip(sizes, rows, strict=True)
    ]
    _draw_limit(axes, FLASH_KB, f"{FLASH_KB} KB of flash")
    for bar, text in zip(bars, texts, strict=True):
        inside = bar.get_width() > FLASH_KB / 2  # else it would cross the limit's line
        axes.annotate(
            f" {text} ",
            (bar.get_width(), bar.get_y() + bar.get_height() / 2),
            ha="right" if inside else "left",
            va="center",
            color="white" if inside else "black",
        )
    room = 1.25 if all(row["fits"] for row in rows) else 1.6
    axes.set_xlim(0, room * max([FLASH_KB, *sizes]))
    axes.set_ylim(len(rows) - 0.4, -0.75)


def _draw_limit(axes: Axes, value: float, name: str) -> None:
    axes.axvline(value, color="black", linestyle="--", linewidth=1.2, zorder=3)
    axes.annotate(name, (value, -0.75), (4, -2), textcoords="offset points", va="top")


def weights(
    before: ArrayLike,
    after: ArrayLike,
    title: str = "Weights before and after quantization",
    names: tuple[str, str] = ("before: real numbers", "after: int8"),
) -> Figure:
    """Histograms of a layer's weights side by side: any shapes; integers get a bin each value."""
    alt = f"Two histograms of weights side by side, {names[0]} and {names[1]}."
    figure = _figure(9, 3, title, alt)
    for index, (values, color) in enumerate(((before, BLUE), (after, ORANGE))):
        flat = np.asarray(values).reshape(-1)
        whole = flat.dtype.kind in "iu"
        axes = _axes(
            figure, "stored value" if whole else "weight", "number of weights", (1, 2, index + 1)
        )
        edges = np.arange(int(flat.min()), int(flat.max()) + 2) - 0.5
        axes.hist(flat, bins=edges.tolist() if whole else 100, color=color)
        axes.xaxis.set_major_locator(MaxNLocator(7))
        axes.set_title(names[index], fontsize=10)
    return figure


def failures(rows: Rows, title: str = "Three famous mistakes") -> Figure:
    """Accuracy of mistakes (and of doing it right) as horizontal bars.

    Args:
        rows: for each name and accuracy (0 to 1); the best is highlighted.
    """
    names = [str(row["name"]) for row in rows]
    percent = [100 * row["accuracy"] for row in rows]
    best = max(percent, default=0)
    figure = _figure(
        8, 0.5 * len(rows) + 1.3, title, f"Bars of the accuracy of: {', '.join(names)}."
    )
    axes = _axes(figure, "test images read correctly (%)", "", grid="x")
    colors = [BLUE if value == best else ORANGE for value in percent]
    bars = axes.barh(names, percent, color=colors, height=0.6)
    _draw_limit(axes, 10, "guessing: 10 %")
    axes.bar_label(bars, [f"{value:.1f} %" for value in percent], padding=3, bbox=WHITE)
    axes.set(xlim=(0, 112), xticks=range(0, 101, 20))
    axes.set_ylim(len(rows) - 0.4, -0.75)
    return figure


# --- The chip ------------------------------------------------------------------------------------


def memory_map(
    regions: Sequence[Any],
    title: str = "What occupies the chip's memory",
    mcu: Mcu = DEFAULT,
) -> Figure:
    """Flash and RAM to scale, and below each the same parts enlarged, with their bytes.

    Args:
        regions: `kit.compile.Region`s, or mappings with its fields: name, memory ("flash"
            or "RAM"), address and bytes.
        mcu: the chip, such as that of a `kit.compile.Firmware`.
    """
    parts = [_part(region) for region in regions]
    sizes = {"flash": mcu.flash_bytes, "RAM": mcu.ram_bytes}
    listed = [f"{part['name']} {part['bytes']:,} bytes of {part['memory']}" for part in parts]
    longest = max(sum(part["memory"] == memory for part in parts) for memory in sizes)
    alt = f"A map of the chip's memory: {'; '.join(listed)}."
    figure = _figure(11, 0.4 * longest + 2.4, title, alt)
    grid = figure.add_gridspec(2, len(sizes), height_ratios=[0.5, 0.4 * longest + 0.2])
    for column, (memory, size) in enumerate(sizes.items()):
        inside = sorted(
            (part for part in parts if part["memory"] == memory), key=lambda part: part["address"]
        )
        _draw_strip(figure.add_subplot(grid[0, column]), memory, size, inside)
        _draw_parts(figure.add_subplot(grid[1, column]), size, inside)
    return figure


def _part(region: Any) -> Mapping[str, Any]:
    return region if isinstance(region, Mapping) else dict(vars(region))


def _draw_strip(axes: Axes, memory: str, size: int, parts: Rows) -> None:
    used = sum(part["bytes"] for part in parts)
    start = _start(parts)
    axes.axvspan(0, size / KB, color=PALE)
    for index, part in enumerate(parts):
        left = (part["address"] - start) / KB
        axes.axvspan(left, left + part["bytes"] / KB, color=CYCLE[index % len(CYCLE)])
    axes.set_title(f"{memory}: {used:,} of {size:,} bytes ({used / size:.1%})", fontsize=10)
    axes.set(xlim=(0, size / KB), yticks=[], xlabel="KB from the start of the memory")


def _start(parts: Rows) -> int:
    """The address at which the memory begins: flash 0x08000000, RAM 0x20000000."""
    return min((part["address"] for part in parts), default=0) & 0xFF00_0000


def _draw_parts(axes: Axes, size: int, parts: Rows) -> None:
    names = [f"{part['name']}\n0x{part['address']:08X}" for part in parts]
    colors = [CYCLE[index % len(CYCLE)] for index in range(len(parts))]
    bars = axes.barh(range(len(parts)), [max(part["bytes"], 1) for part in parts], color=colors)
    axes.bar_label(bars, [f" {part['bytes']:,}" for part in parts], fontsize=9)
    axes.set_yticks(range(len(parts)), names, fontsize=9)
    axes.invert_yaxis()
    axes.set(xscale="log", xlim=(1, 8 * size), xlabel="bytes (logarithmic)")
    axes.spines[["top", "right"]].set_visible(False)


def profile(measured: "Profile", title: str = "Where the time of one inference goes") -> Figure:
    """The time of each layer as a bar, with its cycles.

    Args:
        measured: what `kit.Board.profile` returned; that its cycles are an estimate is said.
    """
    layers, clock = measured.layers, f"{measured.core_hz / 1e6:.0f} MHz"
    kind = "estimated" if measured.estimated else "measured"
    texts = [f" {each.microseconds:,.1f} µs, {each.cycles:,} cycles" for each in layers]
    listed = [f"{each.name}{text}" for each, text in zip(layers, texts, strict=True)]
    alt = f"The time of each layer as bars, {kind} at {clock}: {'; '.join(listed)}."
    figure = _figure(9, 0.5 * len(layers) + 1.5, f"{title} ({kind})", alt)
    axes = _axes(figure, f"microseconds at {clock}, {kind}", "", (1, 1, 1), grid="x")
    times = [each.microseconds for each in layers]
    axes.bar_label(axes.barh(range(len(layers)), times, color=BLUE, height=0.6), texts)
    names = [f"{each.name}\n{each.macs:,} MACs" for each in layers]
    axes.set_yticks(range(len(layers)), names, fontsize=9)
    axes.set(xlim=(0, 1.45 * max([*times, 0.001])), ylim=(len(layers) - 0.4, -0.6))
    return figure


def ways(title: str = "Ways from the model to a program on the chip") -> Figure:
    """Each way of `WAYS` as a row of steps, all beginning with the same .tflite file."""
    listed = [f"{who}: {steps.replace('|', ', ')}" for who, steps in WAYS.items()]
    alt = "Four ways, each from digits_int8.tflite. " + "; ".join(listed).replace("\n", " ") + "."
    figure = _figure(11, 0.8 * len(WAYS) + 0.6, title, alt)
    axes = figure.add_subplot(xlim=(-1.15, 3.6), ylim=(len(WAYS) - 0.5, -0.5))
    axes.set_axis_off()
    for row, (who, steps) in enumerate(WAYS.items()):
        axes.text(-1.1, row, who, ha="left", va="center", fontsize=10, fontweight="bold")
        for column, step in enumerate(steps.split("|")):
            box = {"boxstyle": "round,pad=0.4", "facecolor": PALE, "edgecolor": GRAY}
            axes.text(column + 0.15, row, step, ha="center", va="center", fontsize=9, bbox=box)
            if column:
                style = {"arrowstyle": "-|>", "linewidth": 1.4, "color": "black"}
                axes.annotate("", (column - 0.3, row), (column - 0.41, row), arrowprops=style)
    return figure


def engines(
    networks: "Sequence[Generated]",
    programs: "Sequence[Firmware]",
    report: Mapping[str, Mapping[str, Any]],
) -> Table:
    """What each engine made of one model: a row for each figure, a column for each engine.

    Args:
        networks: what `kit.generate_network` returned, for the same model.
        programs: what `kit.build_firmware` made of each.
        report: `kit.lesson.results.read_report()`, for times that 05-recognize has measured on a
            real board.
    """
    rows: list[tuple[str, list[Any]]] = [
        ("made by", [_maker(each) for each in networks]),
        ("MACs", [each.macs for each in networks]),
        ("layers", [len(each.layers) for each in networks]),
        ("weights, bytes", [each.weights_bytes for each in networks]),
        ("tensors in RAM, bytes", [each.arena_bytes for each in networks]),
        ("whole program in flash, bytes", [each.memory.flash_bytes for each in programs]),
        ("whole program in RAM, bytes", [each.memory.ram_bytes for each in programs]),
        ("time on a real board", [_time(each.engine, report) for each in networks]),
    ]
    names = [each.engine for each in networks]
    return table([
        {"": name} | {engine: in_words(value) for engine, value in zip(names, values, strict=True)}
        for name, values in rows
    ])  # fmt: skip


def _maker(network: "Generated") -> str:
    return f"{network.runtime.tool} {network.runtime.version}" if network.runtime else "this kit"


def _time(engine: str, report: Mapping[str, Mapping[str, Any]]) -> str:
    """What 05-recognize has reported of a real board; HELLO adds the API to the engine's name."""
    for section, figures in report.items():
        if section.startswith(f"time with {engine}"):
            return f"{figures['microseconds']:,.0f} µs, {figures['cycles']:,} cycles"
    return "not measured yet: run 05"


def trials(tried: "Sequence[Trial]") -> Table:
    """What settings of ST's tool cost and save; a refused one shows the reason.

    Args:
        tried: what `kit.generate.xcubeai.compare_settings` returned.
    """
    return table([
        {
            "compression": trial.compression,
            "optimization": trial.optimization,
            "weights, bytes": _known(trial.figures and trial.figures.weights_bytes),
            "activations, bytes": _known(trial.figures and trial.figures.activations_bytes),
            "remark": trial.refusal,
        }
        for trial in tried
    ])  # fmt: skip


def _known(figure: Any) -> str:
    return "not known yet" if figure is None else in_words(figure)


def road(stage: str | None = None) -> Figure:
    """The road from digits to an answer as boxes and arrows, one `stage` highlighted.

    Raises:
        ValueError: there is no such stage; they are the keys of `STAGES`.
    """
    if stage is not None and stage not in STAGES:
        raise ValueError(f"no stage {stage!r}: {', '.join(STAGES)}")
    alt = f"The road: {', then '.join(STAGES)}."
    figure = _figure(10, 1.5, "", alt + (f" You are at: {stage}." if stage else ""))
    axes = figure.add_subplot(xlim=(-0.5, len(STAGES) - 0.5), ylim=(-0.55, 0.55))
    axes.set_axis_off()
    for index, (name, product) in enumerate(STAGES.items()):
        _draw_stage(axes, index, name, product, name == stage)
        if index:
            style = {"arrowstyle": "-|>", "linewidth": 1.6, "color": "black"}
            axes.annotate("", (index - 0.37, 0.1), (index - 0.63, 0.1), arrowprops=style)
    return figure


def _draw_stage(axes: Axes, x: float, name: str, product: str, here: bool) -> None:
    style: dict[str, Any] = {
        "facecolor": BLUE if here else PALE,
        "edgecolor": BLUE if here else GRAY,
    }
    axes.add_patch(FancyBboxPatch((x - 0.32, -0.13), 0.64, 0.46, "round,pad=0.03", **style))
    weight = "bold" if here else "normal"
    color = "white" if here else "black"
    center: dict[str, Any] = {"ha": "center", "va": "center"}
    axes.text(x, 0.1, name, fontsize=13, weight=weight, color=color, **center)
    axes.text(x, -0.35, product, fontsize=10, color="#444444", **center)


# --- Common to all -------------------------------------------------------------------------------


class Picture(Figure):
    """A figure that a cell shows with its alt text when it is the cell's last expression."""

    def _ipython_display_(self) -> None:
        show(self)


def _figure(width: float, height: float, title: str, alt: str) -> Figure:
    """An empty figure of so many inches; its label is the description that `show` uses."""
    figure = Picture(figsize=(width, height), layout="constrained", facecolor="white")
    figure.set_label(alt)
    figure.get_layout_engine().set(w_pad=0.08, h_pad=0.08)  # type: ignore[union-attr, call-arg]
    if title:
        figure.suptitle(title, fontsize=12, fontweight="bold")
    return figure


def _axes(
    figure: Figure,
    x: str,
    y: str,
    place: tuple[int, int, int] = (1, 1, 1),
    grid: Literal["x", "y"] = "y",
) -> Axes:
    axes = figure.add_subplot(*place, xlabel=x, ylabel=y)
    axes.grid(axis=grid, color=PALE)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    return axes
