"""The road and its steps as boxes and arrows."""

from typing import Any

from matplotlib.axes import Axes
from matplotlib.patches import FancyBboxPatch

from kit.lesson.show.picture import BLUE, GRAY, PALE, Picture

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


def road(stage: str | None = None) -> Picture:
    """The road from digits to an answer, one `stage` of `STAGES` highlighted.

    Raises ValueError: there is no such stage.
    """
    if stage is not None and stage not in STAGES:
        raise ValueError(f"no stage {stage!r}: {', '.join(STAGES)}")
    alt = f"The road: {', then '.join(STAGES)}." + (f" You are at: {stage}." if stage else "")
    figure = Picture(10, 1.5, "", alt)
    axes = figure.add_subplot(xlim=(-0.5, 5.5), ylim=(-0.55, 0.55))
    axes.set_axis_off()
    for x, (name, product) in enumerate(STAGES.items()):
        here = name == stage
        face, edge, text = (BLUE, BLUE, "white") if here else (PALE, GRAY, "black")
        box = FancyBboxPatch((x - 0.32, -0.13), 0.64, 0.46, "round,pad=0.03", fc=face, ec=edge)
        axes.add_patch(box)
        weight = "bold" if here else "normal"
        _write(axes, x, 0.1, name, fontsize=13, weight=weight, color=text)
        _write(axes, x, -0.35, product, fontsize=10, color="#444444")
        if x:
            _draw_arrow(axes, (x - 0.63, 0.1), (x - 0.37, 0.1), 1.6)
    return figure


def ways(title: str = "Ways from the model to a program on the chip") -> Picture:
    """Each way of `WAYS` as a row of steps, all beginning with the same .tflite file."""
    listed = "; ".join(f"{who}: {steps.replace('|', ', ')}" for who, steps in WAYS.items())
    alt = "Four ways, each from digits_int8.tflite. " + listed.replace("\n", " ") + "."
    figure = Picture(11, 0.8 * len(WAYS) + 0.6, title, alt)
    axes = figure.add_subplot(xlim=(-1.15, 3.6), ylim=(len(WAYS) - 0.5, -0.5))
    axes.set_axis_off()
    box = {"boxstyle": "round,pad=0.4", "facecolor": PALE, "edgecolor": GRAY}
    for row, (who, steps) in enumerate(WAYS.items()):
        axes.text(-1.1, row, who, ha="left", va="center", fontsize=10, fontweight="bold")
        for column, step in enumerate(steps.split("|")):
            _write(axes, column + 0.15, row, step, fontsize=9, bbox=box)
            if column:
                _draw_arrow(axes, (column - 0.41, row), (column - 0.3, row), 1.4)
    return figure


def _write(axes: Axes, x: float, y: float, text: str, **style: Any) -> None:
    axes.text(x, y, text, ha="center", va="center", **style)


def _draw_arrow(
    axes: Axes, start: tuple[float, float], end: tuple[float, float], width: float
) -> None:
    axes.annotate("", end, start, arrowprops={"arrowstyle": "-|>", "lw": width, "color": "black"})
