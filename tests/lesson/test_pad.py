"""kit/lesson/pad.py without a browser: what the mouse does, what the network gets, what is said."""

import re
from types import SimpleNamespace
from unittest.mock import Mock

import numpy as np
import pytest

from kit.errors import KitError
from kit.lesson.pad import PEN, SIDE, DrawingPad
from kit.lesson.show.picture import BLUE
from kit.pictures import like_mnist

SEVEN = [(60, 60), (200, 60), (110, 230)]
A_SEVEN = SimpleNamespace(digit=7, values=np.eye(10)[7])


@pytest.fixture
def pad():
    return DrawingPad(Mock(return_value=A_SEVEN))


def bars(pad):
    return [float(width) for width in re.findall(r"width: ([\d.]+)%", pad._scores.value)]


def event(pad, name, **content):
    """An event as the browser sends it to the canvas."""
    pad.canvas._handle_frontend_event(None, {"event": name, **content}, [])


def test_a_stroke_is_prepared_recognized_and_said(pad):
    """The whole way from points to words and bars; the best stands out, and not by color alone."""
    pad.stroke(SEVEN)
    pad.recognize.assert_called_once_with(pad.prepared)
    assert np.array_equal(pad.prepared, like_mnist(pad.picture))
    assert pad.message == "I read a 7 (100 %)." and pad.message in pad._text.value
    assert pad.answer is A_SEVEN and bars(pad) == [0] * 7 + [100, 0, 0]
    bold = re.findall(r"font-weight: (\w+)", pad._scores.value)
    assert [index for index, weight in enumerate(bold) if weight == "bold"] == [7]
    assert pad._scores.value.count(BLUE) == 1


def test_the_picture_is_what_was_drawn(pad):
    """A round pen of 20 pixels along the points, nothing elsewhere; a click is a dot; strokes add
    up, for a 4 or a crossed 7 takes two: the second is recognized together with the first."""
    pad.stroke([(50, 140), (230, 140)])
    assert pad.picture.shape == (SIDE, SIDE)
    assert pad.picture[:, 140].astype(bool).sum() == pytest.approx(PEN, abs=2)
    assert pad.picture[140, 30:250].astype(bool).sum() == pytest.approx(180 + PEN, abs=2)
    assert pad.picture[:120].max() == 0
    pad.stroke([(20, 20)])
    assert pad.picture[20, 20] and pad.picture[140, 140] and pad.recognize.call_count == 2


def test_mouse_and_touch_take_the_same_way(pad):
    """Events from the browser give the pixels that `stroke` gives; leaving the pad ends a stroke
    that was recognized then, once, and does not stick to the mouse."""
    pad.stroke(SEVEN)
    drawn = pad.picture
    (x, y), *others = SEVEN
    pad.clear()
    event(pad, "mouse_move", x=5, y=5)  # no button is down: nothing is drawn
    event(pad, "mouse_down", x=x, y=y)
    for a, b in others:
        event(pad, "mouse_move", x=a, y=b)
    event(pad, "mouse_out", x=290, y=b)
    event(pad, "mouse_up", x=300, y=b)
    event(pad, "mouse_move", x=10, y=10)
    assert np.array_equal(pad.picture, drawn) and pad.recognize.call_count == 2
    pad.clear()
    event(pad, "touch_start", touches=[{"x": x, "y": y}])
    for a, b in others:
        event(pad, "touch_move", touches=[{"x": a, "y": b}, {"x": 0, "y": 0}])
    event(pad, "touch_end", touches=[])
    assert np.array_equal(pad.picture, drawn) and pad.recognize.call_count == 3


def test_the_button_forgets_everything(pad):
    pad.stroke(SEVEN)
    columns = pad.widget.children[0].children
    (button,) = [w for column in columns for w in column.children if hasattr(w, "click")]
    button.click()
    assert pad.picture.max() == 0 and bars(pad) == [0] * 10
    assert pad.prepared is None and pad.answer is None
    assert pad.message == "Draw a digit."


@pytest.mark.parametrize(
    ("error", "said"),
    [(KitError("The <COM5> is gone.", "", "Plug it in."), "The <COM5> is gone.\nNext: Plug it in."),
     (ZeroDivisionError("division by zero"), "ZeroDivisionError: division by zero")],
    ids=["of the board", "of a learner's own recognize"],
)  # fmt: skip
def test_an_error_is_shown_whole_and_no_earlier_answer(pad, error, said):
    """Unplugging the board in the middle of the lesson must be seen in the pad."""
    pad.stroke(SEVEN)
    pad.recognize = Mock(side_effect=error)
    pad.stroke(SEVEN)
    assert pad.message == said and 'role="alert"' in pad._text.value
    assert said.replace("<", "&lt;").replace(">", "&gt;").replace("\n", "<br>") in pad._text.value
    assert pad.answer is None and bars(pad) == [0] * 10


@pytest.mark.parametrize(
    ("values", "said", "shares"),
    [
        (np.eye(10)[3] * 0.9 + 0.01, "I read a 3 (91 %).", [1] * 3 + [91] + [1] * 6),
        (np.arange(-4.5, 5), "I read a 9 (4.5).", [100 * i / 9 for i in range(10)]),
        (np.array([0.25, 7.75, 0.0]), "I read a 1 (7.75).", [100 / 31, 100, 0]),
        (np.zeros(10), "I read a 0 (0).", [0] * 10),
    ],
    ids=["softmax", "no softmax", "three classes", "collapsed"],
)
def test_what_the_outputs_are_is_shown(pad, values, said, shares):
    """Percent are for shares of 1; other outputs are shown as the numbers that they are."""
    pad.recognize.return_value = SimpleNamespace(digit=int(values.argmax()), values=values)
    pad.stroke(SEVEN)
    assert pad.message == said
    assert bars(pad) == pytest.approx(shares, abs=0.01)
    pad.clear()
    assert bars(pad) == [0] * len(values)


def test_the_pad_in_a_page_is_as_nbval_and_the_mouse_need_it(pad):
    """Its plain text never changes, for the widget's own holds ids and bytes; a stretched canvas
    would report the mouse where it is not."""
    bundle = pad._repr_mimebundle_()
    assert bundle["text/plain"] == "DrawingPad"
    assert "application/vnd.jupyter.widget-view+json" in bundle
    for canvas in (pad.canvas, pad.preview):
        assert canvas.layout.width == f"{canvas.width}px"
        assert canvas.layout.height == f"{canvas.height}px"
