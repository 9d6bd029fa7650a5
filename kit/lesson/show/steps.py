"""The road and its steps as boxes and arrows."""

from collections.abc import Iterable
from typing import Any

from matplotlib.axes import Axes
from matplotlib.patches import FancyBboxPatch

from kit.lesson.show.picture import GRAY, PALE, Picture

STAGES = {
    "digits": "28 x 28 pixels",
    "model": ".tflite file",
    "generate": "C code",
    "compile": "firmware.elf",
    "board": "STM32 chip",
    "answer": "ten scores",
}
WAYS = {  # from a model to a program on the chip: who works, and the steps
    "this kit": ("kit generate", "network.c, kernels", "kit build", "firmware"),
    "this kit with\nST's tool": (
        "kit generate\n--engine xcubeai", "network.c,\nST's library", "kit build", "firmware"
    ),
    "STM32CubeMX with\nX-CUBE-AI": (
        "add network,\nAnalyze, Validate", "Generate code:\na whole project",
        "your calls\nin main.c", "build in an IDE"
    ),
    "STM32Cube\nAI Studio": (
        "import the model,\nchoose the target", "Generate: network.c,\nST's library",
        "into a project\nof yours", "build in an IDE"
    ),
}  # fmt: skip


def road() -> Picture:
    """The road from digits to an answer: each station of `STAGES`, and what it gives."""
    figure = Picture(10, 1.5, "", f"The road: {', then '.join(STAGES)}.")
    axes = figure.add_subplot(xlim=(-0.5, 5.5), ylim=(0.75, -0.45))
    axes.set_axis_off()
    _draw_steps(axes, 0, STAGES, fontsize=13)
    for column, product in enumerate(STAGES.values()):
        _write(axes, column, 0.52, product, fontsize=10, color="#444444")
    return figure


def ways(title: str = "Ways from the model to a program on the chip") -> Picture:
    """Each way of `WAYS` as a row of steps, all beginning with the same .tflite file."""
    listed = "; ".join(f"{who}: {', '.join(steps)}" for who, steps in WAYS.items())
    alt = "Four ways, each from digits_int8.tflite. " + listed.replace("\n", " ") + "."
    figure = Picture(11, 0.8 * len(WAYS) + 0.6, title, alt)
    axes = figure.add_subplot(xlim=(-1.4, 3.5), ylim=(len(WAYS) - 0.5, -0.5))
    axes.set_axis_off()
    for row, (who, steps) in enumerate(WAYS.items()):
        axes.text(-1.35, row, who, va="center", fontsize=10, fontweight="bold")
        _draw_steps(axes, row, steps, fontsize=9)
    return figure


def _draw_steps(axes: Axes, row: int, steps: Iterable[str], **style: Any) -> None:
    """A row of boxes, one at each whole number, with arrows between."""
    for column, step in enumerate(steps):
        box = (column - 0.32, row - 0.23), 0.64, 0.46
        axes.add_patch(FancyBboxPatch(*box, "round,pad=0.03", facecolor=PALE, edgecolor=GRAY))
        _write(axes, column, row, step, **style)
        if column:
            ends = (column - 0.37, row), (column - 0.63, row)
            axes.annotate("", *ends, arrowprops={"arrowstyle": "-|>", "lw": 1.6, "color": "black"})


def _write(axes: Axes, x: float, y: float, text: str, **style: Any) -> None:
    axes.text(x, y, text, ha="center", va="center", **style)
