"""The drawing pad: draw a digit, see it as the network sees it, and read the answer."""

import html
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Protocol

import ipywidgets
import numpy as np
from ipycanvas import Canvas, hold_canvas
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from kit.digits import like_mnist
from kit.errors import KitError
from kit.lesson.show import BLUE, GRAY, in_unit

SIDE = 280  # of the pad, in pixels: ten times an MNIST image
PEN = 20  # width of the stroke: 2 to 3 pixels of an MNIST image, as MNIST's strokes are
SHOWN = 5  # the prepared image is shown so many times enlarged

Pixels = NDArray[np.uint8]
Point = tuple[float, float]


class Answer(Protocol):
    """What `recognize` returns: `kit.board.Answer`, for one."""

    @property
    def digit(self) -> int: ...
    @property
    def values(self) -> Any: ...


class DrawingPad:
    """A pad to draw a digit on with mouse, pen or finger, recognized at the end of each stroke.

    Make it the last expression of a cell to show it. Without a browser, `stroke(points)` and
    `clear()` do what the mouse does.

    Args:
        recognize: takes an image as MNIST has them, uint8 (28, 28), and returns the answer:
            its `digit`, and the `values` of the network's outputs, real numbers. Shares of 1, as a
            softmax gives them, are shown in percent, others as they are.

    Attributes:
        picture: what was drawn, uint8 (280, 280), light on dark.
        prepared: the same as MNIST would have it, uint8 (28, 28); None before a stroke.
        answer: what `recognize` returned; None before a stroke and after an error.
        message: the answer, or what went wrong, in words.
        widget: all of it as one ipywidgets widget.
    """

    def __init__(self, recognize: Callable[[Pixels], Answer]) -> None:
        self.recognize = recognize
        self.canvas = _canvas(SIDE)
        self.preview = _canvas(28 * SHOWN)
        self.bars = [_bar(digit) for digit in range(10)]
        self._scores = ipywidgets.VBox(self.bars)
        self._text = ipywidgets.HTML()
        self._last: Point | None = None
        self.widget = self._arrange()
        self._listen()
        self.clear()

    def _repr_mimebundle_(self, **arguments: Any) -> Any:
        bundle = self.widget._repr_mimebundle_(**arguments)
        return {**bundle, "text/plain": "DrawingPad"}

    def stroke(self, points: Iterable[Point]) -> None:
        """Draw a line through `points` (x, y) in pixels of the pad, and recognize the drawing."""
        first, *others = points
        self._down(*first)
        for point in others:
            self._move(*point)
        self._up(*(others or [first])[-1])

    def clear(self, *_: Any) -> None:
        """Wipe the pad, the prepared image and the scores."""
        self._image = Image.new("L", (SIDE, SIDE))
        self._pen = ImageDraw.Draw(self._image)
        self._last = None
        self.prepared: Pixels | None = None
        self.answer: Answer | None = None
        _blacken(self.canvas)
        _blacken(self.preview)
        self._show_scores(np.zeros(len(self.bars)))
        self._say("Draw a digit.")

    @property
    def picture(self) -> Pixels:
        return np.array(self._image)

    def _arrange(self) -> ipywidgets.Widget:
        button = ipywidgets.Button(description="Clear", tooltip="Wipe the pad")
        button.on_click(self.clear)
        seen = [_caption("As the network sees it:"), self.preview, button]
        left = ipywidgets.VBox([_caption("Draw here:"), self.canvas])
        middle = ipywidgets.VBox(seen, layout={"margin": "0 20px"})
        right = ipywidgets.VBox([_caption("Scores:"), self._scores], layout={"width": "270px"})
        return ipywidgets.VBox([ipywidgets.HBox([left, middle, right]), self._text])

    def _listen(self) -> None:
        self.canvas.on_mouse_down(self._down)
        self.canvas.on_mouse_move(self._move)
        self.canvas.on_mouse_up(self._up)
        self.canvas.on_mouse_out(self._up)
        self.canvas.on_touch_start(_one_finger(self._down))
        self.canvas.on_touch_move(_one_finger(self._move))
        self.canvas.on_touch_end(lambda _: self._up())
        self.canvas.on_touch_cancel(lambda _: self._up())

    def _down(self, x: float, y: float) -> None:
        self._last = (x, y)
        self._draw((x, y))

    def _move(self, x: float, y: float) -> None:
        if self._last is not None:
            self._draw((x, y))

    def _up(self, x: float = 0, y: float = 0) -> None:
        if self._last is not None:
            self._last = None
            self._recognize()

    def _draw(self, point: Point) -> None:
        """Draw to `point` twice: for the eye in the browser, for the network here. Reading the
        browser's pixels back instead would take a round trip and could come too late."""
        start = self._last or point
        self._last = point
        self._pen.line([start, point], fill=255, width=PEN)
        self._pen.circle(point, PEN / 2, fill=255)
        with hold_canvas():
            self.canvas.stroke_line(*start, *point)
            self.canvas.fill_circle(*point, PEN / 2)

    def _recognize(self) -> None:
        """Recognize the drawing; whatever goes wrong is said in the pad, for a callback of a
        widget has no cell below which a stack could show."""
        self.answer = None
        try:
            self.prepared = like_mnist(self.picture, "light-on-dark")
            self._show_prepared(self.prepared)
            answer = self.recognize(self.prepared)
            numbers, unit = in_unit(answer.values)
            self._show_scores(numbers, unit, answer.digit)
            self._say(f"I read a {answer.digit} ({_number(numbers[answer.digit], unit)}).")
            self.answer = answer
        except KitError as error:
            self._fail(str(error))
        except Exception as error:
            self._fail(f"{type(error).__name__}: {error}")

    def _fail(self, text: str) -> None:
        self._show_scores(np.zeros(len(self.bars)))
        self._say(text, "alert")

    def _show_prepared(self, image: Pixels) -> None:
        large = image.repeat(SHOWN, axis=0).repeat(SHOWN, axis=1)
        self.preview.put_image_data(np.stack([large] * 3, axis=-1))

    def _show_scores(self, numbers: NDArray[Any], unit: str = "%", best: int | None = None) -> None:
        """A bar for each class; numbers that are no percentages are drawn from least to most."""
        if len(numbers) != len(self.bars):
            self._scores.children = self.bars = [_bar(digit) for digit in range(len(numbers))]
        least, most = (0.0, 100.0) if unit else (numbers.min(), numbers.max())
        for digit, (bar, value) in enumerate(zip(self.bars, numbers, strict=True)):
            name, progress, number = bar.children
            progress.value = 100 * float((value - least) / (most - least or 1))
            progress.style.bar_color = BLUE if digit == best else GRAY
            weight = "b" if digit == best else "span"
            name.value = f"<{weight}>{digit}</{weight}>"
            number.value = f"<{weight}>{_number(value, unit)}</{weight}>"

    def _say(self, text: str, role: str = "status") -> None:
        self.message = text
        lines = html.escape(text).replace("\n", "<br>")
        style = "font-size: 1.3em; line-height: 1.3"
        self._text.value = f'<p role="{role}" style="{style}">{lines}</p>'


