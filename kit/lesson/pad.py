"""The drawing pad: draw a digit, see it as the network sees it, and read the answer."""

import html
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import ipywidgets
import numpy as np
from ipycanvas import Canvas, hold_canvas
from numpy.typing import ArrayLike, NDArray
from PIL import Image, ImageDraw

from kit.errors import KitError
from kit.lesson.show.answers import in_unit
from kit.lesson.show.picture import BLUE, GRAY
from kit.pictures import like_mnist

if TYPE_CHECKING:
    from kit.board import Answer

SIDE = 280  # of the pad, in pixels: ten times an MNIST image
PEN = 20  # width of the stroke: 2 to 3 pixels of an MNIST image, as MNIST's strokes are
SHOWN = 5  # the prepared image is shown so many times enlarged
BAR = """
<div style="display: flex; align-items: center; height: 26px; font-weight: {weight}">
<span style="width: 18px">{digit}</span><span style="width: 170px; background: #E8E8E8">
<span style="display: block; height: 20px; width: {share:.2f}%; background: {color}"></span>
</span>&nbsp; {text}</div>"""

Pixels = NDArray[np.uint8]
Point = tuple[float, float]


class DrawingPad:
    """A pad to draw a digit on with mouse, pen or finger, recognized at the end of each stroke.

    Make it the last expression of a cell to show it. `stroke(points)` and `clear()` do what the
    mouse does. `recognize` takes an image as MNIST has them, uint8 (28, 28), and returns its
    `digit` and the `values` of the network's outputs: shares of 1 are shown in percent.

    `picture` is what was drawn, uint8 (280, 280), light on dark; `prepared` the same as MNIST would
    have it, None before a stroke; `answer` what `recognize` returned, None after an error, too;
    `message` the answer, or what went wrong, in words.
    """

    def __init__(self, recognize: "Callable[[Pixels], Answer]") -> None:
        self.recognize = recognize
        self._classes = 10
        self.canvas, self.preview = _canvas(SIDE), _canvas(28 * SHOWN)
        self._scores, self._text = ipywidgets.HTML(), ipywidgets.HTML()
        button = ipywidgets.Button(description="Clear", tooltip="Wipe the pad")
        button.on_click(self.clear)
        columns = [
            _column("Draw here:", self.canvas),
            _column("As the network sees it:", self.preview, button, margin="0 20px"),
            _column("Scores:", self._scores, width="270px"),
        ]
        self.widget = ipywidgets.VBox([ipywidgets.HBox(columns), self._text])
        self.canvas.on_mouse_down(self._down)
        self.canvas.on_mouse_move(self._move)
        self.canvas.on_touch_start(_one_finger(self._down))
        self.canvas.on_touch_move(_one_finger(self._move))
        for name in ("mouse_up", "mouse_out", "touch_end", "touch_cancel"):
            getattr(self.canvas, f"on_{name}")(self._up)
        self.clear()

    def _repr_mimebundle_(self, **arguments: Any) -> Any:
        return {**self.widget._repr_mimebundle_(**arguments), "text/plain": "DrawingPad"}

    def stroke(self, points: Sequence[Point]) -> None:
        """Draw a line through `points` (x, y) in pixels of the pad, and recognize the drawing."""
        self._down(*points[0])
        for point in points:
            self._move(*point)
        self._up()

    def clear(self, *_: Any) -> None:
        """Wipe the pad, the prepared image and the scores."""
        self._image = Image.new("L", (SIDE, SIDE))
        self._last: Point | None = None
        self.prepared: Pixels | None = None
        self.answer: Answer | None = None
        for canvas in (self.canvas, self.preview):
            with hold_canvas():
                canvas.fill_style = "black"
                canvas.fill_rect(0, 0, canvas.width, canvas.height)
                canvas.fill_style = canvas.stroke_style = "white"
                canvas.line_width, canvas.line_cap = PEN, "round"
        self._say("Draw a digit.")

    @property
    def picture(self) -> Pixels:
        return np.array(self._image)

    def _down(self, x: float, y: float) -> None:
        self._last = (x, y)
        self._move(x, y)

    def _move(self, x: float, y: float) -> None:
        """Draw twice: for the eye in the browser, for the network here. Reading the browser's
        pixels back instead would take a round trip and could come too late."""
        if self._last is None:
            return
        start, self._last = self._last, (x, y)
        pen = ImageDraw.Draw(self._image)
        pen.line([start, (x, y)], fill=255, width=PEN)
        pen.circle((x, y), PEN / 2, fill=255)
        with hold_canvas():
            self.canvas.stroke_line(*start, x, y)
            self.canvas.fill_circle(x, y, PEN / 2)

    def _up(self, *_: Any) -> None:
        """Recognize the drawing; whatever goes wrong is said in the pad, for a callback of a
        widget has no cell below which a stack could show."""
        if self._last is None:
            return
        self._last = self.answer = None
        try:
            self.prepared = like_mnist(self.picture, "light-on-dark")
            large = self.prepared.repeat(SHOWN, axis=0).repeat(SHOWN, axis=1)
            self.preview.put_image_data(np.stack([large] * 3, axis=-1))
            answer = self.recognize(self.prepared)
            text = self._draw_bars(answer.values, answer.digit)[answer.digit]
            self.answer = answer
            self._say(f"I read a {answer.digit} ({text}).")
        except Exception as error:
            kind = "" if isinstance(error, KitError) else f"{type(error).__name__}: "
            self._say(f"{kind}{error}", "alert")

    def _say(self, message: str, role: str = "status") -> None:
        self.message = message
        lines = html.escape(message).replace("\n", "<br>")
        self._text.value = f'<p role="{role}" style="font-size:1.3em;line-height:1.3">{lines}</p>'
        if self.answer is None:
            self._draw_bars(np.zeros(self._classes))

    def _draw_bars(self, values: ArrayLike, best: int | None = None) -> list[str]:
        """Bars, from least to most of what is no percentage; the numbers in words."""
        numbers, unit = in_unit(values)
        texts = [f"{number:.0f} %" if unit else f"{number:.3g}" for number in numbers]
        least, most = (0.0, 100.0) if unit else (numbers.min(), numbers.max())
        bars = []
        for digit, (number, text) in enumerate(zip(numbers, texts, strict=True)):
            share = 100 * (number - least) / (most - least or 1)
            color, weight = (BLUE, "bold") if digit == best else (GRAY, "normal")
            bars.append(BAR.format(digit=digit, share=share, text=text, color=color, weight=weight))
        self._scores.value, self._classes = "".join(bars), len(bars)
        return texts


def _canvas(side: int) -> Canvas:
    """A square canvas; the layout keeps JupyterLab from stretching it."""
    size = f"{side}px"
    layout = {"width": size, "height": size, "flex": "none", "border": f"1px solid {GRAY}"}
    return Canvas(width=side, height=side, layout=layout)


def _column(caption: str, *widgets: ipywidgets.Widget, **layout: str) -> ipywidgets.Widget:
    return ipywidgets.VBox([ipywidgets.HTML(caption), *widgets], layout=layout)


def _one_finger(callback: Callable[[float, float], None]) -> Callable[[Sequence[Point]], None]:
    """A touch callback for the first finger, the others ignored."""
    return lambda fingers: callback(*fingers[0]) if fingers else None
