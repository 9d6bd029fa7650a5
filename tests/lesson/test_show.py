"""kit/lesson/show: figures say what the numbers say, in titles, labels, units, alt texts, bars."""

import base64
import io
from types import SimpleNamespace

import numpy as np
import pytest
from matplotlib.colors import same_color
from matplotlib.figure import Figure
from matplotlib.text import Text
from PIL import Image

from kit.board import LayerProfile, Profile
from kit.compile import Region
from kit.errors import KitError
from kit.generate.xcubeai import Trial
from kit.lesson import show
from kit.lesson.records import published_records
from kit.lesson.show import picture

MODELS = [
    {"name": "float32", "bytes": 476_332, "accuracy": 0.9747, "agreement": 1.0, "fits": True},
    {"name": "int8", "bytes": 129_008, "accuracy": 0.9741, "agreement": 0.9979, "fits": True},
    {"name": "Keras", "bytes": 1_446_811, "accuracy": 0.9747, "agreement": 1.0, "fits": False},
]
REGIONS = [
    Region("weights", "flash", 0x0800_0000 + 8192, 119_000),
    Region("code", "flash", 0x0800_0000, 8192),
    Region("stack", "RAM", 0x2001_F000, 4096),
]
HISTORY = {"loss": [0.3, 0.1], "accuracy": [0.9, 0.97], "val_loss": [0.2, 0.1]}
SCORES = np.array([-128] * 7 + [126, -128, -128], np.int8)
MISTAKES = [{"name": "right", "accuracy": 0.97}, {"name": "inverted", "accuracy": 0.08}]
IMAGES = np.arange(12 * 784, dtype=np.uint32).reshape(12, 28, 28).astype(np.uint8)
POINTS = [  # name, accuracy, bytes; on the front are b, both c and e
    SimpleNamespace(name=name, accuracy=accuracy, flash_bytes=flash)
    for name, accuracy, flash in [
        ("a", 0.90, 500), ("b", 0.95, 400), ("c", 0.97, 900), ("c too", 0.97, 900),
        ("worse", 0.96, 900), ("larger", 0.97, 5_000), ("e", 0.99, 60_000), ("unknown", 0.99, None),
    ]
]  # fmt: skip
BITS = {"rounded": {8: 0.9742, 4: 0.97, 1: 0.11}, "trained": {8: 0.98, 2: 0.97, 1.58: 0.9}}
NOISE = {"rounding": {"dense 1": 30.2, "dense 2": 25.0}, "truncation": {"dense 1": -3.0}}

FIGURES = {
    "digits": lambda: show.images(IMAGES, range(12), "Twelve"),
    "one digit": lambda: show.images(IMAGES[0], title="One"),
    "scores": lambda: show.scores(SCORES, expected=7),
    "history": lambda: show.history(SimpleNamespace(history=HISTORY)),
    "confusion": lambda: show.confusion([0, 1, 1], [0, 1, 7]),
    "comparison": lambda: show.comparison(MODELS),
    "weights": lambda: show.weights(np.linspace(-1, 1, 99), np.arange(-9, 9, dtype=np.int8)),
    "memory_map": lambda: show.memory_map(REGIONS),
    "empty memory": lambda: show.memory_map([]),
    "failures": lambda: show.failures(MISTAKES),
    "profile": lambda: show.profile(profile(estimated=True)),
    "accuracy_by_bits": lambda: show.accuracy_by_bits(BITS, 0.9746),
    "no errors": lambda: show.accuracy_by_bits({"all right": {8: 1.0, 4: 1.0}}),
    "layer_errors": lambda: show.layer_errors(NOISE),
    "pareto": lambda: show.pareto(POINTS, "flash_bytes", published_records()),
    "one point": lambda: show.pareto(POINTS[:1]),
    "road": lambda: show.road(),
    "ways": show.ways,
}