def _number(value: float, unit: str) -> str:
    return f"{value:.0f} %" if unit else f"{value:.3g}"


def _canvas(side: int) -> Canvas:
    """A square canvas; the layout keeps JupyterLab from stretching it."""
    size = f"{side}px"
    layout = {"width": size, "height": size, "flex": "none", "border": f"1px solid {GRAY}"}
    return Canvas(width=side, height=side, layout=layout)


def _blacken(canvas: Canvas) -> None:
    with hold_canvas():
        canvas.fill_style = "black"
        canvas.fill_rect(0, 0, canvas.width, canvas.height)
        canvas.fill_style = canvas.stroke_style = "white"
        canvas.line_width, canvas.line_cap = PEN, "round"


def _caption(text: str) -> ipywidgets.HTML:
    return ipywidgets.HTML(text)


def _bar(digit: int) -> ipywidgets.HBox:
    """The digit's name, its score as a bar of 0 to 100, and as a number."""
    name = ipywidgets.HTML(str(digit), layout={"width": "14px"})
    progress = ipywidgets.FloatProgress(min=0, max=100, layout={"width": "170px", "height": "20px"})
    number = ipywidgets.HTML(layout={"width": "50px"})
    layout = {"height": "26px", "align_items": "center"}
    return ipywidgets.HBox([name, progress, number], layout=layout)


def _one_finger(callback: Callable[[float, float], None]) -> Callable[[Sequence[Point]], None]:
    """A touch callback for the first finger, the others ignored."""

    def touched(fingers: Sequence[Point]) -> None:
        if fingers:
            callback(*fingers[0])

    return touched
