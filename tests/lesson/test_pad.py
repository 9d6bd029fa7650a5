"""kit/lesson/pad.py without a browser: what the mouse does, what the network gets, what is said."""

import re
from types import SimpleNamespace

import numpy as np
import pytest

from kit.errors import KitError
from kit.lesson.pad import PEN, SIDE, DrawingPad
from kit.lesson.show.picture import BLUE
from kit.pictures import like_mnist

SEVEN = [(60, 60), (200, 60), (110, 230)]


@pytest.fixture
def seen():
    return []


@pytest.fixture
def pad(seen):
    def recognize(image):
        seen.append(image)
        return SimpleNamespace(digit=7, values=np.eye(10)[7])

    return DrawingPad(recognize)


def bar_values(pad):
    return [float(width) for width in re.findall(r"width: ([\d.]+)%", pad._scores.value)]


def event(pad, name, **content):
    """An event as the browser sends it to the canvas."""
    pad.canvas._handle_frontend_event(None, {"event": name, **content}, [])


def test_a_stroke_is_prepared_recognized_and_said(pad, seen):
    """The whole way from points to words and bars."""
    pad.stroke(SEVEN)
    assert len(seen) == 1 and seen[0].shape == (28, 28) and seen[0].dtype == np.uint8
    assert np.array_equal(seen[0], like_mnist(pad.picture))
    assert np.array_equal(pad.prepared, seen[0])
    assert pad.message == "I read a 7 (100 %)."
    assert pad.message in pad._text.value
    assert pad.answer.digit == 7
    assert bar_values(pad) == [0] * 7 + [100, 0, 0]
    bold = re.findall(r"font-weight: (\w+)", pad._scores.value)
    assert [index for index, weight in enumerate(bold) if weight == "bold"] == [7]
    assert pad._scores.value.count(BLUE) == 1


def test_the_picture_is_what_was_drawn(pad):
    """A round pen of 20 pixels along the points, nothing elsewhere."""
    pad.stroke([(50, 140), (230, 140)])
    assert pad.picture.shape == (SIDE, SIDE)
    assert pad.picture[:, 140].astype(bool).sum() == pytest.approx(PEN, abs=2)
    assert pad.picture[140, 30:250].astype(bool).sum() == pytest.approx(180 + PEN, abs=2)
    assert pad.picture[:120].max() == 0


def test_mouse_and_touch_take_the_same_way(pad, seen):
    """Events from the browser give the pixels that `stroke` gives."""
    pad.stroke(SEVEN)
    drawn = pad.picture
    (x, y), *others = SEVEN
    pad.clear()
    event(pad, "mouse_move", x=5, y=5)  # no button is down: nothing is drawn
    event(pad, "mouse_down", x=x, y=y)
    for x, y in others:
        event(pad, "mouse_move", x=x, y=y)
    event(pad, "mouse_up", x=x, y=y)
    assert np.array_equal(pad.picture, drawn)
    pad.clear()
    event(pad, "touch_start", touches=[{"x": a, "y": b} for a, b in SEVEN[:1]])
    for a, b in others:
        event(pad, "touch_move", touches=[{"x": a, "y": b}, {"x": 0, "y": 0}])
    event(pad, "touch_end", touches=[])
    assert np.array_equal(pad.picture, drawn)
    assert len(seen) == 3


def test_leaving_the_pad_ends_the_stroke(pad, seen):
    """A stroke over the edge is recognized, once, and does not stick to the mouse."""
    event(pad, "mouse_down", x=100, y=100)
    event(pad, "mouse_move", x=279, y=100)
    event(pad, "mouse_out", x=290, y=100)
    drawn = pad.picture
    event(pad, "mouse_up", x=300, y=100)
    event(pad, "mouse_move", x=10, y=10)
    assert len(seen) == 1
    assert np.array_equal(pad.picture, drawn)