def profile(estimated):
    """Two layers at 180 MHz, one a hundred times the other."""
    times = ("dense", 118_016, 150_000), ("softmax", 0, 1_500)
    layers = (
        LayerProfile(n, "OPERATOR", macs, 0, c, c // 5 * estimated, c / 180) for n, macs, c in times
    )
    return Profile(tuple(layers), estimated, 180_000_000)


def texts(figure):
    """Everything written in the figure."""
    return [text.get_text() for text in figure.findobj(lambda artist: hasattr(artist, "get_text"))]


@pytest.mark.parametrize("name", FIGURES)
def test_every_figure_is_described_and_drawn(name):
    """Alt text, a title, axes with labels, nothing cut off; nothing that Matplotlib warns about."""
    figure = FIGURES[name]()
    assert isinstance(figure, Figure)
    assert len(figure.get_label()) > 15
    assert name == "road" or figure.get_suptitle()
    for axes in (axes for axes in figure.axes if axes.axison):
        names = [label.get_text() for label in axes.get_yticklabels()]
        named = any(text.strip("0123456789.\N{MINUS SIGN}") for text in names)
        assert axes.get_xlabel() and (axes.get_ylabel() or named or not names)
    figure.draw_without_rendering()
    width, height = figure.get_size_inches() * figure.dpi
    for artist in [*figure.axes, *figure.texts]:
        box = artist.get_tightbbox()
        assert box.x0 >= -1 and box.y0 >= -1 and box.x1 <= width + 1 and box.y1 <= height + 1
    file = io.BytesIO()
    figure.savefig(file, format="png")
    assert len(np.unique(np.asarray(Image.open(file)))) > 10


def test_digits_shows_the_pixels_it_is_given():
    """No interpolation and no mixing up of images and labels."""
    axes = show.images(IMAGES[:3], [7, 2, 1]).axes
    assert [each.get_title() for each in axes] == ["7", "2", "1"]
    assert np.array_equal([each.images[0].get_array() for each in axes], IMAGES[:3])


@pytest.mark.parametrize("values", [SCORES, 0.9921875 * np.eye(10)[7]], ids=["int8", "real"])
def test_scores_are_percent_and_the_best_stands_out(values):
    """int8 scores are 100 / 256 * (score + 128) percent, real ones 100 times themselves."""
    bars = show.scores(values).axes[0].patches
    assert [bar.get_height() for bar in bars] == pytest.approx([0] * 7 + [99.21875, 0, 0])
    assert same_color(bars[7].get_facecolor(), picture.BLUE)
    assert not any(same_color(bar.get_facecolor(), picture.BLUE) for bar in bars[:7])


def test_confusion_counts():
    """Rows are what was drawn, columns what was read: not the other way round."""
    axes = show.confusion([1, 1, 4], [7, 7, 4]).axes[0]
    found = {tuple(map(int, text.get_position())): text.get_text() for text in axes.texts}
    assert found == {(7, 1): "2", (4, 4): "1"}


def test_comparison_draws_the_flash_and_says_what_does_not_fit():
    """Color is not the only sign of a model that is too large."""
    left, right = show.comparison(MODELS).axes
    assert [bar.get_width() for bar in left.patches] == [m["bytes"] / 1024 for m in MODELS]
    assert left.lines[0].get_xdata()[0] == 512
    assert "1,413 KB, does not fit" in [text.get_text().strip() for text in left.texts]
    assert {"97.47", "99.79"} <= {text.get_text() for text in right.texts}


@pytest.mark.parametrize("estimated", [True, False])
def test_profile_says_whether_its_times_are_measured(estimated):
    """An estimate is called one in the title, at the axis and in the alt text."""
    figure = show.profile(profile(estimated))
    (axes,) = figure.axes
    widths, waiting = [833.3, 8.3], [166.7, 1.7] if estimated else []
    assert [round(bar.get_width(), 1) for bar in axes.patches] == widths + waiting
    told = "833.3 µs, 150,000 cycles" + " (30,000 waiting)" * estimated
    assert told in [text.strip() for text in texts(figure)]
    word, other = ("estimated", "measured") if estimated else ("measured", "estimated")
    for text in (figure.get_suptitle(), axes.get_xlabel(), figure.get_label()):
        assert word in text and other not in text


def test_engines_stand_side_by_side_and_nothing_is_made_up():
    """A column for each engine; a time only where a real board was measured."""
    runtime = SimpleNamespace(tool="ST Edge AI Core", version="4.0.1")
    sizes = {"macs": 118_016, "weights_bytes": 120_410, "arena_bytes": 912, "layers": [0] * 4}
    ours = SimpleNamespace(engine="portable", runtime=None, **sizes)
    theirs = SimpleNamespace(engine="xcubeai", runtime=runtime, **sizes)
    program = SimpleNamespace(memory=SimpleNamespace(flash_bytes=135_360, ram_bytes=8_464))
    measured = {"time with xcubeai (st-ai)": {"cycles": 250_000, "microseconds": 1388.9}}
    made = show.engines([ours, theirs], [program, program], {"board": {}, **measured})
    cells = {name: values for name, *values in made.cells}
    assert made.headings == ["", "portable", "xcubeai"]
    assert cells["made by"] == ["this kit", "ST Edge AI Core 4.0.1"]
    assert cells["whole program in flash, bytes"] == ["135,360"] * 2
    assert cells["time on a real board"] == ["not measured yet: run 05", "1,389 µs, 250,000 cycles"]


def test_trials_show_why_a_setting_was_refused():
    """Figures where there are some, else the tool's reason."""
    figures = SimpleNamespace(weights_bytes=120_000, activations_bytes=None)
    tried = [Trial("none", "time", figures), Trial("high", "ram", None, "has no high")]
    assert show.trials(tried).cells == [
        ["none", "time", "120,000", "not known yet", ""],
        ["high", "ram", "not known yet", "not known yet", "has no high"],
    ]


def test_weights_has_a_bin_for_each_integer():
    """Bins that do not match the int8 grid would show combs that are not there."""
    values = np.repeat(np.arange(-3, 4, dtype=np.int8), 5)
    bars = show.weights([0.0, 1.0], values).axes[1].patches
    assert [bar.get_height() for bar in bars] == [5] * 7


def test_accuracies_are_drawn_as_errors_from_8_bits_down():
    """So that 97 and 99.5 % lie far apart; float32 is a line across."""
    figure = show.accuracy_by_bits(BITS, 0.9746)
    (axes,) = figure.axes
    assert axes.get_yscale() == "log" and axes.yaxis_inverted() and axes.xaxis_inverted()
    assert axes.lines[0].get_xydata() == pytest.approx(
        np.array([[1, 0.89], [4, 0.03], [8, 0.0258]])
    )
    assert axes.lines[2].get_ydata()[0] == pytest.approx(0.0254)
    labels = zip(axes.get_yticks(), axes.get_yticklabels(), strict=True)
    assert all(float(text.get_text()) == pytest.approx(100 - 100 * at) for at, text in labels)
    assert "trained: 8 bits 98.00%, 2 bits 97.00%, 1.58 bits 90.00%" in figure.get_label()
    assert "float32: 97.46%" in figure.get_label()


def test_noise_stands_in_groups_by_layer():
    """A layer that a method does not have gets no bar."""
    figure = show.layer_errors(NOISE)
    (axes,) = figure.axes
    assert [text.get_text() for text in axes.get_xticklabels()] == ["dense 1", "dense 2"]
    heights = [bar.get_height() for bar in axes.patches]
    assert heights == pytest.approx([30.2, 25, -3, np.nan], nan_ok=True)
    assert "truncation: dense 1 -3.0." in figure.get_label()


def test_the_pareto_front_is_what_no_other_beats():
    """Of two that are the same both, of two that cost the same the better, of two as accurate the
    cheaper one; objects and mappings; in any order."""
    for rows in (POINTS, POINTS[::-1]):
        assert {each.name for each in show.pareto_front(rows, "flash_bytes")} == {*"bce", "c too"}
    rows = [vars(point) for point in POINTS]
    assert [row["name"] for row in show.pareto_front(rows, "flash_bytes")][::3] == ["b", "e"]
    assert show.pareto_front(POINTS, "cycles") == []


def test_pareto_draws_the_front_and_names_everybody():
    """Steps that hold an accuracy until a better one is paid for; others' points apart, and who
    cannot be drawn is named."""
    peer = {"name": "peer", "accuracy": 0.995, "flash_bytes": 700}
    figure = show.pareto(POINTS, "flash_bytes", [peer])
    (axes,) = figure.axes
    steps, own, others = axes.lines
    assert steps.get_drawstyle() == "steps-post" and axes.get_xscale() == "log"
    corners = np.array([[400, 0.05], [900, 0.03], [900, 0.03], [60_000, 0.01], [120_000, 0.01]])
    assert steps.get_xydata() == pytest.approx(corners)
    assert len(own.get_xdata()) == 7 and list(others.get_xdata()) == [700]
    assert axes.get_xlabel() == "whole program in flash (bytes)"
    assert {point.name for point in POINTS[:-1]} | {"peer"} <= set(texts(figure))
    assert "e 60,000, 99.00% (front)" in figure.get_label()
    assert "peer 700, 99.50% (by others)" in figure.get_label()
    assert figure.get_label().endswith("Left out, as it is not known there: unknown.")


@pytest.mark.parametrize("x, words", [("colour", "not one of"), ("cycles", "No point has")])
def test_pareto_refuses_what_it_cannot_draw(x, words):
    with pytest.raises(KitError, match=words):
        show.pareto(POINTS, x)


def test_names_of_points_do_not_lie_on_each_other():
    """With as many as there are in the course."""
    figure = show.pareto(POINTS[:-1], "flash_bytes", published_records())
    figure.draw_without_rendering()
    boxes = [Text.get_window_extent(text) for text in figure.axes[0].texts]
    assert len(boxes) > 10 and all(box.count_overlaps(boxes) == 1 for box in boxes)


def test_records_of_others_say_where_they_are_from():
    """The weights are part of the program, and no record is better than all images."""
    records = published_records()
    assert len({record.name for record in records}) == len(records) > 10
    for record in records:
        assert 0.9 < record.accuracy < 1 and "https://" in record.source
        if record.flash_bytes is None:
            assert "counted" in record.source
        else:
            assert record.flash_bytes > record.weights_bytes


def test_memory_map_adds_up_and_is_to_scale():
    """Bytes in words, a strip to scale for each memory, parts in order of address."""
    figure = show.memory_map(REGIONS)
    flash, flash_parts, ram, _ = figure.axes
    assert flash.get_title().startswith("flash: 127,192 of 524,288 bytes (24.3%)")
    assert ram.get_title().startswith("RAM: 4,096 of 131,072 bytes")
    assert [bar.get_width() for bar in flash_parts.patches] == [8192, 119_000]
    stack = ram.patches[1]
    assert (stack.get_x(), stack.get_x() + stack.get_width()) == (124, 128)
    assert "stack\n0x2001F000" in texts(figure)


def test_a_figure_is_shown_as_a_png_with_its_alt_text(monkeypatch):
    """One image/png, its alt text in the metadata and as plain text, the same every time; another
    description may be given."""
    shown = []
    monkeypatch.setattr(picture, "display", lambda data, **more: shown.append((data, more)))
    figure = show.road()
    figure._ipython_display_()
    figure.set_label("A road.")
    figure._ipython_display_()
    (first, _), (data, more) = shown
    assert first["text/plain"].startswith("The road: digits, then model")
    assert set(data) == {"image/png", "text/plain"} and data["image/png"] == first["image/png"]
    assert '<img alt="A road." width="960" src="data:image/png;base64,' in figure.as_html()
    assert data["text/plain"] == "A road." and more["raw"]
    assert more["metadata"] == {"image/png": {"alt": "A road.", "width": 960}}
    png = Image.open(io.BytesIO(base64.b64decode(data["image/png"])))
    assert png.size == (1440, 216) and "Software" not in png.info