def test_strokes_add_up(pad, seen):
    """A 4 or a crossed 7 takes two strokes: the second is recognized together with the first."""
    pad.stroke([(60, 60), (60, 200)])
    pad.stroke([(200, 60), (200, 200)])
    assert pad.picture[:, 60].any() and pad.picture[:, 200].any()
    assert len(seen) == 2


def test_a_click_is_a_dot_not_a_crash(pad, seen):
    pad.stroke([(140, 140)])
    assert len(seen) == 1 and pad.message.startswith("I read")


def test_clear_forgets_everything(pad):
    pad.stroke(SEVEN)
    pad.clear()
    assert pad.picture.max() == 0
    assert pad.prepared is None and pad.answer is None
    assert bar_values(pad) == [0] * 10
    assert pad.message == "Draw a digit."


def test_the_button_clears(pad):
    pad.stroke(SEVEN)
    columns = pad.widget.children[0].children
    (button,) = [w for column in columns for w in column.children if hasattr(w, "click")]
    button.click()
    assert pad.picture.max() == 0


def failing(error):
    def recognize(image):
        raise error

    return DrawingPad(recognize)


def test_an_error_of_the_board_is_shown_whole():
    """Unplugging the board in the middle of the lesson must be seen in the pad."""
    pad = failing(KitError("The board <COM5> is gone.", "It was unplugged.", "Plug it in."))
    pad.stroke(SEVEN)
    assert pad.message == "The board <COM5> is gone.\nWhy: It was unplugged.\nNext: Plug it in."
    assert "The board &lt;COM5&gt; is gone.<br>" in pad._text.value
    assert pad.answer is None and bar_values(pad) == [0] * 10


def test_any_other_error_is_shown_too():
    """A bug in a learner's own recognize is not lost in a widget's callback."""
    pad = failing(ZeroDivisionError("division by zero"))
    pad.stroke(SEVEN)
    assert pad.message == "ZeroDivisionError: division by zero"


def test_an_error_leaves_the_earlier_answer_nowhere(pad):
    """An answer that no longer holds must not stay on display."""
    pad.stroke(SEVEN)
    pad.recognize = failing(KitError("No.")).recognize
    pad.stroke(SEVEN)
    assert pad.answer is None and bar_values(pad) == [0] * 10 and pad.message == "No."


@pytest.mark.parametrize(
    ("values", "said", "bars"),
    [
        (np.eye(10)[3] * 0.9 + 0.01, "I read a 3 (91 %).", [1] * 3 + [91] + [1] * 6),
        (np.arange(-4.5, 5), "I read a 9 (4.5).", [100 * i / 9 for i in range(10)]),
        (np.array([0.25, 7.75, 0.0]), "I read a 1 (7.75).", [100 / 31, 100, 0]),
        (np.zeros(10), "I read a 0 (0).", [0] * 10),
    ],
    ids=["softmax", "no softmax", "three classes", "collapsed"],
)
def test_what_the_outputs_are_is_shown(values, said, bars):
    """Percent are for shares of 1; other outputs are shown as the numbers that they are."""
    answer = SimpleNamespace(digit=int(values.argmax()), values=values)
    pad = DrawingPad(lambda image: answer)
    pad.stroke(SEVEN)
    assert pad.message == said
    assert bar_values(pad) == pytest.approx(bars, abs=0.01)
    pad.clear()
    assert bar_values(pad) == [0] * len(values)


def test_the_plain_text_of_the_pad_never_changes(pad):
    """nbval compares it; the widget's own repr holds ids and bytes."""
    bundle = pad._repr_mimebundle_()
    assert bundle["text/plain"] == "DrawingPad"
    assert "application/vnd.jupyter.widget-view+json" in bundle


def test_the_lab_cannot_stretch_the_canvases(pad):
    """A stretched canvas would report the mouse where it is not."""
    for canvas in (pad.canvas, pad.preview):
        assert canvas.layout.width == f"{canvas.width}px"
        assert canvas.layout.height == f"{canvas.height}px"
